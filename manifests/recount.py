"""Counts what a shard file holds, from the file itself."""

import gzip
import io
import json
from pathlib import Path
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from ..errors import ManifestError, one_line

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
    try:
        if path.suffix == ".parquet":
            return _recount_parquet(path, column)
        with _open(path) as lines:
            sizes = [_size(_parse(line), column) for line in lines]
        return len(sizes), sum(sizes)
    except (
        OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zstandard.ZstdError,
        pa.ArrowException,
    ) as error:  # fmt: skip
        raise ManifestError(
            f"{path} cannot be counted ({one_line(error)}): remove what was reweighed and reweigh "
            "again"
        ) from error


def _recount_parquet(path: Path, column: str) -> tuple[int, int]:
    documents = size = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[column]):
            documents += batch.num_rows
            sizes = pc.call_function("binary_length", [batch.column(column)])
            size += pc.call_function("sum", [sizes]).as_py() or 0
    return documents, size


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


def _size(record: dict[str, Any], column: str) -> int:
    text = record.get(column) or ""
    try:
        return len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate counts as U+FFFD, as in a scan
        return len(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode())
