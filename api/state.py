"""The service's own state, keys and jobs, in one SQLite file that all its processes share."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..errors import SettingsError, TagsError, one_line
from ..store.catalogue import catalogue_folder
from ..store.folder import TagFolder

FILE = "service.sqlite"
"""The file's name, where no setting gives another."""

_FORMAT = 1
_PATIENCE = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL,
    created TEXT NOT NULL, expires TEXT NOT NULL, revoked TEXT, used TEXT
);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, arguments TEXT NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, total INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, lease TEXT, leased_until REAL,
    cancelling INTEGER NOT NULL DEFAULT 0, result TEXT, error TEXT, asked_by TEXT NOT NULL,
    request_id TEXT NOT NULL, created REAL NOT NULL, started REAL, finished REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS unfinished ON jobs (digest)
    WHERE state IN ('queued', 'running');
"""


def state_path(folder: TagFolder, *, given: Path | None = None, cache: Path | None = None) -> Path:
    """Return where the state of a tag folder's service lies.

    That is `given`, or `service.sqlite` in a local tag folder that can be written, else in a folder
    of its own below `cache` (default `~/.cache/narrascope`).

    Raises:
        TagsError: there is no such tag folder, so that a mistyped name makes no state of its own.
    """
    if not folder.filesystem.exists(folder.root):
        raise TagsError(
            f"no tag folder at {folder.url}: make one with `narrascope scan SOURCE --tags "
            f"{folder.url}`"
        )
    return given or catalogue_folder(folder, cache=cache).parent / FILE


class State:
    """An SQLite file with the tables `keys` and `jobs`; it is made where it is missing.

    Each use opens the file anew, so that threads and processes share nothing but the file. It keeps
    SQLite's rollback journal: a write-ahead log would need the memory of one machine, and workers
    may run on others.

    Args:
        path: the file, on a disk whose locks work.

    Raises:
        SettingsError: the file cannot be made or read, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Of this user alone: jobs name policies and paths.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(self._connect()) as connection:
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                if found == 0:
                    connection.executescript(_TABLES)
                    connection.execute(f"PRAGMA user_version = {_FORMAT}")
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"the service's state {path} cannot be opened ({one_line(error)}): name a file on "
                "a disk that can be written with NARRASCOPE_STATE"
            ) from error
        if found not in (0, _FORMAT):
            raise SettingsError(
                f"the service's state {path} has format {found}, this version reads {_FORMAT}: "
                "name another file with NARRASCOPE_STATE"
            )

    def read(self, query: str, *bound: Any) -> list[sqlite3.Row]:
        """Return the rows of a query, its parameters bound."""
        with closing(self._connect()) as connection:
            return connection.execute(query, bound).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the file for one change of several statements, done as a whole or not at all."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        # Without `isolation_level` no transaction is begun behind one's back.
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection
