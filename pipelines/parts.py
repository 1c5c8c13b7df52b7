"""What is to be read: the shards of a corpus, cut into parts by the files alone."""

import posixpath
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from ..errors import SourceError, one_line
from ..store.location import locate, reaching

Format = Literal["parquet", "jsonl", "warc"]

ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".warc": "warc", ".wet": "warc",
}  # fmt: skip
COMPRESSIONS = (".gz", ".zst")

PART_TEXT_BYTES = 256 * 2**20
"""Text that a part of a Parquet file holds at most, unless one row group holds more."""

_DIGESTED_END = 64 * 1024
_REMOTE_READERS = 32


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a corpus: its name below the root, where it is, and what it was when listed."""

    name: str
    path: str
    format: Format
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """What is scanned, published and resumed as one.

    `end_row` is None and `row_groups` empty where only reading the file tells how many rows it has.
    """

    shard: Shard
    first_row: int = 0
    end_row: int | None = None
    row_groups: range = range(0)

    @property
    def key(self) -> tuple[str, int]:
        """The part's name within a corpus: (shard, first row)."""
        return self.shard.name, self.first_row


@dataclass(slots=True)
class Corpus:
    """A listed source.

    `skipped` counts files that no ending claims; `torn` has the shards that could not even be
    opened for planning, with the reason.
    """

    root: str
    shards: list[Shard]
    skipped: Counter[str] = field(default_factory=Counter)
    torn: dict[str, str] = field(default_factory=dict)

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The filesystem that holds the corpus."""
        return locate(self.root)[0]


def format_of(path: str) -> Format | None:
    """Return the format that a file's ending claims, looking past compression, or None."""
    for compression in COMPRESSIONS:
        path = path.removesuffix(compression)
    return ENDINGS.get(posixpath.splitext(path)[1])


def named_format(name: str | None) -> Format | None:
    """Return a format by the name a user gives it; None stays None.

    Raises:
        SourceError: there is no such format.
    """
    if name is not None and name not in get_args(Format):
        raise SourceError(f"no format {name!r}: choose from {', '.join(get_args(Format))}")
    return cast("Format | None", name)


def source_root(source: str) -> str:
    """Return the root that a source's shards are named from by default.

    Raises:
        SourceError: the source does not exist.
    """
    filesystem, _, folder = _find(source)
    return _unstripped(filesystem, folder)


def list_corpus(
    source: str, *, root: str | None = None, format: Format | None = None, apart: str | None = None
) -> Corpus:
    """List a source's shards in name order.

    A file whose name is not UTF-8 is listed as torn, under its name with the odd bytes spelt out.

    Args:
        source: a file, folder, glob or fsspec URL.
        root: the folder that shard names are relative to; defaults to the source where it is a
            folder, else to the folder that holds it.
        format: reads every file of the source as this format, whatever its ending.
        apart: a folder that is no part of the source, even where it lies in it: the tag folder.

    Raises:
        SourceError: the source does not exist, holds nothing readable, or lies outside the root.
    """
    filesystem, files, folder = _find(source)
    if root is not None:
        folder = _resolve(root)[1]
    folder = folder.rstrip("/")
    corpus = Corpus(_unstripped(filesystem, folder), [])
    wanted: list[tuple[str, str, Format]] = []
    left_out = apart and _unstripped(*_resolve(apart)).rstrip("/") + "/"
    hidden = 0
    for file in sorted(files):
        if left_out and _unstripped(filesystem, file).startswith(left_out):
            continue
        if not file.startswith(folder + "/"):
            raise SourceError(f"{file} lies outside the root {folder}: give a --root that holds it")
        name = file[len(folder) + 1 :]
        if any(step.startswith((".", "_")) for step in name.split("/")):
            hidden += 1
            continue
        if (shard_format := format or format_of(file)) is None:
            corpus.skipped[posixpath.splitext(file)[1] or "no ending"] += 1
            continue
        wanted.append((file, name, shard_format))
    with _readers(filesystem) as readers:
        digests = readers.map(lambda file: _digest_or_reason(filesystem, file[0]), wanted)
        for (file, plain, shard_format), found in zip(wanted, digests, strict=True):
            name = plain.encode(errors="backslashreplace").decode()
            if name != plain:
                found = "its name is not UTF-8: rename it"
            if isinstance(found, str):
                corpus.torn[name] = found
            size, digest = (0, "") if isinstance(found, str) else found
            path = _unstripped(filesystem, file)
            corpus.shards.append(Shard(name, path, shard_format, size, digest))
    if not corpus.shards:
        skipped = corpus.skipped + Counter({"whose name begins with . or _": hidden})
        found = ", ".join(f"{n} {ending}" for ending, n in skipped.items()) or "no file"
        raise SourceError(
            f"{source} holds nothing to read ({found}): Narrascope reads {', '.join(ENDINGS)}, "
            "also with .gz or .zst; name another ending's format with --format"
        )
    return corpus


def plan_parts(corpus: Corpus, text_column: str) -> list[Part]:
    """Cut a corpus into parts: whole row groups of Parquet up to 256 MiB of text, else whole files.

    Shards that cannot be opened or whose Parquet footer cannot be read are in `corpus.torn` and get
    no part.
    """
    parts: list[Part] = []
    filesystem = corpus.filesystem

    def cut(shard: Shard) -> list[Part] | str:
        if shard.name in corpus.torn:
            return corpus.torn[shard.name]
        if shard.format != "parquet":
            return [Part(shard)]
        try:
            with filesystem.open(shard.path, "rb") as file:
                return list(_parquet_parts(shard, pq.ParquetFile(file).metadata, text_column))
        except (pa.ArrowException, OSError) as error:
            return one_line(error)

    with _readers(filesystem) as readers:
        for shard, found in zip(corpus.shards, readers.map(cut, corpus.shards), strict=True):
            if isinstance(found, str):
                corpus.torn[shard.name] = found
            else:
                parts.extend(found)
    return parts


def expected_documents(parts: Iterable[Part]) -> float:
    """Estimate how many documents some parts hold: exact for Parquet, else from the file's size.

    The estimate assumes 3 kB of text a document and a compression of 1 to 3.5; it only sets the
    rates of the control sample, which are recorded, so that an error costs sample size, not truth.
    """
    total = 0.0
    for part in parts:
        if part.end_row is not None:
            total += part.end_row - part.first_row
        else:
            packed = part.shard.path.endswith(COMPRESSIONS)
            total += max(1.0, part.shard.size * (3.5 if packed else 1.0) / 3000)
    return total


def _parquet_parts(shard: Shard, metadata: pq.FileMetaData, text_column: str) -> Iterable[Part]:
    first = rows = size = begin = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        text = sum(
            group.column(column).total_uncompressed_size
            for column in range(group.num_columns)
            if group.column(column).path_in_schema == text_column
        )
        if index > begin and size + text > PART_TEXT_BYTES:
            yield Part(shard, first, first + rows, range(begin, index))
            first, rows, size, begin = first + rows, 0, 0, index
        rows += group.num_rows
        size += text
    yield Part(shard, first, first + rows, range(begin, metadata.num_row_groups))


def _readers(filesystem: AbstractFileSystem) -> ThreadPoolExecutor:
    # On a disk one reader is as fast; a store answers late, and many questions at once.
    local = isinstance(filesystem, LocalFileSystem)
    return ThreadPoolExecutor(1 if local else _REMOTE_READERS)


def _digest_or_reason(filesystem: AbstractFileSystem, path: str) -> tuple[int, str] | str:
    """Return size and digest of a file, or why it cannot be read: a dangling link, say."""
    try:
        return _digest(filesystem, path)
    except OSError as error:
        return one_line(error)


def _digest(filesystem: AbstractFileSystem, path: str) -> tuple[int, str]:
    size = int(filesystem.size(path) or 0)
    digest = xxhash.xxh3_64(size.to_bytes(8, "little"))
    with filesystem.open(path, "rb") as file:
        digest.update(cast("bytes", file.read(_DIGESTED_END)))
        file.seek(max(0, size - _DIGESTED_END))
        digest.update(cast("bytes", file.read(_DIGESTED_END)))
    return size, digest.hexdigest()


def _find(source: str) -> tuple[AbstractFileSystem, list[str], str]:
    """Return a source's filesystem, its files, and the folder that is or holds it."""
    filesystem, path = _resolve(source)
    with reaching(source, filesystem):
        found = _files(filesystem, path)
    if found is None:
        raise SourceError(f"no file or folder at {source}: give a file, folder, glob or fsspec URL")
    files, folder = found
    return filesystem, files, folder.rstrip("/")


def _files(filesystem: AbstractFileSystem, path: str) -> tuple[list[str], str] | None:
    is_glob = any(sign in path for sign in "*?[")
    if is_glob and not filesystem.exists(path):
        files = [p for p in map(str, filesystem.glob(path)) if filesystem.isfile(p)]
        return files, posixpath.dirname(path[: min(path.find(s) for s in "*?[" if s in path)])
    if filesystem.isdir(path):
        return [str(p) for p in filesystem.find(path)], path
    return ([path], posixpath.dirname(path)) if filesystem.exists(path) else None


def _resolve(url: str) -> tuple[AbstractFileSystem, str]:
    filesystem, path = locate(url)
    return filesystem, posixpath.normpath(path) if isinstance(filesystem, LocalFileSystem) else path


def _unstripped(filesystem: AbstractFileSystem, path: str) -> str:
    return path if isinstance(filesystem, LocalFileSystem) else filesystem.unstrip_protocol(path)
