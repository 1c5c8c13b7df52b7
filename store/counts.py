"""Counts by group: what carries a label, and of how much.

Without a condition they come from the catalogue's aggregates, with one from the tag rows and the
scan's counts; the two agree to the unit.
"""

# ruff: noqa: S608 (identifiers are from fixed lists; values are bound)

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import duckdb

from ..labels.taxonomy import GENRES, PORTRAYALS, STANCES, behaviour_label
from .aggregates import BINS, expected_sizes, flagged_sizes
from .where import Condition

By = Literal["source", "domain", "month", "genre", "stance", "behaviour", "shard"]
Unit = Literal["documents", "bytes", "tokens"]
Estimator = Literal["flagged", "expected", "audited"]

COUNTED = {"shard", "source", "domain", "month", "language"}
"""Columns by which the scan counts every document; a denominator follows conditions on these."""

OF_CANDIDATES = ("genre", "stance", "behaviour")
"""Groupings that are known of candidates only; their denominator is the whole corpus."""


class GroupCount(NamedTuple):
    """What a group holds: of `denominator`, `counted` carries the label, `refuted` refutes it."""

    group: str | None
    counted: int | float
    refuted: int | float
    denominator: int


@dataclass(frozen=True, kw_only=True)
class Count:
    """What is to be counted of one label.

    Attributes:
        label: the label.
        by: what to group by; None for the whole corpus.
        unit: documents, bytes or tokens.
        threshold: the probability from which a document is counted, refuted ones of a portrayal
            apart (unless stances are told apart); None to sum up probabilities instead.
        stance: only documents of this stance towards the label; None for any.
        where: only these documents. The denominator follows where the condition reads nothing but
            `COUNTED`, else it is that of the whole corpus.
        distinct: count each text once in a group. Copies are known by `text_hash` of candidates
            only: the denominator leaves out their copies, and counts the other documents as they
            are.
    """

    label: str
    by: str | None = None
    unit: str = "documents"
    threshold: float | None = None
    stance: str | None = None
    where: Condition | None = None
    distinct: bool = False

    def run(
        self, connection: duckdb.DuckDBPyConnection, limit: int | None = None
    ) -> tuple[list[GroupCount], int]:
        """Return the groups of a catalogue, and how many were left out.

        Months are in order, other groups by what is counted, then by their number of documents,
        the largest first, then by name.

        Args:
            connection: a catalogue, as `open_catalogue` returns it.
            limit: how many groups at most.
        """
        if self.by in OF_CANDIDATES:
            found = self._of_taxonomy(connection)
            return found[:limit], len(found[limit:]) if limit is not None else 0
        query, bound = self.sql(None if self.by == "month" else limit)
        order = "name" if self.by == "month" else "counted DESC, documents DESC, name"
        rows = connection.execute(
            f"SELECT name, counted, refuted, denominator, groups FROM ({query}) "
            f"ORDER BY {order} NULLS LAST LIMIT ?",
            [*bound, 2**62 if limit is None else limit],
        ).fetchall()
        found = [
            GroupCount(row[0], self._amount(row[1]), self._amount(row[2]), row[3]) for row in rows
        ]
        return found, rows[0][4] - len(rows) if rows else 0

    def sql(self, limit: int | None = None) -> tuple[str, list[Any]]:
        """Return the query of all groups that the scan counted, and what to bind.

        Its columns are `name`, `counted` and `refuted` (in ten-thousandths where probabilities are
        summed up), `denominator`, `documents` of the group, and `groups`: how many there are.

        Args:
            limit: leave out groups that cannot be among so many with the highest counts.
        """
        if self._aggregated:
            return self._sql_aggregated(limit)
        counted, bound = self._sql_counted()
        whole, more = self._sql_whole()
        query = (
            "SELECT whole.name, coalesce(counted, 0) AS counted, coalesce(refuted, 0) AS refuted, "
            "denominator, documents, count(*) OVER () AS groups "
            f"FROM ({whole}) AS whole LEFT JOIN ({counted}) AS counted "
            "ON whole.name IS NOT DISTINCT FROM counted.name"
        )
        return query, [*more, *bound]

    @property
    def apart(self) -> bool:
        """Whether what refutes the label is left out of what is counted."""
        told_apart = self.by == "stance" or self.stance is not None
        return self.threshold is not None and self.label in PORTRAYALS and not told_apart

    @property
    def _aggregated(self) -> bool:
        return self.where is None and self.stance is None and not self.distinct

    def _amount(self, counted: int) -> int | float:
        return counted if self.threshold is not None else counted / BINS

    def _weight(self) -> str:
        return "1" if self.unit == "documents" else f"coalesce({self.unit}, 0)"

    def _sizes(self, limit: int | None = None) -> tuple[str, list[Any]]:
        """Return the query over the aggregates: `id`, `counted`, `refuted`."""
        grouping = self.by or "all"
        if self.threshold is None:
            return expected_sizes(grouping, self.label, self.unit)
        return flagged_sizes(
            grouping, self.label, self.unit, self.threshold, apart=self.apart, limit=limit
        )

    def _sql_aggregated(self, limit: int | None) -> tuple[str, list[Any]]:
        sizes, bound = self._sizes(limit)
        grouping, among, more = self.by or "all", "", []
        if limit is not None:
            # Groups are numbered by size: the highest counts, and the largest where all are 0.
            among = (
                "AND id IN (SELECT id FROM (SELECT id FROM counted WHERE counted > 0 "
                "ORDER BY counted DESC, id LIMIT ?) UNION SELECT range FROM range(?))"
            )
            more = [limit, limit]
        query = (
            f"WITH counted AS MATERIALIZED ({sizes}) "
            "SELECT name, coalesce(counted, 0) AS counted, coalesce(refuted, 0) AS refuted, "
            f"{self.unit} AS denominator, documents, "
            "(SELECT count(*) FROM groups WHERE grouping = ?) AS groups "
            f"FROM groups LEFT JOIN counted USING (id) WHERE grouping = ? {among}"
        )
        return query, [*bound, grouping, grouping, *more]

    def _sql_counted(self) -> tuple[str, list[Any]]:
        """Return the query over the tag rows: `name`, `counted`, `refuted`."""
        refuted = f"{self.label}_stance IS NOT DISTINCT FROM 'refuted'"
        group = {
            None: "'all'", "stance": f"{self.label}_stance", "behaviour": "unnest(behaviours)",
        }.get(self.by, self.by)  # fmt: skip
        where, bound = self.where.sql() if self.where else ("true", [])
        rows = (
            f"SELECT {group} AS name, {self.label} AS p, {self._weight()} AS n, "
            f"{refuted} AS refutes, text_hash FROM documents "
            f"WHERE {self.label} IS NOT NULL AND ({where})"
        )
        if self.threshold is not None:
            rows += f" AND {self.label} >= ?"
            bound = [*bound, self.threshold]
        if self.stance is not None:
            rows += f" AND {self.label}_stance = ?"
            bound = [*bound, self.stance]
        if self.distinct:
            # Copies have the same tags: they were made from the same text.
            rows = (
                "SELECT name, max(p) AS p, max(n) AS n, bool_or(refutes) AS refutes "
                f"FROM ({rows}) GROUP BY name, text_hash"
            )
        amount = "n" if self.threshold is not None else f"round(p * {BINS})::BIGINT * n"
        counted = f"sum({amount})" + (" FILTER (NOT refutes)" if self.apart else "")
        return (
            f"SELECT name, coalesce({counted}, 0) AS counted, "
            f"coalesce(sum({amount}) FILTER (refutes), 0) AS refuted FROM ({rows}) GROUP BY name"
        ), bound

    def _sql_whole(self) -> tuple[str, list[Any]]:
        """Return the query over the scan's counts: `name`, `denominator`, `documents`."""
        where = self.where if self.where and self.where.columns <= COUNTED else None
        columns = where.columns if where else frozenset[str]()
        table = "domains" if self.by == "domain" or "domain" in columns else "totals"
        by = None if self.by in OF_CANDIDATES else self.by
        if where is None and not self.distinct:
            sizes = f"SELECT name, {self.unit} AS denominator, documents FROM groups"
            return f"{sizes} WHERE grouping = ?", [by or "all"]
        group = by or "'all'"
        condition, bound = where.sql() if where else ("true", [])
        query = (
            f"SELECT {group} AS name, coalesce(sum({self.unit}), 0) AS denominator, "
            f"coalesce(sum(documents), 0) AS documents FROM {table} WHERE {condition}"
        )
        query += " GROUP BY name" if by else ""
        if not self.distinct:
            return query, bound
        weight = self._weight()
        copies = (
            "SELECT name, sum((copies - 1) * n) AS copies FROM ("
            f"SELECT {group} AS name, count(*) AS copies, max({weight}) AS n "
            f"FROM documents WHERE {condition} GROUP BY name, text_hash) GROUP BY name"
        )
        return (
            "SELECT counts.name, denominator - coalesce(copies, 0) AS denominator, documents "
            f"FROM ({query}) AS counts LEFT JOIN ({copies}) AS copies "
            "ON counts.name IS NOT DISTINCT FROM copies.name"
        ), [*bound, *bound]

    def _of_taxonomy(self, connection: duckdb.DuckDBPyConnection) -> list[GroupCount]:
        """Return the groups of a grouping that is known of candidates only."""
        if self._aggregated:
            sizes, bound = self._sizes()
            query = (
                f"SELECT name, counted, refuted FROM ({sizes}) JOIN groups USING (id) "
                "WHERE grouping = ?"
            )
            bound = [*bound, self.by]
        else:
            query, bound = self._sql_counted()
        whole, more = self._sql_whole()
        rows = connection.execute(query, bound).fetchall()
        counts = {name: (self._amount(n), self._amount(refuted)) for name, n, refuted in rows}
        found_whole = connection.execute(f"SELECT denominator FROM ({whole})", more).fetchall()
        denominator = int(found_whole[0][0]) if found_whole else 0
        found = [GroupCount(g, *counts.get(g, (0, 0)), denominator) for g in self._names(counts)]
        return sorted(found, key=lambda c: (-c.counted, c.group is None, c.group or ""))

    def _names(self, counts: Mapping[str | None, tuple[Any, Any]]) -> list[str | None]:
        if self.by == "behaviour":
            return [n for n, of in behaviour_label().items() if self.label in (of, "ai_agent")]
        known = GENRES if self.by == "genre" else STANCES
        return [*known, *(g for g, found in counts.items() if g not in known and any(found))]
