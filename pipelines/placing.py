"""Where a part's documents go: the bucket of each, and the entry of the manifest's list it is.

The same as `Assignment.buckets`, a test compares them, for many small windows: what the manifest
holds is read once, and conditions are asked only for the columns that they read, if any.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..manifests.assign import Assignment, Match, first_match
from ..manifests.takedown import load_takedown, values_of
from ..store.condition_columns import DOCUMENT_COLUMNS
from .counts import domains, months
from .listed import Listed
from .parts import Part
from .windows import Window, hash_texts

_DERIVED: dict[str, tuple[str, Callable[[pa.Array], pa.Array]]] = {
    "month": ("date", months),
    "domain": ("url", domains),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where the documents of a window go.

    Attributes:
        buckets: of each document, an index into the partition: int64.
        entries: the ordinal of the entry of the list that each was found to be, or −1: int64.
    """

    buckets: np.ndarray
    entries: np.ndarray


class Placer:
    """Places the documents of any window of any part.

    Args:
        assignment: the manifest's assignment.
        match: by what a document is found in the manifest's list.
    """

    def __init__(self, assignment: Assignment, match: Match) -> None:
        self._assignment = assignment
        self._match: Match = match
        self._rule, self._bound = first_match(assignment.partition.pieces, untagged=True)
        conditions = (piece.condition for piece in assignment.partition.pieces)
        asked = (c.columns for c in conditions if c is not None and c.matches_untagged())
        self._read = frozenset[str]().union(*asked).intersection(DOCUMENT_COLUMNS)

    def place(self, window: Window, listed: Listed, part: Part) -> Places:
        """Return where the documents of a window go.

        Args:
            window: some rows of the part.
            listed: of match `row` what the manifest lists of the part, else all that it lists.
            part: the part.

        Raises:
            ManifestError: the manifest's takedown list cannot be read.
        """
        documents = window.batch.table
        hashes = None
        if "text_hash" in (self._match, *self._assignment.taken_down_by):
            text = documents.column("text")
            hashes = pa.array(hash_texts(text, repair=bool(window.batch.invalid_utf8)))
        found_by_hash = self._match == "text_hash" and hashes is not None
        entries = listed.find(hashes if found_by_hash else documents.column(self._match))
        buckets = self._by_rule(documents)
        found = entries >= 0
        buckets[found] = listed.buckets[entries[found]]
        for column in self._assignment.taken_down_by:
            values = hashes if column == "text_hash" else documents.column(column)
            buckets[self._taken_down(column, values, part.shard.name)] = 0
        return Places(buckets, entries)

    def _by_rule(self, documents: pa.RecordBatch) -> np.ndarray:
        """Return where documents fall that are on no list."""
        columns = {"row": documents.column("row")}
        for name in sorted(self._read):
            source, derive = _DERIVED.get(name, (name, lambda column: column))
            columns[name] = derive(documents.column(source))
        if not self._read:  # it is the same for all of them
            columns["row"] = columns["row"].slice(0, 1)
        self._connection.register("part", pa.table(columns))
        rule = f"SELECT {self._rule} AS b FROM part"  # noqa: S608 (identifiers from the schema)
        found = self._connection.sql(rule, params=self._bound).to_arrow_table()["b"].to_numpy()
        return np.resize(found.astype(np.int64), documents.num_rows)

    def _taken_down(self, column: str, values: pa.Array, shard: str) -> np.ndarray:
        if column == "row":
            rows = [int(row) for name, _, row in self._documents if name == shard]
            return np.isin(values.to_numpy(), rows)
        on_list = pc.is_in(values, value_set=self._listed_values[column])
        return on_list.to_numpy(zero_copy_only=False)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(config={"threads": 1})

    @cached_property
    def _takedown(self) -> pa.Table:
        return load_takedown(self._assignment.folder)

    @cached_property
    def _documents(self) -> list[tuple[str, str, str]]:
        return [value.rpartition("#") for value in values_of(self._takedown, "document")]

    @cached_property
    def _listed_values(self) -> dict[str, pa.Array]:
        hashes = [int(value, 16) for value in values_of(self._takedown, "text_hash")]
        return {
            "doc_id": pa.array(values_of(self._takedown, "doc_id"), pa.string()),
            "text_hash": pa.array(hashes, pa.uint64()),
        }
