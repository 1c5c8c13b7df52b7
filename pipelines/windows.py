"""Windows on a part: some rows as they stand in the file, and as documents, from one reading."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import xxhash

from .batches import Batch, Columns
from .jsonl import line_ends, read_blocks
from .parquet import read_rows
from .parts import Part

LINE = "line"
"""The one column of a window on JSON lines: each line with its line feed."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a part, read at one time.

    Attributes:
        table: a row for each row of the file with all its columns; of JSON lines the column `LINE`.
            Its memory may be that of the file's next window: what is kept must be copied.
        first_row: the number of its first row.
        batch: the documents among the rows, in the schema `BATCH`.
    """

    table: pa.RecordBatch
    first_row: int
    batch: Batch

    @property
    def rows(self) -> np.ndarray:
        """The row number of each document, ascending."""
        return self.batch.table.column("row").to_numpy()


def read_windows(part: Part, columns: Columns) -> Iterator[Window]:
    """Read a part of Parquet or JSON lines once, in order and without gaps.

    Raises:
        SourceError: a column is missing. Torn files raise whatever their library does.
    """
    if part.shard.format == "parquet":
        row = part.first_row
        for table, batch in read_rows(part, columns):
            yield Window(table, row, batch)
            row = batch.end_row
        return
    row = 0
    for block, batches in read_blocks(part, columns):
        lines, first_row = _lines(block), row
        for batch in batches:
            table = lines.slice(row - first_row, batch.end_row - row)
            yield Window(table, row, batch)
            row = batch.end_row


def hash_texts(text: pa.LargeStringArray, *, repair: bool) -> np.ndarray:
    """Return the xxh3_64 of each text: uint64.

    Args:
        text: the texts; a null is an empty one.
        repair: whether some may hold invalid UTF-8, which is replaced as by a scan.
    """
    ends = np.frombuffer(text.buffers()[1], np.int64)[text.offset :][: len(text) + 1].tolist()
    data = memoryview(text.buffers()[2] or b"")
    digest = xxhash.xxh3_64_intdigest
    pieces = (data[start:end] for start, end in pairwise(ends))
    if repair:
        pieces = (bytes(piece).decode("utf-8", "replace").encode() for piece in pieces)
    return np.fromiter((digest(piece) for piece in pieces), np.uint64, len(text))


def _lines(block: memoryview) -> pa.RecordBatch:
    ends = line_ends(block) + 1
    if ends[-1] > len(block):  # a file's last line may lack its line feed
        block = memoryview(bytes(block) + b"\n")
    offsets = np.concatenate([[0], ends])
    lines = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    )
    return pa.RecordBatch.from_arrays([lines], [LINE])
