"""How an audit is drawn: strata by score, and how many documents of each are read.

A document with a verdict is known one by one, so that it falls in a stratum of its score; the
candidates that the screen stopped and the documents that the gate passed over are a stratum each,
of which only the control rows can be read. Within a stratum the draw is simple random without
replacement. Four steps: `score_edges`, `stratum_of`, `planning_rates`, `allocate`; after a pilot,
the last two once more with what the pilot found.
"""

import numpy as np

STRATA = 8
"""How many strata of score an audit has unless told otherwise, the two control strata apart."""

MISSED = 0.2
"""Before a pilot: the positives that gate and screen may have missed, over those expected."""

PRIOR_DOCUMENTS = 10.0
"""How many documents read in a pilot weigh as much as the planning rate they correct."""


def score_edges(
    scores: np.ndarray, counts: np.ndarray | None = None, *, strata: int = STRATA
) -> np.ndarray:
    """Return the cut points that part scores into strata: ascending, at most `strata` - 1 of them.

    `scores` are calibrated probabilities in [0, 1], one a document with a verdict, or the distinct
    ones with how many documents have each in `counts`. The cuts share out the sum of
    sqrt(p (1 - p)) equally, so that Neyman's allocation reads about as many of each stratum
    (Dalenius & Hodges 1959; Cochran, *Sampling Techniques*, 1977, §5A.7, with a binary outcome).
    Fewer cuts come back where scores repeat too much to be parted; none for no scores.
    """
    values, place = np.unique(scores, return_inverse=True)
    documents = np.bincount(place, counts, minlength=len(values))
    # A score of 0 or 1 is not certain: it keeps the spread of one wrong in ten thousand.
    spread = np.cumsum(documents * np.sqrt(np.maximum(values * (1 - values), 1e-4)))
    if not len(values):
        return np.empty(0)
    cuts = np.searchsorted(spread, spread[-1] * np.arange(1, strata) / strata, side="right")
    edges = np.unique(values[np.minimum(cuts, len(values) - 1)])
    return edges[edges > values[0]]


def stratum_of(scores: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the stratum (0 to len(edges)) of each score; a score on an edge belongs above it."""
    return np.searchsorted(edges, scores, side="right")


def planning_rates(
    documents: np.ndarray,
    expected: np.ndarray,
    *,
    audited: np.ndarray | float = 0.0,
    positive: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return the rate of positives to plan with in each stratum, kept on the safe side.

    `documents` (H,): how many documents each stratum holds. `expected` (H,): the mean calibrated
    probability of each stratum, NaN for the control strata, which have none: together they are
    planned as if they held `MISSED` times the positives expected in all others, parted by the root
    of their documents, halfway between equal counts and equal rates. `audited` and `positive`
    (..., H): documents read so far and how many were positive; both 0 before a pilot. Returns rates
    (..., H) in (0, 1): the mean of a beta posterior whose prior weighs `PRIOR_DOCUMENTS`, or half a
    positive where that is more.
    """
    control = np.isnan(expected)
    prior = np.clip(np.where(control, 0.0, expected), 0.002, 0.998)
    missed = MISSED * (documents * prior)[~control].sum()
    root = np.sqrt(np.maximum(documents, 1))
    missed = missed / root / np.where(control, root, 0.0).sum() if control.any() else 0.0
    prior = np.where(control, np.clip(missed, 1e-6, 0.5), prior)
    weight = np.maximum(PRIOR_DOCUMENTS, 0.5 / prior)
    return (positive + weight * prior) / (audited + weight)


def allocate(
    documents: np.ndarray,
    rates: np.ndarray,
    *,
    budget: int,
    at_least: int = 10,
    available: np.ndarray | None = None,
    audited: np.ndarray | int = 0,
) -> np.ndarray:
    """Return how many documents of each stratum to have read in all, those already read included.

    Neyman's allocation (1934): n_h in proportion to N_h sqrt(p_h (1 - p_h)), within bounds.
    `documents` (H,): N_h, or what they add up to in bytes or tokens. `rates` (..., H): p_h in
    (0, 1). `available` (H,): how many can be read at all, the control rows for the control strata;
    by default all documents. `audited` (..., H): how many have been read, which `budget` counts
    too. Returns integers (..., H) that sum to `budget` (or to `available` where that is less, or to
    what `at_least` and `audited` demand where that is more), never above `available` or below
    `audited`.
    """
    most = np.broadcast_to(documents if available is None else available, rates.shape)
    least = np.maximum(np.minimum(most, at_least), audited)
    spread = np.maximum(documents * np.sqrt(rates * (1 - rates)), 1e-12)
    target = np.clip(budget, least.sum(-1), most.sum(-1))
    # Clipped to its bounds, n_h still grows with the common factor: bisect for the one that fits.
    low = np.log(np.min(np.maximum(least, 1e-3) / spread, axis=-1))
    high = np.log(np.max((most + 1.0) / spread, axis=-1))
    for _ in range(60):
        middle = (low + high) / 2
        over = np.clip(spread * np.exp(middle)[..., None], least, most).sum(-1) > target
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    exact = np.clip(spread * np.exp(low)[..., None], least, most)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    short = target - whole.sum(-1)
    left = np.where(whole < most, exact - whole, -1.0)
    rank = np.argsort(np.argsort(-left, axis=-1, kind="stable"), axis=-1, kind="stable")
    return whole + ((rank < short[..., None]) & (whole < most))
