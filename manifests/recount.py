"""Counts what a shard file holds, and what is wrong in it, from the file itself."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from ..errors import ManifestError, one_line
from .partition import Piece
from .reweighed import SPANS_COLUMN

_LINES_AT_ONCE = 10_000
_SPANS = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))

_LINES = (".jsonl", ".ndjson")
ENDINGS = (".parquet", *(line + packed for line in _LINES for packed in ("", ".gz", ".zst")))
"""How the names of shard files end."""


def recount(path: Path, column: str) -> tuple[int, int]:
    """Return how many documents a shard file holds, and how many UTF-8 bytes of text.

    Args:
        path: a file of Parquet or JSON lines, plain or packed by gzip or zstd.
        column: where the text is; a null is an empty document.

    Raises:
        ManifestError: the file is missing, torn, or has no such column.
    """
    documents = size = 0
    with _telling(path):
        for texts in _columns(path, [column]):
            documents += texts.num_rows
            size += pc.sum(pc.binary_length(texts.column(column))).as_py() or 0
    return documents, size


def wrong_marks(path: Path, column: str, piece: Piece) -> tuple[int, int]:
    """Count the documents of a shard file whose marks are not as their bucket's action says.

    Args:
        path: a file of Parquet or JSON lines, plain or packed by gzip or zstd.
        column: where the text is.
        piece: the bucket.

    Returns:
        Documents whose spans do not lie in their text, as 0 <= start < end <= its length in code
        points, and documents that do not begin with their prefix.

    Raises:
        ManifestError: the file is missing, torn, or has no column for spans where it should.
    """
    spans = prefixes = 0
    masks = piece.action == "mask_spans"
    with _telling(path):
        for rows in _columns(path, [column, SPANS_COLUMN] if masks else [column]):
            text = rows.column(column)
            if masks:
                spans += _outside(rows.column(SPANS_COLUMN), text)
            if piece.prefix is not None and piece.before == "document":
                begins = pc.starts_with(text, pattern=piece.prefix)
                prefixes += pc.sum(pc.invert(begins)).as_py() or 0
    return spans, prefixes


def _outside(spans: pa.Array, text: pa.LargeStringArray) -> int:
    documents = pc.list_parent_indices(spans)
    start, end = (pc.list_flatten(spans).field(name).to_numpy(False) for name in ("start", "end"))
    marked = np.unique(documents.to_numpy())
    lengths = np.zeros(len(text), np.int64)
    # Spans refer to the text as it was scanned: with invalid UTF-8 replaced.
    texts = text.view(pa.large_binary()).take(pa.array(marked)).to_pylist()
    lengths[marked] = [len((value or b"").decode("utf-8", "replace")) for value in texts]
    # A null is not a number here, which compares as false: it counts as wrong.
    right = (start >= 0) & (start < end) & (end <= lengths[documents.to_numpy()])
    return len(np.unique(documents.to_numpy()[~right]))


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Say in one line what any library raises because a file is not as it was written."""
    try:
        yield
    except (
        OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zstandard.ZstdError,
        pa.ArrowException,
    ) as error:  # fmt: skip
        raise ManifestError(
            f"{path} cannot be counted ({one_line(error)}): remove what was reweighed and reweigh "
            "again"
        ) from error


def _columns(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read some columns of a file, its text first, as plain strings of valid UTF-8."""
    if path.suffix != ".parquet":
        with _open(path) as lines:
            while batch := list(islice(lines, _LINES_AT_ONCE)):
                yield _records([_parse(line) for line in batch], columns)
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            if lacking := [name for name in columns if name not in batch.schema.names]:
                raise KeyError(f"no column {', '.join(lacking)}")
            yield pa.RecordBatch.from_arrays(
                [_plain(batch.column(columns[0])), *map(batch.column, columns[1:])], columns
            )


def _records(records: list[dict[str, Any]], columns: list[str]) -> pa.RecordBatch:
    text = pa.array([_valid(record.get(columns[0])) for record in records], pa.large_string())
    others = [pa.array([record[name] for record in records], _SPANS) for name in columns[1:]]
    return pa.RecordBatch.from_arrays([text, *others], columns)


def _plain(text: pa.Array) -> pa.Array:
    kind = text.type.value_type if pa.types.is_dictionary(text.type) else text.type
    text = text.cast(kind)
    # A cast between string types must not stop at invalid UTF-8, which a scan counts as it is.
    text = text.cast(pa.binary()) if pa.types.is_string_view(kind) else text
    return text.cast(pa.large_binary()).view(pa.large_string())


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if path.suffix == ".zst":
        unpacked = zstandard.ZstdDecompressor().stream_reader(
            path.open("rb"), read_across_frames=True, closefd=True
        )
        return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", unpacked), 2**20))
    return path.open("rb")


def _parse(line: bytes) -> dict[str, Any]:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # invalid UTF-8 or a lone surrogate, which a scan repairs
        return json.loads(line.decode("utf-8", "replace"))


def _valid(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate counts as U+FFFD, as in a scan
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
