"""Reweighing in this process by a partition and a list written by hand: no scan, no workers."""

import gzip
import json
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
import zstandard

from narrascope.manifests.assign import DOCUMENTS_FILE, Assignment, Match, Mode
from narrascope.manifests.manifest import DOCUMENTS
from narrascope.manifests.partition import Partition, Piece
from narrascope.manifests.takedown import TAKEDOWN, TAKEDOWN_FILE
from narrascope.pipelines.accounts import Account, read_account
from narrascope.pipelines.batches import Columns
from narrascope.pipelines.lease import Lease
from narrascope.pipelines.materialise import Materialise, ReweighOptions
from narrascope.pipelines.parts import list_corpus, plan_parts

REST = Piece(name="rest", of="rest")


class Held(Lease):
    """A lease that nobody disputes."""

    def require(self) -> None:
        """Let all go on."""


def bucket(name: str, **action: Any) -> Piece:
    """Return a piece that takes what is listed, unless it has a `where`."""
    return Piece(name=name, of=name, listed=True, **action)


def assignment(
    folder: Path, pieces: Sequence[Piece], listed: Iterable[dict[str, Any]],
    weights: Sequence[float] | None = None, *, taken_down: Sequence[tuple[str, str]] = (),
) -> Assignment:  # fmt: skip
    """Write a manifest's list, and return what places documents by it; the rest has weight 1."""
    rows = [
        {"doc_id": None, "text_hash": 0, "weight": 1.0, "spans": None, "places": None, **row}
        for row in listed
    ]
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, DOCUMENTS)
    pq.write_table(
        table.sort_by([("shard", "ascending"), ("row", "ascending")]), folder / DOCUMENTS_FILE
    )
    down = [{"kind": kind, "value": value} for kind, value in taken_down]
    pq.write_table(pa.Table.from_pylist(down, TAKEDOWN), folder / TAKEDOWN_FILE)
    kinds = {"document": "row"}
    return Assignment(
        folder,
        Partition(seed=5, pieces=(*pieces, REST)),
        (*(weights or [1.0] * len(pieces)), 1.0),
        taken_down_by=frozenset(kinds.get(kind, kind) for kind, _ in taken_down),
    )


def text_hash(text: str) -> int:
    """Return a text's hash as a scan computes it."""
    return xxhash.xxh3_64_intdigest(text.encode())


def materialise(
    source: Path, out: Path, placing: Assignment, *, mode: Mode = "buckets", match: Match = "row",
    tasks: int = 1,
) -> list[Account]:  # fmt: skip
    """Reweigh a source as so many tasks, one after another; return the accounts of its parts."""
    parts = plan_parts(list_corpus(str(source)), "text")
    options = ReweighOptions("by hand", mode, match, Columns())
    step = Materialise(parts, placing, options, out, Held(str(out), 1))
    for rank in range(tasks):
        deque(step.run(None, rank, tasks), maxlen=0)
    accounts = [read_account(out, part) for part in parts]
    return [account for account in accounts if account is not None]


def files_of(out: Path, bucket: str) -> list[list[dict[str, Any]]]:
    """Return the rows of each shard file of a bucket."""
    return [
        pq.read_table(path).to_pylist()
        if path.suffix == ".parquet"
        else [json.loads(line) for line in unpacked(path).splitlines()]
        for path in shards(out, bucket)
    ]


def shards(out: Path, bucket: str) -> list[Path]:
    """Return the shard files of a bucket."""
    return sorted(path for path in (out / bucket).rglob("*") if path.is_file())


def unpacked(path: Path) -> bytes:
    """Return the lines of a file."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    with suppress(zstandard.ZstdError):
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data
