"""Checks that what was reweighed is what the manifest planned, by counting the files themselves."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..errors import ManifestError
from .manifest import Manifest
from .mixture import mix
from .recount import ENDINGS, recount, wrong_marks
from .reweighed import SPANS_COLUMN, Reweighed, Written, load_reweighed

_SLACK = 1e-6


class Verification(BaseModel):
    """What was found: a row for each bucket, and a line for each thing that is not as planned.

    `notes` tell what keeps the rows from matching the plan though every file is as it should be.
    """

    model_config = ConfigDict(frozen=True)
    mode: str
    rows: tuple[dict[str, Any], ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify(manifest: Manifest, *, data: Path | None = None) -> Verification:
    """Count every file that `reweigh` wrote and compare with the manifest.

    For each part and bucket, mode `buckets` must have written every document once, and mode
    `realised` n·w of them within one document, n being what the manifest planned for the part, or
    what was matched where the corpus was matched by doc_id or text_hash or the plan only
    estimates. The rows have `bucket, weight, documents, planned_documents, share, planned_share`:
    documents as a trainer that follows the exported shares sees them in one pass, and shares of
    the corpus in tokens, or in bytes where those are not known.

    Args:
        manifest: the manifest.
        data: the folder that `reweigh` wrote; by default the manifest's newest.

    Raises:
        ManifestError: nothing was reweighed, or by another manifest.
    """
    reweighed = load_reweighed(manifest, data)
    failures = [
        *_check_files(reweighed),
        *_check_marks(manifest, reweighed),
        *_check_strays(reweighed),
        *_check_parts(manifest, reweighed),
    ]
    return Verification(
        mode=reweighed.mode,
        rows=tuple(_shares(manifest, reweighed)),
        failures=tuple(failures),
        notes=(*_absences(reweighed), *reweighed.remarks(), *_stages(manifest, reweighed)),
    )


def _check_files(reweighed: Reweighed) -> Iterator[str]:
    """Count documents and bytes of every file against the record."""
    expected: dict[str, list[int]] = {}
    for entry in reweighed.written:
        if entry.path is not None:
            counts = expected.setdefault(entry.path, [0, 0])
            counts[0] += entry.documents
            counts[1] += entry.bytes
        elif entry.documents:
            yield f"{_place(entry)}: {entry.documents:,} documents are recorded without a file"
    for path, (documents, size) in sorted(expected.items()):
        try:
            found, found_bytes = recount(reweighed.folder / path, reweighed.text_column)
        except ManifestError as error:
            yield str(error)
            continue
        if found != documents:
            yield f"{path}: holds {found:,} documents, {documents:,} were recorded"
        if found_bytes != size:
            yield f"{path}: holds {found_bytes:,} bytes of text, {size:,} were recorded"


def _check_marks(manifest: Manifest, reweighed: Reweighed) -> Iterator[str]:
    """Look for spans outside their texts, and documents without their bucket's prefix."""
    marking = {
        piece.name: piece
        for piece in manifest.partition.pieces
        if piece.action == "mask_spans" or piece.prefix is not None
    }
    for entry in reweighed.written:
        if entry.path is None or entry.bucket not in marking:
            continue
        piece = marking[entry.bucket]
        try:
            spans, prefixes = wrong_marks(
                reweighed.folder / entry.path, reweighed.text_column, piece
            )
        except ManifestError as error:
            yield str(error)
            continue
        if spans:
            yield f"{entry.path}: {spans:,} documents have a {SPANS_COLUMN} outside their text"
        if prefixes:
            yield f"{entry.path}: {prefixes:,} documents do not begin with {piece.prefix}"


def _stages(manifest: Manifest, reweighed: Reweighed) -> Iterator[str]:
    if stages := manifest.plan.stages:
        ends = ", ".join(f"{stage.until:g}" for stage in stages)
        told = "copies in the files are" if reweighed.mode == "realised" else "shares above are"
        yield (
            f"the policy has stages that end at {ends} of training: {told} those of the whole, and "
            "the shares of each stage stand in what `manifest export` writes"
        )


def _check_strays(reweighed: Reweighed) -> Iterator[str]:
    """Name shard files that the record does not know: a trainer's glob would read them."""
    known = {entry.path for entry in reweighed.written}
    for path in sorted(reweighed.folder.glob("[!.]*/**/*")):
        name = path.relative_to(reweighed.folder).as_posix()
        if name.endswith(ENDINGS) and name not in known and path.is_file():
            yield f"{name}: is not in the record: remove it or reweigh into an empty folder"


def _check_parts(manifest: Manifest, reweighed: Reweighed) -> Iterator[str]:
    """Compare what each part gave to each bucket with the manifest."""
    assignment = manifest.assignment()
    weights = dict(zip(manifest.partition.names, assignment.weights, strict=True))
    dropped = {n for i, n in enumerate(manifest.partition.names) if assignment.dropped(i)}
    planned = _planned_parts(manifest) if reweighed.match == "row" else {}
    absent = frozenset(reweighed.not_in_source)
    for entry in _whole(reweighed.written):
        if entry.bucket not in weights:
            yield f"{_place(entry)}: the policy has no such bucket"
            continue
        if reweighed.match == "row":
            key = (entry.shard, entry.first_row, entry.bucket)
            if key not in planned:
                yield f"{_place(entry)}: recorded twice, or no part of the manifest"
                continue
            count = planned.pop(key)
            if count is not None and count != entry.matched:
                yield f"{_place(entry)}: {entry.matched:,} documents matched, {count:,} planned"
        wanted = entry.matched * weights[entry.bucket]
        if reweighed.mode == "buckets":
            wanted = 0 if entry.bucket in dropped else entry.matched
        if abs(entry.documents - wanted) > (reweighed.mode == "realised") + _SLACK:
            yield f"{_place(entry)}: {entry.documents:,} documents written, {wanted:,.1f} wanted"
    for (shard, first_row, bucket), count in planned.items():
        if count and shard not in absent:
            yield f"{shard} at row {first_row}, {bucket}: {count:,} documents planned, none matched"


def _whole(written: Iterable[Written]) -> Iterable[Written]:
    """Add entries of further copies, in which nothing is matched, to their part's and bucket's."""
    whole: dict[tuple[str, int, str], Written] = {}
    twice = []
    for entry in written:
        key = (entry.shard, entry.first_row, entry.bucket)
        if key in whole and entry.matched:
            twice.append(entry)
        elif key in whole:
            documents = whole[key].documents + entry.documents
            whole[key] = whole[key].model_copy(update={"documents": documents})
        else:
            whole[key] = entry
    return [*whole.values(), *twice]


def _absences(reweighed: Reweighed) -> Iterator[str]:
    if absent := reweighed.not_in_source:
        yield (
            f"{len(absent):,} shards of the manifest were not in the source (first: "
            f"{min(absent)}), so the planned shares, which are of all, are not quite met"
        )


def _planned_parts(manifest: Manifest) -> dict[tuple[str, int, str], int | None]:
    """Return how many documents of each part fall in each bucket; null where only estimated."""
    return {
        (shard, first_row, taken["bucket"]): taken["documents"]
        for row in manifest.read_shards().select(["shard", "first_row", "buckets"]).to_pylist()
        for shard, first_row in [(row["shard"], row["first_row"])]
        for taken in row["buckets"]
    }


def _shares(manifest: Manifest, reweighed: Reweighed) -> Iterator[dict[str, Any]]:
    """Set the shares that a trainer would see beside those that were planned."""
    mixture = mix(manifest, reweighed)
    found = {ingredient.name: ingredient for ingredient in mixture.ingredients}
    whole = manifest.plan.after.of(mixture.unit)
    for bucket in manifest.plan.buckets:
        ingredient = found.get(bucket.name)
        yield {
            "bucket": bucket.name,
            "weight": bucket.weight,
            "documents": round(ingredient.documents * ingredient.passes, 1) if ingredient else 0,
            "planned_documents": round(bucket.after.documents, 1),
            "unit": mixture.unit,
            "share": ingredient.share if ingredient else 0.0,
            "planned_share": bucket.after.of(mixture.unit) / whole if whole else None,
        }


def _place(entry: Written) -> str:
    return f"{entry.shard} at row {entry.first_row}, {entry.bucket}"
