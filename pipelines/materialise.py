"""A part's rows into bucket shards: the step that datatrove's executors run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..manifests.assign import Assignment, Match, Mode
from .accounts import Account, is_done, write_account
from .batches import Columns
from .lease import Lease
from .listed import Listed, read_listed
from .marking import Marker
from .parts import Part
from .placing import Placer, Places
from .routing import Router, router
from .tally import Tally
from .windows import Window, read_windows


@dataclass(frozen=True, slots=True)
class ReweighOptions:
    """What a reweighing was asked for; a folder it went to takes no other."""

    manifest: str
    mode: Mode
    match: Match
    columns: Columns


class Materialise(PipelineStep):
    """Routes each part's rows to bucket shards; a part's account is written when all are there.

    Task r of n takes parts r, r + n, …, and passes over those that are done.

    Args:
        parts: what is to be written.
        assignment: what places documents.
        options: what was asked for.
        out: where shards go.
        lease: the hold of `out`; where another command took it over, this one stops.
    """

    name = "Materialise"
    type = "Writer"

    def __init__(
        self, parts: list[Part], assignment: Assignment, options: ReweighOptions, out: Path,
        lease: Lease,
    ) -> None:  # fmt: skip
        super().__init__()
        self.parts = parts
        self.assignment = assignment
        self.options = options
        self.out = out
        self.lease = lease

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Write this task's parts."""
        match = self.options.match
        placer = Placer(self.assignment, match)
        everything = None if match == "row" else read_listed(self.assignment, match)
        for part in self.parts[rank::world_size]:
            if not is_done(self.out, part):
                listed = everything
                if listed is None:
                    listed = read_listed(self.assignment, match, part)
                write_account(self.out, part, self._write(part, listed, placer))
        yield from ()

    def _write(self, part: Part, listed: Listed, placer: Placer) -> Account:
        names, text = self.assignment.partition.names, self.options.columns.text
        markers = [Marker(p, listed, part, text) for p in self.assignment.partition.pieces]
        tally = Tally(len(markers))
        copied = self.options.mode == "realised"
        with router(part, self.out, names, text, copies=copied) as routes:
            for window, places, copies in self._placed(part, listed, placer):
                tally.see(window.table.num_rows, places.buckets)
                if self.options.match != "row":  # by row, whole shards are there or not
                    tally.find(places.entries)
                for bucket in np.unique(places.buckets[copies > 0]).tolist():
                    here = (places.buckets == bucket) & (copies > 0)
                    _route(routes, bucket, markers[bucket], window, places, here, copies, tally)
            self.lease.require()
            files = routes.publish()
        return tally.account(part, names, files, self.out)

    def _placed(
        self, part: Part, listed: Listed, placer: Placer
    ) -> Iterator[tuple[Window, Places, np.ndarray]]:
        """Yield a part's windows, and where and how often each document is to be written."""
        shard, first_row = part.key

        def copies(rows: np.ndarray, buckets: np.ndarray) -> np.ndarray:
            mode = self.options.mode
            return self.assignment.copies(
                rows, buckets, shard=shard, first_row=first_row, mode=mode
            )

        def windows() -> Iterator[tuple[Window, Places]]:
            for window in read_windows(part, self.options.columns):
                yield window, placer.place(window, listed, part)

        if self.options.mode == "buckets":
            for window, places in windows():
                yield window, places, copies(window.rows, places.buckets)
            return
        # Which documents get one copy more is drawn among all of the part: it is read once before.
        rows, buckets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for window, places in windows():
            rows.append(window.rows)
            buckets.append(places.buckets)
        drawn = copies(np.concatenate(rows), np.concatenate(buckets))
        start = 0
        for window, places in windows():
            end = start + len(places.buckets)
            yield window, places, drawn[start:end]
            start = end


def _route(
    routes: Router, bucket: int, marker: Marker, window: Window, places: Places, here: np.ndarray,
    copies: np.ndarray, tally: Tally,
) -> None:  # fmt: skip
    """Write the documents of a window that `here` names into their bucket."""
    in_table = np.zeros(window.table.num_rows, dtype=bool)
    in_table[window.rows[here] - window.first_row] = True
    rows = pa.table(window.table.filter(pa.array(in_table)))
    documents, mask = window.batch.table, pa.array(here)
    sizes = documents.column("bytes").to_numpy()[here]
    if not marker.changes_nothing:
        text = documents.column("text").filter(mask)
        rows, grown, stale = marker.mark(
            rows, text, places.entries[here], repair=bool(window.batch.invalid_utf8)
        )
        sizes = sizes + grown
        tally.stale += stale
    routes.write(bucket, rows, copies[here])
    tally.add(bucket, copies[here], sizes, documents.column("tokens").filter(mask))
