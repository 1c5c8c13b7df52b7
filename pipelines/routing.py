"""Writers that send a part's rows to bucket shards, columns and lines as they were."""

import gzip
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from ..errors import ManifestError
from .jsonl import open_unpacked
from .parts import COMPRESSIONS, Part

_HELD_BYTES = 16 * 2**20


class Router(ABC):
    """Writes one part's rows into a shard of each bucket.

    Shards are written aside and renamed together at the end, so that none is ever seen half done.

    Args:
        part: the part.
        out: the folder that holds a folder for each bucket.
        names: the buckets' names.
    """

    def __init__(self, part: Part, out: Path, names: tuple[str, ...]) -> None:
        self.part = part
        self.names = names
        self._out = out
        self._aside: dict[int, Path] = {}

    @abstractmethod
    def write(self, routes: np.ndarray) -> None:
        """Write each row of the part to the bucket that `routes` names, or nowhere where it is −1.

        `routes` has an entry for every row of the file from the part's first, in order. Rows keep
        their order. Called once for every copy, so that copies of a row are never neighbours.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the files aside."""

    def publish(self) -> dict[str, Path]:
        """Rename the files to their places, and return them by bucket."""
        self.close()
        places = {}
        for bucket, aside in self._aside.items():
            place = self.place(bucket)
            aside.replace(place)
            places[self.names[bucket]] = place
        return places

    def discard(self) -> None:
        """Remove what is aside, after a failure."""
        for aside in self._aside.values():
            aside.unlink(missing_ok=True)

    def place(self, bucket: int) -> Path:
        """Return where the part's shard of a bucket goes: the source's name, and its first row."""
        name = Path(self.part.shard.name)
        endings = "".join(s for s in name.suffixes if s in _ENDINGS)
        stem = name.name.removesuffix(endings)
        folder = self._out / self.names[bucket] / name.parent
        return folder / f"{stem}.{self.part.first_row}{endings}"

    def aside(self, bucket: int) -> Path:
        """Return a name to write a bucket's shard under until it is whole."""
        place = self.place(bucket)
        place.parent.mkdir(parents=True, exist_ok=True)
        self._aside[bucket] = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        return self._aside[bucket]


_ENDINGS = (".parquet", ".jsonl", ".ndjson", *COMPRESSIONS)


class ParquetRouter(Router):
    """Sends rows of Parquet on with every column as it was."""

    def __init__(self, part: Part, out: Path, names: tuple[str, ...]) -> None:
        super().__init__(part, out, names)
        self._writers: dict[int, pq.ParquetWriter] = {}
        self._held: dict[int, list[pa.Table]] = {}

    def write(self, routes: np.ndarray) -> None:
        """Write each row of the part where `routes` sends it."""
        filesystem, path = fsspec.core.url_to_fs(self.part.shard.path)
        with filesystem.open(path, "rb") as handle:
            file = pq.ParquetFile(handle)
            start = 0
            for group in self.part.row_groups:
                table = file.read_row_group(group, use_threads=False)
                here = routes[start : start + table.num_rows]
                start += table.num_rows
                for bucket in np.unique(here[here >= 0]).tolist():
                    self._hold(bucket, table.filter(pa.array(here == bucket)))

    def close(self) -> None:
        """Finish the files aside."""
        for bucket in list(self._held):
            self._flush(bucket)
        for writer in self._writers.values():
            writer.close()

    def _hold(self, bucket: int, table: pa.Table) -> None:
        held = self._held.setdefault(bucket, [])
        held.append(table)
        if sum(piece.nbytes for piece in held) >= _HELD_BYTES:
            self._flush(bucket)

    def _flush(self, bucket: int) -> None:
        table = pa.concat_tables(self._held.pop(bucket))
        if bucket not in self._writers:
            self._writers[bucket] = pq.ParquetWriter(
                self.aside(bucket), table.schema, compression="zstd"
            )
        self._writers[bucket].write_table(table)


class JsonlRouter(Router):
    """Sends JSON lines on byte for byte, packed as the source was."""

    def __init__(self, part: Part, out: Path, names: tuple[str, ...]) -> None:
        super().__init__(part, out, names)
        self._files: dict[int, IO[bytes]] = {}
        self._open = ExitStack()

    def write(self, routes: np.ndarray) -> None:
        """Write each line of the file where `routes` sends it."""
        with open_unpacked(self.part.shard.path) as lines:
            for bucket, line in zip(routes.tolist(), lines, strict=False):
                if bucket >= 0:
                    self._file(bucket).write(line if line.endswith(b"\n") else line + b"\n")

    def close(self) -> None:
        """Finish the files aside."""
        self._open.close()

    def _file(self, bucket: int) -> IO[bytes]:
        if bucket not in self._files:
            self._files[bucket] = self._pack(self.aside(bucket))
        return self._files[bucket]

    def _pack(self, path: Path) -> IO[bytes]:
        raw = self._open.enter_context(path.open("wb"))
        if self.part.shard.name.endswith(".gz"):
            # No name and no time in the header: the same lines make the same bytes.
            packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0)
        elif self.part.shard.name.endswith(".zst"):
            packed = zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
        else:
            return raw
        return cast("IO[bytes]", self._open.enter_context(packed))


@contextmanager
def router(part: Part, out: Path, names: tuple[str, ...]) -> Iterator[Router]:
    """Open a router for a part's format; what is aside is removed where writing fails.

    Raises:
        ManifestError: the part's format cannot be written.
    """
    kinds: dict[str, type[Router]] = {"parquet": ParquetRouter, "jsonl": JsonlRouter}
    if part.shard.format not in kinds:
        raise ManifestError(
            f"{part.shard.name} is {part.shard.format}, which no trainer reads: extract its text "
            "to Parquet or JSON lines, scan that and reweigh it, or give a SOURCE without it"
        )
    opened = kinds[part.shard.format](part, out, names)
    try:
        yield opened
    except BaseException:
        opened.discard()
        raise
