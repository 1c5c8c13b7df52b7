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
from ..store.condition import COLUMNS, DOCUMENT_COLUMNS
from .draw import copies
from .policy import Bucket, Policy

Mode = Literal["buckets", "realised"]
Match = Literal["row", "doc_id", "text_hash"]
MODES: tuple[Mode, ...] = ("buckets", "realised")

DOCUMENTS_FILE = "documents.parquet"


def first_match(
    buckets: Sequence[Bucket], *, untagged: bool = False, without: frozenset[int] = frozenset()
) -> tuple[str, list[Any]]:
    """Return a DuckDB expression for the index of the bucket that takes a row, and its parameters.

    Args:
        buckets: the policy's buckets; the index of the rest is their number.
        untagged: read only the columns that a document without a tag row has.
        without: indices of buckets that take nothing.
    """
    branches: list[str] = []
    bound: list[Any] = []
    for index, bucket in enumerate(buckets):
        condition = bucket.condition
        if index in without or (untagged and not condition.matches_untagged()):
            continue
        sql, parameters = condition.sql(untagged=untagged)
        branches.append(f"WHEN {sql} THEN {index}")
        bound.extend(parameters)
    rest = str(len(buckets))
    return (f"CASE {' '.join(branches)} ELSE {rest} END" if branches else rest), bound


@dataclass(frozen=True)
class Assignment:
    """The buckets and copies of any part of the corpus; cheap to make and to pickle.

    Args:
        folder: the manifest's folder, for its list of documents.
        policy: the manifest's policy.
        weights: how often a document of each bucket is to be seen, in the order of
            `policy.names`.
    """

    folder: Path
    policy: Policy
    weights: tuple[float, ...]

    def buckets(
        self, documents: pa.Table, *, shard: str, first_row: int, end_row: int, match: Match = "row"
    ) -> np.ndarray:
        """Return the bucket of each document of one part, as an index into `policy.names`.

        Args:
            documents: the part's documents with the columns `row, source, domain, month,
                language, bytes, tokens`, and `doc_id` or `text_hash` where matched by it.
            shard: the part's shard, as in the manifest where matched by row.
            first_row: the part's first row.
            end_row: the row after its last.
            match: by what a document is found in the manifest's list. `doc_id` and `text_hash`
                still find it where the corpus was re-sharded or deduplicated since; where several
                listed documents share one, the bucket that stands first in the policy counts.

        Returns:
            An int64 array in the order of `documents`.

        Raises:
            ManifestError: `documents` lacks a column, or the manifest's list cannot be read.
        """
        needed = {"row", match, *DOCUMENT_COLUMNS}
        if lacking := sorted(needed.difference(documents.column_names)):
            raise ManifestError(
                f"the documents of {shard} have no column {', '.join(lacking)}, which placing them "
                "needs: match by another of row, doc_id, text_hash"
            )
        ordinals = pa.array(np.arange(documents.num_rows))
        types = pa.schema([(name, COLUMNS[name]) for name in sorted(needed)])
        part = documents.select(types.names).cast(types).append_column("ordinal", ordinals)
        rule, rule_bound = first_match(self.policy.buckets, untagged=True)
        where, where_bound = "", []
        if match == "row":
            where = 'WHERE shard = ? AND "row" >= ? AND "row" < ?'
            where_bound = [shard, first_row, end_row]
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.register("part", part)
            try:
                found = connection.execute(
                    f"""WITH listed AS (
                        SELECT "{match}" AS key, min(list_position(?::VARCHAR[], bucket)) - 1 AS b
                        FROM read_parquet(?) {where} GROUP BY 1)
                    SELECT coalesce(listed.b, {rule}) AS b
                    FROM part LEFT JOIN listed ON part."{match}" = listed.key
                    ORDER BY ordinal""",  # noqa: S608 (identifiers from fixed lists)
                    [list(self.policy.names), self._documents(), *where_bound, *rule_bound],
                ).fetchnumpy()["b"]
            except duckdb.Error as error:
                raise ManifestError(
                    f"{self._documents()} cannot be matched with {shard} by {match} "
                    f"({str(error).splitlines()[0]}): build the manifest again"
                ) from error
        return np.asarray(found, dtype=np.int64)

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
        for index, (name, weight) in enumerate(zip(self.policy.names, self.weights, strict=True)):
            here = np.flatnonzero(buckets == index)
            if mode == "buckets":
                written[here] = not self.dropped(index)
            else:
                written[here] = copies(
                    rows[here],
                    weight=weight,
                    seed=self.policy.seed,
                    shard=shard,
                    first_row=first_row,
                    bucket=name,
                )
        return written

    def dropped(self, index: int) -> bool:
        """Return whether the bucket of this index is dropped by its action; `rest` never is."""
        return index < len(self.policy.buckets) and self.policy.buckets[index].action == "drop"

    def _documents(self) -> str:
        return str(self.folder / DOCUMENTS_FILE)
