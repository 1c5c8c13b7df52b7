"""The gated reader: counts every row on columns; only what the gate passes becomes a Document."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..classifiers.cascade import Cascade, load_cascade
from ..classifiers.passages import char_offsets, slices, windows
from ..errors import SourceError, one_line
from ..labels.draw import below, draws
from ..labels.tag import CONTROL_CHARACTERS
from .batches import Batch, Columns
from .counts import Totals, domains, months
from .formats import read_part
from .meter import Meter
from .parts import Part
from .warc import extract_text


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What a scan was asked for; with the models, all that its tags depend on.

    `rate_gate` and `rate_screen` are the control sample's inclusion probabilities in its two
    strata; `limit` ends a task's reading after so many rows; `models` is another folder of models;
    with `judge` the judge reads what the verdict leaves undecided.
    """

    columns: Columns = field(default_factory=Columns)
    keep_text: bool = True
    seed: int = 0
    rate_gate: float = 0.0
    rate_screen: float = 0.0
    limit: int | None = None
    models: Path | None = None
    judge: bool = False

    def cascade(self) -> Cascade:
        """Return this process's cascade for these options."""
        return load_cascade(self.models, judge=self.judge)


@dataclass(slots=True)
class PartEnd:
    """Follows a part's last document through the pipeline, with all that was counted of it."""

    part: Part
    end_row: int
    totals: Totals
    candidates: int
    invalid_utf8: int
    unreadable: list[int]
    started: datetime
    seconds: float
    partial: bool
    failure: str | None = None


class GatedReader(PipelineStep):
    """Reads parts; yields the documents of each and then one that carries its `PartEnd`.

    A document is yielded for each candidate, with the windows around its matches, and for each row
    that the control sample drew from what the gate passed over, marked `control: gate`, with its
    whole text cut into windows. Task r of n reads parts r, r + n, …. A part that cannot be read to
    its end is passed on as failed, with the reason, and the next part is read.

    Args:
        parts: what is to be read, by all tasks together.
        options: the scan's options.
        meter: counts what is read.
    """

    name = "Gated reader"
    type = "Reader"

    def __init__(self, parts: list[Part], options: ScanOptions, meter: Meter) -> None:
        super().__init__()
        self.parts = parts
        self.options = options
        self.meter = meter

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Read this task's parts."""
        left = self.options.limit
        self.meter.begin_task(rank)
        for part in self.parts[rank::world_size]:
            if left == 0:
                return
            reading = _PartReading(part, self.options, self.meter, left)
            yield from reading.documents()
            end = reading.end()
            rows = end.end_row - part.first_row
            self.stat_update("rows", value=rows, unit="part")
            self.stat_update("candidates", value=end.candidates, unit="part")
            if left is not None:
                left = max(0, left - rows)
            yield Document(text="", id="/".join(map(str, part.key)), metadata={"part_end": end})


class _PartReading:
    """One part being read: what was counted of it so far."""

    def __init__(self, part: Part, options: ScanOptions, meter: Meter, limit: int | None) -> None:
        self.part = part
        self.options = options
        self.meter = meter
        self.limit = limit
        self.gate = options.cascade().gate
        self.clock = time.monotonic()
        self.started = datetime.now(UTC)
        self.totals = Totals()
        self.unreadable: list[int] = []
        self.end_row = part.first_row
        self.candidates = 0
        self.invalid_utf8 = 0
        self.failure: str | None = None

    def documents(self) -> Iterator[Document]:
        try:
            for batch in read_part(self.part, self.options.columns):
                yield from self._gate(self._cut(batch))
                if self.limit is not None and self.end_row >= self.part.first_row + self.limit:
                    return
        except SourceError as error:
            self.failure = str(error)
        except Exception as error:  # whatever a torn file provokes in any library sets it aside
            self.failure = one_line(error)

    def end(self) -> PartEnd:
        return PartEnd(
            self.part, self.end_row, self.totals, self.candidates, self.invalid_utf8,
            self.unreadable, self.started, time.monotonic() - self.clock,
            partial=self.options.limit is not None, failure=self.failure,
        )  # fmt: skip

    def _cut(self, batch: Batch) -> Batch:
        if self.limit is None or batch.end_row <= self.part.first_row + self.limit:
            return batch
        end = self.part.first_row + self.limit
        rows = batch.table.column("row").to_numpy()
        kept = batch.table.slice(0, int(np.searchsorted(rows, end)))
        return Batch(kept, end, [r for r in batch.unreadable if r < end], batch.invalid_utf8)

    def _gate(self, batch: Batch) -> Iterator[Document]:
        self.end_row = batch.end_row
        self.unreadable.extend(batch.unreadable)
        self.invalid_utf8 += batch.invalid_utf8
        table = batch.table.append_column("month", months(batch.table.column("date")))
        table = table.append_column("domain", domains(table.column("url")))
        self.totals.add(table)
        passed = self.gate.candidates(table.column("text"))
        self.meter.read(
            self.part, table.num_rows, int(table["bytes"].to_numpy().sum()), int(passed.sum())
        )
        drawn = below(
            draws("control-gate", self.options.seed, self.part.shard.name, table["row"].to_numpy()),
            self.options.rate_gate,
        )
        wanted = pa.array(passed | drawn)
        texts = table["text"].filter(wanted).cast(pa.large_binary()).to_pylist()
        rows = table.drop_columns(["text", "date"]).filter(wanted).to_pylist()
        for data, row, in_control in zip(texts, rows, drawn[passed | drawn], strict=True):
            document = self._document(data or b"", row)
            if document.metadata["gate_matches"]:
                self.candidates += 1
                yield document
            elif in_control:
                document.metadata["control"] = "gate"
                document.metadata["windows"] = slices(document.text[:CONTROL_CHARACTERS])
                yield document

    def _document(self, data: bytes, row: dict[str, Any]) -> Document:
        text = data.decode("utf-8", errors="replace")
        if row.pop("html"):
            text = extract_text(text)
        data = text.encode()
        matches = self.gate.matches(data)
        return Document(
            text,
            f"{self.part.shard.name}#{row['row']}",
            metadata={
                "shard": self.part.shard.name,
                **row,
                "text_hash": xxhash.xxh3_64_intdigest(data),
                "gate_matches": len(matches),
                "windows": windows(text, char_offsets(data, matches)),
            },
        )
