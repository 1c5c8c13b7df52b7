"""Files of finished parts as rows of the catalogue: in one query, or one by one to name a fault."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import TagsError, one_line
from .folder import TagFolder
from .gather import gathered

_CHUNK_BYTES = 64_000_000


def fill(
    connection: duckdb.DuckDBPyConnection, name: str, folder: TagFolder, kind: str,
    schema: pa.Schema, parts: list[str],
) -> None:  # fmt: skip
    """Add the rows of one kind's files to a table, with `first_row`, which names the part.

    Args:
        connection: of the catalogue.
        name: of the table.
        folder: the tag folder.
        kind: of files: `tags`, `control`, …
        schema: the columns to read; optional ones that a file lacks are null.
        parts: the files, as paths below the kind's folder.

    Raises:
        TagsError: a file is missing, torn or lacks a required column.
    """
    if not parts:
        return
    needed = [f'"{field.name}"' for field in schema if not field.nullable]
    connection.begin()
    try:
        paths = [folder.path(kind, part) for part in parts]
        unnamed = "first_row" not in schema.names
        rows = gathered(connection, folder.filesystem, paths, schema, with_part=unnamed)
        rows.insert_into(name)
        incomplete = connection.execute(
            f"SELECT 1 FROM {name} WHERE {' IS NULL OR '.join(needed)} IS NULL LIMIT 1"  # noqa: S608
        ).fetchall()
        whole = not incomplete
    except duckdb.Error:
        whole = False
    if whole:
        connection.commit()
    else:
        connection.rollback()
        _fill_one_by_one(connection, name, _part_tables(folder, kind, schema, parts))


def _fill_one_by_one(
    connection: duckdb.DuckDBPyConnection, name: str, tables: Iterator[pa.Table]
) -> None:
    """Fill a table from Arrow tables, some 64 MB at a time; raises where a file is at fault."""
    waiting: list[pa.Table] = []
    size = 0
    for table in tables:
        waiting.append(table)
        size += table.nbytes
        if size >= _CHUNK_BYTES:
            _insert(connection, name, waiting)
            waiting, size = [], 0
    if waiting:
        _insert(connection, name, waiting)


def _insert(connection: duckdb.DuckDBPyConnection, name: str, tables: list[pa.Table]) -> None:
    connection.register("chunk", pa.concat_tables(tables))
    connection.execute(f"INSERT INTO {name} SELECT * FROM chunk")  # noqa: S608


def _part_tables(
    folder: TagFolder, kind: str, schema: pa.Schema, parts: list[str]
) -> Iterator[pa.Table]:
    """Yield a kind's files, all in `schema` and with `first_row`."""
    for part in parts:
        table = _read_part(folder, folder.path(kind, part), schema)
        yield with_part(table, int(part.rpartition("/")[2].removesuffix(".parquet")))


def with_part(table: pa.Table, first_row: int) -> pa.Table:
    """Return a part's table with `first_row`, where it lacks it."""
    if "first_row" in table.column_names:
        return table
    return table.append_column("first_row", pa.array([first_row] * len(table), pa.int64()))


def _read_part(folder: TagFolder, path: str, schema: pa.Schema) -> pa.Table:
    """Read a part's file by the columns of `schema`; an optional one that it lacks is null."""
    try:
        with folder.filesystem.open(path, "rb") as file:
            table = pq.read_table(file, columns=schema.names, schema=schema)
    except (pa.ArrowException, OSError) as error:
        raise TagsError(
            f"{path} belongs to a finished part and cannot be read "
            f"({one_line(error)}): remove the receipt of that name under receipts/ "
            "and run the scan again, which reads only that part anew"
        ) from error
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise TagsError(
                f"{path} has no value for {field.name!r} in some row, which every row needs: it "
                "was not written by this version; scan into a new folder"
            )
    return table
