"""JSON lines, plain or packed, one object a line.

What a line means is said once, by `_LineReader`, which reads a line as a Python object. Most blocks
of lines need no such care: Arrow parses them whole into columns, some twice as fast, and what it
cannot read, or might read otherwise, is read line by line.
"""

import io
import json
from collections.abc import Iterator
from typing import IO, Any, cast

import fsspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json
from isal import igzip

from .batches import BATCH, Batch, BatchBuilder, Columns, encode, missing_column
from .parts import Part

_BLOCK_BYTES = 8 * 2**20
_READ_BYTES = 2**18


def open_unpacked(path: str) -> IO[bytes]:
    """Open a file at any fsspec URL, unpacking gzip and zstd by ending."""
    filesystem, name = fsspec.core.url_to_fs(path)
    raw = cast("IO[bytes]", filesystem.open(name, "rb"))
    if path.endswith(".gz"):
        return cast("IO[bytes]", igzip.open(raw, "rb"))
    if path.endswith(".zst"):
        # Arrow's, since zstandard's own takes a frame that was cut short for its end.
        reader = pa.CompressedInputStream(raw, "zstd")
        return io.BufferedReader(cast("io.RawIOBase", reader), 2**20)
    return raw


def read_jsonl(part: Part, columns: Columns) -> Iterator[Batch]:
    """Read a file of JSON lines as batches.

    A line that is no JSON object, or whose text is no string, is counted and named as unreadable; a
    null text is an empty document. Invalid UTF-8 and lone surrogates are replaced and counted.

    Three oddities count as unreadable or not by what else is in their block, since Arrow reads past
    them in fields that nobody asked for: a bare `Inf` or `-NaN`, an integer of more than 4,300
    digits, and nesting deeper than some thousand levels.

    Raises:
        SourceError: no line has the text column, or the first line lacks one asked for by name.
    """
    for _, batches in read_blocks(part, columns):
        yield from batches


def read_blocks(part: Part, columns: Columns) -> Iterator[tuple[memoryview, Iterator[Batch]]]:
    """Read a file of JSON lines as blocks of whole lines, and the batches of each block's rows.

    A block stands only until the next is asked for, and all its batches must be taken by then.

    Raises:
        SourceError: as for `read_jsonl`.
    """
    lines = _LineReader(part, columns)
    schema = _schema(columns)
    with open_unpacked(part.shard.path) as file:
        for block in _blocks(file):
            table = _parse_block(block, schema) if lines.knows_columns(block) else None
            if table is None:
                yield block, lines.read(block)
            else:
                text, *values = (
                    table.column(name).chunk(0) for name in [columns.text, *lines.names]
                )
                yield block, lines.builder.take_columns(text, values)
    lines.check_text()


class _LineReader:
    """Reads lines one by one, with all their oddities.

    Args:
        part: the part, for messages.
        columns: the names of what is read.
    """

    def __init__(self, part: Part, columns: Columns) -> None:
        self._part = part
        self._text = columns.text
        self._optional = list(columns.optional())
        self.names = [name for _, name, _ in self._optional]
        self._present: list[str] = []
        self._has_text = False
        self.builder = BatchBuilder(column for column, _, _ in self._optional)

    def read(self, block: memoryview) -> Iterator[Batch]:
        """Read the lines of a block."""
        for line in io.BytesIO(block):
            record, repaired = self._parse(line)
            if record is None:
                self.builder.skip(unreadable=True)
                continue
            text = record.get(self._text)
            data, clean = encode(text) if text is not None else (None, True)
            self.builder.invalid_utf8 += repaired or not clean
            self.builder.add(data, tuple(map(record.get, self.names)))
            if self.builder.is_full:
                yield self.builder.take()
        if not self.builder.is_empty:
            yield self.builder.take()

    def knows_columns(self, block: memoryview) -> bool:
        """Whether nothing more is to be learnt of the columns there are, if need be by a look."""
        if not (self._present and self._has_text):
            self._parse(next(io.BytesIO(block)))
        return bool(self._present) and self._has_text

    def check_text(self) -> None:
        """Raise SourceError if lines were read and none has the text column."""
        if self._present and not self._has_text:
            raise missing_column(self._part, self._text, self._present, "text")

    def _parse(self, line: bytes) -> tuple[dict[str, Any] | None, bool]:
        """Return a line's object, None if it is unreadable, and whether it had to be repaired."""
        record, repaired = _load(line)
        if not isinstance(record, dict) or not isinstance(record.get(self._text), str | None):
            return None, False
        if not self._present:
            self._present = list(record)
            for column, name, asked in self._optional:
                if asked and name not in record:
                    raise missing_column(
                        self._part, name, self._present, column.removeprefix("doc_")
                    )
        self._has_text = self._has_text or self._text in record
        return record, repaired


def _load(line: bytes) -> tuple[Any, bool]:
    try:
        return orjson.loads(line), False
    except orjson.JSONDecodeError:
        text = line.decode("utf-8", errors="replace")
    try:
        return json.loads(text), text.encode() != line
    except (ValueError, RecursionError):
        return None, False


def _blocks(file: IO[bytes]) -> Iterator[memoryview]:
    """Cut a file into blocks of whole lines; each stands only until the next is asked for."""
    # One buffer, filled by small reads: fresh memory costs a third of the time of unpacking.
    buffer, filled = bytearray(2 * _BLOCK_BYTES), 0
    while piece := file.read(_READ_BYTES):
        start, filled = filled, filled + len(piece)
        if filled > len(buffer):
            buffer = buffer + bytes(len(buffer))
        buffer[start:filled] = piece
        if filled > _BLOCK_BYTES and (end := buffer.rfind(b"\n", start, filled) + 1):
            yield memoryview(buffer)[:end]
            rest = buffer[end:filled]
            if len(buffer) > 2 * _BLOCK_BYTES:
                buffer = bytearray(2 * _BLOCK_BYTES)
            filled = len(rest)
            buffer[:filled] = rest
    if filled:
        yield memoryview(buffer)[:filled]


def line_ends(block: memoryview) -> np.ndarray:
    """Return where the lines of a block end, each at its line feed or the block's end."""
    buffer = cast("bytearray", block.obj)  # which can be searched, as a view cannot
    ends, end = [], buffer.find(b"\n", 0, len(block))
    while end >= 0:
        ends.append(end)
        end = buffer.find(b"\n", end + 1, len(block))
    if block[-1] != ord("\n"):
        ends.append(len(block))
    return np.array(ends)


def _schema(columns: Columns) -> pa.Schema:
    kinds: dict[str, pa.DataType] = {columns.text: BATCH.field("text").type}
    kinds |= {name: BATCH.field(column).type for column, name, _ in columns.optional()}
    return pa.schema(kinds)


def _parse_block(block: memoryview, schema: pa.Schema) -> pa.Table | None:
    """Return the columns of a block of lines, or None where only reading each line is sure.

    Arrow reads JSON values one after the other, whatever lines they stand on. If no line begins or
    ends inside an object, and there are as many objects as lines, there is one in each.
    """
    data = np.frombuffer(block, np.uint8)
    ends = line_ends(block)
    starts = np.append(0, ends[:-1] + 1)
    if (data[starts] != ord("{")).any() or (data[ends - 1] != ord("}")).any():
        return None
    buffer = pa.py_buffer(block)
    offsets = pa.py_buffer(np.array([0, len(block)]))
    try:
        pa.LargeStringArray.from_buffers(1, offsets, buffer).validate(full=True)
        table = pyarrow.json.read_json(
            pa.BufferReader(buffer),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowException:  # invalid UTF-8, a number for a string, a name twice, no JSON …
        return None
    one_each = table.num_rows == len(ends) == len(table.column(0).chunk(0))
    return table if one_each else None
