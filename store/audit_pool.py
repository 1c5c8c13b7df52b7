"""Audits of the same tags, pooled: the documents that were read, in the strata of one frame.

Documents that two audits drew from the same strata are one simple random sample of them. The
control strata are the same in every audit; the strata of score are not where audits were drawn for
different labels, and an estimate then uses those of one of them, and names the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import TagsError
from ..labels.taxonomy import LABELS, Label
from .audit_frame import Frame, read_frame
from .audits import Audit, Key, audit_names, read_audits, tags_digest
from .folder import TagFolder
from .settled import NO, OPEN, UNREAD, YES, Settled, settle


@dataclass(frozen=True, eq=False)
class Pool:
    """The drawn documents of several audits, a row each, and what their readers settled.

    `stratum` numbers the frame's strata. `unused` names the audits whose documents with a verdict
    were drawn from other strata, and are left out.
    """

    frame: Frame
    sample: pa.Table
    stratum: np.ndarray
    settled: Settled
    unused: tuple[str, ...]

    def keys(self) -> set[Key]:
        """Return shard and row of every document."""
        columns = (self.sample["shard"].to_pylist(), self.sample["row"].to_pylist())
        return set(zip(*columns, strict=True))


def current_audits(folder: TagFolder) -> list[Audit]:
    """Return the audits of a folder's tags as they are now.

    Raises:
        TagsError: there is none, or the tags have changed since each was drawn.
    """
    digest = tags_digest(folder)
    audits = [audit for audit in read_audits(folder) if audit.design.tags_digest == digest]
    if not audits:
        if older := audit_names(folder):
            raise TagsError(
                f"{folder.url} was scanned again since {', '.join(older)} was drawn: its labels "
                "are kept, but these tags need an audit of their own: `narrascope audit sample "
                f"--tags {folder.url} --out FILE`"
            )
        raise TagsError(
            f"estimator 'audited' needs an audit of {folder.url}: draw one with `narrascope audit "
            f"sample --tags {folder.url} --out FILE`, have it labelled, and import it"
        )
    return audits


def pool(audits: Sequence[Audit], frame: Frame) -> Pool:
    """Pool what audits of the same tags say in the strata of a frame."""
    number = {name: i for i, name in enumerate(frame.names)}
    samples, strata, settled, unused = [], [], [], []
    for audit in audits:
        sample, said = audit.sample, settle(audit)
        if not _drawn_from(audit, frame):
            control = np.array([s in number for s in _controls(sample, frame)], dtype=bool)
            unused.append(audit.design.name)
            sample, said = sample.filter(pa.array(control)), _only(said, control)
        samples.append(sample)
        strata += [number[name] for name in sample["stratum"].to_pylist()]
        settled.append(said)
    return _without_repeats(
        Pool(
            frame, pa.concat_tables(samples), np.array(strata, dtype=np.int64), _joined(settled),
            tuple(unused),
        )
    )  # fmt: skip


def best_frame(
    connection: duckdb.DuckDBPyConnection, audits: Sequence[Audit], label: Label
) -> Frame:
    """Return the frame to estimate a label in: strata of its own score, else those most read.

    Raises:
        TagsError: no document that was drawn has been labelled.
    """
    counts: dict[tuple[Label | None, tuple[float, ...]], int] = {}
    for audit in audits:
        said = settle(audit).answer[label]
        key = (audit.design.label, edges_of(audit))
        counts[key] = counts.get(key, 0) + int(((said == YES) | (said == NO)).sum())
    if not any(counts.values()):
        names = ", ".join(audit.design.name for audit in audits)
        folder = audits[0].folder.url
        raise TagsError(
            f"no document of {names} is labelled yet: import the labels with `narrascope audit "
            f"import --tags {folder} FILE`"
        )
    found = max((k for k in counts if counts[k]), key=lambda k: (k[0] == label, counts[k]))
    return read_frame(connection, *found)


def edges_of(audit: Audit) -> tuple[float, ...]:
    """Return the scores that part an audit's strata."""
    return tuple(s.low for s in audit.design.strata if s.low)


def _drawn_from(audit: Audit, frame: Frame) -> bool:
    return (audit.design.label, edges_of(audit)) == (frame.label, frame.edges)


def _controls(sample: pa.Table, frame: Frame) -> list[str]:
    """Return stratum names, "" for those of score."""
    known = set(frame.names[frame.scored :])
    return [name if name in known else "" for name in sample["stratum"].to_pylist()]


def _only(said: Settled, kept: np.ndarray) -> Settled:
    places = np.flatnonzero(kept).tolist()
    return Settled(
        answer={label: said.answer[label][kept] for label in LABELS},
        refuted={label: said.refuted[label][kept] for label in LABELS},
        read={label: said.read[label][kept] for label in LABELS},
        stance=[said.stance[i] for i in places],
        genre=[said.genre[i] for i in places],
        behaviours=[said.behaviours[i] for i in places],
        by_model=said.by_model[kept],
    )


def _joined(parts: Sequence[Settled]) -> Settled:
    def columns(name: str) -> dict[str, np.ndarray]:
        return {
            label: np.concatenate([getattr(part, name)[label] for part in parts])
            for label in LABELS
        }

    return Settled(
        answer=columns("answer"),
        refuted=columns("refuted"),
        read=columns("read"),
        stance=[stance for part in parts for stance in part.stance],
        genre=[genre for part in parts for genre in part.genre],
        behaviours=[behaviours for part in parts for behaviours in part.behaviours],
        by_model=np.concatenate([part.by_model for part in parts]),
    )


def _without_repeats(pooled: Pool) -> Pool:
    """Keep each document once; where two audits read it and differ, it stays open."""
    first: dict[Key, int] = {}
    kept = np.zeros(pooled.sample.num_rows, dtype=bool)
    keys = zip(pooled.sample["shard"].to_pylist(), pooled.sample["row"].to_pylist(), strict=True)
    for place, key in enumerate(keys):
        kept[place] = key not in first
        there = first.setdefault(key, place)
        if there != place:
            for answers in (pooled.settled.answer, pooled.settled.refuted):
                for label in LABELS:
                    answers[label][there] = _both(*answers[label][[there, place]].tolist())
    return Pool(
        pooled.frame, pooled.sample.filter(pa.array(kept)), pooled.stratum[kept],
        _only(pooled.settled, kept), pooled.unused,
    )  # fmt: skip


def _both(a: int, b: int) -> int:
    for absent in (UNREAD, OPEN):
        if absent in (a, b):
            return b if a == absent else a
    return a if a == b else OPEN
