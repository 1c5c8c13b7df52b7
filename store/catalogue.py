"""The catalogue: a DuckDB file that gathers the finished parts of a tag folder for queries.

Its file name carries its version, a digest over what the tag folder holds, so that staleness is
one comparison, a new catalogue never disturbs the readers of an old one, and DuckDB never mistakes
two files for one. It is built aside and renamed; it can be removed at any time.

Tables: `documents` (the tag rows without their passages, and `first_row`, which names the part),
`totals`, `domains`, `control` (without text) and `receipts` in the schemas of `labels.tag`;
`failed` (`shard`, `first_row`, `end_row`, `why`, `retry`: a row for each part that was set aside);
`meta` (`version`, `url`, one row); and the sums of `aggregates.py`, from which groupings of the
whole corpus are answered.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from ..errors import TagsError, one_line
from ..labels.tag import CONTROL, DOMAINS, RECEIPT, TAGS, TOTALS
from .aggregates import build_aggregates
from .folder import TagFolder
from .gather import gathered

FORMAT = 3
"""Raised when the catalogue's own tables change, so that older files are rebuilt."""

_LEFT_OUT = {"passages", "text"}
_TABLES = {
    "documents": ("tags", pa.schema([f for f in TAGS if f.name not in _LEFT_OUT])),
    "control": ("control", pa.schema([f for f in CONTROL if f.name not in _LEFT_OUT])),
    "totals": ("totals", TOTALS),
    "domains": ("domains", DOMAINS),
    "receipts": ("receipts", RECEIPT),
}
_CHUNK_BYTES = 64_000_000
_ABANDONED_AFTER = 3600.0
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_READER_CONFIG = {**_CONFIG, "enable_external_access": "false"}


def catalogue_version(folder: TagFolder) -> str:
    """Return a digest over what a catalogue would be built of: 16 hexadecimal digits.

    It covers path, size and time of change of every receipt and of every account of a failed
    shard; a part's other files are written before its receipt and never after it.
    """
    digest = xxhash.xxh3_64(f"catalogue {FORMAT}\0{folder.root}".encode())
    for name in ("receipts", "failed"):
        root = folder.path(name)
        if not folder.filesystem.exists(root):
            continue
        found: Any = folder.filesystem.find(root, detail=True)
        for path, info in sorted(found.items()):
            if path.endswith((".parquet", ".json")):
                changed = [info.get(k) for k in ("mtime", "LastModified", "ETag", "created")]
                digest.update(f"{path}\0{info.get('size')}\0{changed}\n".encode())
    return digest.hexdigest()


def catalogue_folder(folder: TagFolder, *, cache: Path | None = None) -> Path:
    """Return where the catalogue of a tag folder lies.

    That is `catalogue/` inside a local folder that can be written, else a folder of its own below
    `cache` (default `~/.cache/narrascope`).
    """
    if folder.is_local and os.access(folder.root, os.W_OK):
        return Path(folder.root) / "catalogue"
    name = xxhash.xxh3_64_hexdigest(folder.url.encode())
    return (cache or Path.home() / ".cache" / "narrascope") / name / "catalogue"


def build_catalogue(folder: TagFolder, *, cache: Path | None = None) -> Path:
    """Build the catalogue of the parts that are finished now, and return its path.

    Raises:
        TagsError: the folder is missing, holds no finished part, or a finished part's file is
            missing, torn or lacks a required column.
    """
    version, receipts = catalogue_version(folder), folder.receipt_paths()
    if not receipts:
        folder.require_receipts()
    prefix = folder.path("receipts") + "/"
    parts = [path.removeprefix(prefix) for path in receipts]
    home = catalogue_folder(folder, cache=cache)
    home.mkdir(parents=True, exist_ok=True)
    path, aside = home / f"{version}.duckdb", home / f"{version}.{uuid4().hex}.tmp"
    try:
        with duckdb.connect(str(aside), config=_CONFIG) as connection:
            for table, (kind, schema) in _TABLES.items():
                _fill(connection, table, folder, kind, schema, parts)
            connection.execute(
                "CREATE TABLE failed (shard VARCHAR, first_row BIGINT, end_row BIGINT, "
                "why VARCHAR, retry VARCHAR)"
            )
            columns = ("shard", "first_row", "end_row", "reason", "retry")
            for account in folder.failures():
                for failed in account["parts"] or [account]:
                    values = [failed.get(column) for column in columns]
                    connection.execute("INSERT INTO failed VALUES (?, ?, ?, ?, ?)", values)
            build_aggregates(connection)
            connection.execute("CREATE TABLE meta (version VARCHAR, url VARCHAR)")
            connection.execute("INSERT INTO meta VALUES (?, ?)", [version, folder.url])
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _remove_outdated(home, keep=path)
    return path


def open_catalogue(
    folder: TagFolder, *, rebuild_if_stale: bool = True, cache: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """Open the catalogue read-only, building it first where it is missing or stale.

    Use one connection a process, and `connection.cursor()` for each thread or request.

    Args:
        folder: the tag folder.
        rebuild_if_stale: build what is missing; else open the newest catalogue that is there.
        cache: where catalogues of remote or read-only folders are kept.

    Raises:
        TagsError: as for `build_catalogue`; or there is no catalogue and none may be built.
    """
    home = catalogue_folder(folder, cache=cache)
    path = home / f"{catalogue_version(folder)}.duckdb"
    if not path.exists():
        if rebuild_if_stale:
            path = build_catalogue(folder, cache=cache)
        elif older := sorted(home.glob("*.duckdb"), key=lambda p: p.stat().st_mtime):
            path = older[-1]
        else:
            raise TagsError(
                f"{folder.url} has no catalogue yet: run `narrascope stats --tags {folder.url}`, "
                "which builds it"
            )
    try:
        return duckdb.connect(str(path), read_only=True, config=_READER_CONFIG)
    except duckdb.IOException as error:
        if rebuild_if_stale and not path.exists():
            # Another process has built a newer one in between and removed this.
            return open_catalogue(folder, cache=cache)
        raise TagsError(
            f"the catalogue {path} cannot be opened ({one_line(error)}): remove it "
            "and try again, which builds it anew"
        ) from error


def _part_tables(
    folder: TagFolder, kind: str, schema: pa.Schema, parts: list[str]
) -> Iterator[pa.Table]:
    """Yield a kind's files, all in `schema` and with `first_row`."""
    for part in parts:
        table = _read_part(folder, folder.path(kind, part), schema)
        yield _with_part(table, int(part.rpartition("/")[2].removesuffix(".parquet")))


def _with_part(table: pa.Table, first_row: int) -> pa.Table:
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


def _fill(
    connection: duckdb.DuckDBPyConnection, name: str, folder: TagFolder, kind: str,
    schema: pa.Schema, parts: list[str],
) -> None:  # fmt: skip
    """Create a table of one kind's files."""
    with_part = "first_row" not in schema.names
    connection.register("chunk", _with_part(schema.empty_table(), 0))
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM chunk")  # noqa: S608
    needed = [f'"{field.name}"' for field in schema if not field.nullable]
    try:
        paths = [folder.path(kind, part) for part in parts]
        rows = gathered(connection, folder.filesystem, paths, schema, with_part=with_part)
        rows.insert_into(name)
        incomplete = connection.execute(
            f"SELECT 1 FROM {name} WHERE {' IS NULL OR '.join(needed)} IS NULL LIMIT 1"  # noqa: S608
        ).fetchall()
        whole = not incomplete
    except duckdb.Error:
        whole = False
    if not whole:
        connection.execute(f"DELETE FROM {name}")  # noqa: S608
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


def _remove_outdated(home: Path, *, keep: Path) -> None:
    """Remove older catalogues, and what builds that were killed left behind.

    Whoever has an older catalogue open goes on reading it: the file lives until it is closed.
    """
    now = time.time()
    for path in home.glob("*"):
        with suppress(FileNotFoundError):
            abandoned = path.suffix == ".tmp" and now - path.stat().st_mtime > _ABANDONED_AFTER
            if abandoned or (path.suffix == ".duckdb" and path != keep):
                path.unlink()
