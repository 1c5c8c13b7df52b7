"""The texts of shard files, one document at a time, whatever the file's format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ManifestError, one_line

MASK_COLUMN = "mask_spans"
_BATCH_ROWS = 1000


@dataclass(frozen=True, slots=True)
class TextColumns:
    """Names of a corpus's columns; all but `text` may be absent."""

    text: str = "text"
    id: str | None = None
    tokens: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """One document of a shard file; an absent text is empty.

    `spans` are half-open and in code points: what no loss is taken on.
    """

    text: str
    id: str | None
    tokens: int | None
    spans: tuple[tuple[int, int], ...]


def read_texts(path: Path, columns: TextColumns) -> Iterator[Text]:
    """Yield every document of a file of Parquet or JSON lines, in order, empty ones too.

    Raises:
        ManifestError: the file cannot be read to its end.
    """
    try:
        for row in _rows_of_parquet(path, columns) if path.suffix == ".parquet" else _lines(path):
            number = row.get(columns.tokens) if columns.tokens else None
            name = row.get(columns.id) if columns.id else None
            yield Text(
                text=row.get(columns.text) or "",
                id=None if name is None else str(name),
                tokens=None if number is None else int(number),
                spans=tuple((s["start"], s["end"]) for s in row.get(MASK_COLUMN) or ()),
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ManifestError(
            f"{path} cannot be read ({one_line(error)}): remove what was reweighed and reweigh "
            "again"
        ) from error


def _rows_of_parquet(path: Path, columns: TextColumns) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        wanted = {columns.text, columns.id, columns.tokens, MASK_COLUMN}
        present = [name for name in file.schema_arrow.names if name in wanted]
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=present):
            yield from batch.to_pylist()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with fsspec.open(str(path), "rb", compression="infer") as lines:
        for line in lines:  # type: ignore[attr-defined]
            yield orjson.loads(line)
