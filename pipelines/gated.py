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
from ..classifiers.passages import Window, code_points, read_windows, slices
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
    whole text cut into windows. Only drawn documents keep their text, and no more of it than the
    control sample does; a candidate that is drawn should the screen stop it is marked `drawn`.
    Task r of n reads parts r, r + n, …. A part that cannot be read to its end is passed on as
    failed, with the reason, and the next part is read.

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
        found = self.gate.find(table.column("text"))
        passed = np.zeros(table.num_rows, dtype=bool)
        passed[found.documents] = True
        text_bytes = int(table["bytes"].to_numpy().sum())
        self.meter.read(self.part, table.num_rows, text_bytes, int(passed.sum()))
        rows = table["row"].to_numpy()
        control = self._drawn("gate", rows, self.options.rate_gate)
        wanted = passed | control
        stopped = self._drawn("screen", rows[wanted], self.options.rate_screen)
        texts = table["text"].filter(pa.array(wanted)).cast(pa.large_binary()).to_pylist()
        columns = table.drop_columns(["text", "date"]).filter(pa.array(wanted)).to_pylist()
        spans = found.of(np.flatnonzero(wanted))
        for matches, data, row, in_control, drawn in zip(
            spans, texts, columns, control[wanted].tolist(), stopped.tolist(), strict=True
        ):
            data = data or b""
            if row.pop("html"):
                data = extract_text(data.decode(errors="replace")).encode()
                matches = self.gate.matches(data)
            elif batch.invalid_utf8:
                data = data.decode(errors="replace").encode()
                matches = self.gate.matches(data)
            if matches:
                self.candidates += 1
                document = self._document(data, row, read_windows(data, matches), len(matches))
                yield _keep_text(document, data, drawn=True) if drawn else document
            elif in_control:
                document = _keep_text(self._document(data, row, [], 0), data, control="gate")
                document.metadata["windows"] = [
                    Window(start, end, document.text[start:end])
                    for start, end in slices(document.text)
                ]
                yield document

    def _drawn(self, stratum: str, rows: np.ndarray, rate: float) -> np.ndarray:
        name = self.part.shard.name
        return below(draws(f"control-{stratum}", self.options.seed, name, rows), rate)

    def _document(
        self, data: bytes, row: dict[str, Any], windows: list[Window], matches: int
    ) -> Document:
        return Document(
            "",
            f"{self.part.shard.name}#{row['row']}",
            metadata={
                "shard": self.part.shard.name,
                **row,
                "text_hash": xxhash.xxh3_64_intdigest(data),
                "gate_matches": matches,
                "windows": windows,
            },
        )


def _keep_text(document: Document, data: bytes, **marks: Any) -> Document:
    """Give a drawn document the text that the control sample keeps, and mark it."""
    # A character is cut at most, at the end of what was looked at: further on than is kept.
    beginning = data[: 4 * CONTROL_CHARACTERS].decode(errors="ignore")
    document.text = beginning[:CONTROL_CHARACTERS]
    document.metadata |= {"characters": code_points(data), **marks}
    return document
