"""Aggregates of the catalogue: what `stats` needs at any threshold, summed before it is asked.

Probabilities have four decimals, so each falls in one of 10,001 bins: its ten-thousandths. In the
tables `grouping` is one of `GROUPINGS`, `id` numbers its groups, and the sizes are `documents`,
`bytes` and `tokens` (0 where unknown), and of refuted documents `refuted_documents`, …:

`groups` (`grouping`, `id`, `name`, sizes)
    the groups and the corpus's exact counts in them, the largest first; no sizes for those that are
    known of candidates only
`cells` (`grouping`, `label`, `bin`, `id`, sizes)
    how much has exactly this probability: a histogram of each group, sparse, highest bins first
`reached` (`grouping`, `label`, `step`, `id`, sizes)
    how much has a probability of at least `step` tenths, so that a threshold reads one step and
    the cells up to it
`expected` (`grouping`, `label`, `id`, sizes)
    sizes times the probability in ten-thousandths
"""

# ruff: noqa: S608 (identifiers are from fixed lists; values are bound)

import math
from collections.abc import Sequence
from typing import Any

import duckdb

from ..labels.taxonomy import LABELS

COUNTED_GROUPINGS = ("all", "source", "month", "shard", "domain")
"""Groupings whose sizes the scan counts for every document."""

GROUPINGS = (*COUNTED_GROUPINGS, "genre", "stance", "behaviour")

LONG_TAILED = ("domain",)
"""Groupings of so many groups that it pays to tell first which can be among the highest."""

BINS = 10_000
"""A probability is a whole number of these parts of one."""

_STEP = 1000
_UNITS = ("documents", "bytes", "tokens")
_SIZES = (*_UNITS, *(f"refuted_{unit}" for unit in _UNITS))
_SIZE_COLUMNS = ", ".join(f"{size} BIGINT" for size in _SIZES)
_SUMS = ", ".join(f"sum({size})::BIGINT" for size in _SIZES)


def build_aggregates(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of aggregates from `documents`, `totals` and `domains` of a catalogue."""
    connection.execute(
        "CREATE OR REPLACE TABLE groups (grouping VARCHAR, id INTEGER, name VARCHAR, "
        "documents BIGINT, bytes BIGINT, tokens BIGINT)"
    )
    for table, key in (("cells", "bin"), ("reached", "step"), ("expected", None)):
        columns = f"grouping VARCHAR, label VARCHAR, {f'{key} SMALLINT, ' if key else ''}id INTEGER"
        connection.execute(f"CREATE OR REPLACE TABLE {table} ({columns}, {_SIZE_COLUMNS})")
    for by in GROUPINGS:
        _number_groups(connection, by)
    _gather_scored(connection)
    for by in GROUPINGS:
        # Few statements, since they are what takes time on a small catalogue; but a long tail is
        # sorted label by label, which takes half the memory of a large one.
        for labels in [[label] for label in LABELS] if by in LONG_TAILED else [LABELS]:
            _fill_cells(connection, by, labels)
            _sum_cells(connection, by, labels)
    connection.execute("DROP TABLE scored")


def lowest_bin(threshold: float) -> int:
    """Return the first bin whose probability reaches a threshold; one past the last if none does.

    Bins are compared as the floats that are stored, so that `probability >= threshold` and
    `bin >= lowest_bin(threshold)` take the same documents.
    """
    if not threshold > 0:
        return 0
    if threshold > 1:
        return BINS + 1
    guess = math.floor(threshold * BINS)
    return next(n for n in range(max(0, guess - 1), BINS + 2) if n / BINS >= threshold)


def flagged_sizes(
    grouping: str, label: str, unit: str, threshold: float, *, apart: bool,
    limit: int | None = None,
) -> tuple[str, list[Any]]:  # fmt: skip
    """Return the SQL of what reaches a threshold, by group, and what to bind.

    Its columns are `id`, `counted` and `refuted`; with `apart` what is refuted is not counted.
    Groups in which nothing reaches the threshold are left out, and with `limit` some that cannot
    be among so many with the highest counts.
    """
    lowest = lowest_bin(threshold)
    step = -(-lowest // _STEP)
    counted = f"{unit} - refuted_{unit}" if apart else unit
    sizes = f"id, {counted} AS counted, refuted_{unit} AS refuted"
    reached = "FROM reached WHERE grouping = ? AND label = ? AND step = ?"
    among, bound = "", []
    if limit is not None and grouping in LONG_TAILED:
        # A count lies between those of the steps around the threshold. So a group whose count at
        # the lower step is below the limit-th highest at the upper step cannot be among the first.
        among = (
            f"AND id IN (SELECT id {reached} AND {counted} >= coalesce((SELECT {counted} {reached} "
            f"ORDER BY {counted} DESC LIMIT 1 OFFSET ?), 0))"
        )
        bound = [grouping, label, lowest // _STEP, grouping, label, step, max(limit - 1, 0)]
    query = (
        "SELECT id, sum(counted)::BIGINT AS counted, sum(refuted)::BIGINT AS refuted FROM ("
        f"SELECT {sizes} {reached} {among} UNION ALL "
        f"SELECT {sizes} FROM cells WHERE grouping = ? AND label = ? AND bin >= ? AND bin < ? "
        f"{among}) GROUP BY id"
    )
    return query, [
        grouping, label, step, *bound, grouping, label, lowest, step * _STEP, *bound,
    ]  # fmt: skip


def expected_sizes(grouping: str, label: str, unit: str) -> tuple[str, list[Any]]:
    """Return the SQL of sums of probabilities in ten-thousandths; columns as `flagged_sizes`."""
    query = (
        f"SELECT id, {unit} AS counted, refuted_{unit} AS refuted FROM expected "
        "WHERE grouping = ? AND label = ?"
    )
    return query, [grouping, label]


def _number_groups(connection: duckdb.DuckDBPyConnection, by: str) -> None:
    """Number a grouping's groups: the largest first, then by name, the nameless last."""
    if by in COUNTED_GROUPINGS:
        table, name = ("domains" if by == "domain" else "totals"), "'all'" if by == "all" else by
        found = (
            f"SELECT {name} AS name, coalesce(sum(documents), 0) AS documents, "
            "coalesce(sum(bytes), 0) AS bytes, coalesce(sum(tokens), 0) AS tokens "
            f"FROM {table} {'' if by == 'all' else 'GROUP BY name'}"
        )
    else:
        names = {"stance": [f"{label}_stance" for label in LABELS], "genre": ["genre"]}
        tables = [
            f"SELECT DISTINCT {column} AS name FROM documents" for column in names.get(by, ())
        ]
        found = " UNION ".join(
            tables or ["SELECT DISTINCT unnest(behaviours) AS name FROM documents"]
        )
        found = f"SELECT name, NULL AS documents, NULL AS bytes, NULL AS tokens FROM ({found})"
    connection.execute(
        "INSERT INTO groups SELECT ?, row_number() OVER w - 1, name, documents, bytes, tokens "
        f"FROM ({found}) WINDOW w AS (ORDER BY documents DESC, name NULLS LAST) "
        "ORDER BY documents DESC, name NULLS LAST",
        [by],
    )


def _gather_scored(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the documents with a verdict into a narrow temporary table, their groups by number."""
    numbered = [by for by in COUNTED_GROUPINGS if by != "all"] + ["genre"]
    joins = " ".join(
        f"LEFT JOIN (SELECT id, name FROM groups WHERE grouping = '{by}') AS of_{by} "
        f"ON of_{by}.name IS NOT DISTINCT FROM documents.{by}"
        for by in numbered
    )
    columns = [f"of_{by}.id AS {by}" for by in numbered]
    columns += [f"round({label} * {BINS})::SMALLINT AS {label}, {label}_stance" for label in LABELS]
    connection.execute(
        f"CREATE TEMP TABLE scored AS SELECT 0 AS all_documents, {', '.join(columns)}, behaviours, "
        "documents.bytes, coalesce(documents.tokens, 0) AS tokens "
        f"FROM documents {joins} WHERE coalesce({', '.join(LABELS)}) IS NOT NULL"
    )


def _fill_cells(connection: duckdb.DuckDBPyConnection, by: str, labels: Sequence[str]) -> None:
    """Fill `cells` for one grouping and some labels."""
    found = " UNION ALL ".join(_cells_of(by, label) for label in labels)
    connection.execute(
        f"INSERT INTO cells {found} ORDER BY label, bin DESC, id", [by] * len(labels)
    )


def _cells_of(by: str, label: str) -> str:
    refuted = f"FILTER ({label}_stance IS NOT DISTINCT FROM 'refuted')"
    sums = ", ".join(
        ["count(*), sum(bytes), sum(tokens)", f"count(*) {refuted}"]
        + [f"coalesce(sum({unit}) {refuted}, 0)" for unit in _UNITS[1:]]
    )
    source, key = "scored", {"all": "all_documents"}.get(by, by)
    if by in ("stance", "behaviour"):
        name = f"{label}_stance" if by == "stance" else "unnest(behaviours)"
        source = (
            f"(SELECT scored.* EXCLUDE (behaviours), {name} AS name FROM scored) JOIN (SELECT id, "
            f"name FROM groups WHERE grouping = '{by}') AS named USING (name)"
        )
        key = "named.id"
    return (
        f"SELECT ?, '{label}' AS label, {label} AS bin, {key} AS id, {sums} FROM {source} "
        f"WHERE {label} IS NOT NULL AND {key} IS NOT NULL GROUP BY ALL"
    )


def _sum_cells(connection: duckdb.DuckDBPyConnection, by: str, labels: Sequence[str]) -> None:
    """Fill `reached` and `expected` for one grouping and some labels, from its cells."""
    chosen = f"FROM cells WHERE grouping = ? AND label IN ({', '.join('?' * len(labels))})"
    sums = ", ".join(f"sum({size})::BIGINT AS {size}" for size in _SIZES)
    # Sums by whole steps come first: most groups of a long tail have few.
    connection.execute(
        f"INSERT INTO reached SELECT ?, label, step, id, {_SUMS} FROM ("
        f"SELECT label, (bin // {_STEP})::TINYINT AS last, id, {sums} {chosen} GROUP BY ALL) "
        "JOIN (SELECT range::TINYINT AS step FROM range(?)) ON step <= last "
        "GROUP BY label, step, id ORDER BY label, step, id",
        [by, by, *labels, BINS // _STEP + 1],
    )
    products = ", ".join(f"sum(bin::BIGINT * {size})::BIGINT" for size in _SIZES)
    connection.execute(
        f"INSERT INTO expected SELECT ?, label, id, {products} {chosen} "
        "GROUP BY label, id ORDER BY label, id",
        [by, by, *labels],
    )
