"""Importing labels: every record checked, the good ones kept, the bad ones counted and named."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from ..errors import TagsError
from ..labels.audit import LABELLED, LabelRecord, unanswered
from ..labels.taxonomy import LABELS
from .audits import Audit, read_audit, tags_digest
from .folder import TagFolder
from .labelling_file import read_labelling_file
from .receipts import require_receipts
from .settled import UNREAD, latest_records, settle


@dataclass(slots=True)
class ImportReport:
    """What an import brought.

    `kept` counts new records by audit, `known` those that were imported before, `empty` those
    without an answer yet. `bad` has a line for each record that could not be kept, and `notes` what
    else is worth knowing.
    """

    kept: dict[str, int] = field(default_factory=dict)
    known: int = 0
    empty: int = 0
    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_labels(folder: TagFolder, files: Sequence[Path]) -> ImportReport:
    """Check every record of labelling files and keep the good ones beside the tags.

    The same file again changes nothing. A later record of the same annotator replaces his earlier
    one, which is kept too.

    Raises:
        LabelsError: a file cannot be read at all.
        TagsError: the folder is missing or holds no finished scan.
    """
    require_receipts(folder)
    records: list[tuple[str, Any]] = []
    for path in files:
        records += read_labelling_file(path)
    return keep_records(folder, records)


def keep_records(folder: TagFolder, records: Sequence[tuple[str, Any]]) -> ImportReport:
    """Check records, each with its place for messages, and keep the good ones."""
    report = ImportReport()
    audits: dict[str, Audit | None] = {}
    drawn: dict[str, set[str]] = {}
    good: defaultdict[str, dict[tuple[str, str], tuple[str, LabelRecord]]] = defaultdict(dict)
    refused: set[tuple[str, str, str]] = set()
    for place, data in records:
        if not isinstance(data, dict):
            report.bad.append(f"{place}: no record: give an object with the keys of the file")
            continue
        if unanswered(data):
            report.empty += 1
            continue
        try:
            record = LabelRecord.model_validate(data)
        except ValidationError as error:
            report.bad.append(f"{place}: {fault_of(error)}")
            continue
        if record.audit not in audits:
            audits[record.audit] = _find(folder, record.audit)
            found = audits[record.audit]
            drawn[record.audit] = set(found.items["id"].to_pylist()) if found else set()
        if reason := _misfit(record, audits[record.audit], drawn[record.audit]):
            report.bad.append(f"{place}: {reason}")
            continue
        key = (record.id, record.annotator)
        other = good[record.audit].get(key)
        if other is None and (record.audit, *key) not in refused:
            good[record.audit][key] = (place, record)
        elif other is None or other[1] != record:
            report.bad.append(
                f"{place}: {record.annotator} answers {record.id} differently at "
                f"{other[0] if other else 'another place'}: hand in one answer, or name two "
                "annotators"
            )
            if other:
                report.bad.append(f"{other[0]}: set aside with it")
                del good[record.audit][key]
            refused.add((record.audit, *key))
    for name, found in good.items():
        audit = audits[name]
        if audit and found:
            keep(audit, [record for _, record in found.values()], report)
    tags = tags_digest(folder)
    for audit in filter(None, audits.values()):
        report.notes += notes_on(audit, tags)
    return report


def fault_of(error: ValidationError) -> str:
    """Return the first fault of a record in one line: where it is, and what is wrong."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{f'{place}: ' if place else ''}{fault['msg'].removeprefix('Value error, ')}"


def notes_on(audit: Audit, tags: str) -> list[str]:
    """Say what hinders estimates from an audit: changed tags, strata of which nothing was read."""
    name = audit.design.name
    notes = []
    if audit.design.tags_digest != tags:
        notes.append(
            f"the tags were scanned again since audit {name} was drawn: its labels are kept, and "
            "are of no use for the new tags; draw another audit"
        )
    settled = settle(audit)
    read: set[str] = set()
    for label in LABELS:
        strata = audit.sample["stratum"].filter(pa.array(settled.answer[label] != UNREAD))
        read |= set(strata.to_pylist())
    for stratum in audit.design.strata:
        if stratum.documents and stratum.name not in read:
            why = (
                f"none of its {stratum.drawn:,} drawn documents is labelled"
                if stratum.drawn
                else "nothing of it was drawn"
            )
            notes.append(
                f"audit {name}: stratum {stratum.name} of {stratum.documents:,} documents has no "
                f"labels ({why}): any of them may be positive, and intervals say so"
            )
    return notes


def _find(folder: TagFolder, name: str) -> Audit | None:
    try:
        return read_audit(folder, name)
    except TagsError:
        return None


def _misfit(record: LabelRecord, audit: Audit | None, drawn: set[str]) -> str | None:
    """Return why a record does not belong to this folder's audits, or None."""
    if audit is None:
        return (
            f"no audit {record.audit!r} in this tag folder: name the one that it was drawn from "
            "with --tags"
        )
    if record.taxonomy != audit.design.taxonomy_digest:
        return (
            f"labelled under taxonomy {record.taxonomy}, and audit {record.audit} is of "
            f"{audit.design.taxonomy_digest}: its questions are others; label it under these"
        )
    if record.id not in drawn:
        return f"{record.id!r} was not drawn by audit {record.audit}: only what was drawn counts"
    return None


def keep(audit: Audit, records: list[LabelRecord], report: ImportReport) -> None:
    """Keep checked records of one audit, and add to the report what came of it."""
    standing = latest_records(audit)
    names = LABELLED.names
    rows = [{name: getattr(record, name) for name in names} for record in records]
    rows.sort(key=lambda row: (row["id"], row["annotator"]))
    for row in rows:
        row["behaviours"] = sorted(row["behaviours"])
    new = [row for row in rows if standing[row["id"]].get(row["annotator"]) != row]
    replaced = [row for row in new if row["annotator"] in standing[row["id"]]]
    if not new or not audit.keep_labels(pa.Table.from_pylist(new, LABELLED)):
        report.known += len(rows)
        return
    report.known += len(rows) - len(new)
    report.kept[audit.design.name] = report.kept.get(audit.design.name, 0) + len(new)
    if replaced:
        first = replaced[0]
        report.notes.append(
            f"{len(replaced)} records replace earlier ones of the same annotator, such as "
            f"{first['annotator']}'s of {first['id']}"
        )
