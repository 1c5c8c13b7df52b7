"""Drawing an audit: which documents are read, with what probability.

Within a stratum the draw is simple random without replacement: documents are taken in the order of
a hash of (audit, seed, shard, row). The control strata are drawn from their control rows, which a
scan took independently with one probability: given how many there are, they are a simple random
sample of their stratum, and so is what is drawn of them.
"""

from typing import cast

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import SettingsError, TagsError
from ..labels.audit import SAMPLE, Design
from ..labels.tag import DOCUMENT_FIELDS
from ..labels.taxonomy import LABELS, PORTRAYALS, Label, taxonomy_digest
from .audit_frame import read_frame, strata_of
from .audit_places import Places
from .audit_pool import Pool, edges_of, pool
from .audits import Audit, Key, read_audit, read_audits, tags_digest
from .design import allocate, planning_rates, score_edges
from .folder import TagFolder
from .freshness import catalogue_version
from .settled import NO, YES

_FEWEST = 10
"""Documents of a stratum that are read at least, where the budget allows."""


def draw_audit(
    connection: duckdb.DuckDBPyConnection,
    folder: TagFolder,
    *,
    name: str,
    budget: int,
    label: str | None = None,
    strata: int = 8,
    seed: int = 0,
    after: str | None = None,
) -> tuple[Design, pa.Table]:
    """Draw the documents of an audit, and return its design and a row of each.

    Rows are in the schema `SAMPLE` (`reading` and `characters` are not yet known: "whole" and
    null), in the random order in which they are to be read. Nothing is written.

    Args:
        connection: the catalogue of the folder.
        folder: the tag folder.
        name: the audit's name, as `held_name` gives it.
        budget: how many documents to draw.
        label: whose score makes the strata; by default the highest of the three portrayals.
        strata: how many strata of score at most.
        seed: of the draw.
        after: the audit to go on from: same strata, other documents, allocated by what its readers
            found.

    Raises:
        SettingsError: the budget is less than one, or there is no such label.
        TagsError: nothing can be drawn, the tags have changed since the catalogue was built, or the
            audit to go on from does not allow it.
    """
    if budget < 1:
        raise SettingsError(f"--budget is {budget}: give how many documents to read, at least 1")
    if label is not None and label not in LABELS:
        raise SettingsError(f"no label {label!r}: choose from {', '.join(LABELS)}")
    tags = tags_digest(folder)
    _require_newest(connection, folder)  # after the digest, which so is of what the catalogue holds
    audits = [audit for audit in read_audits(folder) if audit.design.tags_digest == tags]
    first = _first(folder, after, audits) if after else None
    of = first.design.label if first else cast("Label | None", label)
    places = Places(connection, of)
    edges = np.array(edges_of(first)) if first else score_edges(places.scores, strata=strata)
    frame = read_frame(connection, of, tuple(edges.tolist()))
    cells = frame.cells(connection)
    documents = cells["all"][:, 0].astype(np.float64)
    stratum = places.strata(frame, edges)
    drawable = np.bincount(stratum, minlength=len(frame.names))
    pooled = pool(audits, frame) if audits else None
    audited, positive = _found(pooled) if pooled and first else (0.0, 0.0)
    rates = planning_rates(
        documents, places.expected(stratum, frame), audited=audited, positive=positive
    )
    taken = places.are(pooled.keys() if pooled else set())
    before = np.bincount(stratum[taken], minlength=len(frame.names))
    wanted = allocate(
        documents,
        rates,
        budget=budget + int(before.sum()),
        # No more than the budget, however many strata there are.
        at_least=min(_FEWEST, budget // len(frame.names)),
        available=drawable,
        audited=before,
    )
    drawn = wanted - before
    chosen = places.draw(stratum, drawn, ~taken, name=name, seed=seed)
    if not len(chosen):
        raise TagsError(
            f"nothing is left to draw in {folder.url}: all {taken.sum():,} documents that can be "
            "read are in audits; scan again with a higher --control-rate for more"
        )
    design = Design(
        name=name, after=after, tags_digest=tags, taxonomy_digest=taxonomy_digest(), label=of,
        seed=seed, budget=budget, text="tags", strata=tuple(
            strata_of(frame, cells, drawable, drawn)
        ),
    )  # fmt: skip
    names = np.array(frame.names, dtype=object)[stratum[chosen]]
    probability = (drawn[stratum[chosen]] / documents[stratum[chosen]]).tolist()
    return design, _rows(connection, places.keys(chosen), names.tolist(), probability)


def _require_newest(connection: duckdb.DuckDBPyConnection, folder: TagFolder) -> None:
    """Refuse a catalogue that is older than its folder, as a service's may be for some seconds.

    Raises:
        TagsError: it is.
    """
    held = connection.execute("SELECT version FROM meta").fetchall()
    if held != [(catalogue_version(folder),)]:
        raise TagsError(
            f"{folder.url} has changed since its catalogue was built, and an audit is of the tags "
            "as they are now: draw it again in some seconds, or when the scan has ended"
        )


def _first(folder: TagFolder, after: str, audits: list[Audit]) -> Audit:
    """Return the audit to go on from.

    Raises:
        TagsError: its tags have changed, or nothing of it was labelled.
    """
    first = read_audit(folder, after)
    if all(audit.design.name != after for audit in audits):
        raise TagsError(
            f"{folder.url} was scanned again since audit {after!r} was drawn: draw a new one, "
            "without --after"
        )
    if not first.imports():
        raise TagsError(
            f"audit {after!r} has no labels to allocate by: import them first with `narrascope "
            f"audit import --tags {folder.url} FILE`"
        )
    return first


def _found(pooled: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Return by stratum how many documents were read, and how many are positive."""
    label = pooled.frame.label
    counted = PORTRAYALS if label is None else (label,)
    answers = np.stack([pooled.settled.answer[label] for label in counted])
    positive = (answers == YES).any(axis=0)
    read = positive | (answers == NO).all(axis=0)
    strata = len(pooled.frame.names)
    return (
        np.bincount(pooled.stratum[read], minlength=strata),
        np.bincount(pooled.stratum[positive], minlength=strata),
    )


def _rows(
    connection: duckdb.DuckDBPyConnection, keys: list[Key], strata: list[str],
    probability: list[float],
) -> pa.Table:  # fmt: skip
    """Return the drawn documents in the schema `SAMPLE`, in the order given."""
    drawn = pa.table(
        {
            "place": pa.array(range(len(keys)), pa.int64()),
            "shard": pa.array([shard for shard, _ in keys], pa.string()),
            "row": pa.array([row for _, row in keys], pa.int64()),
            "in_stratum": pa.array(strata, pa.string()),
            "probability": pa.array(probability, pa.float64()),
        }
    )
    known = ", ".join(f.name for f in DOCUMENT_FIELDS if f.name not in ("shard", "row"))
    judged = ", ".join(name for label in LABELS for name in (label, f"{label}_stance"))
    connection.register("drawn", drawn)
    found = connection.sql(
        f"SELECT shard, row, {known}, {judged}, in_stratum AS stratum, "  # noqa: S608
        "probability AS inclusion_probability, 'whole' AS reading, NULL::BIGINT AS characters, "
        "place FROM drawn JOIN documents USING (shard, row) UNION ALL BY NAME "
        f"SELECT drawn.shard, drawn.row, {known}, in_stratum AS stratum, "
        "probability AS inclusion_probability, 'whole' AS reading, NULL::BIGINT AS characters, "
        "place FROM drawn JOIN control ON drawn.shard = control.shard AND drawn.row = control.row "
        "WHERE control.stratum = 'gate'"
    ).to_arrow_table()
    connection.unregister("drawn")
    return found.sort_by("place").select(SAMPLE.names).cast(SAMPLE)
