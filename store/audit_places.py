"""What of a corpus an audit can draw, one by one: documents with a verdict, and control rows."""

from typing import Any

import duckdb
import numpy as np

from ..labels.draw import draws
from ..labels.taxonomy import Label
from .audit_frame import Frame
from .audits import Key
from .design import stratum_of


class Places:
    """All documents that can be drawn: those with a verdict, then the control rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, label: Label | None) -> None:
        score = Frame(label, (), (), ()).score
        judged = connection.execute(
            f"SELECT shard, row, {score} AS score FROM documents WHERE ai_agent IS NOT NULL "  # noqa: S608
            "ORDER BY shard, row"
        ).fetchnumpy()
        control = connection.execute(
            "SELECT shard, row, stratum, inclusion_probability FROM control ORDER BY shard, row"
        ).fetchnumpy()
        self.scores = np.asarray(judged["score"], dtype=np.float64)
        self.kinds = list(
            zip(control["stratum"].tolist(), control["inclusion_probability"].tolist(), strict=True)
        )
        self.shards = np.concatenate([_strings(judged["shard"]), _strings(control["shard"])])
        self.rows = np.concatenate([np.asarray(judged["row"]), np.asarray(control["row"])])

    def strata(self, frame: Frame, edges: np.ndarray) -> np.ndarray:
        """Return the stratum of each place."""
        control = [frame.control_index(kind, rate) for kind, rate in self.kinds]
        return np.concatenate(
            [stratum_of(self.scores, edges).astype(np.int64), np.array(control, dtype=np.int64)]
        )

    def are(self, keys: set[Key]) -> np.ndarray:
        """Return which places are among these."""
        if not keys:
            return np.zeros(len(self.rows), dtype=bool)
        pairs = zip(self.shards.tolist(), self.rows.tolist(), strict=True)
        return np.fromiter((pair in keys for pair in pairs), bool, len(self.rows))

    def keys(self, places: np.ndarray) -> list[Key]:
        """Return shard and row of some places."""
        return list(zip(self.shards[places].tolist(), self.rows[places].tolist(), strict=True))

    def expected(self, stratum: np.ndarray, frame: Frame) -> np.ndarray:
        """Return the mean score of each stratum, NaN where no verdict ran or nothing is."""
        scored, strata = stratum[: len(self.scores)], len(frame.names)
        sums = np.bincount(scored, weights=self.scores, minlength=strata)
        counts = np.bincount(scored, minlength=strata)
        return np.divide(sums, counts, out=np.full(strata, np.nan), where=counts > 0)

    def draw(
        self, stratum: np.ndarray, wanted: np.ndarray, free: np.ndarray, *, name: str, seed: int
    ) -> np.ndarray:
        """Return the places that are drawn of those that are free, in random order."""
        order = np.empty(len(self.rows), dtype=np.uint64)
        shards, inverse = np.unique(self.shards, return_inverse=True)
        for number, shard in enumerate(shards.tolist()):
            here = np.flatnonzero(inverse == number)
            order[here] = draws(f"audit {name}", seed, shard, self.rows[here].tolist())
        drawn: list[np.ndarray] = []
        for number, count in enumerate(wanted.tolist()):
            here = np.flatnonzero(free & (stratum == number))
            drawn.append(here[np.argsort(order[here], kind="stable")[:count]])
        chosen = np.concatenate(drawn)
        return chosen[np.argsort(order[chosen], kind="stable")]


def _strings(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=object)
