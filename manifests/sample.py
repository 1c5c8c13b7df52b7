"""Draws samples through a trainer's own code, and sets the shares beside the planned ones."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..errors import ManifestError
from .drawn import Drawn
from .export import SAMPLERS, check_trainer, exported_to, mixture_of
from .manifest import Manifest
from .mixture import Ingredient, Mixture

TOLERANCE = 0.01
"""How far a bucket's share may be from the plan, beyond what chance explains."""
_DEVIATIONS = 4


class Sampling(BaseModel):
    """What a trainer drew: a row for each bucket, and a line for each that is not as planned."""

    model_config = ConfigDict(frozen=True)
    trainer: str
    samples: int
    unit: str
    rows: tuple[dict[str, Any], ...]
    failures: tuple[str, ...]


def sample(
    manifest: Manifest,
    *,
    trainer: str,
    samples: int,
    export: Path | None = None,
    data: Path | None = None,
) -> Sampling:
    """Draw samples through a trainer's own code and compare each bucket's share with the plan.

    Rows have `bucket, drawn`; `share` and `planned_share` of the samples; and `size_share` and
    `planned_size_share` of what they hold, in `unit`: tokens where the trainer reads tokens, else
    bytes of text. A share fails where it is off by more than `TOLERANCE` and four standard errors.

    Args:
        manifest: the manifest.
        trainer: a key of `SAMPLERS`.
        samples: how many to draw, at least 1.
        export: the folder that `export` wrote; by default the newest for the trainer.
        data: the folder that `reweigh` wrote; by default the manifest's newest.

    Raises:
        ManifestError: the trainer cannot be sampled, its library is not installed, nothing was
            exported, or it refuses the configuration.
    """
    check_trainer(trainer)
    if trainer not in SAMPLERS:
        raise ManifestError(
            f"{trainer!r} has no library that draws: choose from {', '.join(SAMPLERS)}"
        )
    folder = (export or exported_to(manifest, trainer)).resolve()
    mixture = mixture_of(manifest, folder, data)
    try:
        drawn = SAMPLERS[trainer](mixture, folder, samples)
    except OSError as error:
        raise ManifestError(
            f"{folder} does not hold what {trainer} reads ({error}): export again"
        ) from error
    rows, failures = [], []
    for place, ingredient in enumerate(mixture.ingredients):
        row, off = _compare(mixture, ingredient, drawn, drawn.buckets == place)
        rows.append(row)
        failures += [f"{trainer} draws {ingredient.name}: {line}" for line in off]
    return Sampling(
        trainer=trainer,
        samples=len(drawn.buckets),
        unit=drawn.unit,
        rows=tuple(rows),
        failures=tuple(failures),
    )


def _compare(
    mixture: Mixture, ingredient: Ingredient, drawn: Drawn, here: np.ndarray
) -> tuple[dict[str, Any], list[str]]:
    number, whole = len(here), drawn.sizes.sum()
    planned_size = _planned_size(mixture, ingredient, drawn)
    # Samples of a fixed number of tokens are shared as tokens are, documents as documents.
    fixed = drawn.unit == "tokens"
    planned = ingredient.share if fixed else ingredient.document_share
    share, size_share = here.mean(), drawn.sizes[here].sum() / max(1, whole)
    # The error of a ratio of sums (Cochran 1977, section 2.11).
    error = math.sqrt(planned * (1 - planned) / number)
    off = drawn.sizes * (here - planned_size)
    size_error = math.sqrt(float((off * off).sum())) / max(1, whole)
    failures = [
        f"{name} {found:.4f}, {wanted:.4f} planned"
        for name, found, wanted, slack in (
            ("share of samples", share, planned, error),
            (f"share of {drawn.unit}", size_share, planned_size, size_error),
        )
        if abs(found - wanted) > TOLERANCE + _DEVIATIONS * slack
    ]
    row = {
        "bucket": ingredient.name,
        "drawn": int(here.sum()),
        "share": float(share),
        "planned_share": planned,
        "unit": drawn.unit,
        "size_share": float(size_share),
        "planned_size_share": planned_size,
    }
    return row, failures


def _planned_size(mixture: Mixture, ingredient: Ingredient, drawn: Drawn) -> float:
    if drawn.unit == "tokens":
        return ingredient.share
    sizes = [i.passes * i.bytes for i in mixture.ingredients]
    return ingredient.passes * ingredient.bytes / sum(sizes)
