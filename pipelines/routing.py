"""A part's rows on their way into a shard of each bucket, copies apart from each other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from .parquet import codec_of
from .parts import COMPRESSIONS, Part
from .sinks import Sink, open_sink

_HELD_BYTES = 16 * 2**20
"""What a bucket gathers before it is written, as one row group of Parquet."""

_HELD_IN_ALL = 128 * 2**20
"""What all buckets together gather at most, so that many buckets need no more memory."""

_KEPT_BACK = 2
"""Rows that a bucket with copies keeps for what follows, so that no row is ever left alone."""

_ENDINGS = (".parquet", ".jsonl", ".ndjson", *COMPRESSIONS)


class Router:
    """Writes one part's rows into a shard of each bucket.

    Shards are written aside and renamed together at the end, so that none is ever seen half done.
    Rows keep their order, and copies follow a bucket's rows some megabytes at a time: two copies
    are never neighbours. A document that is alone in its bucket's shard has each copy in a file of
    its own.

    Args:
        part: the part.
        out: the folder that holds a folder for each bucket.
        names: the buckets' names.
        text_column: the column of the text.
        copies: whether rows may be written more than once.
    """

    def __init__(
        self, part: Part, out: Path, names: tuple[str, ...], text_column: str, *, copies: bool
    ) -> None:
        self._part = part
        self._out = out
        self._names = names
        self._text_column = text_column
        self._keep = _KEPT_BACK if copies else 0
        self._codec = codec_of(part, text_column) if part.shard.format == "parquet" else None
        self._held: dict[int, _Held] = {}
        self._files: dict[int, list[tuple[Path, Path]]] = {}
        self._sinks: dict[int, Sink] = {}

    def write(self, bucket: int, table: pa.Table, copies: np.ndarray) -> None:
        """Write rows that no later call writes again, each as often as `copies` says, at least 1.

        The table's memory must be its own.
        """
        held = self._held.setdefault(bucket, _Held())
        held.add(table, copies)
        if held.bytes >= _HELD_BYTES:
            self._empty(bucket, keep=self._keep)
        while sum(held.bytes for held in self._held.values()) > _HELD_IN_ALL:
            largest = max(self._held, key=lambda bucket: self._held[bucket].bytes)
            before = self._held[largest].bytes
            self._empty(largest, keep=self._keep)
            if self._held[largest].bytes == before:  # rows too large to be parted
                break

    def publish(self) -> dict[int, list[Path]]:
        """Write what is held, rename the files to their places, and return them by bucket."""
        for bucket in self._held:
            self._empty(bucket, keep=0)
        for sink in self._sinks.values():
            sink.close()
        for files in self._files.values():
            for aside, place in files:
                aside.replace(place)
        return {bucket: [place for _, place in files] for bucket, files in self._files.items()}

    def discard(self) -> None:
        """Remove what is aside, after a failure."""
        for files in self._files.values():
            for aside, _ in files:
                aside.unlink(missing_ok=True)

    def _empty(self, bucket: int, *, keep: int) -> None:
        held = self._held[bucket]
        if not len(held.copies) or (keep and len(held.copies) < 2 * keep):
            return
        table, copies = held.take(keep)
        if len(copies) == 1 and bucket not in self._sinks:
            for number in range(int(copies[0])):
                self._sink(bucket, number).write(table)
            return
        order = _order(copies)
        sink = self._sinks.get(bucket) or self._sink(bucket, 0)
        sink.write(table if order is None else table.take(pa.array(order)))

    def _sink(self, bucket: int, copy: int) -> Sink:
        """Begin a file; that of an earlier copy is finished."""
        if bucket in self._sinks:
            self._sinks[bucket].close()
        place = self._place(bucket, copy)
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        self._files.setdefault(bucket, []).append((aside, place))
        self._sinks[bucket] = open_sink(
            aside, self._part, codec=self._codec, text_column=self._text_column
        )
        return self._sinks[bucket]

    def _place(self, bucket: int, copy: int) -> Path:
        """Return where the part's shard of a bucket goes: the source's name, and its first row."""
        name = Path(self._part.shard.name)
        endings = "".join(s for s in name.suffixes if s in _ENDINGS)
        stem = name.name.removesuffix(endings)
        again = f"+{copy}" if copy else ""
        folder = self._out / self._names[bucket] / name.parent
        return folder / f"{stem}.{self._part.first_row}{again}{endings}"


class _Held:
    """What a bucket has gathered."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self.copies = np.empty(0, dtype=np.int64)
        self.bytes = 0

    def add(self, table: pa.Table, copies: np.ndarray) -> None:
        self._tables.append(table)
        self.copies = np.concatenate([self.copies, copies])
        self.bytes += _size(table)

    def take(self, keep: int) -> tuple[pa.Table, np.ndarray]:
        """Hand over all rows but the last few, which are kept."""
        table, copies = pa.concat_tables(self._tables), self.copies
        cut = len(copies) - keep
        rest = table.slice(cut).take(pa.array(np.arange(keep)))
        self._tables, self.copies = [rest] if keep else [], copies[cut:]
        self.bytes = _size(rest)
        return table.slice(0, cut), copies[:cut]


def _size(table: pa.Table) -> int:
    # A dictionary is shared by many tables, and would count in each.
    return sum(
        4 * len(column) if pa.types.is_dictionary(column.type) else column.nbytes
        for column in table.columns
    )


def _order(copies: np.ndarray) -> np.ndarray | None:
    """Return rows in the order in which they are written, none beside itself; None as they are.

    All copies of a bucket differ by one at most: rounds of all rows are followed by one of those
    that are written once more, which comes first where it is the last row alone.
    """
    rounds, rows = int(copies.min()), np.arange(len(copies))
    more = np.flatnonzero(copies > rounds)
    if rounds == 1 and not len(more):
        return None
    if len(more) == 1 and more[0] == rows[-1]:
        return np.concatenate([more, *[rows] * rounds])
    return np.concatenate([*[rows] * rounds, more])


@contextmanager
def router(
    part: Part, out: Path, names: tuple[str, ...], text_column: str, *, copies: bool
) -> Iterator[Router]:
    """Open a router; what is aside is removed where writing fails."""
    opened = Router(part, out, names, text_column, copies=copies)
    try:
        yield opened
    except BaseException:
        opened.discard()
        raise
