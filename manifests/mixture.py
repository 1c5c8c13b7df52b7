"""The mixture: which files a trainer reads, and which share of its samples each bucket gives.

A weight is applied in one place only. In mode `buckets` documents were written once, so a bucket's
share is its weight times its size. In mode `realised` the copies are in the files, so its share is
its size. Trainers weigh by samples, which hold tokens: sizes are tokens where the corpus has them,
else bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ManifestError
from .assign import Mode
from .manifest import Manifest
from .planned import PlannedStage
from .reweighed import Reweighed


@dataclass(frozen=True)
class Ingredient:
    """One bucket as it lies on disk.

    Args:
        name: the bucket's name.
        weight: how often the policy wants each document seen.
        passes: how often each written document is to be seen: the weight, or 1 in mode realised.
        share: of a trainer's samples over the whole training, in (0, 1]; 0 where `passes` is 0.
        shares: the same in each stage, in the order of `Mixture.stages`.
        files: absolute paths of its shard files.
        distinct: documents, copies not counted.
        documents: documents written, copies counted; `bytes` and `tokens` likewise.
    """

    name: str
    weight: float
    passes: float
    share: float
    shares: tuple[float, ...]
    files: tuple[Path, ...]
    distinct: int
    documents: int
    bytes: int
    tokens: int | None

    def row(self) -> dict[str, Any]:
        """Return everything but the files, for JSON and CSV."""
        return {key: value for key, value in vars(self).items() if key != "files"}


@dataclass(frozen=True)
class Mixture:
    """The buckets that have files, in the partition's order; `left_out` names the others.

    `stages` are the ends of the stages of training as parts of it, the last 1; empty where the
    mixture is the same throughout. In each stage a trainer draws by `shares`; over all of them that
    comes to `share` and `passes`, in mode realised too.
    """

    mode: Mode
    unit: Literal["tokens", "bytes"]
    data: Path
    text_column: str
    ingredients: tuple[Ingredient, ...]
    stages: tuple[float, ...]
    left_out: tuple[str, ...]


def mix(manifest: Manifest, reweighed: Reweighed) -> Mixture:
    """Return the mixture of what was reweighed.

    Raises:
        ManifestError: no bucket holds any text.
    """
    written = {name: [] for name in manifest.partition.names}
    for entry in reweighed.written:
        if entry.bucket not in written:
            raise ManifestError(
                f"{reweighed.folder} has a bucket {entry.bucket!r}, which the policy lacks: "
                "reweigh again"
            )
        if entry.path is not None:
            written[entry.bucket].append(entry)
    filled = {name: entries for name, entries in written.items() if entries}
    has_tokens = all(e.tokens is not None for entries in filled.values() for e in entries)
    sizes = {
        name: (sum(e.bytes for e in es), sum(e.tokens or 0 for e in es))
        for name, es in filled.items()
    }
    applied = reweighed.mode == "realised"
    passes = {name: 1.0 if applied else manifest.weights[name] for name in filled}
    seen = {name: passes[name] * size[has_tokens] for name, size in sizes.items()}
    total = sum(seen.values())
    if not total:
        raise ManifestError(
            f"{reweighed.folder} holds no text to train on: every bucket is empty or has weight 0"
        )
    stages = [_stage_shares(manifest, stage, seen) for stage in manifest.plan.stages]
    return Mixture(
        mode=reweighed.mode,
        unit="tokens" if has_tokens else "bytes",
        data=reweighed.folder.resolve(),
        text_column=reweighed.text_column,
        ingredients=tuple(
            Ingredient(
                name=name,
                weight=manifest.weights[name],
                passes=passes[name],
                share=seen[name] / total,
                shares=tuple(stage[name] for stage in stages),
                files=tuple(
                    reweighed.folder.resolve() / path
                    for path in sorted({entry.path for entry in entries})
                ),
                distinct=sum(min(entry.matched, entry.documents) for entry in entries),
                documents=sum(entry.documents for entry in entries),
                bytes=sizes[name][0],
                tokens=sizes[name][1] if has_tokens else None,
            )
            for name, entries in filled.items()
        ),
        stages=tuple(stage.until for stage in manifest.plan.stages),
        left_out=tuple(name for name in written if name not in filled),
    )


def _stage_shares(
    manifest: Manifest, stage: PlannedStage, seen: dict[str, float]
) -> dict[str, float]:
    """Return each bucket's share in one stage, from what is seen of it over the whole training."""
    weights = dict(zip(manifest.partition.names, stage.weights, strict=True))
    sizes = {
        name: size * weights[name] / manifest.weights[name] if manifest.weights[name] else 0.0
        for name, size in seen.items()
    }
    total = sum(sizes.values())
    return {name: size / total if total else 0.0 for name, size in sizes.items()}
