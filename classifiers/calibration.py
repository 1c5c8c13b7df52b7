"""From decision values to probabilities, and from probabilities to thresholds.

Platt's method (1999): a logistic regression of the truth on the decision value, fitted on values
that were predicted out of fold. With a second value beside the first it blends two models.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

NEARLY_CERTAIN = 1e-4
"""Probabilities are kept this far from 0 and 1, before log-odds are taken or they are stored."""


class Platt(NamedTuple):
    """A probability is the logistic function of `slope * value + second * other + offset`."""

    slope: float
    offset: float
    second: float = 0.0

    def log_odds(self, values: np.ndarray, others: np.ndarray | float = 0.0) -> np.ndarray:
        """Return calibrated log-odds for decision values of any shape."""
        return self.slope * values + self.second * others + self.offset

    def probability(self, values: np.ndarray, others: np.ndarray | float = 0.0) -> np.ndarray:
        """Return probabilities in (0, 1) for decision values of any shape."""
        return np.clip(expit(self.log_odds(values, others)), NEARLY_CERTAIN, 1 - NEARLY_CERTAIN)


def fit_platt(
    values: np.ndarray,
    truth: np.ndarray,
    *,
    others: np.ndarray | None = None,
    evened: bool = False,
) -> Platt:
    """Fit the method to out-of-fold decision values; one class alone gives its smoothed rate.

    Args:
        values: decision values (passages,).
        truth: booleans (passages,).
        others: a second model's values, to blend with the first's.
        evened: weighs both classes by the root of their number, for values that are compared and
            not believed: in full, the rare answers would be given too often.
    """
    from sklearn.linear_model import LogisticRegression  # takes seconds, and a scan fits nothing

    if truth.all() or not truth.any():
        rate = (truth.sum() + 1) / (len(truth) + 2)
        return Platt(0.0, round(float(np.log(rate / (1 - rate))), 6))
    columns = values.reshape(-1, 1) if others is None else np.stack([values, others], axis=1)
    weight = None
    if evened:
        weight = {answer: float(np.mean(truth == answer)) ** -0.5 for answer in (False, True)}
    model = LogisticRegression(C=100.0, class_weight=weight).fit(columns, truth)
    weights = [round(float(w), 6) for w in model.coef_[0]]
    return Platt(weights[0], round(float(model.intercept_[0]), 6), *weights[1:])


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return log-odds, finite for probabilities of 0 and 1 too."""
    clipped = np.clip(probabilities, NEARLY_CERTAIN, 1 - NEARLY_CERTAIN)
    return np.log(clipped / (1 - clipped))


def best_f1_threshold(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the rounded probability from which up F1 is highest; 0.5 where nothing is true."""
    from sklearn.metrics import precision_recall_curve

    if not truth.any():
        return 0.5
    precision, recall, thresholds = precision_recall_curve(truth, np.round(probabilities, 4))
    scores = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[int(np.argmax(scores[:-1]))])


def recall_threshold(scores: np.ndarray, truth: np.ndarray, *, recall: float) -> float:
    """Return the highest threshold from which up at least `recall` of what is true is found."""
    found = np.sort(scores[truth])
    return float(found[int(np.floor((1 - recall) * len(found)))])
