"""What an audit's readers settled: of each item, then of each document.

The latest record of an annotator on an item stands. Where there is a record by the `adjudicator` it
settles the item; else people's records do, and where no person read, those of language models. On
what these records answer alike the item is settled. What they differ on, or what one of them was
unsure of, stays open: it counts as neither yes nor no, and intervals allow for both.

A portrayal counts as such with the stances depicted, warned and endorsed; refuted apart. A document
is positive as soon as one of its items is, and negative when all are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..labels.audit import ADJUDICATOR
from ..labels.taxonomy import LABELS, PORTRAYALS
from .audits import Audit

YES, NO, OPEN, UNREAD = 1, 0, -1, -2

Record = Mapping[str, Any]
"""A row in the schema `LABELLED`."""


@dataclass(frozen=True, eq=False)
class Settled:
    """An audit's documents as read, in the order of its sample.

    `answer` and `refuted` (by label) are `YES`, `NO`, `OPEN` or `UNREAD`; `read` (by label) is the
    probability with which the passages that decide were read. `stance`, `genre` and `behaviours`
    are the readers', None where they left or differ on them. `by_model` marks documents of which
    an item was read by a language model alone.
    """

    answer: dict[str, np.ndarray]
    refuted: dict[str, np.ndarray]
    read: dict[str, np.ndarray]
    stance: list[str | None]
    genre: list[str | None]
    behaviours: list[tuple[str, ...]]
    by_model: np.ndarray


def latest_records(audit: Audit) -> dict[str, dict[str, Record]]:
    """Return by item and annotator the record that stands."""
    standing: defaultdict[str, dict[str, Record]] = defaultdict(dict)
    for table in audit.imports():
        for record in table.to_pylist():
            standing[record["id"]][record["annotator"]] = record
    return standing


def deciding(records: Mapping[str, Record]) -> list[Record]:
    """Return those of an item's records, by annotator, that decide."""
    if ADJUDICATOR in records:
        return [records[ADJUDICATOR]]
    people = [record for record in records.values() if record["model"] is None]
    return people or list(records.values())


def settle(audit: Audit) -> Settled:
    """Settle an audit from all that was imported of it."""
    return _settled(audit, latest_records(audit))


def how_far(audit: Audit) -> tuple[int, bool]:
    """Return how many items are answered, and whether each label is settled in some document.

    Where it is, the audit gives shares.
    """
    records = latest_records(audit)
    answers = _settled(audit, records).answer.values() if records else ()
    return len(records), bool(records) and all(np.isin(a, (YES, NO)).any() for a in answers)


def _settled(audit: Audit, records: Mapping[str, Mapping[str, Record]]) -> Settled:
    items: defaultdict[tuple[str, int], list[tuple[float, list[Record]]]] = defaultdict(list)
    for item in audit.items.select(["id", "shard", "row", "share"]).to_pylist():
        read = deciding(records[item["id"]]) if item["id"] in records else []
        items[item["shard"], item["row"]].append((item["share"], read))
    sample = audit.sample
    keys = list(zip(sample["shard"].to_pylist(), sample["row"].to_pylist(), strict=True))
    count = len(keys)
    settled = Settled(
        answer={label: np.full(count, UNREAD, dtype=np.int8) for label in LABELS},
        refuted={label: np.full(count, UNREAD, dtype=np.int8) for label in LABELS},
        read={label: np.ones(count) for label in LABELS},
        stance=[],
        genre=[],
        behaviours=[],
        by_model=np.zeros(count, dtype=bool),
    )
    for place, key in enumerate(keys):
        of_document = items[key]
        for label in LABELS:
            answers = [_answer(read, label, refuted=False) for _, read in of_document]
            settled.answer[label][place] = _document(answers)
            settled.refuted[label][place] = _document(
                _answer(read, label, refuted=True) for _, read in of_document
            )
            shares = [share for share, _ in of_document]
            found = [s for s, answer in zip(shares, answers, strict=True) if answer == YES]
            settled.read[label][place] = max(found) if found else min(shares, default=1.0)
        # The stance is that of what was found, or of the first item.
        found = [r for _, read in of_document for r in read if any(r[name] for name in PORTRAYALS)]
        first = [r for _, read in of_document for r in read]
        settled.stance.append(_agreed(r["stance"] for r in found) if found else "none")
        settled.genre.append(_agreed(r["genre"] for r in first))
        settled.behaviours.append(_shared(found))
        settled.by_model[place] = any(r["model"] is not None for r in first)
    return settled


def _answer(read: list[Record], label: str, *, refuted: bool) -> int:
    """Return what an item's deciding records say: does it bear the label, refuted or not?"""
    if not read:
        return UNREAD
    answers = {_one(record, label, refuted=refuted) for record in read}
    return answers.pop() if len(answers) == 1 else OPEN


def _one(record: Record, label: str, *, refuted: bool) -> int:
    if record[label] is None:
        return OPEN
    counted = (label in PORTRAYALS and record["stance"] == "refuted") == refuted
    return YES if record[label] and counted else NO


def _document(answers: Iterable[int]) -> int:
    """Return a document's answer from its items': one yes decides, then what is not known."""
    found = set(answers)
    if YES in found:
        return YES
    if not found or UNREAD in found:
        return UNREAD
    return OPEN if OPEN in found else NO


def _agreed(values: Iterable[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _shared(records: list[Record]) -> tuple[str, ...]:
    """Return the behaviours that every record names."""
    named = [set(record["behaviours"]) for record in records]
    return tuple(sorted(set.intersection(*named))) if named else ()
