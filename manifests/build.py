"""Builds a manifest: everything that the policy decides, fixed in one folder."""

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from .. import __version__
from ..errors import ManifestError, TagsError, one_line
from ..store.folder import TagFolder
from ..store.scans import failed_parts, name_of_failed
from .assign import DOCUMENTS_FILE, first_match
from .decide import Decision, decide
from .manifest import (
    DOCUMENTS,
    MANIFEST_FILE,
    SHARDS,
    SHARDS_FILE,
    Manifest,
    Tagging,
    load_manifest,
)
from .marks import marks
from .plan import plan_of, thresholds_of
from .policy import Policy
from .takedown import TAKEDOWN_FILE, read_takedown, takedown_digest

_BATCH = 100_000
_STEPS = 4
"""What is told of: the policy is decided, its plan made, the documents and the shards written."""

_RECEIPT_COLUMNS = (
    "shard", "first_row", "end_row", "format", "size", "input_digest", "documents", "bytes",
    "tokens",
)  # fmt: skip


def build_manifest(
    folder: TagFolder,
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    out: Path,
    thresholds: Mapping[str, float] | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Manifest:
    """Build a manifest aside and rename it to `out` once it is complete.

    Args:
        folder: the tag folder, for its name, its takedown list and the passages of its tags.
        connection: its open catalogue.
        policy: what to decide.
        out: a folder that does not exist yet, or that holds this very manifest, which is then
            returned as it is.
        thresholds: by label, from which probability the plan counts a document as flagged.
        progress: told of how many of all steps are done; what it raises keeps the manifest from
            being there.

    Raises:
        ManifestError: `out` holds something else; or the parts are partial, lie under different
            roots or were tagged by different models.
        PolicyError: as for `plan`.
        TagsError: the tag folder's counts contradict each other.
    """
    out = out.resolve()
    tagging, root, columns = _check_receipts(connection)
    receipts_digest = _receipts_digest(connection)
    takedown = read_takedown(folder)
    name = "\0".join(
        (policy.digest(), receipts_digest, tagging.model_dump_json(), takedown_digest(takedown))
    )
    identity = xxhash.xxh3_64_hexdigest(name.encode())
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        return _same_manifest(out, identity)
    # Of its own: tables are registered in it, whatever else the caller's connection is at.
    connection = connection.cursor()
    progress(0, _STEPS)
    limits = thresholds_of(thresholds)
    decided = decide(connection, policy, takedown=takedown, limits=limits)
    progress(1, _STEPS)
    planned = plan_of(connection, policy, decided, folder=folder, limits=limits)
    progress(2, _STEPS)
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        aside.mkdir(parents=True)
        listed = _write_documents(folder, connection, decided, aside / DOCUMENTS_FILE)
        progress(3, _STEPS)
        parts = _write_shards(connection, decided, aside / SHARDS_FILE)
        pq.write_table(takedown, aside / TAKEDOWN_FILE, compression="zstd")
        manifest = Manifest(
            id=identity,
            created=datetime.now(UTC),
            narrascope_version=__version__,
            tags=folder.url,
            root=root,
            columns=columns,
            policy=policy,
            policy_digest=policy.digest(),
            partition=decided.partition,
            takedown_digest=takedown_digest(takedown),
            receipts_digest=receipts_digest,
            tagging=tagging,
            seed=policy.seed,
            thresholds=planned.thresholds,
            weights=dict(zip(decided.partition.names, planned.weights, strict=True)),
            plan=planned,
            parts=parts,
            listed_documents=listed,
            notes=tuple(_failure_notes(connection)),
            folder=out,
        )
        data = orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
        (aside / MANIFEST_FILE).write_bytes(data)
        progress(_STEPS, _STEPS)
        aside.rename(out)
    except OSError as error:
        raise ManifestError(
            f"the manifest {out} cannot be written ({one_line(error)}): name a folder that can be "
            "made, with --out"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def _same_manifest(out: Path, identity: str) -> Manifest:
    if (out / MANIFEST_FILE).is_file() and (there := load_manifest(out)).id == identity:
        return there
    raise ManifestError(
        f"{out} already holds something other than this manifest: name another folder with --out "
        "or remove it"
    )


def _check_receipts(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[Tagging, str, dict[str, Any]]:
    """Return what made the tags, the corpus's root and its columns, all alike in every part."""
    partial = connection.execute(
        "SELECT count(*), min(shard) FROM receipts WHERE partial"
    ).fetchall()[0]
    if partial[0]:
        raise ManifestError(
            f"{partial[0]} parts were scanned with --limit and count only some of their documents "
            f"(first: {partial[1]}): scan them again without --limit"
        )
    columns = (*Tagging.model_fields, "root", "options")
    found = connection.execute(
        f"SELECT {', '.join(columns)}, count(*) AS parts FROM receipts "  # noqa: S608
        "GROUP BY ALL ORDER BY parts DESC"
    ).fetchall()
    if not found:
        raise ManifestError("the tag folder holds no finished part: scan the corpus first")
    for column, *values in zip(columns, *found, strict=False):
        if len(set(values)) > 1:
            shown = ", ".join(sorted(map(str, set(values)))[:3])
            raise ManifestError(
                f"the parts disagree in {column} ({shown}): scan the fewer of them again, or into "
                "a tag folder of their own"
            )
    *made, root, options, _ = found[0]
    tagging = Tagging(**dict(zip(Tagging.model_fields, made, strict=True)))
    return tagging, root, orjson.loads(options).get("columns", {})


def _receipts_digest(connection: duckdb.DuckDBPyConnection) -> str:
    rows = connection.execute(
        "SELECT shard, first_row, end_row, size, input_digest FROM receipts ORDER BY ALL"
    ).fetchall()
    return xxhash.xxh3_64_hexdigest(orjson.dumps(rows))


def _failure_notes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        "left out, since its scan failed: "
        f"{name_of_failed(part['shard'], part['first_row'], part['end_row'])} ({part['why']})"
        for part in failed_parts(connection)
    ]


def _write_documents(
    folder: TagFolder, connection: duckdb.DuckDBPyConnection, decided: Decision, path: Path
) -> int:
    """Write the tagged documents that the rule for untagged ones would place elsewhere.

    Those with something to be marked in them are written wherever they fall.
    """
    pieces = decided.partition.pieces
    tagged, tagged_bound = first_match(pieces)
    untagged, untagged_bound = first_match(pieces, untagged=True)
    names, weights = pa.array(decided.partition.names), pa.array(decided.weights, pa.float64())
    connection.register("marks", marks(folder, connection, pieces))
    query = f"""SELECT d.shard, d."row", doc_id, text_hash, b, spans, places FROM (
        SELECT *, {tagged} AS b, {untagged} AS u FROM documents) AS d
        LEFT JOIN marks AS m ON d.shard = m.shard AND d."row" = m."row"
        WHERE b <> u OR m.shard IS NOT NULL ORDER BY d.shard, d."row" """  # noqa: S608 (identifiers from the schema)
    batches = connection.sql(query, params=[*tagged_bound, *untagged_bound]).to_arrow_reader(_BATCH)
    listed = 0
    with pq.ParquetWriter(path, DOCUMENTS, compression="zstd") as writer:
        for batch in batches:
            bucket = batch.column("b")
            columns = [
                *batch.columns[:4], names.take(bucket), weights.take(bucket), *batch.columns[5:]
            ]  # fmt: skip
            writer.write_table(pa.Table.from_arrays(columns, DOCUMENTS.names).cast(DOCUMENTS))
            listed += batch.num_rows
    connection.unregister("marks")
    return listed


def _write_shards(connection: duckdb.DuckDBPyConnection, decided: Decision, path: Path) -> int:
    """Write every part with what each bucket takes of it, and return how many there are."""
    census, names = decided.census, decided.partition.names
    taken = census.decided(("shard", "first_row"))
    known = [not (decided.unfound or census.estimated(index)) for index in range(len(names))]
    receipts = connection.execute(
        f"SELECT {', '.join(_RECEIPT_COLUMNS)} FROM receipts "  # noqa: S608
        "ORDER BY shard, first_row"
    ).fetchall()
    rows: list[dict[str, Any]] = []
    for receipt in receipts:
        row: dict[str, Any] = dict(zip(_RECEIPT_COLUMNS, receipt, strict=True))
        counts, _ = taken.get((row["shard"], row["first_row"]), (np.zeros((len(known), 3)), None))
        if all(known) and int(counts[:, 0].sum()) != row["documents"]:
            raise TagsError(
                f"the receipt of {row['shard']} at row {row['first_row']} counts "
                f"{row['documents']:,} documents, its domain counts {counts[:, 0].sum():,.0f}: "
                "the tag folder is damaged; scan this shard again"
            )
        row["buckets"] = [
            {"bucket": name, "documents": None, "bytes": None, "tokens": None}
            if not exact
            else {
                "bucket": name,
                "documents": int(documents),
                "bytes": int(size),
                "tokens": None if np.isnan(tokens) else int(tokens),
            }
            for name, exact, (documents, size, tokens) in zip(names, known, counts, strict=True)
        ]
        rows.append(row)
    pq.write_table(pa.Table.from_pylist(rows, SHARDS), path, compression="zstd")
    return len(rows)
