"""The audited estimator: rows of `stats` with intervals, for any grouping and filter."""

from collections.abc import Sequence
from typing import Any, cast

import duckdb
import numpy as np

from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, PORTRAYALS, STANCES, Label
from .audit_notes import pool_notes
from .audit_pool import current_audits
from .audit_question import Question, ask
from .audits import Audit
from .estimate import (
    Estimate,
    audited_share,
    audited_shares,
    simultaneous,
)
from .folder import TagFolder
from .settled import NO, OPEN, UNREAD, YES
from .where import Condition

LEVEL = 0.95
"""The level of every interval; where groups are shown, of all of them at once."""

_AS_READ = {"genre": GENRES, "stance": STANCES[:-1], "behaviour": BEHAVIOURS}


def audited_rows(
    connection: duckdb.DuckDBPyConnection,
    folder: TagFolder,
    *,
    label: str | None = None,
    by: str | None = None,
    unit: str = "documents",
    where: Condition | None = None,
    limit: int | None = None,
    notes: Sequence[str] = (),
    audits: Sequence[Audit] | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of the contract with intervals, and how many groups `limit` left out.

    Genre, stance and behaviours are the readers'. Where readers differ or were unsure, the share
    leaves the document out and the interval holds whichever way it would be settled.

    Args:
        connection: the catalogue of the folder.
        folder: the tag folder.
        label: one label, or all four.
        by: what to group by.
        unit: documents, bytes or tokens.
        where: only these documents.
        limit: how many groups of a label at most; intervals are made for all, and `note` says how
            many are left out.
        notes: what else holds for every row.
        audits: those to use; by default all of the tags as they are now.

    Raises:
        TagsError: there is no audit of these tags, or nothing of it is labelled.
    """
    audits = current_audits(folder) if audits is None else audits
    rows: list[dict[str, Any]] = []
    all_left_out = 0
    for name in LABELS if label is None else (cast("Label", label),):
        asked = ask(connection, audits, name, by=by, unit=unit, where=where)
        common = [*pool_notes(asked, name), *notes]
        found = _by_group(asked, name, by)
        if left_out := len(found[limit:]) if limit is not None else 0:
            all_left_out += left_out
            common.append(f"{left_out:,} more groups left out")
        for group, estimate in found[:limit]:
            own = [estimate.note]
            # Of nothing there is no share, as with the other estimators.
            some = estimate.denominator > 0
            if by is None and name in PORTRAYALS:
                own.append(_refuted(asked, name))
            rows.append(
                {
                    "by": by,
                    "group": group,
                    "label": name,
                    "estimator": "audited",
                    "unit": unit,
                    "share": estimate.share if some else None,
                    "low": estimate.low if some else None,
                    "high": estimate.high if some else None,
                    "numerator": round(estimate.numerator, 1),
                    "denominator": int(estimate.denominator),
                    "n_audited": estimate.n_audited,
                    "note": "; ".join(filter(None, [*own, *common])),
                }
            )
    return rows, all_left_out


def estimate_yes(asked: Question, label: Label, answer: np.ndarray, level: float) -> Estimate:
    """Return the share of a yes in `answer`, allowing for what is open."""
    kept = asked.within & (answer != UNREAD)
    read = asked.pooled.settled.read[label]

    def estimate(positive: np.ndarray, chosen: np.ndarray) -> Estimate:
        return audited_share(asked.population, asked.sample(positive, chosen, read), level=level)

    return _bounded(answer, kept, estimate)


def _bounded(answer: np.ndarray, kept: np.ndarray, estimate: Any) -> Estimate:
    """Estimate without what is open; where something is, widen the interval to hold either way."""
    settled = kept & (answer != OPEN)
    found = estimate(answer == YES, settled)
    if settled.sum() == kept.sum():
        return found
    lowest = estimate(answer == YES, kept)
    highest = estimate((answer == YES) | (answer == OPEN), kept)
    return Estimate(
        found.share,
        min(found.low, lowest.low),
        max(found.high, highest.high),
        found.numerator,
        found.denominator,
        found.n_audited,
        found.note,
    )


def _by_group(asked: Question, label: Label, by: str | None) -> list[tuple[str | None, Estimate]]:
    answer = asked.answers(label)
    if by is None:
        return [("all", estimate_yes(asked, label, answer, LEVEL))]
    if by in _AS_READ:
        return _by_reading(asked, label, by)
    groups = [group for group in asked.cells if group != "all"]
    if not groups:
        return []
    counts = np.stack([asked.cells[group] for group in groups]).astype(float)
    number = {group: place for place, group in enumerate(groups)}
    of = np.array([number.get(g, -1) for g in asked.pooled.sample[by].to_pylist()])
    read = asked.pooled.settled.read[label]
    level = simultaneous(LEVEL, len(groups))
    kept = asked.within & (answer != UNREAD)

    def estimates(positive: np.ndarray, chosen: np.ndarray) -> list[Estimate]:
        return audited_shares(
            counts[:, :, 0], counts[:, :, asked.column],
            asked.sample(positive, chosen, read), of[chosen], level=level,
        )  # fmt: skip

    settled = estimates(answer == YES, kept & (answer != OPEN))
    if (answer[kept] == OPEN).any():
        lowest = estimates(answer == YES, kept)
        highest = estimates((answer == YES) | (answer == OPEN), kept)
        settled = [
            Estimate(e.share, min(e.low, a.low), max(e.high, b.high), e.numerator,
                     e.denominator, e.n_audited, e.note)
            for e, a, b in zip(settled, lowest, highest, strict=True)
        ]  # fmt: skip
    found = list(zip(groups, settled, strict=True))
    if by == "month":
        return sorted(found, key=lambda pair: (pair[0] is None, pair[0] or ""))
    return sorted(found, key=lambda pair: (-pair[1].numerator, pair[0] is None, pair[0] or ""))


def _by_reading(asked: Question, label: Label, by: str) -> list[tuple[str | None, Estimate]]:
    """Estimate by what readers say of the document; the denominator is all that is asked about."""
    said = asked.pooled.settled
    answer = asked.answers(label)
    if by == "stance":
        # Here refuted portrayals are a group beside the others.
        answer = np.where(asked.answers(label, refuted=True) == YES, YES, answer)
    named: list[Sequence[str | None]] = [
        said.behaviours[i] if by == "behaviour" else (getattr(said, by)[i],)
        for i in range(len(answer))
    ]
    groups: list[str | None] = list(_AS_READ[by])
    if any(None in n for n, yes in zip(named, answer == YES, strict=True) if yes):
        groups.append(None)
    level = simultaneous(LEVEL, len(groups))
    found: list[tuple[str | None, Estimate]] = []
    for group in groups:
        here = np.array([group in names for names in named], dtype=bool)
        of_group = np.where(answer == YES, np.where(here, YES, NO), answer)
        found.append((group, estimate_yes(asked, label, of_group, level)))
    return sorted(found, key=lambda pair: (-pair[1].numerator, pair[0] is None, pair[0] or ""))


def _refuted(asked: Question, label: Label) -> str:
    """Say which share is refuted, which the headline leaves out."""
    refuted = estimate_yes(asked, label, asked.answers(label, refuted=True), LEVEL)
    return f"refuted beside it: {refuted.share:.4%} ({refuted.low:.4%} to {refuted.high:.4%})"
