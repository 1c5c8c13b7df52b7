"""Audited drift: how shares that readers found differ, with intervals that hold at once.

Each side's shares are audited at a level at which all intervals shown hold together (Bonferroni),
and so do the differences that MOVER makes of them (Zou & Donner 2008). A trend is the least-squares
slope over months. Estimates of different months, groups or scans are taken to be independent.
"""

from itertools import pairwise
from typing import Any, get_args

import duckdb
import numpy as np

from ..errors import TagsError
from ..labels.taxonomy import LABELS
from .audited import audited_rows
from .contrasts import Contrast, difference, trend
from .counts import Unit
from .drift import By, check_sides, check_spans, spans_of
from .estimate import Estimate
from .folder import TagFolder
from .prevalence import check_choice
from .where import Condition

Side = tuple[duckdb.DuckDBPyConnection, TagFolder]
"""A catalogue and the tag folder that its audits lie in."""


def audited_drift(
    scan: Side,
    *,
    against: Side | None = None,
    by: str = "source",
    label: str | None = None,
    unit: str = "documents",
    before: str | None = None,
    after: str | None = None,
    top: int | None = None,
) -> list[dict[str, Any]]:
    """Return by label how the audited share differs, then its groups, the biggest movers first.

    What is compared is as in `drift.drift`. By month, the first row is the trend: the change of the
    share a month, over all months that are known.

    Each row has the keys of `drift.drift` but `contribution`, `within` and `mix`: `low` and `high`
    are limits of the difference, and `low_before`, … those of the shares. All differences of a
    label's groups hold at once at 95 %; the one of the whole, and the trend, hold by themselves.

    Raises:
        SettingsError: as for `drift.drift`.
        TagsError: a side has no labelled audit, or fewer than two months.
    """
    check_choice("label", label, (None, *LABELS))
    check_choice("by", by, get_args(By))
    check_choice("unit", unit, get_args(Unit))
    check_spans(two_scans=against is not None, by=by, before=before, after=after)
    sides, spans, said = (against or scan, scan), (None, None), ""
    if against is None and by != "month":
        spans, said = spans_of(scan[0], before, after)
    rows: list[dict[str, Any]] = []
    for name in LABELS if label is None else (label,):
        of = {"by": by, "label": name, "estimator": "audited", "unit": unit}
        if against is None and by == "month":
            found = _months(_estimates(scan, name, by, unit, None))
        else:
            whole, groups = (
                [_estimates(side, name, which, unit, span)
                 for side, span in zip(sides, spans, strict=True)]
                for which in (None, by)
            )  # fmt: skip
            check_sides(before="all" in whole[0], after="all" in whole[1])
            found = [("all", whole[0]["all"], whole[1]["all"], None)]
            shared = [group for group in groups[0] if group in groups[1]]
            found += _largest([(g, groups[0][g], groups[1][g], None) for g in shared])
        kept = found if top is None else found[: top + 1]
        rows += [of | _row(*move, said=said, left_out=len(found) - len(kept)) for move in kept]
    return rows


_Move = tuple[str | None, Estimate, Estimate, Contrast | None]


def _estimates(
    side: Side, label: str, by: str | None, unit: str, where: Condition | None
) -> dict[str | None, Estimate]:
    rows, _ = audited_rows(*side, label=label, by=by, unit=unit, where=where)
    return {
        row["group"]: Estimate(
            row["share"], row["low"], row["high"], row["numerator"], row["denominator"],
            row["n_audited"], row["note"],
        )
        for row in rows
        if row["denominator"]
    }  # fmt: skip


def _largest(moves: list[_Move]) -> list[_Move]:
    return sorted(moves, key=lambda m: (-abs(m[2].share - m[1].share), m[0] is None, m[0] or ""))


def _months(found: dict[str | None, Estimate]) -> list[_Move]:
    """Return the trend, then each month against the one before it."""
    months = {month: estimate for month, estimate in found.items() if month is not None}
    if len(months) < 2:
        raise TagsError(
            "fewer than two months are known: scan with --date-column, or compare scans"
        )
    names = list(months)
    at = np.array([12 * int(name[:4]) + int(name[5:]) for name in names], float)
    slope = trend(list(months.values()), at)
    moves: list[_Move] = [
        (name, months[last], months[name], None) for last, name in pairwise(names)
    ]
    return [("trend a month", months[names[0]], months[names[-1]], slope), *_largest(moves)]


def _row(
    group: str | None, earlier: Estimate, later: Estimate, contrast: Contrast | None, *,
    said: str, left_out: int,
) -> dict[str, Any]:  # fmt: skip
    moved = contrast or difference(later, earlier)
    notes = [said, *dict.fromkeys(filter(None, (earlier.note, later.note)))]
    notes += [f"{left_out:,} more groups left out"] if left_out else []
    shares = {
        f"{name}_{when}": getattr(estimate, name)
        for when, estimate in (("before", earlier), ("after", later))
        for name in ("share", "low", "high", "numerator", "denominator", "n_audited")
    }
    return {
        "group": group, "difference": moved.value, "low": moved.low, "high": moved.high,
        **shares, "note": "; ".join(filter(None, notes)),
    }  # fmt: skip
