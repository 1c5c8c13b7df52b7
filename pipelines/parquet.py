"""Parquet parts, read by columns."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

from collections.abc import Iterator

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import SourceError
from .batches import BATCH, BATCH_ROWS, BATCH_TEXT_BYTES, Batch, Columns, missing_column
from .parts import Part


def read_parquet(part: Part, columns: Columns) -> Iterator[Batch]:
    """Read the row groups of a part.

    Raises:
        SourceError: the text column is missing or holds no text, or a column asked for by name is
            missing.
    """
    for _, batch in _read(part, columns, every_column=False):
        yield batch


def read_rows(part: Part, columns: Columns) -> Iterator[tuple[pa.RecordBatch, Batch]]:
    """Read the row groups of a part with all their columns as they are, each row beside its batch.

    Raises:
        SourceError: as for `read_parquet`.
    """
    return _read(part, columns, every_column=True)


def codec_of(part: Part, text_column: str) -> str:
    """Return how a part's file packs its text, by the name that Parquet's writer takes."""
    filesystem, path = fsspec.core.url_to_fs(part.shard.path)
    with filesystem.open(path, "rb") as handle:
        metadata = pq.ParquetFile(handle).metadata
    groups = (metadata.row_group(index) for index in part.row_groups)
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    codec = next((c.compression for c in columns if c.path_in_schema == text_column), "ZSTD")
    return {"UNCOMPRESSED": "none", "LZ4_RAW": "lz4"}.get(codec, codec.lower())


def _read(
    part: Part, columns: Columns, *, every_column: bool
) -> Iterator[tuple[pa.RecordBatch, Batch]]:
    filesystem, path = fsspec.core.url_to_fs(part.shard.path)
    with filesystem.open(path, "rb") as handle:
        file = pq.ParquetFile(handle)
        schema = file.schema_arrow
        wanted = _wanted_columns(part, schema, columns)
        row = part.first_row
        for table in file.iter_batches(
            batch_size=_batch_rows(file.metadata, part, None if every_column else columns.text),
            row_groups=list(part.row_groups),
            columns=None if every_column else [columns.text, *wanted.values()],
            use_threads=False,
        ):
            yield table, _batch(table, row, columns.text, wanted)
            row += table.num_rows


def _wanted_columns(part: Part, schema: pa.Schema, columns: Columns) -> dict[str, str]:
    if columns.text not in schema.names:
        raise missing_column(part, columns.text, schema.names, "text")
    kind = schema.field(columns.text).type
    if not _is_text(kind):
        raise SourceError(
            f"column {columns.text!r} of {part.shard.name} holds {kind}, not text: name the right "
            "one with --text-column"
        )
    wanted = {}
    for column, name, asked in columns.optional():
        if name in schema.names:
            wanted[column] = name
        elif asked:
            raise missing_column(part, name, schema.names, column.removeprefix("doc_"))
    return wanted


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            pa.types.is_null, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
            pa.types.is_binary, pa.types.is_large_binary,
        )
    )  # fmt: skip


def _batch_rows(metadata: pq.FileMetaData, part: Part, column: str | None) -> int:
    """Return how many rows make a batch by the size of one column, or of all."""
    size = rows = 1
    for index in part.row_groups:
        group = metadata.row_group(index)
        rows += group.num_rows
        size += sum(
            group.column(i).total_uncompressed_size
            for i in range(group.num_columns)
            if column in (None, group.column(i).path_in_schema)
        )
    return max(1, min(BATCH_ROWS, BATCH_TEXT_BYTES * rows // size))


def _batch(table: pa.RecordBatch, row: int, text_column: str, wanted: dict[str, str]) -> Batch:
    size = table.num_rows
    text = table.column(text_column)
    if pa.types.is_dictionary(text.type):
        text = text.cast(text.type.value_type)
    # Through binary: a cast between string types must not stop at invalid UTF-8, which is counted.
    text = text.cast(pa.binary()) if pa.types.is_string_view(text.type) else text
    text = text.cast(pa.large_binary()).view(pa.large_string())
    arrays = {
        "row": pa.array(range(row, row + size), pa.int64()),
        "text": text,
        "bytes": pc.fill_null(pc.binary_length(text), 0),
        "html": pa.array([False], pa.bool_()).take(pa.array([0] * size, pa.int8())),
    }
    for column, name in wanted.items():
        arrays[column] = _cast(table.column(name), BATCH.field(column).type)
    batch = pa.RecordBatch.from_arrays(
        [
            arrays.get(f.name, pa.nulls(size, f.type)).cast(f.type)
            for f in BATCH
            if f.name != "text"
        ],
        schema=pa.schema([f for f in BATCH if f.name != "text"]),
    ).add_column(1, BATCH.field("text"), text)
    return Batch(batch, row + size, invalid_utf8=_count_invalid(text))


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        if pa.types.is_temporal(array.type):
            return pc.strftime(array, format="%Y-%m-%d").cast(kind)
        array = array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(array), kind)
    if kind != pa.string() or not _count_invalid(array):
        return array
    values = array.view(pa.binary()).to_pylist()
    return pa.array([v if v is None else v.decode("utf-8", "replace") for v in values], kind)


def _count_invalid(text: pa.StringArray | pa.LargeStringArray) -> int:
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        kind = pa.large_binary() if pa.types.is_large_string(text.type) else pa.binary()
        return sum(_is_invalid(value) for value in text.view(kind).to_pylist())
    return 0


def _is_invalid(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return True
    return False
