"""The verdict: calibrated probabilities, stance, genre and behaviours, per passage and document.

All questions share one sparse representation and have a logistic regression each, so that judging
is one product of matrices. Where the judge is at hand, it is asked about what is left undecided.
Probabilities are rounded to 1e-4, and thresholds act on what is rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from ..errors import ModelError
from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, PORTRAYALS, STANCES, behaviour_label
from .attachment import FEATURES
from .blend import Blend, agent_at_least, label_probabilities
from .calibration import Platt, log_odds
from .evidence import PassageEvidence
from .heads import PLACES
from .judge import Judge
from .meta import read_meta
from .representation import Representation

STRONGEST = 3
"""Passages of a document that its probability is made of."""


@dataclass(frozen=True)
class Judgement:
    """What is said of n passages: probabilities (n, 4) in label order, and a value each.

    `judge` has what the judge alone said, by the place of each passage that it was asked about.
    """

    probabilities: np.ndarray
    stances: list[str]
    genres: list[str]
    genre_probabilities: np.ndarray
    behaviours: list[list[str]]
    judge: dict[int, np.ndarray] = field(default_factory=dict)

    def part(self, start: int, end: int) -> "Judgement":
        """Return what is said of the passages from `start` up to `end`."""
        return Judgement(
            self.probabilities[start:end],
            self.stances[start:end],
            self.genres[start:end],
            self.genre_probabilities[start:end],
            self.behaviours[start:end],
            {place - start: said for place, said in self.judge.items() if start <= place < end},
        )


@dataclass(frozen=True)
class DocumentVerdict:
    """What is said of a document; maps are keyed by label.

    `stance` is that of the passage with the highest probability for the label; `genre` is null and
    all else empty or 0 where no passage was judged.
    """

    probability: dict[str, float]
    highest: dict[str, float]
    stance: dict[str, str]
    genre: str | None
    behaviours: list[str]


def noisy_or(probabilities: np.ndarray) -> np.ndarray:
    """Return the probability that any of the `STRONGEST` passages is positive, if independent.

    Takes (passages, labels) and returns (labels,). Only the strongest count, since a long
    document's many faint passages are anything but independent.
    """
    strongest = np.sort(probabilities, axis=0)[-STRONGEST:]
    return 1 - np.prod(1 - strongest, axis=0)


class Verdict:
    """Judges passages and documents.

    Args:
        representation: what the linear models see of a passage.
        weights: array (features, `len(HEADS)`), float32.
        intercepts: array (`len(HEADS)`,).
        meta: calibrations and thresholds, as `meta.json` has them.
        judge: is asked about passages left undecided, where it is given.
    """

    def __init__(
        self,
        representation: Representation,
        *,
        weights: np.ndarray,
        intercepts: np.ndarray,
        meta: dict[str, Any],
        judge: Judge | None = None,
    ) -> None:
        self._representation = representation
        self._weights = weights.astype(np.float64)
        self._intercepts = intercepts.astype(np.float64)
        self._blend = Blend.of_meta(meta["blend"])
        self._judge = judge
        passage, document = meta["passage"], meta["document"]
        platt = "platt" if judge is None else "judged_platt"
        self._document_platt = [Platt(*document[label][platt]) for label in LABELS]
        self.thresholds = {label: float(passage[label]["threshold"]) for label in LABELS}
        self.document_thresholds = {label: float(document[label]["threshold"]) for label in LABELS}
        self._behaviour_thresholds = {
            name: float(meta["behaviours"][name]["threshold"]) for name in BEHAVIOURS
        }
        self._behaviour_labels = behaviour_label()

    @classmethod
    def load(cls, folder: Path, *, judge: Judge | None = None) -> "Verdict":
        """Load a verdict from a models folder.

        Raises:
            ModelError: a file is missing, damaged or of another version.
        """
        meta = read_meta(folder)
        if meta["features"] != list(FEATURES):
            raise ModelError(
                f"models at {folder} were written by another version: run `narrascope train` again"
            )
        try:
            with np.load(folder / "verdict.npz", allow_pickle=False) as file:
                arrays = dict(file)
            representation = Representation.load(folder, arrays)
            return cls(
                representation,
                weights=arrays["weights"],
                intercepts=arrays["intercepts"],
                meta=meta,
                judge=judge,
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{folder / 'verdict.npz'} is missing or damaged: run `narrascope train` again"
            ) from error

    def decision_values(
        self, passages: Sequence[str], evidence: Sequence[PassageEvidence]
    ) -> np.ndarray:
        """Return log-odds before calibration: an array (passages, `len(HEADS)`)."""
        rows = self._representation.rows(passages, evidence)
        return rows @ self._weights + self._intercepts

    def judge(self, passages: Sequence[str], evidence: Sequence[PassageEvidence]) -> Judgement:
        """Judge passages; what is said of one does not depend on the others.

        Args:
            passages: texts of 100 to 200 words.
            evidence: what the rules found in each.
        """
        if not passages:
            return Judgement(np.zeros((0, len(LABELS))), [], [], np.zeros((0, len(GENRES))), [])
        asked: dict[int, np.ndarray] = {}
        values = self._blend.log_odds(
            self.decision_values(passages, evidence),
            partial(self._ask, self._judge, list(passages), asked) if self._judge else None,
        )
        probabilities = label_probabilities(values)
        genres = softmax(values[:, PLACES["genre"]], axis=1)
        over = probabilities >= np.array(list(self.thresholds.values()))
        stances = values[:, PLACES["stance"]].argmax(axis=1)
        return Judgement(
            probabilities=probabilities,
            judge=asked,
            stances=[
                STANCES[stance] if portrayed else "none"
                for stance, portrayed in zip(
                    stances, np.any(over[:, 1:], axis=1).tolist(), strict=True
                )
            ],
            genres=[GENRES[place] for place in genres.argmax(axis=1)],
            genre_probabilities=genres,
            behaviours=[
                self._behaviours(
                    row, {label for label, yes in zip(LABELS, yeses, strict=True) if yes}
                )
                for row, yeses in zip(
                    np.round(expit(values[:, PLACES["behaviour"]]), 4), over, strict=True
                )
            ],
        )

    @staticmethod
    def _ask(
        judge: Judge, passages: list[str], asked: dict[int, np.ndarray], rows: np.ndarray
    ) -> np.ndarray:
        """Return the judge's values of some passages, and note what it says of their labels."""
        values = judge.values([passages[row] for row in rows.tolist()])
        said = np.round(expit(values[:, PLACES["label"]]), 4)
        asked.update(zip(rows.tolist(), said, strict=True))
        return values

    def _behaviours(self, probabilities: np.ndarray, labels: set[str]) -> list[str]:
        """Return behaviours that reach their threshold and whose label reaches its own."""
        return [
            name
            for name, value in zip(BEHAVIOURS, probabilities, strict=True)
            if self._behaviour_labels[name] in labels and value >= self._behaviour_thresholds[name]
        ]

    def document(self, judgement: Judgement) -> DocumentVerdict:
        """Judge a document from its passages.

        A label's probability is that of its one passage, or the noisy-or of its strongest ones,
        calibrated on whole labelled documents (Platt). Genre is that of the passages' summed
        probabilities, behaviours are the union of theirs in the taxonomy's order.
        """
        if not judgement.stances:
            zero: dict[str, float] = dict.fromkeys(LABELS, 0.0)
            none: dict[str, str] = dict.fromkeys(LABELS, "none")
            return DocumentVerdict(zero, zero, none, None, [])
        probability = judgement.probabilities[0]
        if len(judgement.stances) > 1:
            together = log_odds(noisy_or(judgement.probabilities))
            calibrated = [
                platt.probability(value)
                for platt, value in zip(self._document_platt, together, strict=True)
            ]
            probability = agent_at_least(np.array(calibrated))
        best = judgement.probabilities.argmax(axis=0)
        found = set().union(*judgement.behaviours)
        return DocumentVerdict(
            probability=dict(zip(LABELS, probability.tolist(), strict=True)),
            highest=dict(zip(LABELS, judgement.probabilities.max(axis=0).tolist(), strict=True)),
            stance={label: judgement.stances[row] for label, row in zip(LABELS, best, strict=True)},
            genre=GENRES[int(judgement.genre_probabilities.sum(axis=0).argmax())],
            behaviours=[name for name in BEHAVIOURS if name in found],
        )

    def main_stance(self, verdict: DocumentVerdict) -> str:
        """Return the stance of a document's most probable portrayal among those over threshold."""
        over = [p for p in PORTRAYALS if verdict.probability[p] >= self.document_thresholds[p]]
        if not over:
            return "none"
        return verdict.stance[max(over, key=lambda label: verdict.probability[label])]
