"""What is asked of audits: of which label, in which unit, of which documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from ..labels.taxonomy import Label
from .audit_frame import Cells
from .audit_pool import Pool, best_frame, pool
from .audits import Audit
from .counts import COUNTED
from .estimate import Population, Sample
from .settled import NO, UNREAD
from .where import Condition

UNITS = ("documents", "bytes", "tokens")


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of a pool: in which unit, of which documents.

    `cells` are the population that the shares are of: the filter's documents where it reads
    counted columns alone, else all. `within` marks the sampled documents of that population, and
    `counting` those of them that may count as positive.
    `drawable` is how many documents of each stratum of the whole corpus can be read.
    """

    pooled: Pool
    unit: str
    within: np.ndarray
    counting: np.ndarray
    cells: Cells
    drawable: np.ndarray

    @property
    def column(self) -> int:
        """The unit's place in `cells`."""
        return UNITS.index(self.unit)

    @property
    def population(self) -> Population:
        """All strata, in the unit."""
        counts = self.cells["all"]
        return Population(counts[:, 0].astype(float), counts[:, self.column].astype(float))

    def answers(self, label: Label, *, refuted: bool = False) -> np.ndarray:
        """Return each sampled document's answer, `NO` where the filter does not take it."""
        said = self.pooled.settled
        answer = (said.refuted if refuted else said.answer)[label]
        return np.where(self.counting | (answer == UNREAD), answer, NO)

    def sample(self, positive: np.ndarray, kept: np.ndarray, read: np.ndarray) -> Sample:
        """Return some of the documents as the estimators want them."""
        sizes = np.ones(len(kept))
        if self.unit != "documents":
            column = self.pooled.sample[self.unit].to_pylist()
            sizes = np.array([size or 0 for size in column], dtype=np.float64)
        return Sample(self.pooled.stratum[kept], positive[kept], sizes[kept], read[kept])


def ask(
    connection: duckdb.DuckDBPyConnection, audits: Sequence[Audit], label: Label, *,
    by: str | None = None, unit: str = "documents", where: Condition | None = None,
) -> Question:  # fmt: skip
    """Pool the audits for a label, and count the population that is asked about."""
    frame = best_frame(connection, audits, label)
    pooled = pool(audits, frame)
    counted = where if where and where.columns <= COUNTED else None
    everything = np.ones(pooled.sample.num_rows, dtype=bool)
    matched = _matches(connection, pooled.sample, where) if where else everything
    within, counting = (matched, everything) if counted else (everything, matched)
    cells = frame.cells(connection, by=by if by in COUNTED else None, where=counted)
    if by in COUNTED or not cells:
        cells = cells | {"all": sum(cells.values(), np.zeros((len(frame.names), 3), np.int64))}
    return Question(pooled, unit, within, counting, cells, _drawable(audits, pooled))


def _drawable(audits: Sequence[Audit], pooled: Pool) -> np.ndarray:
    known = {s.name: s.drawable for audit in audits for s in audit.design.strata}
    return np.array([known[name] for name in pooled.frame.names], dtype=np.float64)


def _matches(
    connection: duckdb.DuckDBPyConnection, sample: pa.Table, where: Condition
) -> np.ndarray:
    """Return which sampled documents a condition takes; those the gate passed over have no tags."""
    numbered = sample.append_column("place", pa.array(range(sample.num_rows), pa.int64()))
    connection.register("sampled", numbered.select(["place", "shard", "row"]))
    connection.register("untagged", numbered.filter(_of_gate(sample)))
    tagged, bound = where.sql()
    bare, more = where.sql(untagged=not where.columns <= COUNTED)
    found = connection.execute(
        f"SELECT place FROM sampled JOIN documents USING (shard, row) WHERE {tagged} "  # noqa: S608
        f"UNION ALL SELECT place FROM untagged WHERE {bare}",
        [*bound, *more],
    ).fetchall()
    for name in ("sampled", "untagged"):
        connection.unregister(name)
    matched = np.zeros(sample.num_rows, dtype=bool)
    matched[[place for (place,) in found]] = True
    return matched


def _of_gate(sample: pa.Table) -> pa.Array:
    return pa.array([name.startswith("gate") for name in sample["stratum"].to_pylist()])
