"""The mixture: which files a trainer reads, and which share of its samples each bucket gives.

A weight is applied in one place only. In mode `buckets` documents were written once, so a bucket's
share is its weight times its size. In mode `realised` the copies are in the files, so its share is
its size. Most trainers weigh samples of a fixed number of tokens: sizes are tokens where they are
known, else bytes. Others draw whole documents, so they are given shares of documents.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ManifestError
from .assign import Mode
from .manifest import Manifest
from .planned import PlannedStage
from .policy import Action
from .reweighed import Reweighed
from .texts import TextColumns
from .tokenised import Tokenised

_NOT_LISTED = frozenset({"files", "parts"})


@dataclass(frozen=True)
class Ingredient:
    """One bucket as it lies on disk.

    Args:
        name: the bucket's name.
        weight: how often the policy wants each document seen.
        passes: how often each written document is to be seen: the weight, or 1 in mode realised.
        share: of a trainer's samples over the whole training, in (0, 1]; 0 where `passes` is 0.
        shares: the same in each stage, in the order of `Mixture.stages`.
        document_share: of the documents that a trainer draws, where it draws whole documents.
        document_shares: the same in each stage.
        action: what the policy does to its documents; under mask_spans the files have the spans.
        prefix: the control tag that stands in its texts, if any.
        files: absolute paths of its shard files.
        parts: for each file the shard and first row of the part that it was written from.
        distinct: documents, copies not counted.
        documents: documents written, copies counted; `bytes` and `tokens` likewise.
    """

    name: str
    weight: float
    passes: float
    share: float
    shares: tuple[float, ...]
    document_share: float
    document_shares: tuple[float, ...]
    action: Action
    prefix: str | None
    files: tuple[Path, ...]
    parts: tuple[tuple[str, int], ...]
    distinct: int
    documents: int
    bytes: int
    tokens: int | None

    def row(self) -> dict[str, Any]:
        """Return everything but the files, for JSON and CSV."""
        return {key: value for key, value in vars(self).items() if key not in _NOT_LISTED}


@dataclass(frozen=True)
class Mixture:
    """The buckets that have files, in the partition's order; `left_out` names the others.

    `stages` are the ends of the stages of training as parts of it, the last 1; empty where the
    mixture is the same throughout. In each stage a trainer draws by `shares`; over all of them that
    comes to `share` and `passes`, in mode realised too. `tags` is the tag folder's URL.
    `tokenised` are the token files of the export, if any, and `steps` the training steps, if said.
    """

    mode: Mode
    unit: Literal["tokens", "bytes"]
    data: Path
    tags: str
    columns: TextColumns
    ingredients: tuple[Ingredient, ...]
    stages: tuple[float, ...]
    left_out: tuple[str, ...]
    tokenised: Tokenised | None = None
    steps: int | None = None

    @property
    def masked(self) -> bool:
        """Whether the policy masks spans in any bucket."""
        return any(ingredient.action == "mask_spans" for ingredient in self.ingredients)

    @property
    def planned_documents(self) -> float:
        """How many documents a trainer sees in one pass at the planned size."""
        return sum(ingredient.passes * ingredient.documents for ingredient in self.ingredients)

    @property
    def planned_tokens(self) -> float | None:
        """How many tokens that is; null where they are not known."""
        if self.unit == "bytes":
            return None
        return sum(i.passes * (i.tokens or 0) for i in self.ingredients)

    def refuse_zero(self, trainer: str) -> None:
        """Refuse weights of 0, which most trainers do, and buckets that hold nothing.

        Raises:
            ManifestError: a bucket has weight 0, in all of training or in a stage, or no text.
        """
        for ingredient in self.ingredients:
            if all((ingredient.share, *ingredient.shares)):
                continue
            if not ingredient.passes:
                what, cure = "has weight 0", "give it `action: drop`, which leaves it out"
            elif not ingredient.share:
                what, cure = f"holds no {self.unit}", "merge it with another, or drop it"
            else:
                what, cure = "has weight 0 in a stage", "give it a small weight there"
            raise ManifestError(
                f"bucket {ingredient.name!r} {what}, which {trainer} does not take: {cure}, and "
                "build and reweigh again"
            )


def mix(manifest: Manifest, reweighed: Reweighed, tokenised: Tokenised | None = None) -> Mixture:
    """Return the mixture of what was reweighed.

    Args:
        manifest: the manifest.
        reweighed: what `reweigh` wrote by it.
        tokenised: the export's token files, whose counts are then the sizes; by default those of
            the corpus's own token column, if any.

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
    tokens = tokenised.tokens() if tokenised else None
    counted = tokens is not None or all(
        e.tokens is not None for entries in filled.values() for e in entries
    )
    sizes = {
        name: (
            sum(e.bytes for e in entries),
            sum(e.tokens or 0 for e in entries) if tokens is None else tokens.get(name, 0),
        )
        for name, entries in filled.items()
    }
    applied = reweighed.mode == "realised"
    passes = {name: 1.0 if applied else manifest.weights[name] for name in filled}
    seen = {name: passes[name] * size[counted] for name, size in sizes.items()}
    drawn = {name: passes[name] * sum(e.documents for e in es) for name, es in filled.items()}
    total, documents = sum(seen.values()), sum(drawn.values())
    if not total:
        raise ManifestError(
            f"{reweighed.folder} holds no text to train on: every bucket is empty or has weight 0"
        )
    places = {
        name: dict(sorted((e.path, (e.shard, e.first_row)) for e in entries))
        for name, entries in filled.items()
    }
    pieces = {piece.name: piece for piece in manifest.partition.pieces}
    stages = [_stage_shares(manifest, stage, seen) for stage in manifest.plan.stages]
    drawn_in = [_stage_shares(manifest, stage, drawn) for stage in manifest.plan.stages]
    return Mixture(
        mode=reweighed.mode,
        unit="tokens" if counted else "bytes",
        data=reweighed.folder.resolve(),
        tags=manifest.tags,
        columns=TextColumns(
            text=reweighed.text_column,
            id=manifest.columns.get("id"),
            tokens=manifest.columns.get("tokens"),
        ),
        ingredients=tuple(
            Ingredient(
                name=name,
                weight=manifest.weights[name],
                passes=passes[name],
                share=seen[name] / total,
                shares=tuple(stage[name] for stage in stages),
                document_share=drawn[name] / documents,
                document_shares=tuple(stage[name] for stage in drawn_in),
                action=pieces[name].action,
                prefix=pieces[name].prefix,
                files=tuple(reweighed.folder.resolve() / path for path in places[name]),
                parts=tuple(places[name].values()),
                distinct=sum(min(entry.matched, entry.documents) for entry in entries),
                documents=sum(entry.documents for entry in entries),
                bytes=sizes[name][0],
                tokens=sizes[name][1] if counted else None,
            )
            for name, entries in filled.items()
        ),
        stages=tuple(stage.until for stage in manifest.plan.stages),
        left_out=tuple(name for name in written if name not in filled),
        tokenised=tokenised,
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
