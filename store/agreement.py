"""Agreement between readers of the same items, and what they leave open."""

from itertools import combinations
from typing import Any

import numpy as np

from ..labels.audit import ADJUDICATOR
from ..labels.taxonomy import LABELS
from .audits import Audit
from .settled import Record, deciding, latest_records

ASKED = (*LABELS, "stance", "genre")


def agreement(audit: Audit) -> list[dict[str, Any]]:
    """Return agreement on each question: of all readers together, and of each pair.

    Rows have `question, readers, items` (read by two or more of them), `agreed` (the share of items
    on which all say the same), `kappa` (of a pair; Cohen 1960) and `alpha` (of all; Krippendorff
    2004, nominal). The adjudicator, who sees the others' answers, is left out; so is an answer of
    "unsure" or one that was left empty. Kappa and alpha are null where nobody ever differs from one
    single answer, since chance alone explains that.
    """
    by_item = {
        item: {name: record for name, record in records.items() if name != ADJUDICATOR}
        for item, records in latest_records(audit).items()
    }
    shared = {item: records for item, records in by_item.items() if len(records) > 1}
    rows = []
    for question in ASKED:
        readers = sorted({name for records in shared.values() for name in records})
        groups: list[tuple[str, ...]] = list(combinations(readers, 2))
        if len(readers) > 2:
            groups.insert(0, tuple(readers))
        for group in groups:
            answers = [
                {name: records[name][question] for name in group if name in records}
                for records in shared.values()
            ]
            given = [{k: v for k, v in a.items() if v is not None} for a in answers]
            given = [a for a in given if len(a) > 1]
            if given:
                rows.append(_row(question, group, given))
    return rows


def _row(question: str, readers: tuple[str, ...], given: list[dict[str, Any]]) -> dict[str, Any]:
    # Imported when it is first needed: scikit-learn takes seconds to import.
    import krippendorff
    from sklearn.metrics import cohen_kappa_score

    values = sorted({value for answers in given for value in answers.values()}, key=str)
    code = {value: place for place, value in enumerate(values)}
    coded = np.full((len(readers), len(given)), np.nan)
    for column, answers in enumerate(given):
        for row, reader in enumerate(readers):
            if reader in answers:
                coded[row, column] = code[answers[reader]]
    told_apart = len(values) > 1
    return {
        "question": question,
        "readers": ", ".join(readers),
        "items": len(given),
        "agreed": sum(len(set(answers.values())) == 1 for answers in given) / len(given),
        "kappa": float(cohen_kappa_score(*coded)) if told_apart and len(readers) == 2 else None,
        "alpha": float(
            krippendorff.alpha(
                reliability_data=coded, value_domain=range(len(values)),
                level_of_measurement="nominal",
            )
        ) if told_apart else None,
    }  # fmt: skip


def open_items(audit: Audit) -> list[dict[str, Any]]:
    """Return what an adjudicator is to settle: `id, question, answers`, by item."""
    rows = []
    for item, records in sorted(latest_records(audit).items()):
        read = deciding(records)
        for label in LABELS:
            if _differ(read, label):
                said = [f"{r['annotator']}: {_word(r[label])}" for r in read]
                rows.append({"id": item, "question": label, "answers": ", ".join(said)})
    return rows


def _differ(read: list[Record], label: str) -> bool:
    answers = {(r[label], r[label] and r["stance"] == "refuted") for r in read}
    return len(answers) > 1 or any(r[label] is None for r in read)


def _word(answer: bool | None) -> str:
    return {True: "yes", False: "no", None: "unsure"}[answer]
