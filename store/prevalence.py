"""Prevalence: which share of a corpus carries a label, overall and by group.

Two estimators are computed from the catalogue. `flagged` counts the documents whose probability
reaches the label's threshold, `expected` adds up the probabilities of all documents. The first is
a census and the second a model's sum: neither has a sampling interval.

Denominators are the exact counts of the scan, of every document, candidate or not. Genre, stance
and behaviours are known of candidates only, so by those the denominator is the whole corpus, and
the shares of the genres add up to the overall share.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import duckdb

from ..errors import SettingsError, TagsError
from ..labels.taxonomy import GENRES, LABELS, PORTRAYALS, STANCES, behaviour_label
from .scans import failed_parts, name_of_failed
from .where import Condition

By = Literal["source", "domain", "month", "genre", "stance", "behaviour", "shard"]
Unit = Literal["documents", "bytes", "tokens"]
Estimator = Literal["flagged", "expected", "audited"]

DEFAULT_THRESHOLD = 0.5
"""The probability from which a document is flagged where no threshold is given."""

_COUNTED = {"shard", "source", "domain", "month", "language"}
_OF_CANDIDATES = ("genre", "stance", "behaviour")


def prevalence(
    connection: duckdb.DuckDBPyConnection,
    *,
    label: str | None = None,
    by: str | None = None,
    unit: str = "documents",
    estimator: str = "flagged",
    where: Condition | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of the contract: one for each label and group.

    Each row has `by, group, label, estimator, unit, share, low, high, numerator, denominator,
    n_audited, note`. `share` is in [0, 1], and null where there is nothing to divide by; `low` and
    `high` are null. Without `by` the only group is `all`. A document without a source, domain or
    month stands in the group null; one with several behaviours counts once in each. Rows are in the
    order of the labels, then of months, or else of the numerators, highest first.

    A document that refutes a portrayal is flagged apart: `note` tells how many, and `by="stance"`
    shows them as a group. `ai_agent` is flagged whatever the stance.

    Args:
        connection: a catalogue, as `open_catalogue` returns it.
        label: one label, or all four.
        by: what to group by.
        unit: what is counted; `tokens` needs a corpus that was scanned with token counts.
        estimator: `flagged` or `expected`.
        where: only these documents. The denominator follows where the condition reads nothing but
            shard, source, domain, month and language; else it is the whole corpus, and `note`
            says so.
        thresholds: by label, the probability from which a document is flagged.

    Raises:
        SettingsError: an argument is none of the choices, or the estimator needs audits.
        TagsError: the unit is tokens and the corpus has none.
    """
    _check("label", label, (None, *LABELS))
    _check("by", by, (None, *get_args(By)))
    _check("unit", unit, get_args(Unit))
    _check("estimator", estimator, get_args(Estimator))
    if estimator == "audited":
        raise SettingsError(
            "estimator 'audited' needs an audit of the tag folder, and audits cannot be imported "
            "in this version: use flagged or expected"
        )
    common = _common_notes(connection, by=by, unit=unit, where=where)
    denominators = _denominators(connection, by=by, unit=unit, where=where)
    rows = []
    for name in LABELS if label is None else (label,):
        threshold = (thresholds or {}).get(name, DEFAULT_THRESHOLD)
        counts = _numerators(
            connection, name, by=by, unit=unit, estimator=estimator, where=where,
            threshold=threshold,
        )  # fmt: skip
        for group in _groups(counts, denominators, label=name, by=by):
            counted, refuted = counts.get(group, (0, 0))
            denominator = denominators.get(None if by in _OF_CANDIDATES else group, 0)
            notes = [_own_note(name, estimator, threshold, refuted, denominator), *common]
            rows.append(
                {
                    "by": by,
                    "group": group,
                    "label": name,
                    "estimator": estimator,
                    "unit": unit,
                    "share": counted / denominator if denominator else None,
                    "low": None,
                    "high": None,
                    "numerator": counted,
                    "denominator": denominator,
                    "n_audited": 0,
                    "note": "; ".join(filter(None, notes)),
                }
            )
    return rows


def _check(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise SettingsError(f"no {name} {value!r}: choose from {known}")


def _numerators(
    connection: duckdb.DuckDBPyConnection, label: str, *, by: str | None, unit: str,
    estimator: str, where: Condition | None, threshold: float,
) -> dict[str | None, tuple[Any, Any]]:  # fmt: skip
    """Return by group what is counted, and what of it is refuted."""
    weight = "1" if unit == "documents" else f"coalesce({unit}, 0)"
    refuted = f"{label}_stance IS NOT DISTINCT FROM 'refuted'"
    if estimator == "expected":
        amount = f"coalesce({label}, 0) * {weight}"
        columns = f"sum({amount}), sum({amount}) FILTER ({refuted})"
        bound: list[Any] = []
    else:
        apart = label in PORTRAYALS and by != "stance"
        counted = f"{label} >= ? AND NOT ({refuted})" if apart else f"{label} >= ?"
        columns = (
            f"sum({weight}) FILTER ({counted}), sum({weight}) FILTER ({label} >= ? AND {refuted})"
        )
        bound = [threshold, threshold]
    group = {None: "'all'", "stance": f"{label}_stance", "behaviour": "behaviour"}.get(by, by)
    source = "documents"
    if by == "behaviour":
        source = "(SELECT *, unnest(behaviours) AS behaviour FROM documents)"
    condition, more = where.sql() if where else ("true", [])
    rows = connection.execute(
        f"SELECT {group}, {columns} FROM {source} WHERE {condition} GROUP BY 1",  # noqa: S608
        [*bound, *more],
    ).fetchall()
    # Probabilities have four decimals, so this drops nothing but the noise of the summation.
    return {g: (round(counted or 0, 4), round(aside or 0, 4)) for g, counted, aside in rows}


def _denominators(
    connection: duckdb.DuckDBPyConnection, *, by: str | None, unit: str, where: Condition | None
) -> dict[str | None, int]:
    """Return the corpus's exact counts by group; the whole is `all`, or null by candidates."""
    counted = where if where and where.columns <= _COUNTED else None
    columns = counted.columns if counted else frozenset[str]()
    table = "domains" if by == "domain" or "domain" in columns else "totals"
    group = {None: "'all'", **dict.fromkeys(_OF_CANDIDATES, "NULL")}.get(by, by)
    condition, bound = counted.sql() if counted else ("true", [])
    rows = connection.execute(
        f"SELECT {group}, coalesce(sum({unit}), 0) FROM {table} "  # noqa: S608
        f"WHERE {condition} GROUP BY 1",
        bound,
    ).fetchall()
    return {group: int(count) for group, count in rows}


def _groups(
    counts: Mapping[str | None, tuple[Any, Any]], denominators: Mapping[str | None, int], *,
    label: str, by: str | None,
) -> list[str | None]:  # fmt: skip
    """Return the groups to show: every one that the corpus or the taxonomy has, in order."""
    if by is None:
        return ["all"]
    if by == "month":
        return sorted(denominators, key=lambda group: (group is None, group or ""))
    if by == "behaviour":
        groups = [name for name, of in behaviour_label().items() if label in (of, "ai_agent")]
    elif by in _OF_CANDIDATES:
        known = GENRES if by == "genre" else STANCES
        groups = [*known, *(g for g, found in counts.items() if g not in known and any(found))]
    else:
        groups = list(denominators)
    return sorted(
        groups,
        key=lambda g: (-counts.get(g, (0, 0))[0], -denominators.get(g, 0), g is None, g or ""),
    )


def _own_note(
    label: str, estimator: str, threshold: float, refuted: float, denominator: int
) -> str:
    """Say what a row's count takes in, and what of it is refuted."""
    of_all = f" ({refuted / denominator:.4%} of all)" if refuted and denominator else ""
    if estimator == "expected":
        return f"sum of probabilities, {refuted:,} of it refuted{of_all}"
    if not refuted:
        return f"probability >= {threshold}"
    beside = "of these" if label not in PORTRAYALS else "more"
    return f"probability >= {threshold}; {refuted:,} {beside} refuted{of_all}"


def _common_notes(
    connection: duckdb.DuckDBPyConnection, *, by: str | None, unit: str, where: Condition | None
) -> list[str]:
    """Say what holds for every row: what the denominator is, and what the scan left out.

    Raises:
        TagsError: the unit is tokens and no part has a token count.
    """
    notes = []
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (partial), count(tokens), "
        "count(DISTINCT (taxonomy_digest, lexicon_digest, models_digest, tagging_version)), "
        "(SELECT count(language) FROM totals) FROM receipts"
    ).fetchone()
    parts, partial, with_tokens, taggings, languages = row or (0, 0, 0, 0, 0)
    if unit == "tokens" and not with_tokens:
        raise TagsError(
            "this corpus was scanned without token counts: use unit bytes or documents, or scan it "
            "again with --token-column"
        )
    if by in _OF_CANDIDATES:
        notes.append(f"of the whole corpus ({by} is known of candidates only)")
    if where and (beyond := sorted(where.columns - _COUNTED)):
        notes.append(f"of the whole corpus ({', '.join(beyond)}: not counted for every document)")
    if unit == "tokens" and with_tokens < parts:
        notes.append(f"{parts - with_tokens} of {parts} parts have no token counts")
    if partial:
        notes.append(f"partial: {partial} of {parts} parts were cut short by --limit")
    if taggings > 1:
        notes.append(f"tagged by {taggings} versions of taxonomy, lexicon or models")
    failed = [
        name_of_failed(part["shard"], part["first_row"], part["end_row"])
        for part in failed_parts(connection)
    ]
    if failed:
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        notes.append(f"not counted, failed: {', '.join(failed[:3])}{more}")
    if not languages:
        notes.append("as read in English")
    return notes
