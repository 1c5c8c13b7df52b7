"""Evidence: who does what in a passage, told by rules over tokens.

A cue speaks for a behaviour where an artificial agent is near enough in the same sentence to be
its subject; negation, hedges, warnings and denials around it are counted. The rules find spans to
show and numbers for the verdict to weigh; they decide nothing themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import Any, NamedTuple

import numpy as np
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..labels.cues import Cues, read_cues
from ..labels.lexicon import Lexicon, read_lexicon
from ..labels.taxonomy import BEHAVIOURS, behaviour_label
from .attachment import CONTEXTS, MarkedPassages
from .tokens import Tokens, tokenize

TOGETHER = 256
"""Passages that are read together, over which the cost of each call is spread."""


class EvidenceSpan(NamedTuple):
    """A span in code points that speaks for a label; without behaviour it names the agent."""

    start: int
    end: int
    label: str
    behaviour: str | None


@dataclass(frozen=True)
class PassageEvidence:
    """What the rules found in one passage.

    Attributes:
        spans: what speaks for a label, ascending.
        features: `len(FEATURES)` numbers.
        nearby: the words near an agent, as terms to be weighed.
    """

    spans: list[EvidenceSpan]
    features: np.ndarray
    nearby: list[str]


class EvidenceReader:
    """Reads passages by rule.

    Args:
        lexicon: terms of role `agent` name agents; those of role `speaker` let a machine speak.
        cues: words that speak for behaviours, and those that negate, hedge, warn or deny.
    """

    def __init__(self, lexicon: Lexicon | None = None, *, cues: Cues | None = None) -> None:
        lexicon, cues = lexicon or read_lexicon(), cues or read_cues()
        self._vocab = Vocab()
        self._matcher = PhraseMatcher(self._vocab, attr="ORTH")
        self._labels = behaviour_label()
        contexts = {name: getattr(cues, name) for name in CONTEXTS[1:]}
        contexts["agents"] = lexicon.terms(roles=["agent"])
        contexts["speakers"] = (*cues.speakers, *lexicon.terms(roles=["speaker"]))
        for behaviour, group in cues.behaviours.items():
            verbs = {form for verb in group.verbs for form in cues.inflections(verb)}
            contexts[f"verb {behaviour}"] = sorted(verbs)
            contexts[f"noun {behaviour}"] = sorted(set(group.nouns) - verbs)
        cut = {name: _cut(phrases) for name, phrases in contexts.items()}
        for name, phrases in cut.items():
            self._matcher.add(name, [Doc(self._vocab, words=words) for words in phrases])
        self._neighbours = _Neighbours(list(chain(*cut.values())))

    def read(self, passages: Sequence[str]) -> list[PassageEvidence]:
        """Return the evidence of each passage; spans are code points within the passage."""
        found: list[PassageEvidence] = []
        for first in range(0, len(passages), TOGETHER):
            found += self._read(passages[first : first + TOGETHER])
        return found

    def _read(self, passages: Sequence[str]) -> list[PassageEvidence]:
        tokens = tokenize(passages)
        reading = MarkedPassages(tokens, self._found(tokens))
        spans: list[list[EvidenceSpan]] = [[] for _ in passages]
        for passage, start, end in reading.agent_spans():
            spans[passage].append(EvidenceSpan(start, end, "ai_agent", None))
        for behaviour in BEHAVIOURS:
            label = self._labels[behaviour]
            for passage, start, end in reading.weigh(behaviour, label):
                spans[passage].append(EvidenceSpan(start, end, label, behaviour))
        for own in spans:
            own.sort(key=lambda span: (span.start, span.end, span.label, span.behaviour or ""))
        return list(map(PassageEvidence, spans, reading.features(), reading.nearby()))

    def _found(self, tokens: Tokens) -> dict[str, list[tuple[int, int]]]:
        # The matcher sees what may be part of a phrase only: what it finds across a gap is none.
        places = self._neighbours.places(tokens.lower)
        document = Doc(self._vocab, words=[tokens.lower[place] for place in places])
        matches = sorted(self._matcher(document), key=lambda match: (match[1], -match[2]))
        found: dict[str, list[tuple[int, int]]] = {}
        for key, first, end in matches:
            start, last = places[first], places[end - 1]
            if last - start != end - 1 - first:
                continue
            spans = found.setdefault(self._vocab.strings[key], [])
            if not spans or start >= spans[-1][1]:
                spans.append((start, last + 1))
        return found


def _cut(phrases: Sequence[str]) -> list[list[str]]:
    """Cut phrases into words as passages are cut."""
    tokens = tokenize(phrases)
    cut: list[list[str]] = [[] for _ in phrases]
    for phrase, word in zip(tokens.passage.tolist(), tokens.lower, strict=True):
        if word:  # there are none in a gap
            cut[phrase].append(word)
    return cut


class _Neighbours:
    """Which words of a passage may be part of a phrase, by their neighbours; one in fourteen is.

    Most words of phrases are as common as "to" and "the", and making them known to spaCy takes
    longer than all of its matching.
    """

    def __init__(self, phrases: list[list[str]]) -> None:
        words = dict.fromkeys(chain(*phrases))
        self._numbers = {word: number for number, word in enumerate(words, start=1)}
        self._alone = np.zeros(len(words) + 1, dtype=bool)
        self._alone[[self._numbers[words[0]] for words in phrases if len(words) == 1]] = True
        self._beside = np.unique(
            [
                self._pair(self._numbers[word], self._numbers[after])
                for words in phrases
                for word, after in pairwise(words)
            ]
        )

    def _pair(self, numbers: Any, following: Any) -> Any:
        return numbers * (len(self._numbers) + 1) + following

    def places(self, words: list[str]) -> list[int]:
        """Return the places of words that are a phrase, or stand as in one beside another."""
        numbers = np.fromiter(map(self._numbers.get, words, repeat(0)), np.int64, len(words))
        kept = self._alone[numbers]
        pairs = np.flatnonzero((numbers[:-1] > 0) & (numbers[1:] > 0))
        known = np.isin(self._pair(numbers[pairs], numbers[pairs + 1]), self._beside)
        kept[pairs[known]] = kept[pairs[known] + 1] = True
        return np.flatnonzero(kept).tolist()
