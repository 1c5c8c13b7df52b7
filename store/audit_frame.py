"""The frame that audits draw from: every document of the corpus, in strata.

Documents with a verdict are in strata of their score. Candidates that the screen stopped and
documents that the gate passed over are strata of their own, `screen` and `gate`, of which only the
control sample can be read; where parts were scanned with several control rates there is one of each
for every rate, since within a stratum all documents must be drawn alike.
"""

from dataclasses import dataclass
from itertools import pairwise

import duckdb
import numpy as np

from ..errors import TagsError
from ..labels.audit import Stratum
from ..labels.taxonomy import PORTRAYALS, Label
from .where import Condition

Cells = dict[str | None, np.ndarray]
"""By group, how many documents, bytes and tokens each stratum holds: arrays (strata, 3)."""


@dataclass(frozen=True)
class Frame:
    """The strata of a catalogue.

    `label` is whose score counts, None for the highest of the three portrayals; `edges` part the
    scores, a score on an edge being above it. Strata are numbered by score, then the control strata
    `screen` and `gate`, by rate.
    """

    label: Label | None
    edges: tuple[float, ...]
    screen_rates: tuple[float, ...]
    gate_rates: tuple[float, ...]

    @property
    def names(self) -> list[str]:
        """What the strata are called, in order."""
        bounds = [0.0, *self.edges, 1.0]
        scored = [f"{a:.4g}-{b:.4g}" for a, b in pairwise(bounds)]
        return [*scored, *_named("screen", self.screen_rates), *_named("gate", self.gate_rates)]

    @property
    def scored(self) -> int:
        """How many strata are of documents with a verdict."""
        return len(self.edges) + 1

    @property
    def score(self) -> str:
        """The score in SQL, of rows of `documents`."""
        return self.label or f"greatest({', '.join(PORTRAYALS)})"

    @property
    def above(self) -> str:
        """The number of a stratum of score in SQL, of rows of `documents` with a verdict."""
        return " + ".join(["0", *(f"({self.score} >= {edge!r})::INT" for edge in self.edges)])

    def control_index(self, kind: str, rate: float) -> int:
        """Return the number of the control stratum `screen` or `gate` of a rate."""
        if kind == "screen":
            return self.scored + self.screen_rates.index(rate)
        return self.scored + len(self.screen_rates) + self.gate_rates.index(rate)

    def cells(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        by: str | None = None,
        where: Condition | None = None,
    ) -> Cells:
        """Return the exact size of each stratum, in all (`all`) or by a column that is counted.

        Args:
            connection: the catalogue.
            by: source, domain, month, shard or language.
            where: only these documents; it may read nothing but columns that are counted.
        """
        condition, bound = where.sql() if where else ("true", [])
        of_domains = by == "domain" or (where is not None and "domain" in where.columns)
        group = by or "'all'"
        screen = _rate_index("control_rate_screen", self.screen_rates, self.scored)
        gate = _rate_index(
            "control_rate_gate", self.gate_rates, self.scored + len(self.screen_rates)
        )
        sums = "count(*), sum(bytes), coalesce(sum(tokens), 0)"
        cells: Cells = {}

        def add(query: str, sign: int) -> None:
            for name, stratum, *counts in connection.execute(query, bound).fetchall():
                cell = cells.setdefault(name, np.zeros((len(self.names), 3), dtype=np.int64))
                cell[int(stratum)] += sign * np.array(counts, dtype=np.int64)

        counted = "sum(documents), sum(bytes), coalesce(sum(tokens), 0)"
        table = _with_rates("domains" if of_domains else "totals", self)
        documents = _with_rates("documents", self)
        add(f"SELECT {group}, {gate}, {counted} FROM {table} WHERE {condition} GROUP BY 1, 2", 1)  # noqa: S608
        tagged = f"FROM {documents} WHERE {condition} GROUP BY 1, 2"
        add(f"SELECT {group}, {gate}, {sums} {tagged}", -1)
        add(
            f"SELECT {group}, CASE WHEN ai_agent IS NULL THEN {screen} ELSE {self.above} END, "
            f"{sums} {tagged}",
            1,
        )
        return cells


def judged_cells(
    connection: duckdb.DuckDBPyConnection, frame: Frame, group: str
) -> dict[int, np.ndarray]:
    """Return the size of each stratum's documents with a verdict, by an SQL expression of integers.

    Arrays (strata, 3) as in `Cells`, zero in the control strata.
    """
    cells: dict[int, np.ndarray] = {}
    query = (
        f"SELECT {group}, {frame.above}, count(*), sum(bytes), coalesce(sum(tokens), 0) "  # noqa: S608
        "FROM documents WHERE ai_agent IS NOT NULL GROUP BY 1, 2"
    )
    for name, stratum, *counts in connection.execute(query).fetchall():
        cell = cells.setdefault(int(name), np.zeros((len(frame.names), 3), dtype=np.int64))
        cell[int(stratum)] += np.array(counts, dtype=np.int64)
    return cells


def read_frame(
    connection: duckdb.DuckDBPyConnection, label: Label | None, edges: tuple[float, ...]
) -> Frame:
    """Return the frame of a catalogue with these strata of score."""
    rates = [
        connection.execute(f"SELECT DISTINCT {column} FROM receipts ORDER BY 1").fetchall()  # noqa: S608
        for column in ("control_rate_screen", "control_rate_gate")
    ]
    screen, gate = (tuple(float(rate) for (rate,) in rows) for rows in rates)
    return Frame(label, edges, screen, gate)


def strata_of(frame: Frame, cells: Cells, drawable: np.ndarray, drawn: np.ndarray) -> list[Stratum]:
    """Return the strata with their counts, as a design keeps them.

    Raises:
        TagsError: the tags count more candidates than there are documents.
    """
    counts = cells["all"]
    if (counts < 0).any():
        raise TagsError("the tags hold more candidates than documents: scan into a new folder")
    bounds = [0.0, *frame.edges, 1.0]
    return [
        Stratum(
            name=name,
            low=bounds[i] if i < frame.scored else None,
            high=bounds[i + 1] if i < frame.scored else None,
            documents=int(counts[i, 0]),
            bytes=int(counts[i, 1]),
            tokens=int(counts[i, 2]) or None,
            drawable=int(drawable[i]),
            drawn=int(drawn[i]),
        )
        for i, name in enumerate(frame.names)
    ]


def _named(kind: str, rates: tuple[float, ...]) -> list[str]:
    if len(rates) == 1:
        return [kind]
    short = [f"{kind} at {rate:.3g}" for rate in rates]
    # Pools find a stratum by its name, so no two may share one.
    return short if len(set(short)) == len(rates) else [f"{kind} at {rate!r}" for rate in rates]


def _rate_index(column: str, rates: tuple[float, ...], first: int) -> str:
    """Return the SQL of a control stratum's number: constant where there is one rate."""
    if len(rates) == 1:
        return str(first)
    return f"{first - 1} + list_position({list(rates)!r}, {column})"


def _with_rates(table: str, frame: Frame) -> str:
    if len(frame.screen_rates) == len(frame.gate_rates) == 1:
        return table
    rates = "shard, first_row, control_rate_screen, control_rate_gate"
    return f"(SELECT * FROM {table} JOIN (SELECT {rates} FROM receipts) USING (shard, first_row))"  # noqa: S608
