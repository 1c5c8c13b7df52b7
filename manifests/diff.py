"""What two manifests decide differently."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from .manifest import Manifest

_ALIKE = ("tags", "root", "policy_digest", "receipts_digest", "takedown_digest", "tagging", "seed")


def diff(a: Manifest, b: Manifest) -> list[dict[str, Any]]:
    """Return what differs between two manifests, a row each; none where they decide alike.

    Rows have `what, name, a, b`. `what` is `made of` (what they were built from), `weight` and
    `documents` (of a bucket: how often each is seen, how many there are), `placed` (documents by
    the bucket that each manifest lists them in; `by rule` is where it does not list them) and
    `part` (parts of shards that only one has, or that were rewritten).

    Raises:
        ManifestError: a file of a manifest is missing or torn.
    """
    return [*_made_of(a, b), *_buckets(a, b), *_placed(a, b), *_parts(a, b)]


def _made_of(a: Manifest, b: Manifest) -> Iterator[dict[str, Any]]:
    for name in _ALIKE:
        if (ours := getattr(a, name)) != (theirs := getattr(b, name)):
            shown = [str(value) for value in (ours, theirs)]
            yield {"what": "made of", "name": name, "a": shown[0], "b": shown[1]}


def _buckets(a: Manifest, b: Manifest) -> Iterator[dict[str, Any]]:
    planned = [{bucket.name: bucket for bucket in m.plan.buckets} for m in (a, b)]
    for name in dict.fromkeys([*planned[0], *planned[1]]):
        ours, theirs = (buckets.get(name) for buckets in planned)
        for what in ("weight", "documents"):
            values = [
                None if bucket is None
                else bucket.weight if what == "weight"
                else round(bucket.before.documents, 1)
                for bucket in (ours, theirs)
            ]  # fmt: skip
            if values[0] != values[1]:
                yield {"what": what, "name": name, "a": values[0], "b": values[1]}


def _placed(a: Manifest, b: Manifest) -> Iterator[dict[str, Any]]:
    rows = _compared(
        """SELECT coalesce(a.bucket, 'by rule'), coalesce(b.bucket, 'by rule'), count(*)
        FROM a FULL JOIN b
        ON a.shard = b.shard AND a."row" = b."row"
        WHERE a.bucket IS DISTINCT FROM b.bucket GROUP BY ALL ORDER BY ALL""",
        a.read_documents(), b.read_documents(),
    )  # fmt: skip
    for ours, theirs, count in rows:
        yield {"what": "placed", "name": f"{count:,} documents", "a": ours, "b": theirs}


def _parts(a: Manifest, b: Manifest) -> Iterator[dict[str, Any]]:
    rows = _compared(
        """SELECT coalesce(a.shard, b.shard), coalesce(a.first_row, b.first_row),
            a.input_digest, b.input_digest
        FROM a FULL JOIN b
        ON a.shard = b.shard AND a.first_row = b.first_row AND a.end_row = b.end_row
        WHERE a.input_digest IS DISTINCT FROM b.input_digest ORDER BY ALL""",
        a.read_shards(), b.read_shards(),
    )  # fmt: skip
    for shard, first_row, ours, theirs in rows:
        yield {"what": "part", "name": f"{shard} at row {first_row}", "a": ours, "b": theirs}


def _compared(sql: str, a: pa.Table, b: pa.Table) -> list[tuple]:
    with duckdb.connect() as connection:
        connection.register("a", a)
        connection.register("b", b)
        return connection.execute(sql).fetchall()
