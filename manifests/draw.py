"""Whole copies of a fractional weight, without bias and without depending on any order.

A weight w asks that each of a bucket's n documents of a part be seen ⌊w⌋ times, and a share of
them once more. That share is taken systematically: documents stand in the order of their hash, and
the first ⌊n·f⌋ or ⌈n·f⌉ of them, f being the fraction of w, are taken. Which of the two is decided
by one hashed start a part and bucket, in proportion, so that rounding does not bias the sum over
parts.
"""

import math

import numpy as np

from ..labels.draw import draws


def copies(
    rows: np.ndarray, *, weight: float, seed: int, shard: str, first_row: int, bucket: str
) -> np.ndarray:
    """Return how often each document of one part and bucket is to be seen.

    Args:
        rows: the documents' row numbers, all of them, in any order.
        weight: w, finite and at least 0.
        seed: the policy's seed.
        shard: the part's shard; with `first_row` it names the part.
        first_row: the part's first row.
        bucket: the bucket's name; it sets the rounding.

    Returns:
        An int64 array in the order of `rows`, each value ⌊w⌋ or ⌊w⌋ + 1. Its sum differs from n·w
        by less than one document, and no value falls where the weight rises.
    """
    whole = math.floor(weight)
    counts = np.full(len(rows), whole, dtype=np.int64)
    expected = len(rows) * (weight - whole)
    if expected == 0:
        return counts
    start = draws(f"reweigh start {bucket}", seed, shard, [first_row])[0]
    taken = math.floor(expected)
    taken += int(start) < (expected - taken) * 2**64
    order = np.lexsort((rows, draws("reweigh", seed, shard, rows)))
    counts[order[:taken]] += 1
    return counts
