"""Evaluation: every stage and the whole cascade on works that it was not trained on."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss

from ..labels.labelled import read_examples
from ..labels.taxonomy import BEHAVIOURS, LABELS
from .cascade import Cascade
from .material import Material
from .train import FOLDS, fit_stages

BINS = 10
"""Equal-width bins of probability in the expected calibration error."""


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean distance of probability and share of positives, weighed by bin size."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    error = 0.0
    for number in np.unique(bins):
        inside = bins == number
        error += inside.mean() * abs(probabilities[inside].mean() - truth[inside].mean())
    return float(error)


def precision_recall_f1(said: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the three figures of boolean arrays of one shape; 0 where nothing is to be divided."""
    hits = int((said & truth).sum())
    precision, recall = hits / max(int(said.sum()), 1), hits / max(int(truth.sum()), 1)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def _label_row(
    stage: str, label: str, probabilities: np.ndarray, decided: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    return {
        "stage": stage,
        "question": label,
        "positives": int(truth.sum()),
        **precision_recall_f1(decided, truth),
        "average_precision": float(average_precision_score(truth, probabilities)),
        "calibration_error": expected_calibration_error(probabilities, truth),
        "brier": float(brier_score_loss(truth, probabilities)),
    }


class _Tally:
    """What the folds said of each passage, gathered in the passages' order."""

    def __init__(self, count: int) -> None:
        shape = (count, len(LABELS))
        self.passage = np.zeros(shape)
        self.passage_decided = np.zeros(shape, dtype=bool)
        self.cascade = np.zeros(shape)
        self.cascade_decided = np.zeros(shape, dtype=bool)
        self.gated = np.zeros(count, dtype=bool)
        self.escalated = np.zeros(count, dtype=bool)
        self.screened_by = np.zeros(count, dtype=bool)
        self.stance = np.full(count, "none", dtype=object)
        self.genre = np.full(count, "other", dtype=object)
        self.behaviours: list[list[str]] = [[] for _ in range(count)]

    def read(self, cascade: Cascade, material: Material, places: np.ndarray) -> None:
        """Read some passages: by the last stages alone, then end to end."""
        part = material.take(places)
        scores = cascade.screen.score(part.texts)
        self.screened_by[places] = cascade.screen.lets_by(scores)
        judgement = cascade.verdict.judge(part.texts, part.evidence)
        self.passage[places] = judgement.probabilities
        thresholds = np.array(list(cascade.verdict.thresholds.values()))
        self.passage_decided[places] = judgement.probabilities >= thresholds
        self.stance[places] = judgement.stances
        self.genre[places] = judgement.genres
        for row, place in enumerate(places.tolist()):
            self.behaviours[place] = judgement.behaviours[row]
            record = cascade.score(part.texts[row])
            self.gated[place] = record["stage"] != "gate"
            self.escalated[place] = record["stage"] == "verdict"
            self.cascade[place] = [record[label] for label in LABELS]
            self.cascade_decided[place] = [label in record["labels"] for label in LABELS]


def _macro_row(question: str, truth: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    each = [precision_recall_f1(said == name, truth == name)["f1"] for name in np.unique(truth)]
    return {
        "stage": "verdict",
        "question": question,
        "positives": len(truth),
        "f1": float(np.mean(each)) if each else 0.0,
    }


def evaluate(
    examples: Sequence[Path], *, folds: int = FOLDS, seed: int = 17
) -> list[dict[str, Any]]:
    """Train on all folds but one, read the one, and so on; return rows of figures.

    Rows have `stage`, `question` and those figures that apply: `positives` (passages with the
    answer, or all passages), `precision`, `recall`, `f1`, `average_precision`,
    `calibration_error` (ten bins), `brier`, `escalated` (share that goes on). Stages are `gate`,
    `screen`, `verdict` (whole passages, whatever gate and screen say) and `cascade` (end to end: a
    passage that is stopped early scores 0). F1 of stance is macro over portrayed passages' true
    stances, of genre over genres, of behaviours micro over all that are said.

    Raises:
        LabelsError: a file is malformed, or there are fewer works than folds.
    """
    material = Material.of(read_examples(examples))
    tally = _Tally(len(material.examples))
    for learn, predict in material.folds(count=folds, seed=seed):
        with TemporaryDirectory() as name:
            fit_stages(material.take(learn), Path(name), seed=seed, folds=folds)
            tally.read(Cascade(Path(name)), material, predict)
    return _rows(tally, material)


def _rows(tally: _Tally, material: Material) -> list[dict[str, Any]]:
    truth = material.truth
    rows: list[dict[str, Any]] = []
    for stage, gone_on in (("gate", tally.gated), ("screen", tally.screened_by)):
        for place, label in enumerate(LABELS):
            rows.append(
                {
                    "stage": stage,
                    "question": label,
                    "positives": int(truth[:, place].sum()),
                    "recall": float(gone_on[truth[:, place]].mean()),
                    "escalated": float(gone_on.mean()),
                }
            )
    for stage, probabilities, decided in (
        ("verdict", tally.passage, tally.passage_decided),
        ("cascade", tally.cascade, tally.cascade_decided),
    ):
        for k, label in enumerate(LABELS):
            rows.append(_label_row(stage, label, probabilities[:, k], decided[:, k], truth[:, k]))
    stances = np.array([example.stance for example in material.examples], dtype=object)
    genres = np.array([example.genre for example in material.examples], dtype=object)
    portrayed = stances != "none"
    rows.append(_macro_row("stance", stances[portrayed], tally.stance[portrayed]))
    rows.append(_macro_row("genre", genres, tally.genre))
    said = np.array([[name in found for name in BEHAVIOURS] for found in tally.behaviours])
    true = np.array([[name in e.behaviours for name in BEHAVIOURS] for e in material.examples])
    rows.append(
        {
            "stage": "verdict",
            "question": "behaviours",
            "positives": int(true.sum()),
            **precision_recall_f1(said, true),
        }
    )
    return rows
