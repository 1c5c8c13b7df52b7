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
from .reweighed import Reweighed


@dataclass(frozen=True)
class Ingredient:
    """One bucket as it lies on disk.

    Args:
        name: the bucket's name.
        weight: how often the policy wants each document seen.
        passes: how often each written document is to be seen: the weight, or 1 in mode realised.
        share: of a trainer's samples, in (0, 1]; 0 where `passes` is 0.
        files: absolute paths of its shard files.
        distinct: documents, copies not counted.
        documents: documents written, copies counted; `bytes` and `tokens` likewise.
    """

    name: str
    weight: float
    passes: float
    share: float
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
    """The buckets that have files, in the policy's order; `left_out` names the others."""

    mode: Mode
    unit: Literal["tokens", "bytes"]
    data: Path
    text_column: str
    ingredients: tuple[Ingredient, ...]
    left_out: tuple[str, ...]


def mix(manifest: Manifest, reweighed: Reweighed) -> Mixture:
    """Return the mixture of what was reweighed.

    Raises:
        ManifestError: no bucket holds any text.
    """
    written = {name: [] for name in manifest.policy.names}
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
        left_out=tuple(name for name in written if name not in filled),
    )
