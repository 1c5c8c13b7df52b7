"""What `manifest plan` reports: tables of a plan on a terminal, or its rows as JSON or CSV."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from .terminal import OUT, Row, draw_rows, new_table, percent, print_rows, say

_SHOWN = 15
"""Rows of a group that a plan's table shows; JSON and CSV have all."""


def print_plan(
    plan: Any, rows: Sequence[Row], format: str, *, by: Sequence[str] | None = None
) -> None:
    """Print a plan: what each bucket gets, then before and after of each group.

    A table shows the groups that change most, and only the breakdowns named in `by`.
    """
    drawn = {"stage": _draw_stages, "constraint": _draw_bounds, "audited": _draw_audited}

    def draw(rows: Sequence[Row]) -> None:
        whole = rows[0]
        unit = plan.unit
        sizes = [
            f"{whole[f'{u}_before']:,.0f} → {whole[f'{u}_after']:,.0f} {u}"
            for u in dict.fromkeys(("documents", unit))
        ]
        say([f"plan: {', '.join(sizes)}"])
        for name in dict.fromkeys(row["by"] for row in rows[1:]):
            own = [row for row in rows if row["by"] == name]
            if name in drawn:
                drawn[name](own)
            elif by is None or name in by:
                _draw_plan(name, own, unit)
        say(f"  {note}" for note in plan.notes)

    print_rows(rows, format, draw)


def _draw_stages(rows: Sequence[Row]) -> None:
    weights: dict[str, dict[str, Any]] = {}
    for row in rows:
        stages = weights.setdefault(row["group"], {"bucket": row["group"]})
        stages[f"until {row['until']:g}"] = row["weight"]
    draw_rows("weights in each stage of training", list(weights.values()))


def _draw_bounds(rows: Sequence[Row]) -> None:
    table = new_table("constraints; price: nats of divergence saved for each unit of more limit")
    table.add_column("constraint")
    for name in ("before", "after", "", "price"):
        table.add_column(name, justify="right")
    for row in rows:
        missed = f"missed by {row['missed_by']:.4g}" if row["missed_by"] else ""
        table.add_row(
            Text(row["group"]), *(_value(row[f"value_{when}"]) for when in ("before", "after")),
            missed or ("binds" if row["binds"] else ""), _value(row["price"]),
        )  # fmt: skip
    OUT.print(table)


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _draw_audited(rows: Sequence[Row]) -> None:
    table = new_table("audited shares of the corpus, with intervals of 95 %")
    for name in ("label", "before", "after", "audited"):
        table.add_column(name, justify="left" if name == "label" else "right")
    for row in rows:
        shares = (
            f"{percent(row[f'share_{w}'])} ({percent(row[f'low_{w}'])} to "
            f"{percent(row[f'high_{w}'])})"
            for w in ("before", "after")
        )
        table.add_row(row["group"], *shares, f"{row['n_audited']:,}")
    OUT.print(table)


def _draw_plan(by: str, rows: Sequence[Row], unit: str) -> None:
    shown = rows if by in ("bucket", "label") else rows[:_SHOWN]
    left = "" if len(shown) == len(rows) else f", the {_SHOWN} of {len(rows)} that change most"
    table = new_table(f"by {by}{left}; touched: in named buckets whose weight is not 1")
    table.add_column(by)
    weighed = by == "bucket"
    heads = ("documents", "→", f"{unit} ±", "share", "→", "touched", "unlabelled")
    for name in (*(["weight"] if weighed else []), *heads):
        table.add_column(name, justify="right")
    for row in shown:
        if not row["documents_before"] and not row["documents_after"]:
            continue
        name = "(none)" if row["group"] is None else str(row["group"])
        change = row["relative_change"]
        table.add_row(
            f"{name} ({row['stance']})" if row["stance"] else name,
            *([f"{row['weight']:.4g}"] if weighed else []),
            f"{row['documents_before']:,.0f}", f"{row['documents_after']:,.0f}",
            "–" if change is None else f"{100 * change:+.1f} %",
            percent(row["share_before"]), percent(row["share_after"]),
            f"{row['documents_touched']:,.0f}", f"{row['documents_unlabelled']:,.0f}",
        )  # fmt: skip
    OUT.print(table)
