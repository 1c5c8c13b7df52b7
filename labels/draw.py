"""Randomness as a function of a document's coordinates: no order or worker changes it."""

from collections.abc import Iterable
from itertools import repeat

import numpy as np
import xxhash


def draws(purpose: str, seed: int, shard: str, rows: Iterable[int]) -> np.ndarray:
    """Return a 64-bit draw for each row: xxh3_64 over (purpose, seed, shard, row).

    Two purposes give unrelated draws, so that the control sample and fractional weights never
    correlate. Returns an array of `uint64`, uniform over its range, in the order of `rows`.
    """
    stream = xxhash.xxh3_64_intdigest(f"{purpose}\0{seed}\0{shard}".encode())
    coordinates = np.fromiter(rows, "<u8").view("V8").tolist()
    return np.fromiter(map(xxhash.xxh3_64_intdigest, coordinates, repeat(stream)), np.uint64)


def below(draw: np.ndarray, probability: float) -> np.ndarray:
    """Return where a draw falls below a probability in [0, 1]; 1 takes every row."""
    if probability >= 1.0:
        return np.ones(len(draw), dtype=bool)
    return draw < np.uint64(int(probability * 2**64))
