"""Drift: how shares differ between two spans of months or two scans, and which groups move them.

The difference of two overall shares is a sum over groups, each of which moves it by its own share
(`within`) and by its part of the corpus (`mix`); with w a group's part and s its share, before (0)
and after (1)::

    w1 s1 - w0 s0  =  (w0 + w1) / 2 * (s1 - s0)  +  (s0 + s1) / 2 * (w1 - w0)
    contribution      within                        mix

(Kitagawa 1955, Components of a Difference Between Two Rates, JASA 50). A group that is missing on
one side is mix alone.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, get_args

import duckdb
import pyarrow as pa

from ..errors import SettingsError, TagsError
from ..labels.taxonomy import LABELS
from .counts import BINS, Count, GroupCount, Unit
from .prevalence import DEFAULT_THRESHOLD, check_choice
from .where import Condition, parse_where

By = Literal["month", "source", "domain"]
Estimator = Literal["flagged", "expected"]

_SPAN = re.compile(r"(\d{4}-\d{2})(?:\.\.(\d{4}-\d{2}))?")
_MOVERS = """
WITH sides AS (
    SELECT name,
        coalesce(sum(counted) FILTER (NOT later), 0) AS n0,
        coalesce(sum(denominator) FILTER (NOT later), 0) AS d0,
        coalesce(sum(counted) FILTER (later), 0) AS n1,
        coalesce(sum(denominator) FILTER (later), 0) AS d1
    FROM (SELECT *, false AS later FROM before UNION ALL SELECT *, true FROM after) GROUP BY name),
whole AS (SELECT sum(d0) AS all0, sum(d1) AS all1 FROM sides),
moved AS (
    SELECT *, n1 / all1 - n0 / all0 AS contribution, CASE WHEN d0 > 0 AND d1 > 0
        THEN (d0 / all0 + d1 / all1) / 2 * (n1 / d1 - n0 / d0) ELSE 0.0 END AS within
    FROM sides, whole WHERE d0 > 0 OR d1 > 0)
SELECT name, n0, d0, n1, d1, contribution, within, sum(within) OVER () AS all_within,
    count(*) OVER () AS groups FROM moved
ORDER BY abs(contribution) DESC, d0 + d1 DESC, name NULLS LAST LIMIT ?
"""


def drift(
    connection: duckdb.DuckDBPyConnection,
    *,
    against: duckdb.DuckDBPyConnection | None = None,
    by: str = "source",
    label: str | None = None,
    unit: str = "documents",
    estimator: str = "flagged",
    before: str | None = None,
    after: str | None = None,
    top: int | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return by label how the overall share differs, then its groups, the biggest movers first.

    What is compared: the scan `against` (before) with this one (after); else two spans of months of
    this scan, which are its halves by default; else, `by` month, each month with the one before it,
    where the contribution is what the month's change makes in the share of the whole corpus.

    Each row has `by, group, label, estimator, unit, share_before, share_after, difference,
    contribution, within, mix, low, high, numerator_before, denominator_before, numerator_after,
    denominator_after, note`. Shares are in [0, 1]; `low` and `high` are null: what models flag is
    counted whole, and their errors are no sampling errors.

    Args:
        connection: a catalogue, as `open_catalogue` returns it.
        against: the catalogue of an earlier scan.
        by: `month`, `source` or `domain`.
        label: one label, or all four.
        unit: what is counted; `tokens` needs token counts on both sides.
        estimator: `flagged` or `expected`.
        before: the earlier span, `YYYY-MM` or `YYYY-MM..YYYY-MM`, both ends included.
        after: the later span.
        top: how many groups of a label at most; `note` says how many are left out.
        thresholds: by label, the probability from which a document is flagged.

    Raises:
        SettingsError: an argument is none of the choices, a span is malformed or holds no document,
            or spans are given for two scans or for single months.
        TagsError: a side has no token counts, or fewer than two months.
    """
    check_choice("label", label, (None, *LABELS))
    check_choice("by", by, get_args(By))
    check_choice("unit", unit, get_args(Unit))
    check_choice("estimator", estimator, get_args(Estimator))
    check_spans(two_scans=against is not None, by=by, before=before, after=after)
    sides = (connection,) if against is None else (against, connection)
    notes = _notes(sides, unit=unit, estimator=estimator)
    spans: tuple[Condition | None, Condition | None] = (None, None)
    if against is None and by != "month":
        spans, said = spans_of(connection, before, after)
        notes.append(said)
    rows: list[dict[str, Any]] = []
    for name in LABELS if label is None else (label,):
        limit = (thresholds or {}).get(name, DEFAULT_THRESHOLD)
        threshold = limit if estimator == "flagged" else None
        counts = [
            Count(label=name, by=by, unit=unit, threshold=threshold, where=span) for span in spans
        ]
        if against is None and by == "month":
            moved, left_out = _months(counts[0].run(connection)[0], top)
        else:
            tables = [
                _table(c, side) for c, side in zip(counts, (sides[0], sides[-1]), strict=True)
            ]
            moved, left_out = _movers(tables, top, scale=BINS if threshold is None else 1)
        more = [*notes, *([f"{left_out:,} more groups left out"] if left_out else [])]
        of = {"label": name, "estimator": estimator, "unit": unit, "note": "; ".join(more)}
        rows += [_row(by, of, *move) for move in moved]
    return rows


_Move = tuple[str | None, float, int, float, int, float, float]
"""Group, numerator and denominator before, the same after, contribution, within."""


def _table(count: Count, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    query, bound = count.sql()
    # Sums of 128 bits would become decimals on their way through Arrow.
    columns = "name, counted::BIGINT AS counted, denominator::BIGINT AS denominator"
    wanted = f"SELECT {columns} FROM ({query})"  # noqa: S608
    return connection.sql(wanted, params=bound).to_arrow_table()


def _movers(tables: list[pa.Table], top: int | None, *, scale: int) -> tuple[list[_Move], int]:
    """Return the whole and the groups that move its share most, and how many are left out."""
    whole: list[Any] = []
    with duckdb.connect() as scratch:
        for side, table in zip(("before", "after"), tables, strict=True):
            scratch.register(side, table)
            sums = f"SELECT sum(counted), coalesce(sum(denominator), 0) FROM {side}"  # noqa: S608
            whole += scratch.execute(sums).fetchall()[0]
        check_sides(before=bool(whole[1]), after=bool(whole[3]))
        found = scratch.execute(_MOVERS, [2**62 if top is None else top]).fetchall()
    difference = whole[2] / whole[3] - whole[0] / whole[1]
    moves = [("all", *whole, difference, found[0][7])] + [row[:7] for row in found]
    return [
        (name, _tidy(n0, scale), int(d0), _tidy(n1, scale), int(d1), moved / scale, within / scale)
        for name, n0, d0, n1, d1, moved, within in moves
    ], found[0][8] - len(found)


def _tidy(count: int, scale: int) -> int | float:
    return int(count) if scale == 1 else count / scale


def _months(found: list[GroupCount], top: int | None) -> tuple[list[_Move], int]:
    """Return each month against the one before it, the biggest movers first."""
    months = [m for m in found if m.group is not None and m.denominator]
    if len(months) < 2:
        raise TagsError(
            "fewer than two months are known: scan with --date-column, or compare scans"
        )
    total = sum(m.denominator for m in found)
    moves: list[_Move] = []
    for last, month in pairwise(months):
        kept = last.counted / last.denominator * month.denominator
        moved = (month.counted - kept) / total
        moves.append(
            (
                month.group,
                last.counted,
                last.denominator,
                month.counted,
                month.denominator,
                moved,
                moved,
            )
        )
    moves.sort(key=lambda move: (-abs(move[5]), move[0] or ""))
    return moves[:top], len(moves[top:]) if top is not None else 0


def _row(
    by: str, of: Mapping[str, str], group: str | None, n0: float, d0: int, n1: float, d1: int,
    contribution: float, within: float,
) -> dict[str, Any]:  # fmt: skip
    earlier, later = (n / d if d else None for n, d in ((n0, d0), (n1, d1)))
    return {
        "by": by, "group": group, "label": of["label"], "estimator": of["estimator"],
        "unit": of["unit"], "share_before": earlier, "share_after": later,
        "difference": None if earlier is None or later is None else later - earlier,
        "contribution": contribution, "within": within, "mix": contribution - within,
        "low": None, "high": None, "numerator_before": n0, "denominator_before": d0,
        "numerator_after": n1, "denominator_after": d1, "note": of["note"],
    }  # fmt: skip


def check_spans(*, two_scans: bool, by: str, before: str | None, after: str | None) -> None:
    """Refuse spans of months where they are not what is compared.

    Raises:
        SettingsError: they are given for two scans, or for single months.
    """
    if (two_scans or by == "month") and (before or after):
        raise SettingsError(
            "spans of months are compared within one scan, by source or domain: leave out --before "
            "and --after, or --against and --by month"
        )


def check_sides(*, before: bool, after: bool) -> None:
    """Refuse to compare with nothing.

    Args:
        before: whether the earlier side holds a document.
        after: whether the later one does.

    Raises:
        SettingsError: one does not.
    """
    if not (before and after):
        raise SettingsError(
            f"nothing to compare: no document {'after' if before else 'before'}; name months that "
            "the corpus has"
        )


def spans_of(
    connection: duckdb.DuckDBPyConnection, before: str | None, after: str | None
) -> tuple[tuple[Condition, Condition], str]:
    """Return two spans of months as conditions, the scan's halves by default, and what to say.

    Raises:
        SettingsError: only one is given, or one is malformed.
        TagsError: fewer than two months are known.
    """
    if (before is None) != (after is None):
        raise SettingsError("two spans are compared: give both --before and --after, or neither")
    if before is None or after is None:
        rows = connection.execute(
            "SELECT name FROM groups WHERE grouping = 'month' AND name IS NOT NULL ORDER BY name"
        ).fetchall()
        if len(rows) < 2:
            raise TagsError(
                "fewer than two months are known: scan with --date-column, or compare scans"
            )
        months = [name for (name,) in rows]
        half = len(months) // 2
        before, after = f"{months[0]}..{months[half - 1]}", f"{months[half]}..{months[-1]}"
    conditions = []
    for span in (before, after):
        if not (found := _SPAN.fullmatch(span)):
            raise SettingsError(f"{span!r} is no span of months: write 2024-03 or 2024-01..2024-06")
        first, last = found[1], found[2] or found[1]
        conditions.append(parse_where(f"month >= '{first}' and month <= '{last}'"))
    return (conditions[0], conditions[1]), f"{after} against {before}"


def _notes(sides: tuple[duckdb.DuckDBPyConnection, ...], *, unit: str, estimator: str) -> list[str]:
    """Say what holds for every row.

    Raises:
        TagsError: the unit is tokens and a side has no token counts.
    """
    taggings = set()
    for side in sides:
        rows = side.execute(
            "SELECT taxonomy_digest, lexicon_digest, models_digest, tagging_version, count(tokens) "
            "FROM receipts GROUP BY ALL"
        ).fetchall()
        taggings |= {row[:4] for row in rows}
        if unit == "tokens" and not any(row[4] for row in rows):
            raise TagsError(
                "a scan to compare has no token counts: use unit bytes or documents, or scan it "
                "again with --token-column"
            )
    what = "a census of what models flag" if estimator == "flagged" else "a sum of probabilities"
    notes = [f"{what}: no sampling interval"]
    if len(taggings) > 1:
        notes.append(
            f"tagged by {len(taggings)} versions of taxonomy, lexicon or models, whose differences "
            "are in these figures"
        )
    return notes
