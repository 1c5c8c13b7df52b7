"""The tag folder: where a scan publishes its parts, and where everything else reads them.

Publishing is atomic and idempotent: on a local disk a file is written aside and renamed, on an
object store it is one put of the same bytes. A part exists once its receipt does; files without a
receipt are left-overs of an interrupted scan and are never read.
"""

import posixpath
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from ..errors import TagsError, one_line
from ..labels.tag import KINDS, RECEIPT, SCHEMAS
from .gather import gathered
from .location import locate, reaching


class TagFolder:
    """A tag folder at any fsspec URL.

    Args:
        url: a local path or an fsspec URL such as `s3://bucket/tags`.

    Raises:
        SettingsError: its store is unknown, or cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self.url = str(url)
        # Without a memory of listings: other processes write here too.
        self.filesystem, self.root = locate(self.url, use_listings_cache=False)
        self.is_local = isinstance(self.filesystem, LocalFileSystem)
        if not self.is_local:
            with reaching(self.url, self.filesystem):
                self.filesystem.exists(self.root)

    def path(self, *names: str) -> str:
        """Return the path of a file below the root, as the filesystem wants it."""
        return posixpath.join(self.root, *names)

    def part_path(self, kind: str, shard: str, first_row: int) -> str:
        """Return the path of one file of a part; `kind` is one of `KINDS`.

        Raises:
            TagsError: the shard's name, which a tag file brings, leads out of the folder.
        """
        if shard.startswith("/") or ".." in shard.split("/"):
            raise TagsError(
                f"a tag file names the shard {shard[:200]!r}, which leads out of {self.url}: no "
                "scan writes that; remove the part, and trust the folder no further"
            )
        return self.path(kind, shard, f"{first_row}.parquet")

    def write(self, path: str, data: bytes) -> None:
        """Write a file so that readers see all of it or none."""
        if not self.is_local:
            self.filesystem.pipe_file(path, data)
            return
        self.filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
        aside = _aside(path)
        try:
            self.filesystem.pipe_file(str(aside), data)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless there is one already; return whether it was written.

        Of several that try at once one succeeds, on local disks and on stores whose fsspec
        filesystem puts conditionally for `mode="create"` (s3fs and gcsfs do).
        """
        try:
            if not self.is_local:
                self.filesystem.pipe_file(path, data, mode="create")
                return True
            self.filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
            aside = _aside(path)
            try:
                aside.write_bytes(data)
                Path(path).hardlink_to(aside)
            finally:
                aside.unlink(missing_ok=True)
        except FileExistsError:
            return False
        return True

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

    def settled(self) -> set[tuple[str, int]]:
        """Return (shard, first row) of the parts that are done or set aside."""
        prefix = self.path("receipts") + "/"
        done = (path.removeprefix(prefix).rpartition("/") for path in self.receipt_paths())
        failed = {(p["shard"], p["first_row"]) for f in self.failures() for p in f["parts"]}
        return failed | {(shard, int(name.removesuffix(".parquet"))) for shard, _, name in done}

    def receipts(self, parts: Sequence[str] | None = None) -> pa.Table:
        """Read receipts into one table in the schema `RECEIPT`, in the order of the parts.

        Args:
            parts: paths below `receipts`; by default all, sorted.

        Raises:
            TagsError: a receipt cannot be read.
        """
        named = [self.path("receipts", part) for part in parts or ()]
        paths = self.receipt_paths() if parts is None else named
        if not paths:
            return RECEIPT.empty_table()
        try:
            with duckdb.connect() as connection:
                rows = gathered(connection, self.filesystem, paths, RECEIPT)
                return rows.to_arrow_table().cast(RECEIPT)
        except (duckdb.Error, pa.ArrowException):  # one by one, to name the one at fault
            return pa.concat_tables([self._read(path) for path in paths])

    def _read(self, path: str) -> pa.Table:
        return self.read(
            path, RECEIPT, name=f"receipt {path}",
            cure="remove it and run the scan again, which reads only that part anew",
        )  # fmt: skip

    def read(self, path: str, schema: pa.Schema, *, name: str, cure: str) -> pa.Table:
        """Read a Parquet file of the folder in a schema; `name` and `cure` are for the message.

        Raises:
            TagsError: the file cannot be read.
        """
        try:
            with self.filesystem.open(path, "rb") as file:
                table = pq.ParquetFile(file).read(schema.names, use_threads=False)
                return table.select(schema.names).cast(schema)
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise TagsError(f"{name} cannot be read ({one_line(error)}): {cure}") from error

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
        """Yield the account of each shard that was set aside, or parts of it, in path order.

        `parts` has the account of each bad part, and is empty where the whole shard could not be
        planned.
        """
        root = self.path("failed")
        if not self.filesystem.exists(root):
            return
        shards: dict[str, dict[int, dict[str, Any]]] = {}
        for path in sorted(self.filesystem.find(root)):
            if path.endswith(".json"):
                account = orjson.loads(self.filesystem.cat_file(path))
                shards.setdefault(account["shard"], {})[account.get("first_row", -1)] = account
        for accounts in shards.values():
            first = accounts[min(accounts)]
            accounts.pop(-1, None)
            yield first | {"parts": [accounts[first_row] for first_row in sorted(accounts)]}

    def set_aside(self, shard: str, account: dict[str, Any]) -> None:
        """Write why a shard, or the part of it that `first_row` names, could not be scanned.

        A part has its own file below the shard's, so that tasks which set aside parts of one shard
        at once do not overwrite each other; the shard's own file tells of the last of them.
        """
        data = orjson.dumps(account, option=orjson.OPT_INDENT_2)
        if "first_row" in account:
            self.write(self.path("failed", shard, f"{account['first_row']}.json"), data)
        self.write(self.path("failed", f"{shard}.json"), data)

    def take_back(self, shard: str) -> None:
        """Forget that a shard was set aside, because it is to be scanned again."""
        for path in (self.path("failed", f"{shard}.json"), self.path("failed", shard)):
            if self.filesystem.exists(path):
                self.filesystem.rm(path, recursive=True)


def _aside(path: str) -> Path:
    # Not by process: those of two machines, or two threads, may have the same number.
    return Path(f"{path}.{uuid4().hex}.tmp")
