"""What a catalogue is built of, where it lies, and what an older one still says truly."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import xxhash

from .folder import TagFolder

FORMAT = 4
"""Raised when the catalogue's own tables change, so that older files are rebuilt."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
READER_CONFIG = {**CONFIG, "enable_external_access": "false"}


def catalogue_version(folder: TagFolder) -> str:
    """Return a digest over what a catalogue would be built of: 16 hexadecimal digits.

    It covers path, size and time of change of every receipt and of every account of a failed
    shard; a part's other files are written before its receipt and never after it.
    """
    return version_of(folder, stamps_of(folder, "receipts"))


def version_of(folder: TagFolder, receipts: dict[str, str]) -> str:
    """Return `catalogue_version` for the stamps of the receipts."""
    digest = xxhash.xxh3_64(f"catalogue {FORMAT}\0{folder.root}".encode())
    for name, stamps in (("receipts", receipts), ("failed", stamps_of(folder, "failed"))):
        for path, stamp in stamps.items():
            digest.update(f"{name}/{path}\0{stamp}\n".encode())
    return digest.hexdigest()


def stamps_of(folder: TagFolder, kind: str) -> dict[str, str]:
    """Return size and time of change of a kind's files, by path below it, sorted."""
    root = folder.path(kind)
    if not folder.filesystem.exists(root):
        return {}
    found: Any = folder.filesystem.find(root, detail=True)
    return {
        path.removeprefix(f"{root}/"): " ".join(
            str(info.get(key)) for key in ("size", "mtime", "LastModified", "ETag", "created")
        )
        for path, info in sorted(found.items())
        if path.endswith((".parquet", ".json"))
    }


def catalogue_folder(folder: TagFolder, *, cache: Path | None = None) -> Path:
    """Return where the catalogue of a tag folder lies.

    That is `catalogue/` inside a local folder that can be written, else a folder of its own below
    `cache` (default `~/.cache/narrascope`).
    """
    if folder.is_local and os.access(folder.root, os.W_OK):
        return Path(folder.root) / "catalogue"
    name = xxhash.xxh3_64_hexdigest(folder.url.encode())
    return (cache or Path.home() / ".cache" / "narrascope") / name / "catalogue"


def newest(home: Path) -> Path | None:
    """Return the catalogue that was built last in a folder, if there is one."""
    with suppress(FileNotFoundError):  # another process has just removed one
        return max(home.glob("*.duckdb"), key=lambda path: path.stat().st_mtime, default=None)
    return None


def parts_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the stamp of each receipt that a catalogue was built of; of another format, none.

    Raises:
        duckdb.Error: it is of a format without them, or damaged.
    """
    if connection.execute("SELECT format FROM meta").fetchall() != [(FORMAT,)]:
        return {}
    return dict(connection.execute("SELECT part, stamp FROM parts").fetchall())
