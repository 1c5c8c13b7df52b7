"""The columns that a condition may read, and what an untagged document has of them.

A document that the gate passed over has no tag row. Of the columns it has those in
`DOCUMENT_COLUMNS`, which are counted for every row of the corpus; all others are null there.
"""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from ..labels.tag import TAGS

Kind = Literal["number", "string"]

COLUMNS: dict[str, pa.DataType] = {
    field.name: field.type for field in TAGS if field.name not in ("behaviours", "passages")
}
"""The scalar columns of tag rows, which a condition may compare."""

GROUP_COLUMNS = ("source", "domain", "month", "language")
"""Columns that the scan counts exactly for every document of the corpus."""

DOCUMENT_COLUMNS = (*GROUP_COLUMNS, "bytes", "tokens")
"""Columns that a document has whether or not it has a tag row."""

_NEVER_NULL = {field.name for field in TAGS if not field.nullable}
_SQL_TYPES = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.uint64(): "UBIGINT"}


def kind_of(column: str) -> Kind:
    """Return whether a column of `COLUMNS` holds numbers or strings."""
    return "string" if COLUMNS[column] == pa.string() else "number"


@dataclass(frozen=True)
class Column:
    """A scalar column of tag rows; `name` is a key of `COLUMNS`."""

    name: str

    def __str__(self) -> str:
        return self.name

    def sql(self, untagged: bool) -> str:
        """Return the column quoted, or a typed null where an untagged document lacks it."""
        if untagged and self.name not in DOCUMENT_COLUMNS:
            return f"NULL::{_SQL_TYPES.get(COLUMNS[self.name], 'DOUBLE')}"
        return f'"{self.name}"'

    def nullness(self) -> frozenset[bool]:
        """Return whether the column may be null in an untagged document: one answer or both."""
        if self.name not in DOCUMENT_COLUMNS:
            return frozenset((True,))
        return frozenset((False,)) if self.name in _NEVER_NULL else frozenset((True, False))
