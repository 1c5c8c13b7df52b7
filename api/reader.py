"""The catalogue as the service reads it: one connection, a cursor a request, reopened on change."""

import threading
import time
from pathlib import Path

import duckdb
import structlog

from ..errors import NarrascopeError
from ..store.catalogue import catalogue_version, open_catalogue
from ..store.folder import TagFolder


class CatalogueReader:
    """Hands out cursors over the newest catalogue of a tag folder.

    When the tag folder has changed, the request that notices builds and opens the new catalogue
    while all others are answered from the old one, so no request fails because a scan goes on.

    Args:
        folder: the tag folder.
        refresh_seconds: how often at most the folder is looked at for changes.
        cache: where catalogues of remote or read-only folders are kept.

    Raises:
        TagsError: the folder has no finished part, or one that cannot be read.
    """

    def __init__(
        self, folder: TagFolder, *, refresh_seconds: float = 10.0, cache: Path | None = None
    ) -> None:
        self._folder = folder
        self._refresh_seconds = refresh_seconds
        self._cache = cache
        self._refreshing = threading.Lock()
        self._looked_at = time.monotonic()
        self._open = self._newest()

    def cursor(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        """Return a cursor for one request, and the version of the catalogue it reads."""
        due = time.monotonic() - self._looked_at >= self._refresh_seconds
        if due and self._refreshing.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._looked_at = time.monotonic()
                self._refreshing.release()
        return self.current()

    def current(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        """Return the same of the catalogue that is open, without looking for a newer one.

        That is for probes, which must not be the request that builds it.
        """
        # An old connection is never closed, which would end the cursors of other requests:
        # it ends with the last of them.
        connection, version = self._open
        return connection.cursor(), version

    def close(self) -> None:
        """Close the catalogue; no cursor works afterwards."""
        self._open[0].close()

    def _refresh(self) -> None:
        try:
            if catalogue_version(self._folder) != self._open[1]:
                self._open = self._newest()
        except (NarrascopeError, OSError, duckdb.Error) as error:
            structlog.get_logger().warning("catalogue not renewed", why=str(error))

    def _newest(self) -> tuple[duckdb.DuckDBPyConnection, str]:
        connection = open_catalogue(self._folder, cache=self._cache)
        row = connection.execute("SELECT version FROM meta").fetchone()
        return connection, str(row[0]) if row else ""
