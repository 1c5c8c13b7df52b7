"""The cascade: a text through gate, screen, evidence and verdict, as far as it needs to go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ..labels.lexicon import read_lexicon
from ..labels.taxonomy import LABELS
from .gate import Gate
from .meta import judge_folder, models_folder, read_meta, use_judge
from .passages import Window, read_windows

# The libraries behind these take seconds to import: a command that reads no text goes without.
if TYPE_CHECKING:
    from .evidence import EvidenceReader, EvidenceSpan, PassageEvidence
    from .screen import Screen
    from .verdict import DocumentVerdict, Judgement, Verdict

Stage = Literal["gate", "screen", "verdict"]

SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class PassageReading:
    """A window that the screen let by; offsets are code points into the document.

    `judge` is empty where the judge was not asked.
    """

    start: int
    end: int
    text: str
    screen: dict[str, float]
    judge: dict[str, float]
    probability: dict[str, float]
    stance: str
    evidence: list[EvidenceSpan]


class Escalated(NamedTuple):
    """A document's windows that the screen let by, their screen scores (windows, labels), and what
    was found in each.
    """

    windows: Sequence[Window]
    screen: np.ndarray
    evidence: Sequence[PassageEvidence]


@dataclass(frozen=True)
class Reading:
    """What the cascade says of a document.

    Attributes:
        stage: the last stage that ran.
        gate_matches: terms of the lexicon found.
        windows: the passages that the screen scored.
        screen: highest screen score of the windows by label; null where the gate found nothing.
        passages: the windows that the screen let by, judged, in order.
        verdict: null where no window went that far.
    """

    stage: Stage
    gate_matches: int
    windows: list[Window]
    screen: dict[str, float] | None
    passages: list[PassageReading]
    verdict: DocumentVerdict | None


def _readable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot hold, one for one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text)
    return text


def _by_label(values: np.ndarray) -> dict[str, float]:
    return dict(zip(LABELS, values.tolist(), strict=True))


class Cascade:
    """Gate, screen, evidence and verdict; each is loaded when it is first needed.

    It may be used from several threads. It cannot be pickled: load one in each process, with
    `load_cascade`.

    Args:
        models: a models folder; by default the one that is shipped.
        judge: whether the judge reads what the verdict leaves undecided; by default where it can.

    Raises:
        ModelError: on first use, where the folder is missing, damaged or of another version, or
            where a judge is wanted that is not there.
    """

    def __init__(self, models: Path | None = None, *, judge: bool | None = None) -> None:
        self.folder = models_folder(models)
        self._judge = judge

    @cached_property
    def gate(self) -> Gate:
        """The gate, compiled from the shipped lexicon."""
        return Gate(read_lexicon())

    @cached_property
    def screen(self) -> Screen:
        """The screen with its thresholds."""
        from .screen import Screen

        thresholds = read_meta(self.folder)["screen"]
        return Screen.load(self.folder, thresholds=[thresholds[label] for label in LABELS])

    @cached_property
    def evidence(self) -> EvidenceReader:
        """The evidence reader."""
        from .evidence import EvidenceReader

        return EvidenceReader()

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict with its calibrations."""
        from .judge import Judge
        from .verdict import Verdict

        judge = None
        if use_judge(self.folder, wanted=self._judge):
            judge = Judge.load(judge_folder(self.folder))
        return Verdict.load(self.folder, judge=judge)

    def read(self, text: str) -> Reading:
        """Read a whole document; what is said of it depends on it alone."""
        data = _readable(text).encode()
        matches = self.gate.matches(data)
        if not matches:
            return Reading("gate", 0, [], None, [], None)
        windows = read_windows(data, matches)
        scores = self.screen.score(windows)
        highest = _by_label(scores.max(axis=0))
        chosen = np.flatnonzero(self.screen.lets_by(scores)).tolist()
        if not chosen:
            return Reading("screen", len(matches), windows, highest, [], None)
        kept = [windows[place] for place in chosen]
        evidence = self.evidence.read([window.text for window in kept])
        [(passages, verdict)] = self.judge([Escalated(kept, scores[chosen], evidence)])
        return Reading("verdict", len(matches), windows, highest, passages, verdict)

    def judge(
        self, documents: Sequence[Escalated]
    ) -> list[tuple[list[PassageReading], DocumentVerdict]]:
        """Judge documents by the windows that the screen let by; none depends on the others."""
        judgement = self.verdict.judge(
            [window.text for document in documents for window in document.windows],
            [evidence for document in documents for evidence in document.evidence],
        )
        judged: list[tuple[list[PassageReading], DocumentVerdict]] = []
        place = 0
        for document in documents:
            own = judgement.part(place, place + len(document.windows))
            place += len(document.windows)
            judged.append((self._readings(document, own), self.verdict.document(own)))
        return judged

    def _readings(self, document: Escalated, judgement: Judgement) -> list[PassageReading]:
        from .evidence import EvidenceSpan

        readings: list[PassageReading] = []
        for place, (start, end, text, _) in enumerate(document.windows):
            probability = _by_label(judgement.probabilities[place])
            readings.append(
                PassageReading(
                    start=start,
                    end=end,
                    text=text,
                    screen=_by_label(document.screen[place]),
                    judge=_by_label(judgement.judge[place]) if place in judgement.judge else {},
                    probability=probability,
                    stance=judgement.stances[place],
                    evidence=[
                        EvidenceSpan(start + s.start, start + s.end, s.label, s.behaviour)
                        for s in document.evidence[place].spans
                        if probability[s.label] >= self.verdict.thresholds[s.label]
                    ],
                )
            )
        return readings

    def score_texts(self, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield what `narrascope score` writes for each record with `id` and `text`, in order.

        Keys are `id`, a probability for each label, `labels` (those over their default
        thresholds), `stance`, `genre`, `behaviours`, `evidence` and `stage`. A text that the gate
        or the screen stopped has probabilities of 0, no labels, stance `none` and a null genre.
        """
        for record in records:
            yield {"id": record["id"], **self.score(record["text"])}

    def score(self, text: str) -> dict[str, Any]:
        """Return what `score_texts` says of one text, without its id."""
        reading = self.read(text)
        verdict = reading.verdict
        probability: dict[str, float] = dict.fromkeys(LABELS, 0.0)
        labels: list[str] = []
        behaviours: list[str] = []
        stance, genre = "none", None
        if verdict is not None:
            probability, genre, behaviours = verdict.probability, verdict.genre, verdict.behaviours
            thresholds = self.verdict.document_thresholds
            labels = [label for label in LABELS if probability[label] >= thresholds[label]]
            stance = self.verdict.main_stance(verdict)
        return {
            **probability,
            "labels": labels,
            "stance": stance,
            "genre": genre,
            "behaviours": behaviours,
            "evidence": [span._asdict() for p in reading.passages for span in p.evidence],
            "stage": reading.stage,
        }


@cache
def load_cascade(models: Path | None = None, *, judge: bool | None = None) -> Cascade:
    """Return this process's cascade for a models folder, the same one each time."""
    return Cascade(models, judge=judge)
