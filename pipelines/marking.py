"""What a bucket's action changes in its documents: a column of spans to mask, or prefixes.

Nothing else changes: other columns are the same arrays, and of a JSON line only the one key or the
value of the text is written anew.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..manifests.partition import Piece
from ..manifests.reweighed import SPANS_COLUMN
from .line_edits import add_spans, insert, prefix_text, spans_taken
from .listed import Listed
from .parts import Part
from .windows import LINE, hash_texts

_SPANS_TYPE = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))


class Marker:
    """What a bucket changes in the documents of one part.

    Args:
        piece: the bucket.
        listed: what the manifest lists of the part.
        part: the part.
        text_column: the column of the text.
    """

    def __init__(self, piece: Piece, listed: Listed, part: Part, text_column: str) -> None:
        self._piece = piece
        self._listed = listed
        self._part = part
        self._text_column = text_column
        self.changes_nothing = piece.action != "mask_spans" and piece.prefix is None

    def mark(
        self, rows: pa.Table, text: pa.LargeStringArray, entries: np.ndarray, *, repair: bool
    ) -> tuple[pa.Table, np.ndarray, int]:
        """Return rows with their marks.

        Args:
            rows: rows of the source.
            text: their texts.
            entries: the ordinals of their entries in the manifest's list, or −1.
            repair: whether some texts may hold invalid UTF-8.

        Returns:
            The rows, by how many bytes the text of each grew, and how many were left as they are
            since their text is not the one that was scanned, to which marks refer.

        Raises:
            ManifestError: the rows have a column for spans already.
        """
        marks, stale = self._marks(text, entries, repair=repair)
        change = mark_columns if self._part.shard.format == "parquet" else mark_lines
        rows, grown = change(rows, text, self._piece, marks, self._text_column, self._part)
        return rows, grown, stale

    def _marks(
        self, text: pa.LargeStringArray, entries: np.ndarray, *, repair: bool
    ) -> tuple[pa.Array, int]:
        """Return spans to mask, or the places of prefixes: 0 where they go before documents."""
        if self._piece.prefix is not None and self._piece.before == "document":
            starts = pa.array(np.arange(len(entries) + 1, dtype=np.int32))
            return pa.ListArray.from_arrays(starts, pa.array(np.zeros(len(entries), np.int64))), 0
        listed = self._listed.spans if self._piece.prefix is None else self._listed.places
        marks = listed.take(pa.array(entries, mask=entries < 0))
        marked = np.flatnonzero(marks.is_valid().to_numpy(zero_copy_only=False))
        hashes = hash_texts(text.take(pa.array(marked)), repair=repair)
        stale = marked[hashes != self._listed.text_hash[entries[marked]]]
        if len(stale):
            entries = entries.copy()
            entries[stale] = -1
            marks = listed.take(pa.array(entries, mask=entries < 0))
        return marks, len(stale)


def mark_columns(
    table: pa.Table, text: pa.LargeStringArray, piece: Piece, marks: pa.Array, text_column: str,
    part: Part,
) -> tuple[pa.Table, np.ndarray]:  # fmt: skip
    """Return rows of Parquet with a piece's marks, and by how many bytes each text grew.

    Args:
        table: the rows.
        text: their texts.
        piece: their piece, which masks or prefixes.
        marks: spans, or the places of prefixes, in code points and ascending; null for none.
        text_column: the text's column.
        part: what they are rows of.

    Raises:
        ManifestError: the rows have a column for spans already.
    """
    if piece.action == "mask_spans":
        if SPANS_COLUMN in table.column_names:
            raise spans_taken(part.shard.name)
        return table.append_column(SPANS_COLUMN, marks.cast(_SPANS_TYPE)), _zeros(text)
    prefix, before = (piece.prefix or "").encode(), text.view(pa.large_binary())
    if piece.before == "document":
        whole, none = pa.scalar(prefix, pa.large_binary()), pa.scalar(b"", pa.large_binary())
        after = pc.binary_join_element_wise(whole, before, none)
    else:
        marked = (marks.is_valid().to_numpy(False)) & text.is_valid().to_numpy(False)
        rows = pa.array(np.flatnonzero(marked))
        pairs = zip(before.take(rows).to_pylist(), marks.take(rows).to_pylist(), strict=True)
        texts = pa.array([insert(value, prefix, at) for value, at in pairs], pa.large_binary())
        after = pc.replace_with_mask(before, pa.array(marked), texts)
    lengths = (pc.fill_null(pc.binary_length(column), 0).to_numpy() for column in (after, before))
    index = table.column_names.index(text_column)
    field = table.schema.field(index)
    return table.set_column(index, field, _as(after, field.type)), np.subtract(*lengths)


def mark_lines(
    table: pa.Table, text: pa.LargeStringArray, piece: Piece, marks: pa.Array, text_column: str,
    part: Part,
) -> tuple[pa.Table, np.ndarray]:  # fmt: skip
    """Return JSON lines with a piece's marks; all is as for `mark_columns`."""
    pairs = zip(table[LINE].to_pylist(), marks.to_pylist(), strict=True)
    grown = _zeros(text)
    if piece.prefix is None:
        lines = [add_spans(line, spans, part.shard.name) for line, spans in pairs]
    else:
        prefix = piece.prefix.encode()
        lines = [prefix_text(line, text_column, prefix, at) if at else line for line, at in pairs]
        times = pc.fill_null(pc.list_value_length(marks), 0).to_numpy()
        grown = times * text.is_valid().to_numpy(zero_copy_only=False) * len(prefix)
    return pa.table({LINE: pa.array(lines, pa.large_binary())}), grown


def _zeros(text: pa.Array) -> np.ndarray:
    return np.zeros(len(text), dtype=np.int64)


def _as(text: pa.LargeBinaryArray, kind: pa.DataType) -> pa.Array:
    """Return a text as the type of the column that it came from, invalid UTF-8 and all."""
    if pa.types.is_dictionary(kind):
        return _as(text, kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_large_string(kind):
        return text.view(kind)
    if pa.types.is_string(kind):
        return text.cast(pa.binary()).view(kind)
    return text.cast(kind)
