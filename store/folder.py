"""The tag folder: where a scan publishes its parts, and where everything else reads them.

Publishing is atomic and idempotent: on a local disk a file is written aside and renamed, on an
object store it is one put of the same bytes. A part exists once its receipt does; files without a
receipt are left-overs of an interrupted scan and are never read.
"""

import os
import posixpath
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from ..errors import TagsError, one_line
from ..labels.tag import KINDS, RECEIPT, SCHEMAS


class TagFolder:
    """A tag folder at any fsspec URL.

    Args:
        url: a local path or an fsspec URL such as `s3://bucket/tags`.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url)
        self.filesystem, self.root = fsspec.core.url_to_fs(self.url)
        self.is_local = isinstance(self.filesystem, LocalFileSystem)

    def path(self, *names: str) -> str:
        """Return the path of a file below the root, as the filesystem wants it."""
        return posixpath.join(self.root, *names)

    def part_path(self, kind: str, shard: str, first_row: int) -> str:
        """Return the path of one file of a part; `kind` is one of `KINDS`."""
        return self.path(kind, shard, f"{first_row}.parquet")

    def write(self, path: str, data: bytes) -> None:
        """Write a file so that readers see all of it or none."""
        if not self.is_local:
            self.filesystem.pipe_file(path, data)
            return
        self.filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
        aside = f"{path}.{os.getpid()}.tmp"
        self.filesystem.pipe_file(aside, data)
        Path(aside).replace(path)

    def publish(self, kind: str, shard: str, first_row: int, table: pa.Table) -> None:
        """Publish one file of a part, in the schema of its kind."""
        sink = BytesIO()
        pq.write_table(table.cast(SCHEMAS[kind]), sink, compression="zstd", row_group_size=20_000)
        self.write(self.part_path(kind, shard, first_row), sink.getvalue())

    def withdraw(self, shard: str) -> None:
        """Remove all parts of a shard, receipts first, so that no moment shows half of it."""
        for kind in reversed(KINDS):
            folder = self.path(kind, shard)
            if self.filesystem.exists(folder):
                self.filesystem.rm(folder, recursive=True)

    def receipt_paths(self) -> list[str]:
        """Return the paths of all receipts, sorted: the parts that are done."""
        root = self.path("receipts")
        if not self.filesystem.exists(root):
            return []
        return sorted(p for p in self.filesystem.find(root) if p.endswith(".parquet"))

    def receipts(self) -> pa.Table:
        """Read all receipts into one table in the schema `RECEIPT`, sorted by path.

        Raises:
            TagsError: a receipt cannot be read.
        """
        tables = [self._read(path) for path in self.receipt_paths()]
        return pa.concat_tables(tables) if tables else RECEIPT.empty_table()

    def _read(self, path: str) -> pa.Table:
        try:
            with self.filesystem.open(path, "rb") as file:
                # Without threads: thousands of tiny files gain nothing by them.
                return pq.ParquetFile(file).read(use_threads=False).cast(RECEIPT)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise TagsError(
                f"receipt {path} cannot be read ({one_line(error)}): remove it and "
                "run the scan again, which reads only that part anew"
            ) from error

    def require_receipts(self) -> pa.Table:
        """Read the receipts, or say what to do where there are none.

        Raises:
            TagsError: the folder is missing or holds no finished part.
        """
        if not self.filesystem.exists(self.root):
            raise TagsError(
                f"no tag folder at {self.url}: make one with `narrascope scan SOURCE --tags "
                f"{self.url}`"
            )
        receipts = self.receipts()
        if receipts.num_rows == 0:
            raise TagsError(
                f"{self.url} holds no finished part of a scan: run `narrascope scan SOURCE --tags "
                f"{self.url}`, which goes on where it stopped"
            )
        return receipts

    def failures(self) -> Iterator[dict[str, Any]]:
        """Yield what is written of each shard that was set aside, in path order."""
        root = self.path("failed")
        if self.filesystem.exists(root):
            for path in sorted(self.filesystem.find(root)):
                if path.endswith(".json"):
                    yield orjson.loads(self.filesystem.cat_file(path))

    def set_aside(self, shard: str, account: dict[str, Any]) -> None:
        """Write why a shard could not be scanned."""
        data = orjson.dumps(account, option=orjson.OPT_INDENT_2)
        self.write(self.path("failed", f"{shard}.json"), data)

    def take_back(self, shard: str) -> None:
        """Forget that a shard was set aside, because it has been scanned since."""
        path = self.path("failed", f"{shard}.json")
        if self.filesystem.exists(path):
            self.filesystem.rm_file(path)
