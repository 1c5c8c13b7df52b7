"""Which bucket takes a document: the first whose condition is true, else the rest.

Documents with a tag row are told apart by the catalogue, all others by the columns that every
document has. A manifest lists only the tagged documents that fall elsewhere than the rule for
untagged ones would put them, so that `Assignment` can place every row of the corpus.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import ManifestError
from ..store.condition_columns import COLUMNS, DOCUMENT_COLUMNS
from .draw import copies
from .partition import Partition, Piece
from .takedown import TAKEDOWN_FILE

Mode = Literal["buckets", "realised"]
Match = Literal["row", "doc_id", "text_hash"]
MODES: tuple[Mode, ...] = ("buckets", "realised")

DOCUMENTS_FILE = "documents.parquet"


def first_match(
    pieces: Sequence[Piece], *, untagged: bool = False, without: frozenset[int] = frozenset()
) -> tuple[str, list[Any]]:
    """Return a DuckDB expression for the index of the piece that takes a row, and its parameters.

    Documents that a piece takes by name are those of the relation `chosen(shard, row, piece)`.

    Args:
        pieces: the pieces of a partition; the last takes what no other does.
        untagged: read only the columns that a document without a tag row has.
        without: indices of pieces that take nothing.
    """
    branches: list[str] = []
    bound: list[Any] = []
    for index, piece in enumerate(pieces[:-1]):
        if index in without:
            continue
        if piece.condition and (not untagged or piece.condition.matches_untagged()):
            sql, parameters = piece.condition.sql(untagged=untagged)
            branches.append(f"WHEN {sql} THEN {index}")
            bound.extend(parameters)
        if piece.listed and not untagged:
            branches.append(
                'WHEN (shard, "row") IN (SELECT (shard, "row") FROM chosen WHERE piece = ?) '  # noqa: S608
                f"THEN {index}"
            )
            bound.append(piece.name)
    rest = str(len(pieces) - 1)
    return (f"CASE {' '.join(branches)} ELSE {rest} END" if branches else rest), bound


@dataclass(frozen=True)
class Assignment:
    """The buckets and copies of any part of the corpus; cheap to make and to pickle.

    Args:
        folder: the manifest's folder, for its lists of documents.
        partition: the manifest's partition.
        weights: how often a document of each bucket is to be seen, in the order of
            `partition.names`.
        taken_down_by: by which columns documents without a tag row are taken down.
    """

    folder: Path
    partition: Partition
    weights: tuple[float, ...]
    taken_down_by: frozenset[str]

    def needs(self, match: Match) -> frozenset[str]:
        """Return the columns that placing documents needs."""
        return self.taken_down_by | {"row", match, *DOCUMENT_COLUMNS}

    def buckets(
        self, documents: pa.Table, *, shard: str, first_row: int, end_row: int, match: Match = "row"
    ) -> np.ndarray:
        """Return the bucket of each document of one part, as an index into `partition.names`.

        Args:
            documents: the part's documents with the columns of `needs`.
            shard: the part's shard, as in the manifest where matched by row.
            first_row: the part's first row.
            end_row: the row after its last.
            match: by what a document is found in the manifest's list. `doc_id` and `text_hash`
                still find it where the corpus was re-sharded or deduplicated since; where several
                listed documents share one, the bucket that stands first counts.

        Returns:
            An int64 array in the order of `documents`.

        Raises:
            ManifestError: `documents` lacks a column, or the manifest's list cannot be read.
        """
        rule, bound = first_match(self.partition.pieces, untagged=True)
        taken_down, more = self._taken_down(shard)
        found = self._join(
            documents,
            "min(list_position(?::VARCHAR[], bucket)) - 1 AS b",
            f"CASE WHEN {taken_down} THEN 0 ELSE coalesce(listed.b, {rule}) END AS b",
            [list(self.partition.names)],
            [*more, *bound],
            place=(shard, first_row, end_row),
            match=match,
        )
        return found["b"].to_numpy().astype(np.int64)

    def edits(
        self, documents: pa.Table, *, shard: str, first_row: int, end_row: int, match: Match = "row"
    ) -> pa.Table:
        """Return what is to be marked in each document: the arguments are those of `buckets`.

        Returns:
            In the order of `documents`, `spans` to be masked and `places` of prefixes, in code
            points of the text; null where there are none.

        Raises:
            ManifestError: as for `buckets`.
        """
        return self._join(
            documents,
            "any_value(spans) AS spans, any_value(places) AS places",
            "listed.spans, listed.places",
            [],
            [],
            place=(shard, first_row, end_row),
            match=match,
        )

    def _join(
        self, documents: pa.Table, read: str, wanted: str, read_bound: list[Any],
        wanted_bound: list[Any], *, place: tuple[str, int, int], match: Match,
    ) -> pa.Table:  # fmt: skip
        """Join a part's documents with what the manifest's list says of them, in their order."""
        needed = self.needs(match)
        if lacking := sorted(needed.difference(documents.column_names)):
            raise ManifestError(
                f"the documents of {place[0]} have no column {', '.join(lacking)}, which placing "
                "them needs: match by another of row, doc_id, text_hash"
            )
        ordinals = pa.array(np.arange(documents.num_rows))
        types = pa.schema([(name, COLUMNS[name]) for name in sorted(needed)])
        part = documents.select(types.names).cast(types).append_column("ordinal", ordinals)
        where = 'WHERE shard = ? AND "row" >= ? AND "row" < ?' if match == "row" else ""
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.register("part", part)
            try:
                return connection.sql(
                    f"""WITH listed AS (
                        SELECT "{match}" AS key, {read} FROM read_parquet(?) {where} GROUP BY 1)
                    SELECT {wanted} FROM part LEFT JOIN listed ON part."{match}" = listed.key
                    ORDER BY ordinal""",  # noqa: S608 (identifiers from fixed lists)
                    params=[
                        *read_bound, str(self.folder / DOCUMENTS_FILE), *(place if where else ()),
                        *wanted_bound,
                    ],
                ).to_arrow_table()  # fmt: skip
            except duckdb.Error as error:
                raise ManifestError(
                    f"{self.folder / DOCUMENTS_FILE} cannot be matched with {place[0]} by {match} "
                    f"({str(error).splitlines()[0]}): build the manifest again"
                ) from error

    def _taken_down(self, shard: str) -> tuple[str, list[Any]]:
        """Return the SQL of whether a document is on the takedown list, tagged or not."""
        keys = {"row": "? || '#' || part.row", "doc_id": "part.doc_id"}
        keys["text_hash"] = "printf('%016x', part.text_hash)"
        kinds = {"row": "document"}
        tests, bound = [], []
        for column in sorted(self.taken_down_by):
            tests.append(f"{keys[column]} IN (SELECT value FROM read_parquet(?) WHERE kind = ?)")  # noqa: S608
            bound += [shard] if column == "row" else []
            bound += [str(self.folder / TAKEDOWN_FILE), kinds.get(column, column)]
        # A null doc_id is on no list.
        return f"coalesce({' OR '.join(tests)}, false)" if tests else "false", bound

    def copies(
        self, rows: np.ndarray, buckets: np.ndarray, *, shard: str, first_row: int, mode: Mode
    ) -> np.ndarray:
        """Return how often each document of one part is to be written.

        Args:
            rows: the row numbers of all documents of the part, in any order.
            buckets: their buckets, from `buckets`.
            shard: the part's shard.
            first_row: the part's first row.
            mode: in `buckets` each document is written once, save those of a bucket that is
                dropped; in `realised` it is written as often as its bucket's weight asks.

        Returns:
            An int64 array in the order of `rows`.
        """
        written = np.zeros(len(rows), dtype=np.int64)
        for index, (name, weight) in enumerate(
            zip(self.partition.names, self.weights, strict=True)
        ):
            here = np.flatnonzero(buckets == index)
            if mode == "buckets":
                written[here] = not self.dropped(index)
            else:
                written[here] = copies(
                    rows[here],
                    weight=weight,
                    seed=self.partition.seed,
                    shard=shard,
                    first_row=first_row,
                    bucket=name,
                )
        return written

    def dropped(self, index: int) -> bool:
        """Return whether the bucket of this index is dropped by its action; `rest` never is."""
        return self.partition.pieces[index].action == "drop"

    def _documents(self) -> str:
        return str(self.folder / DOCUMENTS_FILE)
