"""Attachment: which cues of a passage an artificial agent carries, and the numbers that result."""

import numpy as np

from ..labels.taxonomy import BEHAVIOURS, PORTRAYALS
from .tokens import Tokens

SUBJECT_REACH = 14
"""Tokens between a subject and its verb, at most."""

NEGATION_REACH = 4
"""Tokens between a negator and what it denies, at most."""

NEARBY, BESIDE = 6, 3
"""Words from an agent within which a word is near it, and within which its side counts too."""

PASSIVE = frozenset({"was", "were", "been", "being", "be", "is", "are", "get", "gets", "got"})
PRONOUNS = frozenset(
    {"it", "its", "itself", "they", "them", "their", "themselves", "he", "his", "himself", "she"}
)
DETERMINERS = frozenset(
    {"the", "a", "an", "this", "these", "those", "his", "her", "its", "their", "my", "your", "our"}
)
CONTINUING = frozenset({"and", "or", "then", ",", "to"})
FIRST_PERSON = frozenset({"i", "me", "my", "myself", "we", "us", "our"})
QUOTES = frozenset("\"“”«»'‘")

PRONOUN, FIRST, SECOND, QUOTE, QUESTION = 1, 2, 4, 8, 16
KIND: dict[str, int] = {}
"""What a word is, as bits: looked up once a token."""

for _words, _bit in (
    (PRONOUNS, PRONOUN), (FIRST_PERSON, FIRST), (("you", "your"), SECOND), (QUOTES, QUOTE),
    ("?", QUESTION),
):  # fmt: skip
    for _word in _words:
        KIND[_word] = KIND.get(_word, 0) | _bit

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


class MarkedPassage:
    """One passage while it is read: its tokens, and what stands where.

    Args:
        tokens: the passage's tokens.
        found: for each context and each `verb` or `noun` cue its token spans, ascending.
    """

    def __init__(self, tokens: Tokens, found: dict[str, list[tuple[int, int]]]) -> None:
        self.tokens = tokens
        self.words = tokens.lower
        self.found = found
        self.counts = np.zeros(len(FEATURES))
        self.sentence = tokens.sentence
        kinds = np.fromiter((KIND.get(word, 0) for word in self.words), np.uint8, len(self.words))
        self.marks = {name: self._marked(name) for name in CONTEXTS}
        self.agent = self.marks["agents"] | self.marks["weak_agents"]
        if found.get("speakers"):
            self.agent |= (kinds & FIRST) != 0
        self.pronoun = (kinds & PRONOUN) != 0
        self.kinds = kinds
        self.agent_sentences = set(self.sentence[self.agent].tolist())

    def _marked(self, name: str) -> np.ndarray:
        marks = np.zeros(len(self.words), dtype=bool)
        for start, end in self.found.get(name, ()):
            marks[start:end] = True
        return marks

    def nearby(self) -> list[str]:
        """Return what stands near an agent whatever it is called: words and pairs, marked `n`, and
        the words right before and after it, marked `l` and `r`.
        """
        runs = np.flatnonzero(np.diff(self.agent.astype(np.int8), prepend=0, append=0))
        words = [w if w.isalpha() or w == "n't" or w in ".!?" else "" for w in self.words]
        near = np.zeros(len(words), dtype=bool)
        terms: list[str] = []
        for start, end in zip(runs[::2].tolist(), runs[1::2].tolist(), strict=True):
            near[max(0, start - NEARBY) : end + NEARBY] = True
            terms += [f"l {word}" for word in words[max(0, start - BESIDE) : start] if word]
            terms += [f"r {word}" for word in words[end : end + BESIDE] if word]
        for place in np.flatnonzero(near & ~self.agent).tolist():
            if words[place]:
                terms.append(f"n {words[place]}")
                if place + 1 < len(words) and words[place + 1]:
                    after = "agent" if self.agent[place + 1] else words[place + 1]
                    terms.append(f"n {words[place]} {after}")
        return terms

    def agent_spans(self) -> list[tuple[int, int]]:
        """Return the code-point spans of what names an agent; a weak name where none else does."""
        named = self.found.get("agents") or self.found.get("weak_agents") or ()
        return [self._offsets(*span) for span in named]

    def _offsets(self, start: int, end: int) -> tuple[int, int]:
        return int(self.tokens.starts[start]), int(self.tokens.ends[end - 1])

    def weigh(self, behaviour: str, label: str) -> list[tuple[int, int]]:
        """Count a behaviour's cues, and return the spans of those that an agent carries."""
        spans: list[tuple[int, int]] = []
        for kind in ("verb", "noun"):
            for start, end in self.found.get(f"{kind} {behaviour}", ()):
                if kind == "verb" and start and self.words[start - 1] in DETERMINERS:
                    continue  # "the guard", "a fake": a noun that looks like a verb
                if kind == "verb" and self._is_suffered(start):
                    self._count(f"passive_{label}")
                    continue
                if not self._is_carried(start, end, kind):
                    self._count(f"unattached_{label}")
                    continue
                here = self.sentence == self.sentence[start]
                self._count(f"hedged_{label}", self._any("hedges", here))
                self._count(f"warned_{label}", self._any("warnings", here))
                self._count(f"refuted_{label}", self._any("refutations", here))
                self._count(f"near_human_{label}", self._any("humans", here))
                if self.marks["negators"][max(0, start - NEGATION_REACH) : start].any():
                    self._count(f"negated_{label}")
                    continue
                self._count(f"attached_{behaviour}")
                self._count(f"attached_{label}")
                spans.append(self._offsets(start, end))
        return spans

    def _count(self, name: str, times: bool = True) -> None:
        self.counts[_PLACE[name]] += times

    def _any(self, context: str, where: np.ndarray) -> bool:
        return bool((self.marks[context] & where).any())

    def _is_suffered(self, start: int) -> bool:
        """Whether a verb stands in the passive without an agent that does it."""
        if not start or self.words[start - 1] not in PASSIVE or self.words[start].endswith("ing"):
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
        goes_on = bool(start) and self.words[start - 1] in CONTINUING
        for place in range(start - 1, first - 1, -1):
            if self.sentence[place] != here:
                break
            if self.agent[place]:
                return True
            if self.pronoun[place] and {here, here - 1} & self.agent_sentences:
                return True
            if kind == "verb" and not goes_on and self.marks["humans"][place]:
                return False
        after = slice(end, end + SUBJECT_REACH)
        if kind == "noun":
            return bool((self.agent[after] & (self.sentence[after] == here)).any())
        return "by" in self.words[end : end + 3] and bool(self.agent[end : end + 6].any())

    def features(self) -> np.ndarray:
        """Return the numbers named in `FEATURES`."""
        words, counts = self.words, self.counts
        hundreds = max(len(words), 1) / 100
        for context in CONTEXTS:
            counts[_PLACE[f"count_{context}"]] = len(self.found.get(context, ())) / hundreds
        shares = {
            "pronouns": np.count_nonzero(self.kinds & PRONOUN),
            "first_person": np.count_nonzero(self.kinds & FIRST),
            "second_person": np.count_nonzero(self.kinds & SECOND),
            "quotes": np.count_nonzero(self.kinds & QUOTE),
            "questions": np.count_nonzero(self.kinds & QUESTION),
            "digits": sum(map(str.isdigit, words)),
            "capitals": sum(map(str.istitle, self.tokens.words)),
        }
        for name, number in shares.items():
            counts[_PLACE[name]] = number / hundreds
        counts[_PLACE["tokens"]] = len(words)
        features = np.log1p(counts)
        sentences = int(self.sentence[-1]) + 1 if len(words) else 1
        features[_PLACE["sentences_with_agent"]] = len(self.agent_sentences) / sentences
        return features
