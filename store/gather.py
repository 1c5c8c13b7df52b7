"""Thousands of small Parquet files read as one table, by DuckDB in one query.

Opening them one by one in Python costs several times as much; it is left to whoever must say which
file is at fault.
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

REMOTE_THREADS = 16
"""Files read at once from an object store, where waiting takes longer than reading."""

_PATTERN = frozenset("*?[")


def gathered(
    connection: duckdb.DuckDBPyConnection,
    filesystem: AbstractFileSystem,
    paths: Sequence[str],
    schema: pa.Schema,
    *,
    with_part: bool = False,
) -> duckdb.DuckDBPyRelation:
    """Return the rows of some files, in the order of the files, as a query that has yet to run.

    Args:
        connection: runs it.
        filesystem: where the files are; a remote one is registered with the connection.
        paths: one kind's files, at least one.
        schema: the columns to read.
        with_part: adds `first_row`, which names the part, from the files' names.

    Raises:
        duckdb.Error: a file is missing, torn or lacks a column; here or when the query runs.
    """
    if any(_PATTERN.intersection(path) for path in paths):
        raise duckdb.InvalidInputException("a name that DuckDB would take for a pattern")
    if not isinstance(filesystem, LocalFileSystem):
        protocol = filesystem.protocol
        name = protocol if isinstance(protocol, str) else protocol[0]
        if not connection.filesystem_is_registered(name):
            connection.register_filesystem(filesystem)
        connection.execute(f"SET threads TO {REMOTE_THREADS}")
        paths = [filesystem.unstrip_protocol(path) for path in paths]
    columns = [f'"{name}"' for name in schema.names]
    if with_part:
        columns.append(r"regexp_extract(filename, '(\d+)\.parquet$', 1)::BIGINT AS first_row")
    query = (
        f"SELECT {', '.join(columns)} "  # noqa: S608
        "FROM read_parquet(?, filename = true, hive_partitioning = false)"
    )
    return connection.sql(query, params=[list(paths)])
