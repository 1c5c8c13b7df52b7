"""The interval of a rate added up over strata, by profile likelihood.

For a total over strata of rare events, intervals that are made a stratum at a time and then added
(MOVER, Bayes with a prior a stratum) pay for the worst case of every stratum at once; the profile
likelihood pays once, where it costs most. `benchmarks/coverage.py` compares them.
"""

import numpy as np
from scipy import special

CONTINUITY = 0.25
"""The part of a positive (or negative) that the limits allow for beyond what was read."""


def profile_interval(
    weight: np.ndarray,
    audited: np.ndarray,
    positive: np.ndarray,
    *,
    level: float = 0.95,
    continuity: float = CONTINUITY,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) of the sum over strata of weight * rate.

    `weight`, `audited`, `positive` (..., H): each stratum's weight (>= 0), how many of its
    documents were read, and how many of those were positive; both may be fractional, as effective
    counts are. All broadcast; results have the leading shape, so that one call serves many groups.
    A stratum of which nothing was read adds 0 to `low` and its whole weight to `high`.

    The limits are the least and the greatest total that some rates with a likelihood within
    chi2(1, level) / 2 of the greatest attain (Wilks 1938). With few positives that alone covers too
    little (0.90 at worst), since no positive in n leaves room for 1.9 / n only. So the upper limit
    allows for `continuity` of a positive more in the stratum where one weighs most, the lower for
    as much of a negative (the idea of Fay & Feuer 1997): 2.8 / n.
    """
    return (
        lower_limit(weight, audited, positive, level=level, continuity=continuity),
        upper_limit(weight, audited, positive, level=level, continuity=continuity),
    )


def upper_limit(
    weight: np.ndarray,
    audited: np.ndarray,
    positive: np.ndarray,
    *,
    level: float = 0.95,
    most: np.ndarray | float = 1.0,
    continuity: float = CONTINUITY,
) -> np.ndarray:
    """Return the upper limit of `profile_interval`.

    `most` (..., H): the greatest rate that each stratum can have, where something else bounds it.
    """
    weight, audited, positive, most = np.broadcast_arrays(
        *(np.asarray(given, float) for given in (weight, audited, positive, most))
    )
    rate = np.divide(positive, audited, out=np.ones(weight.shape), where=audited > 0)
    more = continuity * _heaviest(weight, audited, rate)
    return _greatest(weight, audited, np.minimum(positive + more, audited), most, level)


def lower_limit(
    weight: np.ndarray,
    audited: np.ndarray,
    positive: np.ndarray,
    *,
    level: float = 0.95,
    continuity: float = CONTINUITY,
) -> np.ndarray:
    """Return the lower limit of `profile_interval`: all weight less the upper one of negatives."""
    negative = np.subtract(audited, positive)
    high = upper_limit(weight, audited, negative, level=level, continuity=continuity)
    return np.maximum(np.sum(weight, axis=-1) - high, 0.0)


def _heaviest(weight: np.ndarray, audited: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Mark the stratum of rate up to 1/2 in which one document more weighs most, if any."""
    heaviness = np.divide(weight, audited, out=np.zeros(weight.shape), where=audited > 0)
    # Where two weigh the same, the rarer takes it, whatever their order.
    heaviness = np.where(rate <= 0.5, heaviness * (1 - 1e-9 * rate), 0.0)
    first = np.arange(heaviness.shape[-1]) == heaviness.argmax(-1)[..., None]
    return first & (heaviness > 0)


def _greatest(
    weight: np.ndarray,
    audited: np.ndarray,
    positive: np.ndarray,
    most: np.ndarray,
    level: float,
) -> np.ndarray:
    """Return the greatest total within the likelihood's bound, by bisection over the tilt."""
    bound = special.ndtri((1 + level) / 2) ** 2 / 2
    rate = np.divide(positive, audited, out=np.zeros(weight.shape), where=audited > 0)
    best = _log_likelihood(audited, positive, np.minimum(rate, most))
    # The tilt at which the stratum with most read for its weight turns is the scale of them all.
    turning = np.divide(audited, weight, out=np.zeros(weight.shape), where=weight > 0).max(-1)
    low = np.log(np.maximum(turning, 1e-9)) - 30
    high = low + 50
    for _ in range(34):
        middle = (low + high) / 2
        rate = _tilted(weight, audited, positive, most, np.exp(middle))
        beyond = best - _log_likelihood(audited, positive, rate) > bound
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return (weight * _tilted(weight, audited, positive, most, np.exp(low))).sum(-1)


def _tilted(
    weight: np.ndarray,
    audited: np.ndarray,
    positive: np.ndarray,
    most: np.ndarray,
    tilt: np.ndarray,
) -> np.ndarray:
    """Return the rates that maximise the log-likelihood plus tilt * sum(weight * rate).

    Each is the root in [0, 1] of t p^2 + (n - t) p - x = 0 with t = tilt * weight.
    """
    t = tilt[..., None] * weight
    b = audited - t
    root = np.sqrt(b * b + 4 * t * positive)
    rising = 2 * positive / np.maximum(b + root, 1e-300)
    falling = (root - b) / np.where(t > 0, 2 * t, 1.0)
    return np.clip(np.where(b >= 0, rising, falling), 0.0, most)


def _log_likelihood(audited: np.ndarray, positive: np.ndarray, rate: np.ndarray) -> np.ndarray:
    terms = special.xlogy(positive, rate) + special.xlog1py(audited - positive, -rate)
    return terms.sum(-1)
