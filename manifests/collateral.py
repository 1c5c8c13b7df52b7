"""Collateral: who loses or gains by a policy, and what it touches that portrays no AI.

A document is touched where it falls in a named bucket whose weight is not 1. Of what is touched, it
tells the part that reaches the threshold of no portrayal, refuted or not: text that the policy's
conditions take though the models would not label it, or that has no tag row at all.
"""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np

from ..labels.taxonomy import LABELS, PORTRAYALS, STANCES
from .assign import first_match
from .census import Census
from .partition import Piece
from .planned import By, PlannedGroup, Size
from .policy import Unit

BREAKDOWNS: tuple[By, ...] = ("genre", "source", "month", "domain")
"""What groups can be made of besides labels, in the order of a plan."""

MOST_DOMAINS = 1000
"""How many domains a plan names: those that change most."""

_ANY_PORTRAYAL = " OR ".join(f"{label} >= ?" for label in PORTRAYALS)


class Collateral:
    """Tells by group what a policy changes, and what of it it touches without naming it.

    Args:
        connection: an open catalogue.
        pieces: the pieces of the partition.
        census: their census of that catalogue.
        weights: how often a document of each piece is to be seen.
        touched: whether a piece is one of a named bucket whose weight is not 1.
        unit: in what changes are ordered.
        limits: by label, the threshold.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], census: Census, *,
        weights: np.ndarray, touched: np.ndarray, unit: Unit, limits: Mapping[str, float],
    ) -> None:  # fmt: skip
        self._connection = connection
        self._pieces = pieces
        self._census = census
        self._weights = weights
        self._limits = limits
        self._touched = np.flatnonzero(touched)
        self._unit: Unit = unit

    def labelled(self) -> np.ndarray:
        """Return the buckets' sizes among documents that reach a portrayal's threshold."""
        return self._labelled("'all'").get("all", self._nothing())

    def labels(self) -> list[PlannedGroup]:
        """Return a group for each label, and one for what refutes each portrayal."""
        groups = []
        for label in LABELS:
            refuted = f"{label}_stance IS NOT DISTINCT FROM 'refuted'"
            apart = refuted if label in PORTRAYALS else "false"
            where, bound = f"{label} >= ?", [self._limits[label]]
            sizes = self._tagged(apart, where, bound)
            labelled = self._labelled(apart, f" AND {where}", bound)
            for value in (False, True) if label in PORTRAYALS else (False,):
                stance = "refuted" if value else None
                some = sizes.get(value, self._nothing())
                groups.append(self._group("label", label, some, labelled.get(value), stance=stance))
        return groups

    def stances(self) -> list[PlannedGroup]:
        """Return a group for each portrayal and the stance of its documents."""
        groups = []
        for label in PORTRAYALS:
            column, where, bound = f"{label}_stance", f"{label} >= ?", [self._limits[label]]
            sizes = self._tagged(column, where, bound)
            labelled = self._labelled(column, f" AND {where}", bound)
            groups += [
                self._group("stance", label, sizes[stance], labelled.get(stance), stance=stance)
                for stance in STANCES
                if stance in sizes
            ]
        return groups

    def groups(self, by: By, notes: list[str]) -> list[PlannedGroup]:
        """Return a breakdown's groups, the biggest losers and winners first."""
        if by == "genre":
            sizes, estimated = self._tagged("genre", "genre IS NOT NULL", []), False
        else:
            among = None
            if by == "domain":
                among, known = self._census.most_changed(
                    by, self._weights, self._unit, MOST_DOMAINS
                )
                if known > len(among):
                    notes.append(f"{known - len(among):,} domains that change less are left out")
            sizes = self._census.by(by, among=among)
            estimated = self._census.estimated_from is not None
        labelled = self._labelled(by)
        groups = [
            self._group(by, name, some, labelled.get(name), estimated=estimated)
            for name, some in sizes.items()
        ]
        return sorted(groups, key=lambda g: -abs(g.after.of(self._unit) - g.before.of(self._unit)))

    def _nothing(self) -> np.ndarray:
        return np.zeros((len(self._weights), 3))

    def _labelled(
        self, group: str, more: str = "", bound: Sequence[float] = ()
    ) -> dict[str | bool | None, np.ndarray]:
        limits = [self._limits[label] for label in PORTRAYALS]
        return self._tagged(group, f"({_ANY_PORTRAYAL}){more}", [*limits, *bound])

    def _tagged(
        self, group: str, where: str, bound: Sequence[float]
    ) -> dict[str | bool | None, np.ndarray]:
        """Return by group the buckets' sizes among the documents with a tag row."""
        rule, rule_bound = first_match(self._pieces)
        rows = self._connection.execute(
            f"""SELECT {group} AS g, {rule} AS bucket, count(*), sum(bytes),
                coalesce(sum(tokens), 0)
            FROM documents WHERE {where} GROUP BY ALL ORDER BY ALL""",  # noqa: S608
            [*rule_bound, *bound],
        ).fetchall()
        groups: dict[str | bool | None, np.ndarray] = {}
        for value, bucket, *sizes in rows:
            groups.setdefault(value, self._nothing())[bucket] = sizes
        return groups

    def _group(
        self, by: By, group: str | bool | None, sizes: np.ndarray, labelled: np.ndarray | None, *,
        stance: str | None = None, estimated: bool = False,
    ) -> PlannedGroup:  # fmt: skip
        if not self._census.has_tokens:
            sizes[:, 2] = np.nan
        touched = sizes[self._touched].sum(axis=0)
        of_labels = (self._nothing() if labelled is None else labelled)[self._touched].sum(axis=0)
        return PlannedGroup(
            by=by,
            group=None if group is None else str(group),
            stance=stance,
            estimated=estimated,
            before=size_of(sizes.sum(axis=0)),
            after=size_of(self._weights @ sizes),
            touched=size_of(touched),
            unlabelled=size_of(touched - of_labels),
        )


def size_of(counts: np.ndarray) -> Size:
    """Return three counts as a size; a NaN for tokens means that they are not known."""
    documents, size, tokens = (float(count) for count in counts)
    return Size(documents=documents, bytes=size, tokens=None if np.isnan(tokens) else tokens)
