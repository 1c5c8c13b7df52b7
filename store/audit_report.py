"""The report of an audit: shares, precision and recall, reliability, agreement, what is left."""

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np

from ..errors import SettingsError, TagsError
from ..labels.taxonomy import LABELS, PORTRAYALS, Label
from .agreement import agreement, open_items
from .audit_frame import judged_cells
from .audit_import import notes_on
from .audit_pool import current_audits
from .audit_question import Question, ask
from .audited import LEVEL, audited_rows
from .audits import read_audit
from .contrasts import labels_for_width, precision_recall
from .folder import TagFolder
from .reliability import Recalibration, recalibrate, reliability
from .settled import NO, YES

Row = dict[str, Any]

SECTIONS = (
    "estimate", "threshold", "recalibration", "reliability", "labels", "agreement", "open", "note",
)  # fmt: skip


def report(
    connection: duckdb.DuckDBPyConnection,
    folder: TagFolder,
    *,
    thresholds: Mapping[str, float],
    name: str | None = None,
    width: float | None = None,
) -> list[Row]:
    """Return the rows of the report, each with its `section`, in the order of `SECTIONS`.

    Args:
        connection: the catalogue of the folder.
        folder: the tag folder.
        thresholds: by label, the probability from which a document is flagged.
        name: one audit; by default all of the tags as they are now, pooled.
        width: the wanted width of the interval (high - low), in (0, 1): how many more documents
            would have to be read for it.

    Raises:
        SettingsError: the width is out of range.
        TagsError: there is no such audit, its tags have changed, or nothing of it is labelled.
    """
    if width is not None and not 0 < width < 1:
        raise SettingsError(f"--width is {width}: give high - low of the interval, such as 0.001")
    wanted = read_audit(folder, name) if name is not None else None
    audits = current_audits(folder)
    tags = audits[0].design.tags_digest
    if wanted:
        if wanted.design.tags_digest != tags:
            raise TagsError(
                f"{folder.url} was scanned again since audit {name!r} was drawn: its labels are "
                "kept, but say nothing of these tags; draw another audit"
            )
        audits = [wanted]
    shares, _ = audited_rows(connection, folder, audits=audits)
    rows = [{"section": "estimate", **row} for row in shares]
    for label in LABELS:
        asked = ask(connection, audits, label)
        rows += _thresholds(connection, asked, label, thresholds[label])
        rows += [{"section": "reliability", **row} for row in reliability(connection, asked, label)]
        if fit := recalibrate(connection, asked, label):
            rows.append(_recalibration(fit))
        if width is not None:
            rows.append(_labels(asked, label, width))
    for audit in audits:
        own = {"audit": audit.design.name}
        rows += [{"section": "agreement", **own, **row} for row in agreement(audit)]
        rows += [{"section": "open", **own, **row} for row in open_items(audit)]
        rows += [{"section": "note", "note": note} for note in notes_on(audit, tags)]
    return sorted(rows, key=lambda row: SECTIONS.index(row["section"]))


def _thresholds(
    connection: duckdb.DuckDBPyConnection, asked: Question, label: Label, threshold: float
) -> list[Row]:
    """Return precision and recall of the label's threshold on this corpus."""
    apart = f" AND {label}_stance IS DISTINCT FROM 'refuted'" if label in PORTRAYALS else ""
    frame = asked.pooled.frame
    cells = judged_cells(connection, frame, f"({label} >= {float(threshold)!r}{apart})::INT")
    of_flag = cells.get(1, np.zeros((len(frame.names), 3)))[:, 0]
    counts = np.stack([asked.population.documents - of_flag, of_flag]).astype(float)
    said = asked.pooled.settled
    kept = np.isin(said.answer[label], (YES, NO))
    scores = np.array(asked.pooled.sample[label].to_pylist(), dtype=np.float64)
    stances = asked.pooled.sample[f"{label}_stance"].to_pylist()
    refuted = np.array([stance == "refuted" for stance in stances]) & (label in PORTRAYALS)
    flagged = (np.nan_to_num(scores, nan=-1.0) >= threshold) & ~refuted
    sample = asked.sample(said.answer[label] == YES, kept, said.read[label])
    found = precision_recall(counts, counts, sample, flagged[kept], level=LEVEL)
    rows = []
    for of, e in zip(("precision", "recall"), found, strict=True):
        # Of nothing flagged there is no precision, of no positive no recall.
        share, low, high = (e.share, e.low, e.high) if e.denominator > 0 else (None, None, None)
        rows.append(
            {
                "section": "threshold", "label": label, "threshold": threshold, "of": of,
                "share": share, "low": low, "high": high, "n_audited": e.n_audited,
                "note": e.note,
            }
        )  # fmt: skip
    return rows


def _recalibration(fit: Recalibration) -> Row:
    return {
        "section": "recalibration", "label": fit.label, "intercept": fit.intercept,
        "slope": fit.slope, "expected": round(fit.expected, 1),
        "recalibrated": round(fit.recalibrated, 1), "n_audited": fit.n_audited,
    }  # fmt: skip


def _labels(asked: Question, label: Label, width: float) -> Row:
    """Return how many more documents would have to be read for an interval of a width."""
    said = asked.pooled.settled
    kept = np.isin(said.answer[label], (YES, NO))
    strata = asked.pooled.frame
    drawable = asked.drawable
    more = labels_for_width(
        asked.population, asked.sample(said.answer[label] == YES, kept, said.read[label]),
        half_width=width / 2, available=drawable, level=LEVEL,
    )  # fmt: skip
    control = drawable[strata.scored :].sum()
    note = ""
    if more is None:
        note = (
            f"out of reach: the control sample has {control:,.0f} rows in all; scan with a higher "
            "--control-rate"
        )
    return {"section": "labels", "label": label, "width": width, "more": more, "note": note}
