"""The catalogue: a DuckDB file that gathers the finished parts of a tag folder for queries.

Its file name carries its version, a digest over what the tag folder holds, so that staleness is
one comparison, a new catalogue never disturbs the readers of an old one, and DuckDB never mistakes
two files for one. It is built aside and renamed; it can be removed at any time.

Tables: `documents` (the tag rows without their passages, and `first_row`, which names the part),
`totals`, `domains`, `control` (without text) and `receipts` in the schemas of `labels.tag`;
`failed` (`shard`, `first_row`, `end_row`, `why`, `retry`: a row for each part that was set aside);
`parts` (`part`, `stamp`: the receipts it was built of); `meta` (`version`, `url`, `format`, one
row); and the sums of `aggregates.py`, from which groupings of the whole corpus are answered.

A scan that goes on only adds parts, and nearly all the time of a build goes into opening files. So
a new catalogue begins as a copy of the last one wherever all of that one's parts still stand.
"""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from ..errors import TagsError, one_line
from ..labels.tag import CONTROL, DOMAINS, RECEIPT, TAGS, TOTALS
from .aggregates import build_aggregates
from .folder import TagFolder
from .freshness import (
    CONFIG,
    FORMAT,
    READER_CONFIG,
    catalogue_folder,
    catalogue_version,
    newest,
    parts_of,
    stamps_of,
    version_of,
)
from .part_files import fill, with_part

_LEFT_OUT = {"passages", "text"}
_TABLES = {
    "documents": ("tags", pa.schema([f for f in TAGS if f.name not in _LEFT_OUT])),
    "control": ("control", pa.schema([f for f in CONTROL if f.name not in _LEFT_OUT])),
    "totals": ("totals", TOTALS),
    "domains": ("domains", DOMAINS),
    "receipts": ("receipts", RECEIPT),
}
_ABANDONED_AFTER = 3600.0


def build_catalogue(folder: TagFolder, *, cache: Path | None = None) -> Path:
    """Build the catalogue of the parts that are finished now, and return its path.

    Raises:
        TagsError: the folder is missing, holds no finished part, or a finished part's file is
            missing, torn or lacks a required column.
    """
    stamps = stamps_of(folder, "receipts")
    if not stamps:
        folder.require_receipts()
    home = catalogue_folder(folder, cache=cache)
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{version_of(folder, stamps)}.duckdb"
    aside = home / f"{path.stem}.{uuid4().hex}.tmp"
    try:
        known = _begin(aside, stamps, newest(home))
        with duckdb.connect(str(aside), config=CONFIG) as connection:
            for table, (kind, schema) in _TABLES.items():
                added = [part for part in stamps if part not in known]
                fill(connection, table, folder, kind, schema, added)
            _list_parts(connection, stamps)
            _list_failures(connection, folder)
            build_aggregates(connection)
            connection.execute(
                "CREATE OR REPLACE TABLE meta AS SELECT ? AS version, ? AS url, ? AS format",
                [path.stem, folder.url, FORMAT],
            )
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _remove_outdated(home, keep=path)
    return path


def _begin(aside: Path, stamps: dict[str, str], older: Path | None) -> set[str]:
    """Begin a catalogue: with the rows of an older one, if none of its parts is gone or changed.

    Returns:
        The parts whose rows it has.
    """
    if older is not None:
        with suppress(duckdb.Error, OSError):
            with duckdb.connect(str(older), read_only=True, config=READER_CONFIG) as connection:
                known = parts_of(connection)
            if known and known.items() <= stamps.items():
                shutil.copyfile(older, aside)
                return set(known)
        aside.unlink(missing_ok=True)
    with duckdb.connect(str(aside), config=CONFIG) as connection:
        for name, (_, schema) in _TABLES.items():
            connection.register("chunk", with_part(schema.empty_table(), 0))
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM chunk")  # noqa: S608
    return set()


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
        elif older := newest(home):
            path = older
        else:
            raise TagsError(
                f"{folder.url} has no catalogue yet: run `narrascope stats --tags {folder.url}`, "
                "which builds it"
            )
    try:
        return duckdb.connect(str(path), read_only=True, config=READER_CONFIG)
    except duckdb.IOException as error:
        if rebuild_if_stale and not path.exists():
            # Another process has built a newer one in between and removed this.
            return open_catalogue(folder, cache=cache)
        raise TagsError(
            f"the catalogue {path} cannot be opened ({one_line(error)}): remove it "
            "and try again, which builds it anew"
        ) from error


def _list_parts(connection: duckdb.DuckDBPyConnection, stamps: dict[str, str]) -> None:
    listed = pa.table({"part": list(stamps), "stamp": list(stamps.values())})
    connection.register("chunk", listed)
    connection.execute("CREATE OR REPLACE TABLE parts AS SELECT * FROM chunk")


def _list_failures(connection: duckdb.DuckDBPyConnection, folder: TagFolder) -> None:
    connection.execute(
        "CREATE OR REPLACE TABLE failed (shard VARCHAR, first_row BIGINT, end_row BIGINT, "
        "why VARCHAR, retry VARCHAR)"
    )
    columns = ("shard", "first_row", "end_row", "reason", "retry")
    for account in folder.failures():
        for failed in account["parts"] or [account]:
            values = [failed.get(column) for column in columns]
            connection.execute("INSERT INTO failed VALUES (?, ?, ?, ?, ?)", values)


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
