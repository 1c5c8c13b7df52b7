"""Scans: what was read to make a tag folder, and what could not be."""

from typing import Any

import duckdb
import orjson

_SCANS = """
SELECT root, list_sort(list(DISTINCT format)) AS formats, options,
    taxonomy_digest, lexicon_digest, models_digest, tagging_version, narrascope_version,
    seed, count(DISTINCT shard) AS shards, count(*) AS parts,
    count(*) FILTER (partial) AS partial_parts, sum(documents)::BIGINT AS documents,
    sum(empty)::BIGINT AS empty, sum(bytes)::BIGINT AS bytes, sum(tokens)::BIGINT AS tokens,
    sum(candidates)::BIGINT AS candidates, sum(escalated)::BIGINT AS escalated,
    sum(unreadable)::BIGINT AS unreadable, sum(invalid_utf8)::BIGINT AS invalid_utf8,
    strftime(to_timestamp(epoch(min(started))) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS started,
    round(sum(seconds), 3) AS seconds
FROM receipts GROUP BY ALL ORDER BY min(started), root, options
"""


def scans(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the scans that a tag folder holds, oldest first.

    Parts with the same root, options and digests are one scan. Each has its root, formats, options,
    digests and versions, and the sums over its parts: documents, bytes, tokens (null where not
    known), candidates (the gate matched), escalated (the screen let by), and seconds of work.
    """
    result = connection.execute(_SCANS)
    names = [column[0] for column in result.description or ()]
    found = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    return [{**scan, "options": orjson.loads(scan["options"])} for scan in found]


def failed_parts(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return what was set aside: each with `shard`, `first_row`, `end_row`, `why` and `retry`.

    `first_row` is null where the whole shard could not be planned; `end_row` where only reading it
    would tell.
    """
    names = ("shard", "first_row", "end_row", "why", "retry")
    rows = connection.execute(
        f"SELECT {', '.join(names)} FROM failed ORDER BY shard, first_row"  # noqa: S608
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def name_of_failed(shard: str, first_row: int | None, end_row: int | None) -> str:
    """Name a part that was set aside for a person: its shard, and rows where it is a part of it."""
    if end_row is None:
        return shard
    return f"{shard} rows {first_row} to {end_row - 1}"
