"""The verdict: calibrated probabilities, stance, genre and behaviours, per passage and document.

All questions share one sparse representation and have a logistic regression each, so that judging
is one product of matrices. Probabilities are rounded to 1e-4, and thresholds act on what is
rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from ..errors import ModelError
from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, PORTRAYALS, STANCES, behaviour_label
from .attachment import FEATURES
from .calibration import Platt, log_odds
from .evidence import PassageEvidence
from .heads import PLACES
from .meta import read_meta
from .representation import Representation, numbers_of

STRONGEST = 3
"""Passages of a document that its probability is made of."""


@dataclass(frozen=True)
class Judgement:
    """What is said of n passages: probabilities (n, 4) in label order, and a value each."""

    probabilities: np.ndarray
    stances: list[str]
    genres: list[str]
    genre_probabilities: np.ndarray
    behaviours: list[list[str]]


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


def agent_at_least(probabilities: np.ndarray) -> np.ndarray:
    """Raise the first label, the agent's presence, to the highest of the others; rounds to 1e-4."""
    raised = probabilities.copy()
    raised[..., 0] = raised.max(axis=-1)
    return np.round(raised, 4)


class Verdict:
    """Judges passages and documents.

    Args:
        representation: what the linear models see of a passage.
        weights: array (features, `len(HEADS)`), float32.
        intercepts: array (`len(HEADS)`,).
        meta: calibrations and thresholds, as `meta.json` has them.
    """

    def __init__(
        self,
        representation: Representation,
        *,
        weights: np.ndarray,
        intercepts: np.ndarray,
        meta: dict[str, Any],
    ) -> None:
        self._representation = representation
        self._weights = weights.astype(np.float64)
        self._intercepts = intercepts.astype(np.float64)
        passage, document = meta["passage"], meta["document"]
        self._platt = [Platt(*passage[label]["platt"]) for label in LABELS]
        self._document_platt = [Platt(*document[label]["platt"]) for label in LABELS]
        self.thresholds = {label: float(passage[label]["threshold"]) for label in LABELS}
        self.document_thresholds = {label: float(document[label]["threshold"]) for label in LABELS}
        self._behaviour_thresholds = {
            name: float(meta["behaviours"][name]["threshold"]) for name in BEHAVIOURS
        }
        self._behaviour_labels = behaviour_label()

    @classmethod
    def load(cls, folder: Path) -> "Verdict":
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
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{folder / 'verdict.npz'} is missing or damaged: run `narrascope train` again"
            ) from error

    def decision_values(
        self, passages: Sequence[str], evidence: Sequence[PassageEvidence]
    ) -> np.ndarray:
        """Return log-odds before calibration: an array (passages, `len(HEADS)`)."""
        rows = self._representation.rows(passages, numbers_of(evidence))
        return rows @ self._weights + self._intercepts

    def judge(self, passages: Sequence[str], evidence: Sequence[PassageEvidence]) -> Judgement:
        """Judge passages; what is said of one does not depend on the others.

        Args:
            passages: texts of 100 to 200 words.
            evidence: what the rules found in each.
        """
        if not passages:
            return Judgement(np.zeros((0, len(LABELS))), [], [], np.zeros((0, len(GENRES))), [])
        values = self.decision_values(passages, evidence)
        calibrated = [
            platt.probability(values[:, place])
            for platt, place in zip(self._platt, PLACES["label"], strict=True)
        ]
        probabilities = agent_at_least(np.stack(calibrated, axis=1))
        genres = softmax(values[:, PLACES["genre"]], axis=1)
        over = probabilities >= np.array(list(self.thresholds.values()))
        stances = values[:, PLACES["stance"]].argmax(axis=1)
        return Judgement(
            probabilities=probabilities,
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
                for row, yeses in zip(values[:, PLACES["behaviour"]], over, strict=True)
            ],
        )

    def _behaviours(self, values: np.ndarray, labels: set[str]) -> list[str]:
        """Return behaviours whose label is over its threshold and whose own value is over its."""
        return [
            name
            for name, value in zip(BEHAVIOURS, values, strict=True)
            if self._behaviour_labels[name] in labels and value >= self._behaviour_thresholds[name]
        ]

    def document(self, judgement: Judgement) -> DocumentVerdict:
        """Judge a document from its passages.

        A label's probability is the noisy-or of its strongest passages, calibrated on labelled
        documents (Platt). Genre is that of the passages' summed probabilities, behaviours are the
        union of theirs in the taxonomy's order.
        """
        if not judgement.stances:
            zero: dict[str, float] = dict.fromkeys(LABELS, 0.0)
            none: dict[str, str] = dict.fromkeys(LABELS, "none")
            return DocumentVerdict(zero, zero, none, None, [])
        evidence = noisy_or(judgement.probabilities)
        calibrated = [
            platt.probability(value)
            for platt, value in zip(self._document_platt, log_odds(evidence), strict=True)
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
