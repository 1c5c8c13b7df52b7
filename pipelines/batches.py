"""Batches: what every format is read into, so that gating and counting know only Arrow columns."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SourceError
from .parts import Part

BATCH_TEXT_BYTES = 16 * 2**20
"""How much text a batch aims to hold; one larger document makes a batch of its own."""

BATCH_ROWS = 8192

BATCH = pa.schema(
    [
        ("row", pa.int64()),
        ("text", pa.large_string()),
        ("bytes", pa.int64()),
        ("html", pa.bool_()),
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("date", pa.string()),
        ("language", pa.string()),
        ("tokens", pa.int64()),
    ]
)
"""`text` may hold invalid UTF-8 in Parquet; `html` marks a payload whose text must be extracted."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of a corpus's columns; those with the default name may be absent, except the text."""

    text: str = "text"
    id: str = "id"
    source: str = "source"
    url: str = "url"
    date: str = "date"
    language: str = "language"
    tokens: str | None = None

    def optional(self) -> Iterator[tuple[str, str, bool]]:
        """Yield (column of a batch, column of the corpus, whether it was asked for by name)."""
        for spec in fields(self)[1:]:
            if (name := getattr(self, spec.name)) is not None:
                column = {"id": "doc_id"}.get(spec.name, spec.name)
                yield column, name, name != spec.default


@dataclass(slots=True)
class Batch:
    """Some rows of a part.

    `end_row` is the row after the last one looked at; `unreadable` are rows that hold no document
    (a line that is no JSON object), which are counted and named but have no place in `table`.
    """

    table: pa.RecordBatch
    end_row: int
    unreadable: list[int] = field(default_factory=list)
    invalid_utf8: int = 0


class BatchBuilder:
    """Gathers documents from a format that is read one by one, and hands them over as batches.

    Args:
        fields: the columns of a batch whose values come with each document, in their order there.
        first_row: the number of the first row.
    """

    def __init__(self, fields: Iterable[str], first_row: int = 0) -> None:
        self.next_row = first_row
        self.unreadable: list[int] = []
        self.invalid_utf8 = 0
        self._fields = tuple(fields)
        self._begin()

    def add(
        self, text: bytes | None, values: Iterable[Any], size: int | None = None, html: bool = False
    ) -> None:
        """Add the next row as a document.

        Args:
            text: valid UTF-8, or None.
            values: one for each field, of any type: strings are kept, numbers made strings, what is
                neither is null. Of a token count only whole numbers are kept.
            size: the document's bytes, where they are not the text's.
            html: whether the text is a payload that must be extracted.
        """
        self._rows.append(self.next_row)
        self._texts.append(text)
        self._values.append(values)
        length = len(text or b"")
        self._sizes.append(length if size is None else size)
        self._html.append(html)
        self._bytes += length
        self.next_row += 1

    def skip(self, *, unreadable: bool) -> None:
        """Count the next row without a document."""
        if unreadable:
            self.unreadable.append(self.next_row)
        self.next_row += 1

    @property
    def is_full(self) -> bool:
        """Whether it is time to hand over a batch."""
        return self._bytes >= BATCH_TEXT_BYTES or len(self._rows) >= BATCH_ROWS

    @property
    def is_empty(self) -> bool:
        """Whether nothing was gathered, not even a row without a document."""
        return self.next_row == self._taken

    def take(self) -> Batch:
        """Return what was gathered as a batch, and begin anew."""
        columns: dict[str, pa.Array] = {
            "row": pa.array(self._rows, pa.int64()),
            "text": _text_column(self._texts),
            "bytes": pa.array(self._sizes, pa.int64()),
            "html": pa.array(self._html, pa.bool_()),
        }
        for name, values in zip(self._fields, zip(*self._values, strict=True), strict=False):
            columns[name] = _token_column(values) if name == "tokens" else _string_column(values)
        batch = Batch(_table(columns), self.next_row, self.unreadable, self.invalid_utf8)
        self.unreadable, self.invalid_utf8 = [], 0
        self._begin()
        return batch

    def take_columns(self, text: pa.LargeStringArray, values: list[pa.Array]) -> Iterator[Batch]:
        """Hand over the next rows where they come as columns; nothing may be gathered meanwhile."""
        size, row = len(text), self.next_row
        self.next_row = self._taken = row + size
        columns: dict[str, pa.Array] = {
            "row": pa.array(np.arange(row, row + size)),
            "text": text,
            "bytes": pc.fill_null(pc.binary_length(text), 0),
            "html": pa.repeat(False, size),
            **dict(zip(self._fields, values, strict=True)),
        }
        table = _table(columns)
        for start in range(0, size, BATCH_ROWS):
            piece = table.slice(start, BATCH_ROWS)
            yield Batch(piece, row + start + piece.num_rows)

    def _begin(self) -> None:
        self._rows: list[int] = []
        self._taken = self.next_row
        self._texts: list[bytes | None] = []
        self._values: list[Iterable[Any]] = []
        self._sizes: list[int] = []
        self._html: list[bool] = []
        self._bytes = 0


def _table(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    size = len(columns["text"])
    arrays = [columns.get(f.name, pa.nulls(size, f.type)).cast(f.type) for f in BATCH]
    return pa.RecordBatch.from_arrays(arrays, schema=BATCH)


def encode(text: str) -> tuple[bytes, bool]:
    """Return a string as UTF-8, and whether it could be said as it was.

    A lone surrogate, which JSON can spell and UTF-8 cannot, is replaced.
    """
    try:
        return text.encode(), True
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode(), False


def _text_column(texts: list[bytes | None]) -> pa.LargeStringArray:
    # From buffers: the texts are valid UTF-8 already, and joining them is their only copy.
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text or b"") for text in texts], out=offsets[1:])
    valid = pa.array([text is not None for text in texts], pa.bool_()).buffers()[1]
    data = pa.py_buffer(b"".join([text or b"" for text in texts]))
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), data, valid)


def _string_column(values: tuple[Any, ...]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError):
        return pa.array([_string(value) for value in values], pa.string())


def _string(value: Any) -> bytes | str | None:
    if isinstance(value, str):
        return encode(value)[0]
    return str(value) if isinstance(value, int | float) else None


def _token_column(values: tuple[Any, ...]) -> pa.Array:
    counts = [v if type(v) is int and -(2**63) <= v < 2**63 else None for v in values]
    return pa.array(counts, pa.int64())


def missing_column(part: Part, column: str, present: list[str], option: str) -> SourceError:
    """Return the error for a column that a shard does not have, naming those it has."""
    return SourceError(
        f"{part.shard.name} has no column {column!r}: it has {', '.join(present) or 'none'}; "
        f"name the right one with --{option}-column"
    )
