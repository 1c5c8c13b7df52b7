"""Audited shares against each other: differences, trends, precision and recall, and more labels.

Limits of two or more estimates are combined by MOVER, which recovers from each limit how far its
estimate may be off on that side (Zou & Donner 2008; Donner & Zou 2012). Estimates are taken to be
independent, as those of two scans, or of two groups of one audit, are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .design import allocate
from .effective import Sample
from .estimate import Estimate, Population, audited_share
from .intervals import profile_interval


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference or slope of shares with its interval; it is clear where 0 lies outside."""

    value: float
    low: float
    high: float


def difference(a: Estimate, b: Estimate) -> Contrast:
    """Return a's share less b's, in [-1, 1], at the level that both were estimated at."""
    return combine((a, b), np.array([1.0, -1.0]))


def trend(estimates: Sequence[Estimate], at: np.ndarray) -> Contrast:
    """Return the least-squares slope of shares over `at`: change in share per unit of it.

    `at` (G,) says where each estimate lies, as in months since the first; two must differ.
    """
    centred = np.asarray(at, float) - np.mean(at)
    return combine(estimates, centred / (centred @ centred))


def combine(estimates: Sequence[Estimate], by: np.ndarray) -> Contrast:
    """Return the sum of shares times `by` (G,), at the level that all were estimated at."""
    share = np.array([e.share for e in estimates])
    low = np.array([e.low for e in estimates])
    high = np.array([e.high for e in estimates])
    value = float(by @ share)
    below = by * np.where(by > 0, share - low, share - high)
    above = by * np.where(by > 0, high - share, low - share)
    return Contrast(
        value, value - float(np.sqrt((below**2).sum())), value + float(np.sqrt((above**2).sum()))
    )


def precision_recall(
    documents: np.ndarray,
    size: np.ndarray,
    sample: Sample,
    flagged: np.ndarray,
    *,
    level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """Return precision and recall of a flag on this corpus, from the audit.

    `documents`, `size` (2, H): totals of each stratum's documents without and with the flag.
    `flagged` (n,): whether each audited document bears it. Precision is the audited share of what
    is flagged. Recall is the flagged part of all positives: its limits combine those of the
    positives with and without the flag (MOVER-R). Where no positive was read, recall is anything:
    0 to 1; where nothing that is flagged can be positive, it is 0 for certain.
    """
    flagged = flagged.astype(bool)
    without, of_flag = (
        audited_share(
            Population(documents[f], size[f]), sample.where(flagged == bool(f)), level=level
        )
        for f in (0, 1)
    )
    hit, missed = of_flag.numerator, without.numerator
    least, most = of_flag.low * of_flag.denominator, of_flag.high * of_flag.denominator
    fewest, utmost = without.low * without.denominator, without.high * without.denominator
    # Missed over hit, each limit by MOVER-R; where a limit of hit is 0 the ratio has no bound.
    product = missed * hit
    up = down = 0.0
    if (base := least * (2 * hit - least)) > 0:
        up = (
            product + np.sqrt(max(product**2 - utmost * (2 * missed - utmost) * base, 0.0))
        ) / base
    if (base := most * (2 * hit - most)) != 0:
        down = (
            product - np.sqrt(max(product**2 - fewest * (2 * missed - fewest) * base, 0.0))
        ) / base
    low = 1 / (1 + up) if least > 0 else 0.0
    high = 1 / (1 + max(down, 0.0)) if most > 0 else 0.0
    total = hit + missed
    recall = hit / total if total > 0 else 0.0
    note = "" if total > 0 else "no positive read: recall is unknown"
    audited = of_flag.n_audited + without.n_audited
    return of_flag, Estimate(
        recall, min(low, recall), max(high, recall), hit, total, audited, note or without.note
    )


def labels_for_width(
    population: Population,
    sample: Sample,
    *,
    half_width: float,
    available: np.ndarray | None = None,
    level: float = 0.95,
) -> int | None:
    """Return how many more documents must be read until (high - low) / 2 is at most `half_width`.

    Forecast as if what is read next were like what was read, allocated by `allocate`; `available`
    (H,) is how many of each stratum can be read in all, as there. 0 where the width is reached;
    None where even reading all that is available would not reach it.
    """
    audited = np.bincount(sample.stratum, minlength=len(population.documents))
    positive = np.bincount(sample.stratum, sample.positive, minlength=len(audited))
    rates = (positive + 0.5) / (audited + 1)
    can = population.documents if available is None else available
    weight = population.size / np.maximum(population.size.sum(), 1e-300)

    def half(more: int) -> float:
        read = allocate(
            population.size,
            rates,
            budget=int(audited.sum()) + more,
            at_least=0,
            available=np.maximum(can, audited),
            audited=audited,
        )
        rate = positive / np.maximum(audited, 1)
        rest = np.maximum(1 - read / np.maximum(population.documents, 1), 1e-12)
        low, high = profile_interval(weight, read / rest, read / rest * rate, level=level)
        return float(high - low) / 2

    now = audited_share(population, sample, level=level)
    if (now.high - now.low) / 2 <= half_width:
        return 0
    low, high = 0, int(np.maximum(can - audited, 0).sum())
    if half(high) > half_width:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half(middle) <= half_width else (middle, high)
    return high
