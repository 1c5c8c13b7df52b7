"""What an audited share must say of itself: what it is of, and what it rests on or leaves out."""

from collections import Counter

from ..labels.taxonomy import PORTRAYALS, Label
from .audit_question import Question
from .settled import OPEN, UNREAD


def pool_notes(asked: Question, label: Label) -> list[str]:
    """Say what an estimate is of, and what of the audits it rests on or leaves out."""
    pooled, said = asked.pooled, asked.pooled.settled
    stances = " (depicted, warned or endorsed)" if label in PORTRAYALS else ""
    what = "documents" if asked.unit == "documents" else f"{asked.unit} of documents"
    notes = [
        f"{what} of which a reader under the guidelines would label at least one passage {label}"
        f"{stances}"
    ]
    answer = said.answer[label]
    counts = Counter(answer.tolist())
    if counts[OPEN]:
        notes.append(
            f"{counts[OPEN]:,} documents are open (readers differ or are unsure): left out of the "
            "share, and the interval holds either way"
        )
    if counts[UNREAD]:
        notes.append(
            f"{counts[UNREAD]:,} of {len(answer):,} drawn documents are not labelled yet: taken "
            "as like the others of their stratum"
        )
    if by_model := int((said.by_model & (answer != UNREAD)).sum()):
        notes.append(
            f"{by_model:,} documents were read by a language model alone: its errors are not in "
            "the interval"
        )
    readings = Counter(pooled.sample["reading"].to_pylist())
    if readings["two-stage"]:
        notes.append(f"{readings['two-stage']:,} long documents were read in two stages")
    if readings["beginning"]:
        notes.append(f"{readings['beginning']:,} documents were read in their beginning alone")
    if readings["windows"]:
        notes.append(
            f"{readings['windows']:,} documents were read only as far as the tags keep them"
        )
    if pooled.unused:
        notes.append(
            f"strata of {', '.join(pooled.unused)} are others: only its control rows count"
        )
    return notes
