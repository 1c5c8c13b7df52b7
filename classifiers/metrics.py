"""Figures of merit of probabilities and decisions, with bootstrap intervals."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve

BINS = 10
"""Equal-width bins of probability in the expected calibration error."""

RESAMPLES = 300


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


def macro_f1(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean F1 over the names that occur in the truth; 0 where there are none."""
    each = [precision_recall_f1(said == name, truth == name)["f1"] for name in np.unique(truth)]
    return float(np.mean(each)) if each else 0.0


def precision_at_recall(scores: np.ndarray, truth: np.ndarray, recall: float) -> float:
    """Return the highest precision among thresholds that find at least this share."""
    precision, found, _ = precision_recall_curve(truth, scores)
    return float(precision[found >= recall].max())


def bootstrap(
    figure: Callable[[np.ndarray], float], groups: np.ndarray, *, seed: int
) -> tuple[float, float]:
    """Return the 2.5 and 97.5 percentiles of a figure over resampled groups.

    Args:
        figure: takes the places of the passages that a resample holds.
        groups: each passage's group, such as its work; whole groups are drawn.
        seed: of the draws.
    """
    names, of = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1])
    random = np.random.default_rng(seed)
    figures = [
        figure(np.concatenate([members[g] for g in random.integers(len(names), size=len(names))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanpercentile(figures, [2.5, 97.5])
    return float(low), float(high)


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the average precision; NaN where nothing is true."""
    return float(average_precision_score(truth, scores)) if truth.any() else float("nan")


def figures_of(
    scores: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray,
    *,
    threshold: float | None = None,
    seed: int = 17,
    calibrated: bool = True,
) -> dict[str, float | int]:
    """Return all figures of one question.

    Args:
        scores: the higher, the likelier; probabilities where `calibrated`.
        truth: booleans, at least one of them true.
        groups: what the bootstrap draws whole.
        threshold: from which up a passage counts as positive; without one there is no F1.
        seed: of the bootstrap.
        calibrated: whether calibration error and Brier score mean anything.
    """
    row: dict[str, float | int] = {"passages": len(truth), "positives": int(truth.sum())}
    row["average_precision"] = average_precision(scores, truth)
    row["average_precision_low"], row["average_precision_high"] = bootstrap(
        lambda places: average_precision(scores[places], truth[places]), groups, seed=seed
    )
    for recall in (0.5, 0.9):
        row[f"precision_at_recall_{recall}"] = precision_at_recall(scores, truth, recall)
    if threshold is not None:
        row |= precision_recall_f1(scores >= threshold, truth)
    if calibrated:
        row["calibration_error"] = expected_calibration_error(scores, truth)
        row["brier"] = float(brier_score_loss(truth, scores))
    return row
