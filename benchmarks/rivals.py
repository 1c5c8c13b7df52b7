"""What `coverage.py` compares with: other intervals for strata, and estimators without strata.

Intervals for strata take `documents` (H,), `audited` and `positive` (R, H) and return (low, high),
each (R,): one row a simulated audit.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

from narrascope.store import intervals

Z = float(special.ndtri(0.975))
Limits = tuple[np.ndarray, np.ndarray]


def _parts(
    documents: np.ndarray, audited: np.ndarray, positive: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weight = documents / documents.sum()
    return weight, positive / audited, 1 - audited / documents


def wald(documents: np.ndarray, audited: np.ndarray, positive: np.ndarray) -> Limits:
    """Estimate plus and minus 1.96 standard errors (Cochran 1977, §5.4)."""
    weight, rate, rest = _parts(documents, audited, positive)
    share = (weight * rate).sum(-1)
    error = Z * np.sqrt((weight**2 * rest * rate * (1 - rate) / (audited - 1)).sum(-1))
    return share - error, share + error


def _wilson(audited: np.ndarray, positive: np.ndarray) -> Limits:
    rate = positive / audited
    centre = (rate + Z**2 / (2 * audited)) / (1 + Z**2 / audited)
    half = Z * np.sqrt(rate * (1 - rate) / audited + Z**2 / (4 * audited**2))
    half = half / (1 + Z**2 / audited)
    return centre - half, centre + half


def _jeffreys(audited: np.ndarray, positive: np.ndarray) -> Limits:
    negative = audited - positive
    low = special.betaincinv(positive + 0.5, negative + 0.5, 0.025)
    high = special.betaincinv(positive + 0.5, negative + 0.5, 0.975)
    return np.where(positive == 0, 0.0, low), np.where(negative == 0, 1.0, high)


def _exact(audited: np.ndarray, positive: np.ndarray) -> Limits:
    negative = audited - positive
    low = special.betaincinv(np.maximum(positive, 1e-9), negative + 1, 0.025)
    high = special.betaincinv(positive + 1, np.maximum(negative, 1e-9), 0.975)
    return np.where(positive == 0, 0.0, low), np.where(negative == 0, 1.0, high)


def mover(
    documents: np.ndarray,
    audited: np.ndarray,
    positive: np.ndarray,
    *,
    one: Callable[[np.ndarray, np.ndarray], Limits],
) -> Limits:
    """Combine each stratum's own interval (Zou & Donner 2008)."""
    weight, rate, rest = _parts(documents, audited, positive)
    low, high = one(audited, positive)
    share = (weight * rate).sum(-1)
    below = np.sqrt((weight**2 * rest * (rate - low) ** 2).sum(-1))
    above = np.sqrt((weight**2 * rest * (high - rate) ** 2).sum(-1))
    return share - below, share + above


def gamma(
    documents: np.ndarray, audited: np.ndarray, positive: np.ndarray, *, more: float
) -> Limits:
    """Match a gamma to the weighted sum (Fay & Feuer 1997: more = 1; mid-p about 0.5)."""
    weight, rate, rest = _parts(documents, audited, positive)
    share = (weight * rate).sum(-1)
    variance = (weight**2 * rest * rate * (1 - rate) / (audited - 1)).sum(-1)
    heaviest = (weight / audited * rest).max(-1)
    shape = np.maximum(share**2 / np.maximum(variance, 1e-30), 1e-9)
    low = np.where(share > 0, share / shape * special.gammaincinv(shape, 0.025), 0.0)
    share, variance = share + more * heaviest, variance + more * heaviest**2
    shape = share**2 / variance
    return low, share / shape * special.gammaincinv(shape, 0.975)


def bayes(
    documents: np.ndarray, audited: np.ndarray, positive: np.ndarray, *, prior: float | None
) -> Limits:
    """Add the strata's posteriors (Ericson 1969), with three moments matched (Pearson III).

    The prior is beta(prior, prior), or one document's worth of the whole sample's share.
    """
    weight, rate, _ = _parts(documents, audited, positive)
    share = np.clip((weight * rate).sum(-1, keepdims=True), 1e-6, 1 - 1e-6)
    a = positive + (share if prior is None else prior)
    b = audited - positive + (1 - share if prior is None else prior)
    rest, n = documents - audited, a + b
    mean = (positive + rest * a / n).sum(-1)
    spread = rest * a * b * (n + rest) / (n**2 * (n + 1))
    third = (spread * (n + 2 * rest) * (b - a) / ((n + 2) * n)).sum(-1)
    variance = spread.sum(-1)
    skew = third / variance**1.5
    skew = np.where(np.abs(skew) < 1e-3, 1e-3, skew)
    shape = 4 / skew**2
    total = documents.sum()

    def quantile(q: float) -> np.ndarray:
        tail = special.gammaincinv(shape, np.where(skew > 0, q, 1 - q))
        return (mean + np.sqrt(variance / shape) * (tail - shape) * np.sign(skew)) / total

    low = np.where(positive.sum(-1) == 0, 0.0, np.maximum(quantile(0.025), 0.0))
    return low, quantile(0.975)


def bootstrap(documents: np.ndarray, audited: np.ndarray, positive: np.ndarray) -> Limits:
    """Percentiles of 400 resamples within strata (Efron & Tibshirani 1993, §8)."""
    rng = np.random.default_rng(20_261_121)
    weight, rate, _ = _parts(documents, audited, positive)
    hits = rng.binomial(audited, rate, size=(400, *audited.shape))
    shares = (weight * hits / audited).sum(-1)
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    return low, high


def likelihood(
    documents: np.ndarray, audited: np.ndarray, positive: np.ndarray, *, more: float
) -> Limits:
    """Profile likelihood, allowing for a part of a positive more than was read."""
    weight, _, rest = _parts(documents, audited, positive)
    rest = np.maximum(rest, 1e-12)
    return intervals.profile_interval(weight, audited / rest, positive / rest, continuity=more)


OURS = "profile likelihood + 1/4"
STRATIFIED: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Limits]] = {
    OURS: lambda d, n, x: likelihood(d, n, x, more=intervals.CONTINUITY),
    "profile likelihood": lambda d, n, x: likelihood(d, n, x, more=0.0),
    "profile likelihood + 1/8": lambda d, n, x: likelihood(d, n, x, more=0.125),
    "MOVER of Wilson": lambda d, n, x: mover(d, n, x, one=_wilson),
    "MOVER of Jeffreys": lambda d, n, x: mover(d, n, x, one=_jeffreys),
    "MOVER of exact": lambda d, n, x: mover(d, n, x, one=_exact),
    "Fay-Feuer gamma": lambda d, n, x: gamma(d, n, x, more=1.0),
    "mid-p gamma": lambda d, n, x: gamma(d, n, x, more=0.5),
    "Bayes, Jeffreys": lambda d, n, x: bayes(d, n, x, prior=0.5),
    "Bayes, one third": lambda d, n, x: bayes(d, n, x, prior=1 / 3),
    "Bayes, shrunk to the whole": lambda d, n, x: bayes(d, n, x, prior=None),
    "Wald": wald,
    "bootstrap": bootstrap,
}


def prediction_powered(
    score: np.ndarray, documents: np.ndarray, audited: np.ndarray, positive: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (share, low, high) of PPI++ for a mean (Angelopoulos, Duchi & Zrnic 2023).

    What `ppi_py.ppi_mean_ci` computes, from counts of each value of the score: `score` and
    `documents` (B,), `audited` and `positive` (R, B). `coverage.py` checks that both agree.
    """
    n, total = audited.sum(-1), documents.sum()

    def mean(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
        return (counts * values).sum(-1) / counts.sum(-1)

    overall = mean(documents, score)
    spread = mean(documents, score**2) - overall**2
    labelled, truth = mean(audited, score), positive.sum(-1) / n
    covariance = (positive * score).sum(-1) / n - truth * labelled
    pooled = documents + audited
    both = mean(pooled, score**2) - mean(pooled, score) ** 2
    both = both * pooled.sum(-1) / (pooled.sum(-1) - 1)
    # Where every document has the same score, it is of no use.
    power = np.divide(covariance, (1 + n / total) * both, out=np.zeros_like(both), where=both > 0)
    power = np.clip(power, 0, 1)
    share = power * overall + truth - power * labelled
    squared = truth - 2 * power * (positive * score).sum(-1) / n
    squared = squared + power**2 * mean(audited, score**2)
    rectifier = squared - (truth - power * labelled) ** 2
    error = Z * np.sqrt(power**2 * spread / total + np.maximum(rectifier, 0) / n)
    return share, share - error, share + error


def rogan_gladen(
    flagged: float, sensitivity: np.ndarray, false_positives: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (share, low, high) of Rogan & Gladen (1978), by the delta method.

    `sensitivity` and `false_positives` (R,) were each measured on n / 2 documents from elsewhere.
    """
    informed = np.maximum(sensitivity - false_positives, 1e-6)
    share = (flagged - false_positives) / informed
    variance = sensitivity * (1 - sensitivity) * share**2
    variance = variance + false_positives * (1 - false_positives) * (1 - share) ** 2
    error = Z * np.sqrt(variance / (n / 2)) / informed
    return np.clip(share, 0, 1), share - error, share + error
