"""The takedown list: documents, hashes and domains that no manifest may contain.

It lies in the tag folder as CSV files with the columns `kind, value`, only ever grows, and is
copied into every manifest. Each addition is a file of its own, `takedown/<digest>.csv`, so that of
several at once none is lost on any store; `takedown.csv`, where there is one, belongs to the list.
Reweighing holds every document of the source against it, so that what the gate passed over is left
out too.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from ..errors import ManifestError, one_line
from ..labels.domains import registered_domain
from ..store.condition import among
from ..store.folder import TagFolder
from ..store.location import reaching
from .partition import CHOSEN, Piece

TAKEDOWN_FILE = "takedown.parquet"
"""A manifest's copy of the list."""

TAKEDOWN = pa.schema(
    [pa.field("kind", pa.string(), nullable=False), pa.field("value", pa.string(), nullable=False)]
)

PIECE = "takedown"
"""What the piece of a partition is called that holds what is taken down."""

_LIST = "takedown.csv"
_FOLDER = "takedown"
_KEYS = {
    "document": "shard || '#' || \"row\"",
    "doc_id": "doc_id",
    "text_hash": "printf('%016x', text_hash)",
}


def _coordinates(value: str) -> str:
    shard, mark, row = value.rpartition("#")
    if not (shard and mark and row.isascii() and row.isdigit()):
        raise ValueError("a document is written shard#row, as in web/00.parquet#17")
    return f"{shard}#{int(row)}"


def _hash(value: str) -> str:
    if len(value) != 16 or set(value.lower()) - set("0123456789abcdef"):
        raise ValueError("a text_hash is written with 16 hexadecimal digits")
    return value.lower()


def _domain(value: str) -> str:
    if "/" in value or "." not in value or " " in value or not value.isprintable():
        raise ValueError("a domain is written like example.org, without scheme and path, or spaces")
    return value.lower().rstrip(".")


def _registered(value: str) -> str:
    domain = _domain(value)
    known = registered_domain(domain)
    if domain != known:
        raise ValueError(
            f"documents are counted by registered domains: write {known}, which takes down all of "
            "its hosts, or name the documents"
        )
    return domain


KINDS: dict[str, Callable[[str], str]] = {
    "document": _coordinates, "doc_id": str, "text_hash": _hash, "domain": _domain,
}  # fmt: skip
"""What can be taken down, and how each value is checked and evened out."""


def read_takedown(folder: TagFolder) -> pa.Table:
    """Return the standing list of a tag folder in the schema `TAKEDOWN`, sorted, without doubles.

    Raises:
        ManifestError: the list is damaged.
        SettingsError: the store of the tag folder cannot be reached.
    """
    paths = [folder.path(_LIST)] if folder.filesystem.exists(folder.path(_LIST)) else []
    with suppress(FileNotFoundError), reaching(folder.url, folder.filesystem):
        added = folder.filesystem.ls(folder.path(_FOLDER), detail=False)
        paths += [path for path in sorted(map(str, added)) if path.endswith(".csv")]
    return _table(
        [
            entry
            for path in paths
            for entry in _entries(cast(bytes, folder.filesystem.cat_file(path)), path)
        ]
    )


def extend_takedown(folder: TagFolder, source: Path) -> tuple[int, int]:
    """Add the entries of a CSV file with the columns `kind, value` to a tag folder's list.

    Returns how many entries are new, and how many the list holds now.

    Raises:
        ManifestError: the file cannot be read, or a line of it is wrong; nothing is added then.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise ManifestError(
            f"{source} cannot be read ({one_line(error)}): name a CSV file with the columns "
            "kind, value"
        ) from error
    before = read_takedown(folder)
    entries = _entries(data, str(source), kinds=KINDS | {"domain": _registered})
    new = _table(set(entries) - set(_pairs(before)))
    if new.num_rows:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(TAKEDOWN.names)
        writer.writerows(_pairs(new))
        folder.write(folder.path(_FOLDER, f"{takedown_digest(new)}.csv"), text.getvalue().encode())
    return new.num_rows, before.num_rows + new.num_rows


def load_takedown(manifest: Path) -> pa.Table:
    """Return a manifest's copy of the list.

    Raises:
        ManifestError: it is missing or torn.
    """
    try:
        return pq.read_table(manifest / TAKEDOWN_FILE, schema=TAKEDOWN)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(
            f"{manifest / TAKEDOWN_FILE} cannot be read ({one_line(error)}): build the manifest "
            "again"
        ) from error


def taken_down(
    connection: duckdb.DuckDBPyConnection, takedown: pa.Table
) -> tuple[Piece | None, pa.Table, int]:
    """Return the piece of what is taken down, its documents by name, and how many were not found.

    An entry that is not found among the tagged documents may be an untagged one, which only
    reweighing can tell. A domain takes all its documents, tagged or not.
    """
    if not takedown.num_rows:
        return None, CHOSEN.empty_table(), 0
    domains = values_of(takedown, "domain")
    where = str(among("domain", domains)) if domains else None
    connection.register("takedown", takedown)
    try:
        matched = " UNION ALL ".join(
            f'SELECT shard, "row", kind, value FROM documents JOIN takedown ON value = {key} '  # noqa: S608 (fixed list)
            f"WHERE kind = '{kind}'"
            for kind, key in _KEYS.items()
        )
        found = connection.sql(
            f'SELECT DISTINCT shard, "row", ? AS piece FROM ({matched}) ORDER BY ALL',  # noqa: S608
            params=[PIECE],
        ).to_arrow_table()
        missed = connection.execute(
            f"SELECT count(*) FROM takedown WHERE kind <> 'domain' AND (kind, value) NOT IN "  # noqa: S608
            f"(SELECT (kind, value) FROM ({matched}))"
        ).fetchall()[0][0]
    finally:
        connection.unregister("takedown")
    piece = Piece(name=PIECE, of=PIECE, where=where, listed=True, action="drop")
    return piece, found.cast(CHOSEN), missed


def absent_domains(connection: duckdb.DuckDBPyConnection, takedown: pa.Table) -> list[str]:
    """Return the domains of the list that no document of a catalogue has, sorted."""
    known = connection.sql("SELECT DISTINCT domain FROM domains WHERE domain IS NOT NULL")
    return sorted(set(values_of(takedown, "domain")) - {row[0] for row in known.fetchall()})


def takedown_digest(entries: pa.Table) -> str:
    """Return the xxh3_64 of a list, by which two lists are told apart."""
    return xxhash.xxh3_64_hexdigest("\n".join(f"{k}\0{v}" for k, v in _pairs(entries)).encode())


def values_of(entries: pa.Table, kind: str) -> list[str]:
    """Return the values of one kind, sorted."""
    return [value for of, value in _pairs(entries) if of == kind]


def _pairs(entries: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(entries["kind"].to_pylist(), entries["value"].to_pylist(), strict=True)


def _table(pairs: Collection[tuple[str, str]]) -> pa.Table:
    kinds, values = zip(*sorted(set(pairs)), strict=True) if pairs else ((), ())
    return pa.table([pa.array(kinds, pa.string()), pa.array(values, pa.string())], schema=TAKEDOWN)


def _entries(
    data: bytes, name: str, *, kinds: Mapping[str, Callable[[str], str]] = KINDS
) -> list[tuple[str, str]]:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{name} is no CSV in UTF-8 ({error}): write kind,value") from error
    if not rows or rows[0] != TAKEDOWN.names:
        raise ManifestError(f"{name} does not begin with the line kind,value: write it first")
    found = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != 2 or row[0] not in kinds or not row[1]:
            raise ManifestError(
                f"{name}, line {number}: {','.join(row)[:80]!r} is no entry: write kind,value with "
                f"a kind of {', '.join(kinds)}"
            )
        try:
            found.append((row[0], kinds[row[0]](row[1])))
        except ValueError as error:
            raise ManifestError(f"{name}, line {number}: {row[1][:80]!r}: {error}") from error
    return found
