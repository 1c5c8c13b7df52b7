"""Attachment: which cues of a passage an artificial agent carries, and the numbers that result."""

import numpy as np

from ..labels.taxonomy import BEHAVIOURS, PORTRAYALS
from .tokens import Flag, Tokens

SUBJECT_REACH = 14
"""Tokens between a subject and its verb, at most."""

NEGATION_REACH = 4
"""Tokens between a negator and what it denies, at most."""

NEARBY, BESIDE = 6, 3
"""Words from an agent within which a word is near it, and within which its side counts too."""

PASSIVE = frozenset({"was", "were", "been", "being", "be", "is", "are", "get", "gets", "got"})
DETERMINERS = frozenset(
    {"the", "a", "an", "this", "these", "those", "his", "her", "its", "their", "my", "your", "our"}
)
CONTINUING = frozenset({"and", "or", "then", ",", "to"})

CONTEXTS = (
    "agents", "weak_agents", "speakers", "negators", "hedges", "warnings", "refutations",
    "endorsements", "fiction", "humans",
)  # fmt: skip

FEATURES: tuple[str, ...] = (
    *(f"attached_{behaviour}" for behaviour in BEHAVIOURS),
    *(f"{how}_{label}" for label in PORTRAYALS for how in (
        "attached", "negated", "hedged", "warned", "refuted", "near_human", "unattached", "passive",
    )),
    *(f"count_{context}" for context in CONTEXTS),
    "pronouns", "first_person", "second_person", "quotes", "questions", "digits", "capitals",
    "tokens", "sentences_with_agent",
)  # fmt: skip
"""Names of the numbers in a feature vector, in order. Counts are log(1 + n); `count_*`,
`pronouns` to `capitals` are per hundred tokens before that; `sentences_with_agent` is a share."""

_PLACE = {name: place for place, name in enumerate(FEATURES)}

_TURNS = {
    "hedged": "hedges", "warned": "warnings", "refuted": "refutations", "near_human": "humans",
}  # fmt: skip
"""Features that count attached cues by what else stands in their sentence."""

_SHARES = {
    "pronouns": Flag.PRONOUN, "first_person": Flag.FIRST, "second_person": Flag.SECOND,
    "quotes": Flag.QUOTE, "questions": Flag.QUESTION, "digits": Flag.DIGITS,
    "capitals": Flag.CAPITAL,
}  # fmt: skip


class MarkedPassages:
    """Passages while they are read: their tokens, and what stands where.

    Args:
        tokens: the passages' tokens.
        found: for each context and each `verb` or `noun` cue its token spans, ascending.
    """

    def __init__(self, tokens: Tokens, found: dict[str, list[tuple[int, int]]]) -> None:
        self.tokens = tokens
        self.words, self.sentence = tokens.lower, tokens.sentence
        self.found = found
        self.counts = np.zeros((len(tokens.sizes), len(FEATURES)))
        self.marks = {name: self._marked(name) for name in CONTEXTS}
        self.sentences_with = {
            name: set(self.sentence[self.marks[name]].tolist()) for name in _TURNS.values()
        }
        self.agent = self.marks["agents"] | self.marks["weak_agents"]
        speaks = self._in_passages("speakers")[tokens.passage] > 0
        self.agent |= speaks & (tokens.flags & Flag.FIRST != 0)
        self.agent_sentences = set(self.sentence[self.agent].tolist())

    def _marked(self, name: str) -> np.ndarray:
        marks = np.zeros(len(self.words), dtype=bool)
        for start, end in self.found.get(name, ()):
            marks[start:end] = True
        return marks

    def _in_passages(self, name: str) -> np.ndarray:
        """Return how many spans of a context each passage has."""
        starts = [start for start, _ in self.found.get(name, ())]
        return self._count_in_passages(starts)

    def _count_in_passages(self, places: list[int] | np.ndarray) -> np.ndarray:
        of = self.tokens.passage[np.asarray(places, dtype=np.int64)]
        return np.bincount(of, minlength=len(self.tokens.sizes))

    def nearby(self) -> list[list[str]]:
        """Return what stands near an agent whatever it is called: words and pairs, marked `n`, and
        the words right before and after it, marked `l` and `r`.
        """
        is_term = (self.tokens.flags & Flag.TERM).tolist()
        words = [word if yes else "" for word, yes in zip(self.words, is_term, strict=True)]
        of = self.tokens.passage.tolist()
        near = np.zeros(len(words), dtype=bool)
        terms: list[list[str]] = [[] for _ in self.tokens.sizes]
        edges = np.flatnonzero(np.diff(self.agent, prepend=False, append=False)).tolist()
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            near[max(0, start - NEARBY) : end + NEARBY] = True
            own = terms[of[start]]
            own += [f"l {word}" for word in words[max(0, start - BESIDE) : start] if word]
            own += [f"r {word}" for word in words[end : end + BESIDE] if word]
        is_agent = self.agent.tolist()
        for place in np.flatnonzero(near & ~self.agent).tolist():
            if word := words[place]:
                own = terms[of[place]]
                own.append(f"n {word}")
                if after := words[place + 1]:
                    own.append(f"n {word} {'agent' if is_agent[place + 1] else after}")
        return terms

    def agent_spans(self) -> list[tuple[int, int, int]]:
        """Return passage and code-point span of what names an agent; a weak name where none else
        does.
        """
        named = self._in_passages("agents")
        weak = self.found.get("weak_agents", ())
        alone = [span for span in weak if not named[self.tokens.passage[span[0]]]]
        return [self._offsets(*span) for span in (*self.found.get("agents", ()), *alone)]

    def _offsets(self, start: int, end: int) -> tuple[int, int, int]:
        tokens = self.tokens
        return int(tokens.passage[start]), int(tokens.starts[start]), int(tokens.ends[end - 1])

    def weigh(self, behaviour: str, label: str) -> list[tuple[int, int, int]]:
        """Count a behaviour's cues; returns passage and span of those that an agent carries."""
        spans: list[tuple[int, int, int]] = []
        for kind in ("verb", "noun"):
            for start, end in self.found.get(f"{kind} {behaviour}", ()):
                counts = self.counts[self.tokens.passage[start]]
                if kind == "verb" and self.words[start - 1] in DETERMINERS:
                    continue  # "the guard", "a fake": a noun that looks like a verb
                if kind == "verb" and self._is_suffered(start):
                    counts[_PLACE[f"passive_{label}"]] += 1
                    continue
                if not self._is_carried(start, end, kind):
                    counts[_PLACE[f"unattached_{label}"]] += 1
                    continue
                here = int(self.sentence[start])
                for name, context in _TURNS.items():
                    counts[_PLACE[f"{name}_{label}"]] += here in self.sentences_with[context]
                if self.marks["negators"][max(0, start - NEGATION_REACH) : start].any():
                    counts[_PLACE[f"negated_{label}"]] += 1
                    continue
                counts[_PLACE[f"attached_{behaviour}"]] += 1
                counts[_PLACE[f"attached_{label}"]] += 1
                spans.append(self._offsets(start, end))
        return spans

    def _is_suffered(self, start: int) -> bool:
        """Whether a verb stands in the passive without an agent that does it."""
        if self.words[start - 1] not in PASSIVE or self.words[start].endswith("ing"):
            return False
        after = self.words[start + 1 : start + 5]
        if "by" not in after:
            return True
        place = start + 1 + after.index("by")
        return not self.agent[place : place + 5].any()

    def _is_carried(self, start: int, end: int, kind: str) -> bool:
        """Whether an agent of the same sentence, or a pronoun for one, is near enough."""
        here = int(self.sentence[start])
        first = max(0, start - SUBJECT_REACH)
        # "lied to the crew and killed", "wants people to obey": the subject stands further back.
        goes_on = self.words[start - 1] in CONTINUING
        for place in range(start - 1, first - 1, -1):
            if self.sentence[place] != here:
                break
            if self.agent[place]:
                return True
            if self.tokens.flags[place] & Flag.PRONOUN and {here, here - 1} & self.agent_sentences:
                return True
            if kind == "verb" and not goes_on and self.marks["humans"][place]:
                return False
        after = slice(end, end + SUBJECT_REACH)
        if kind == "noun":
            return bool((self.agent[after] & (self.sentence[after] == here)).any())
        return "by" in self.words[end : end + 3] and bool(self.agent[end : end + 6].any())

    def features(self) -> np.ndarray:
        """Return the numbers named in `FEATURES`: (passages, `len(FEATURES)`)."""
        counts, flags, sizes = self.counts, self.tokens.flags, self.tokens.sizes
        hundreds = np.maximum(sizes, 1) / 100
        for context in CONTEXTS:
            counts[:, _PLACE[f"count_{context}"]] = self._in_passages(context) / hundreds
        for name, flag in _SHARES.items():
            there = self._count_in_passages(np.flatnonzero(flags & flag))
            counts[:, _PLACE[name]] = there / hundreds
        counts[:, _PLACE["tokens"]] = sizes
        features = np.log1p(counts)
        _, begins = np.unique(self.sentence, return_index=True)
        sentences = self._count_in_passages(begins)
        spoken_of = self._count_in_passages(
            begins[np.isin(self.sentence[begins], [*self.agent_sentences])]
        )
        features[:, _PLACE["sentences_with_agent"]] = spoken_of / sentences
        return features
