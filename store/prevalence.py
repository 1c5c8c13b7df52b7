"""Prevalence: which share of a corpus carries a label, overall and by group.

Two estimators are computed from the catalogue. `flagged` counts the documents whose probability
reaches the label's threshold, `expected` adds up the probabilities of all documents. The first is
a census and the second a model's sum: neither has a sampling interval.

Denominators are the exact counts of the scan, of every document, candidate or not. Genre, stance
and behaviours are known of candidates only, so by those the denominator is the whole corpus, and
the shares of the genres add up to the overall share.
"""

from collections.abc import Mapping
from typing import Any, get_args

import duckdb

from ..errors import SettingsError, TagsError
from ..labels.taxonomy import LABELS, STANCES
from .audited import audited_rows
from .counts import COUNTED, OF_CANDIDATES, By, Count, Estimator, Unit
from .folder import TagFolder
from .scans import failed_parts, name_of_failed
from .where import Condition

DEFAULT_THRESHOLD = 0.5
"""The probability from which a document is flagged where no threshold is given."""


class Shares(list[dict[str, Any]]):
    """Rows of `prevalence`, and how many more there would be without its limit."""

    left_out = 0


def prevalence(
    connection: duckdb.DuckDBPyConnection,
    *,
    label: str | None = None,
    by: str | None = None,
    unit: str = "documents",
    estimator: str = "flagged",
    stance: str | None = None,
    where: Condition | None = None,
    thresholds: Mapping[str, float] | None = None,
    distinct: bool = False,
    limit: int | None = None,
    folder: TagFolder | None = None,
) -> Shares:
    """Return the rows of the contract: one for each label and group.

    Each row has `by, group, label, estimator, unit, share, low, high, numerator, denominator,
    n_audited, note`. `share` is in [0, 1], and null where there is nothing to divide by; `low` and
    `high` are null. Without `by` the only group is `all`. A document without a source, domain or
    month stands in the group null; one with several behaviours counts once in each. Rows are in the
    order of the labels, then of months, or else of the numerators, highest first, and where they
    are equal of the groups' numbers of documents.

    A document that refutes a portrayal is flagged apart: `note` tells how many, and `by="stance"`
    shows them as a group. `ai_agent` is flagged whatever the stance.

    Args:
        connection: a catalogue, as `open_catalogue` returns it.
        label: one label, or all four.
        by: what to group by.
        unit: what is counted; `tokens` needs a corpus that was scanned with token counts.
        estimator: `flagged`, `expected`, or `audited`, which has intervals.
        stance: only documents of this stance towards each label, refuted ones too; not for
            `audited`.
        where: only these documents. The denominator follows where the condition reads nothing but
            shard, source, domain, month and language; else it is the whole corpus, and `note`
            says so.
        thresholds: by label, the probability from which a document is flagged.
        distinct: count each text once in a group. Copies are known of candidates only: the
            denominator leaves out theirs, and counts every other document as it is.
        limit: how many groups of a label at most; `note` says how many are left out.
        folder: the tag folder, where the estimator is `audited`.

    Raises:
        SettingsError: an argument is none of the choices.
        TagsError: the unit is tokens and the corpus has none, or there is no labelled audit.
    """
    check_choice("label", label, (None, *LABELS))
    check_choice("by", by, (None, *get_args(By)))
    check_choice("unit", unit, get_args(Unit))
    check_choice("estimator", estimator, get_args(Estimator))
    check_choice("stance", stance, (None, *STANCES))
    if estimator == "audited":
        if folder is None:
            raise SettingsError("estimator 'audited' needs the tag folder that the audits lie in")
        if distinct:
            raise SettingsError("estimator 'audited' counts every copy: leave `distinct` out")
        if stance:
            raise SettingsError("estimator 'audited' takes no stance: group by stance instead")
        grouped = None if by in OF_CANDIDATES else by
        notes = _common_notes(connection, by=grouped, unit=unit, where=where, distinct=False)
        found, left_out = audited_rows(
            connection, folder, label=label, by=by, unit=unit, where=where, limit=limit,
            notes=notes,
        )  # fmt: skip
        rows = Shares(found)
        rows.left_out = left_out
        return rows
    common = _common_notes(connection, by=by, unit=unit, where=where, distinct=distinct)
    if stance:
        common.insert(0, f"only {stance}")
    rows = Shares()
    for name in LABELS if label is None else (label,):
        threshold = (thresholds or {}).get(name, DEFAULT_THRESHOLD)
        count = Count(
            label=name, by=by, unit=unit, stance=stance, where=where, distinct=distinct,
            threshold=threshold if estimator == "flagged" else None,
        )  # fmt: skip
        found, left_out = count.run(connection, limit)
        rows.left_out += left_out
        notes = [*common, f"{left_out:,} more groups left out" if left_out else ""]
        for group, counted, refuted, denominator in found:
            own = _own_note(count, threshold, refuted, denominator)
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
                    "note": "; ".join(filter(None, [own, *notes])),
                }
            )
    return rows


def check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        SettingsError: naming the value and the choices.
    """
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise SettingsError(f"no {name} {value!r}: choose from {known}")


def _own_note(count: Count, threshold: float, refuted: float, denominator: int) -> str:
    """Say what a row's count takes in, and what of it is refuted."""
    of_all = f" ({refuted / denominator:.4%} of all)" if refuted and denominator else ""
    if count.threshold is None:
        return f"sum of probabilities, {refuted:,} of it refuted{of_all}"
    if not refuted:
        return f"probability >= {threshold}"
    beside = "more" if count.apart else "of these"
    return f"probability >= {threshold}; {refuted:,} {beside} refuted{of_all}"


def _common_notes(
    connection: duckdb.DuckDBPyConnection, *, by: str | None, unit: str, where: Condition | None,
    distinct: bool,
) -> list[str]:  # fmt: skip
    """Say what holds for every row: what the denominator is, and what the scan left out.

    Raises:
        TagsError: the unit is tokens and no part has a token count.
    """
    notes = []
    found = connection.execute(
        "SELECT count(*), count(*) FILTER (partial), count(tokens), "
        "count(DISTINCT (taxonomy_digest, lexicon_digest, models_digest, tagging_version)), "
        "(SELECT count(language) FROM totals) FROM receipts"
    ).fetchall()
    parts, partial, with_tokens, taggings, languages = found[0]
    if unit == "tokens" and not with_tokens:
        raise TagsError(
            "this corpus was scanned without token counts: use unit bytes or documents, or scan it "
            "again with --token-column"
        )
    if by in OF_CANDIDATES:
        notes.append(f"of the whole corpus ({by} is known of candidates only)")
    if where and (beyond := sorted(where.columns - COUNTED)):
        notes.append(f"of the whole corpus ({', '.join(beyond)}: not counted for every document)")
    if unit == "tokens" and with_tokens < parts:
        notes.append(f"{parts - with_tokens} of {parts} parts have no token counts")
    if distinct:
        notes.append("each text once; copies among documents without a tag row are not known")
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
