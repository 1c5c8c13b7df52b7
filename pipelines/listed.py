"""The documents that a manifest lists, to be found by row, by doc_id or by text_hash."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from ..errors import ManifestError, one_line
from ..manifests.assign import DOCUMENTS_FILE, Assignment, Match
from .parts import Part

_COLUMNS = ["row", "doc_id", "text_hash", "bucket", "spans", "places"]


class Listed:
    """Some rows of a manifest's list, one for each key: an entry's ordinal is its place here.

    Where several rows share a key, the one whose bucket stands first counts, and of those the first
    of the list.

    Attributes:
        buckets: of each entry, an index into the partition.
        text_hash: of each entry's text when it was scanned.
        spans: of each entry, null where there are none; `places` likewise.
        without_key: rows without a doc_id by bucket, which nothing can find.
        repeated: rows that share their key with an earlier one.
    """

    def __init__(self, rows: pa.Table, assignment: Assignment, match: Match) -> None:
        self._match: Match = match
        names = pa.array(assignment.partition.names)
        buckets = pc.index_in(rows["bucket"], value_set=names).to_numpy()
        keyed = rows[match].is_valid().to_numpy()
        self.without_key = np.bincount(buckets[~keyed], minlength=len(names))
        rows, buckets = rows.filter(pa.array(keyed)), buckets[keyed]
        keys = keys_of(rows[match])
        order = np.lexsort((buckets, keys))
        self._keys, first = np.unique(keys[order], return_index=True)
        order = order[first]
        self.repeated = len(rows) - len(order)
        self.buckets = buckets[order].astype(np.int64)
        kept = rows.take(pa.array(order))
        self._values = _whole(kept[match])
        self.text_hash = kept["text_hash"].to_numpy()
        self.spans, self.places = (_whole(kept[name]) for name in ("spans", "places"))

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, values: pa.Array) -> np.ndarray:
        """Return the ordinal of the entry that each value finds, or −1: int64."""
        found = np.full(len(values), -1, dtype=np.int64)
        if not len(self):
            return found
        keys = keys_of(values)
        place = np.searchsorted(self._keys, keys).clip(max=len(self) - 1)
        hits = np.flatnonzero((self._keys[place] == keys) & values.is_valid().to_numpy(False))
        if self._match == "doc_id" and len(hits):  # two ids may share a hash
            same = pc.equal(values.take(pa.array(hits)), self._values.take(pa.array(place[hits])))
            hits = hits[same.to_numpy(zero_copy_only=False)]
        found[hits] = place[hits]
        return found


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def keys_of(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return values as numbers that sort fast: whole numbers as they are, strings by xxh3_64."""
    if pa.types.is_integer(values.type):
        return values.to_numpy().astype(np.uint64)
    digest = xxhash.xxh3_64_intdigest
    texts = values.cast(pa.binary()).to_pylist()
    return np.fromiter((digest(text or b"") for text in texts), np.uint64, len(texts))


def read_listed(assignment: Assignment, match: Match, part: Part | None = None) -> Listed:
    """Read a manifest's list: all of it, or what it says of one part.

    Raises:
        ManifestError: the list cannot be read.
    """
    path = Path(assignment.folder) / DOCUMENTS_FILE
    filters = None
    if part is not None:
        filters = [("shard", "==", part.shard.name), ("row", ">=", part.first_row)]
        if part.end_row is not None:
            filters.append(("row", "<", part.end_row))
    try:
        rows = pq.read_table(path, columns=_COLUMNS, filters=filters, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(
            f"{path} cannot be read ({one_line(error)}): build the manifest again"
        ) from error
    return Listed(rows, assignment, match)
