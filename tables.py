"""What each verb reports, as tables and lines on a terminal, or as JSON or CSV where asked."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .terminal import ERR, OUT, Row, draw_rows, new_table, percent, print_rows, say

_READINGS = {
    "whole": "whole",
    "two-stage": "in two stages: what the scan kept of them, and pieces drawn from the rest",
    "beginning": "by pieces of their first 20,000 characters, which is all that the tags keep",
    "windows": "only as far as the tags keep them; what else they say does not count",
}

_SECTIONS = {
    "estimate": "", "threshold": "default thresholds on this corpus",
    "recalibration": "sum of probabilities, recalibrated by the audit",
    "reliability": "reliability: what a probability promises, and what readers found",
    "labels": "documents more to read", "agreement": "agreement of readers",
    "open": "open: for the adjudicator",
}  # fmt: skip


def print_submitted(report: Any, tags: str) -> None:
    """Say which jobs go on with a scan, and how to follow them."""
    jobs = ",".join(report.jobs)
    say(
        [
            f"submitted {report.parts} parts, {report.done_before} done before: Slurm jobs {jobs}, "
            "of which the last builds the catalogue",
            f"  squeue --jobs={jobs}        where they are; logs are in {tags.rstrip('/')}/logs",
            f"  narrascope stats --tags {tags}   once they have ended",
            "the same scan command again, then, goes on with what is missing, or says that "
            "nothing is",
        ]
    )


def print_scan(report: Any, tags: str) -> None:
    """Say what a scan did, and each shard that is missing from its tags."""
    counts = report.counts
    ERR.print(
        f"{counts['documents']:,} documents ({counts['bytes'] / 1e6:,.1f} MB of text) in "
        f"{counts['parts']} parts; {counts['candidates']:,} matched the gate, "
        f"{counts['escalated']:,} were read to a verdict; {report.parts} parts read now in "
        f"{report.seconds:.1f} s, {report.done_before} done before. Tags are in {tags}"
    )
    for count, what in (
        (counts["empty"], "documents without text"),
        (counts["invalid_utf8"], "documents with invalid UTF-8, which was replaced"),
        (counts["unreadable"], "rows that hold no document; their numbers are in the receipts"),
        (
            sum(report.skipped.values()),
            f"files left alone for their ending ({', '.join(report.skipped)})",
        ),
    ):
        if count:
            ERR.print(f"note: {what}: {count:,}", soft_wrap=True)
    for shard in report.rewritten:
        ERR.print(f"note: {shard} was rewritten since its scan and was read again", soft_wrap=True)
    for shard, reason in report.failed.items():
        ERR.print(f"set aside: {shard}: {reason}", markup=False, soft_wrap=True)
    if report.failed:
        ERR.print("mend these, then scan again with --retry-failed")


def print_prevalence(rows: Sequence[Row], format: str) -> None:
    """Print the rows of `stats`; on a terminal with the notes they share below."""
    print_rows(rows, format, _draw_prevalence)


def _draw_prevalence(rows: Sequence[Row]) -> None:
    first = rows[0] if rows else {"estimator": "", "unit": "", "by": None}
    by = f" by {first['by']}" if first["by"] else ""
    table = new_table(f"{first['estimator']}, share of {first['unit']}{by}")
    for name in ("label", *([first["by"]] if first["by"] else [])):
        table.add_column(name)
    table.add_column("share", justify="right")
    table.add_column("", min_width=20)
    audited = any(row["n_audited"] for row in rows)
    for name in (*(("low", "high", "audited") if audited else ()), "numerator", "denominator"):
        table.add_column(name, justify="right")
    largest = max((row["share"] or 0 for row in rows), default=0) or 1
    for row in rows:
        group = [str(row["group"] if row["group"] is not None else "(none)")] if first["by"] else []
        share = row["share"]
        table.add_row(
            row["label"], *group, percent(share), "█" * round(20 * (share or 0) / largest),
            *(_interval(row) if audited else ()),
            f"{row['numerator']:,.10g}", f"{row['denominator']:,}",
        )  # fmt: skip
    OUT.print(table)
    for note in _shared_notes(rows):
        OUT.print(f"  {note}", style="dim", soft_wrap=True, markup=False)


def _interval(row: Row) -> tuple[str, str, str]:
    return percent(row["low"]), percent(row["high"]), f"{row['n_audited']:,}"


def _shared_notes(rows: Sequence[Row]) -> list[str]:
    """Return the notes that hold for all rows, and those that hold for all rows of a label."""
    by_label: dict[str, list[set[str]]] = {}
    for row in rows:
        by_label.setdefault(row["label"], []).append(set(filter(None, row["note"].split("; "))))
    common = {label: set.intersection(*notes) for label, notes in by_label.items()}
    everywhere = set.intersection(*common.values()) if common else set()
    apart = [f"{label}: {n}" for label, notes in common.items() for n in sorted(notes - everywhere)]
    return [*sorted(everywhere), *apart]


def print_drift(rows: Sequence[Row], format: str) -> None:
    """Print how shares differ, the biggest movers of each label first, in percentage points."""
    print_rows(rows, format, _draw_drift)


def _draw_drift(rows: Sequence[Row]) -> None:
    first = rows[0]
    if first["estimator"] == "audited":
        moves = {"difference": "difference", "low": "low", "high": "high"}
        said = "differences with limits of 95 % that hold for all groups of a label at once"
    else:
        moves = {"adds": "contribution", "within": "within", "mix": "mix"}
        said = "what each group adds to the difference"
    table = new_table(
        f"{first['estimator']}, share of {first['unit']} by {first['by']}; in percentage points: "
        f"{said}"
    )
    for name in ("label", first["by"]):
        table.add_column(name)
    for name in ("before", "after", *moves):
        table.add_column(name, justify="right")
    for row in rows:
        group = "(none)" if row["group"] is None else str(row["group"])
        shares = (percent(row[f"share_{when}"]) for when in ("before", "after"))
        moved = (f"{100 * row[key]:+.4f}" for key in moves.values())
        table.add_row(row["label"], group, *shares, *moved)
    OUT.print(table)
    for note in _shared_notes(rows):
        OUT.print(f"  {note}", style="dim", soft_wrap=True, markup=False)


def print_reweighed(record: Any) -> None:
    """Say what `reweigh` wrote, bucket by bucket."""
    if record.jobs:
        jobs = ",".join(record.jobs)
        say(
            [
                f"submitted as Slurm jobs {jobs}, of which the last writes "
                f"{record.folder}/reweigh.json: squeue --jobs={jobs} says how far they are, and "
                "the same command again goes on where they stopped"
            ]
        )
        return
    buckets: dict[str, dict[str, Any]] = {}
    for entry in record.written:
        row = buckets.setdefault(
            entry.bucket,
            {"bucket": entry.bucket, "matched": 0, "documents": 0, "bytes": 0, "files": 0},
        )
        row["matched"] += entry.matched
        row["documents"] += entry.documents
        row["bytes"] += entry.bytes
        row["files"] += entry.path is not None
    draw_rows(f"written to {record.folder} in mode {record.mode}", list(buckets.values()))
    for names, what in (
        (record.not_in_manifest, "not in the manifest, so left out"),
        (record.not_in_source, "in the manifest, not in the source"),
    ):
        if names:
            say([f"note: {len(names)} shards are {what}: {', '.join(names[:5])}"])
    if record.found:
        title = f"listed documents, matched by {record.match}"
        draw_rows(title, [entry.model_dump() for entry in record.found])
    say(f"note: {note}" for note in record.remarks())


def print_drawn(audit: Any, files: Sequence[Path], notes: Sequence[str]) -> None:
    """Say what an audit drew, stratum by stratum, and how it is read."""
    design = audit.design
    keys = ("name", "documents", "drawable", "drawn")
    rows = [{key: getattr(stratum, key) for key in keys} for stratum in design.strata]
    score = design.label or "the highest portrayal"
    draw_rows(f"audit {design.name}, strata by the score of {score}", rows)
    readings = Counter(audit.sample["reading"].to_pylist())
    for reading, meaning in _READINGS.items():
        if count := readings[reading]:
            say([f"  {count:,} documents are read {meaning}"])
    say(f"note: {note}" for note in notes)
    say([f"{audit.items.num_rows:,} items to read are in {', '.join(map(str, files))}"])


def print_import(report: Any) -> None:
    """Say what an import brought, with a line for each record that could not be kept."""
    for line in report.bad:
        print(line, file=sys.stderr)
    for name, count in report.kept.items():
        say([f"{count:,} labels kept in audit {name}"])
    if report.known:
        say([f"{report.known:,} labels were imported before"])
    if report.empty:
        say([f"{report.empty:,} records have no answer yet"])
    say(f"note: {note}" for note in report.notes)


def print_report(rows: Sequence[Row], format: str) -> None:
    """Print an audit's report, a table a section."""

    def draw(rows: Sequence[Row]) -> None:
        for section, title in _SECTIONS.items():
            own = [{k: v for k, v in r.items() if k != "section"} for r in rows
                   if r["section"] == section]  # fmt: skip
            if section == "estimate":
                _draw_prevalence(own)
            elif own:
                draw_rows(title, [{k: v for k, v in r.items() if k != "note"} for r in own])
                say(f"  {note}" for note in dict.fromkeys(r.get("note") for r in own) if note)
        say(f"note: {row['note']}" for row in rows if row["section"] == "note")

    print_rows(rows, format, draw)
