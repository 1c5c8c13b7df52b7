"""Files that rows are written into, one bucket's of one part: Parquet, or JSON lines as packed."""

from contextlib import ExitStack
from pathlib import Path
from typing import IO, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from isal import igzip

from .parts import Part
from .windows import LINE

_ISAL_LEVEL = 2


class Sink(Protocol):
    """A file that is being written."""

    def write(self, table: pa.Table) -> None:
        """Write rows."""

    def close(self) -> None:
        """Finish the file."""


class ParquetSink:
    """A Parquet file, packed as its source was.

    Args:
        path: the file.
        codec: how its columns are packed.
        text_column: the column that is not tried as a dictionary, since texts hardly ever recur.
    """

    def __init__(self, path: Path, codec: str, text_column: str) -> None:
        self._path = path
        self._codec = codec
        self._text_column = text_column
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Write rows as one row group."""
        table = table.unify_dictionaries()
        if self._writer is None:
            names = [name for name in table.column_names if name != self._text_column]
            self._writer = pq.ParquetWriter(
                self._path, table.schema, compression=self._codec,
                use_dictionary=names,  # pyright: ignore[reportArgumentType]
            )  # fmt: skip
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


class LinesSink:
    """A file of JSON lines, packed as its source was.

    Args:
        path: the file.
        packing: `.gz`, `.zst` or nothing.
    """

    def __init__(self, path: Path, packing: str) -> None:
        self._open = ExitStack()
        self._file: IO[bytes] = self._open.enter_context(path.open("wb"))
        if packing == ".gz":
            # No name and no time in the header: the same lines make the same bytes.
            packed = igzip.IGzipFile("", "wb", _ISAL_LEVEL, self._file, mtime=0)
        elif packing == ".zst":
            packed = zstandard.ZstdCompressor().stream_writer(self._file, closefd=False)
        else:
            return
        self._file = cast("IO[bytes]", self._open.enter_context(packed))

    def write(self, table: pa.Table) -> None:
        """Write lines, those of a chunk at once."""
        for chunk in table[LINE].chunks:
            ends = np.frombuffer(chunk.buffers()[1], np.int64)
            data = memoryview(chunk.buffers()[2] or b"")
            self._file.write(data[ends[chunk.offset] : ends[chunk.offset + len(chunk)]])

    def close(self) -> None:
        """Finish the file."""
        self._open.close()


def open_sink(path: Path, part: Part, *, codec: str | None, text_column: str) -> Sink:
    """Open a file for rows of a part; `codec` is that of a Parquet part, else None."""
    if codec is not None:
        return ParquetSink(path, codec, text_column)
    return LinesSink(path, Path(part.shard.name).suffix)
