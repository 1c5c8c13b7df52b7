"""JSON lines, plain or packed, one object a line."""

import io
import json
from collections.abc import Iterator
from typing import IO, Any, cast

import fsspec
import orjson
import pyarrow as pa
from isal import igzip

from .batches import Batch, BatchBuilder, Columns, missing_column
from .parts import Part


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

    Raises:
        SourceError: no line has the text column, or the first line lacks one asked for by name.
    """
    builder = BatchBuilder()
    optional = list(columns.optional())
    present: list[str] = []
    has_text = False
    with open_unpacked(part.shard.path) as lines:
        for line in lines:
            record, repaired = _parse(line)
            text = record.get(columns.text) if record is not None else None
            if record is None or not isinstance(text, str | None):
                builder.skip(unreadable=True)
                continue
            if not present:
                present = list(record)
                for column, name, asked in optional:
                    if asked and name not in record:
                        raise missing_column(part, name, present, column.removeprefix("doc_"))
            has_text = has_text or columns.text in record
            data, clean = _encode(text)
            builder.invalid_utf8 += repaired or not clean
            values = {column: _value(column, record.get(name)) for column, name, _ in optional}
            builder.add(data, bytes=len(data or b""), **values)
            if builder.is_full:
                yield builder.take()
    if present and not has_text:
        raise missing_column(part, columns.text, present, "text")
    yield builder.take()


def _parse(line: bytes) -> tuple[dict[str, Any] | None, bool]:
    """Return a line's object, or None, and whether its bytes had to be repaired."""
    repaired = False
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        text = line.decode("utf-8", errors="replace")
        repaired = text.encode() != line
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            return None, False
    return (record, repaired) if isinstance(record, dict) else (None, False)


def _encode(text: str | None) -> tuple[bytes | None, bool]:
    if text is None:
        return None, True
    try:
        return text.encode(), True
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell and UTF-8 cannot
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode(), False


def _value(column: str, value: Any) -> Any:
    if column == "tokens":
        return value if isinstance(value, int) else None
    if value is None or isinstance(value, str):
        return None if value is None else _encode(value)[0]
    return str(value) if isinstance(value, int | float) else None
