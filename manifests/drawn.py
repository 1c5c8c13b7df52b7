"""Samples that were drawn through a trainer's own code."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from ..errors import ManifestError, one_line


@dataclass(frozen=True)
class Drawn:
    """What a trainer drew, a sample an entry.

    Args:
        buckets: int64[N], the place of each sample's bucket in `Mixture.ingredients`.
        sizes: int64[N], how much each sample holds.
        unit: of the sizes.
    """

    buckets: np.ndarray
    sizes: np.ndarray
    unit: Literal["bytes", "tokens"]


def collect(pairs: Iterable[tuple[int, int]], *, unit: Literal["bytes", "tokens"]) -> Drawn:
    """Return (bucket, size) pairs as arrays."""
    table = np.fromiter(pairs, dtype=np.dtype((np.int64, 2)))
    return Drawn(table[:, 0], table[:, 1], unit)


def library(module: str, package: str) -> Any:
    """Import a module of a trainer's library, which no other part of Narrascope needs.

    Raises:
        ManifestError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ManifestError(
            f"{module} cannot be imported here ({one_line(error)}): install {package}, as "
            "docs/trainers.md says"
        ) from error
