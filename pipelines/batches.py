"""Batches: what every format is read into, so that gating and counting know only Arrow columns."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa

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
    """Gathers documents from a format that is read one by one, and hands them over as batches."""

    def __init__(self, first_row: int = 0) -> None:
        self.next_row = first_row
        self.unreadable: list[int] = []
        self.invalid_utf8 = 0
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, text: bytes | None, *, bytes: int, html: bool = False, **values: Any) -> None:
        """Add the next row as a document; `text` is valid UTF-8 or None, `bytes` its size."""
        self._rows.append(
            {"row": self.next_row, "text": text, "bytes": bytes, "html": html, **values}
        )
        self._bytes += bytes
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

    def take(self) -> Batch:
        """Return what was gathered as a batch, and begin anew."""
        columns = [
            pa.array([row.get(column.name) for row in self._rows], pa.large_binary()).cast(
                column.type
            )
            if column.name == "text"
            else pa.array([row.get(column.name) for row in self._rows], column.type)
            for column in BATCH
        ]
        batch = Batch(
            pa.RecordBatch.from_arrays(columns, schema=BATCH),
            self.next_row,
            self.unreadable,
            self.invalid_utf8,
        )
        self.unreadable, self.invalid_utf8, self._rows, self._bytes = [], 0, [], 0
        return batch


def missing_column(part: Part, column: str, present: list[str], option: str) -> SourceError:
    """Return the error for a column that a shard does not have, naming those it has."""
    return SourceError(
        f"{part.shard.name} has no column {column!r}: it has {', '.join(present) or 'none'}; "
        f"name the right one with --{option}-column"
    )
