"""The last step of a scan: a part's tags, control rows and totals, then its receipt."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..classifiers.cascade import PassageReading
from ..errors import one_line
from ..labels.tag import CONTROL, KINDS, RECEIPT, TAGS
from ..labels.taxonomy import LABELS
from ..store.folder import TagFolder
from .gated import PartEnd, ScanOptions
from .lease import Lease
from .meter import Meter
from .parts import Part, Shard

_ROWS_HELD = 2_000


class TagPublisher(PipelineStep):
    """Gathers a part's rows and publishes them when its end comes by; yields nothing.

    Nothing of a part is published before all of it was read; a part that failed is set aside with
    its reason instead, and the other parts of its shard stand. Parts of a task come one after
    another, so one part's rows are held at a time, as Arrow tables.

    Args:
        tags: the tag folder's URL.
        options: the scan's options.
        provenance: the columns of a receipt that all parts of a scan share.
        meter: counts what was published.
        lease: the scan's hold of the folder; where another scan took it over, this one stops.
    """

    name = "Tag publisher"
    type = "Writer"

    def __init__(
        self, tags: str, options: ScanOptions, provenance: dict[str, Any], meter: Meter,
        lease: Lease,
    ) -> None:  # fmt: skip
        super().__init__()
        self.tags = tags
        self.options = options
        self.provenance = provenance
        self.meter = meter
        self.lease = lease

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Publish this task's parts."""
        folder = TagFolder(self.tags)
        part = _PartRows()
        for document in data or ():
            end = document.metadata.get("part_end")
            if end is None:
                part.add(document, self.options)
                continue
            self.lease.require()
            if (tables := self._tables(end, part)) is None:
                folder.set_aside(end.part.shard.name, part_account(end.part, part.failure or ""))
                self.meter.fail_part(end.part)
                self.stat_update("failed", unit="part")
            else:
                shard, first_row = end.part.key
                for kind in KINDS:  # the receipt last
                    folder.publish(kind, shard, first_row, tables[kind])
                (receipt,) = tables["receipts"].to_pylist()
                self.meter.end_part(
                    end.part, receipt["documents"], receipt["bytes"], receipt["candidates"]
                )
            part = _PartRows()
        self.meter.end_task()
        yield from ()

    def _tables(self, end: PartEnd, part: "_PartRows") -> dict[str, pa.Table] | None:
        """Return the part's files, or None where it failed, with the reason in `part.failure`."""
        part.failure = end.failure or part.failure
        if part.failure is None:
            try:
                return self._files(end, part)
            except Exception as error:  # a value that no column can hold must name its part
                part.failure = one_line(error)
        return None

    def _files(self, end: PartEnd, part: "_PartRows") -> dict[str, pa.Table]:
        shard, first_row = end.part.key
        totals, domains = end.totals.tables(shard, first_row)
        receipt = {
            **self.provenance,
            "shard": shard,
            "first_row": first_row,
            "end_row": end.end_row,
            "partial": end.partial,
            "format": end.part.shard.format,
            "size": end.part.shard.size,
            "input_digest": end.part.shard.digest,
            "invalid_utf8": end.invalid_utf8,
            "unreadable": len(end.unreadable),
            "unreadable_rows": end.unreadable[:1000],
            "candidates": end.candidates,
            "escalated": part.escalated,
            "started": end.started,
            "seconds": round(end.seconds, 3),
        }
        for column in ("documents", "empty", "bytes", "tokens"):
            values = [v for v in totals[column].to_pylist() if v is not None]
            receipt[column] = sum(values) if values or column != "tokens" else None
        return {
            "tags": part.tags.table(),
            "control": part.control.table(),
            "totals": totals,
            "domains": domains,
            "receipts": pa.Table.from_pylist([receipt], RECEIPT),
        }


def account(shard: Shard, reason: str) -> dict[str, Any]:
    """Return what is written of a shard that is set aside."""
    return {
        "shard": shard.name,
        "size": shard.size,
        "input_digest": shard.digest,
        "reason": reason,
        "retry": "mend the shard and scan again, or scan again with --retry-failed",
    }


def part_account(part: Part, reason: str) -> dict[str, Any]:
    """Return what is written of a part that is set aside; `end_row` is null where not known."""
    return account(part.shard, reason) | {"first_row": part.first_row, "end_row": part.end_row}


def provenance(root: str, options: ScanOptions, digests: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a receipt that all parts of a scan share."""
    columns = {name: getattr(options.columns, name) for name in options.columns.__slots__}
    return {
        "root": root,
        "options": orjson.dumps(
            {"columns": columns, "keep_text": options.keep_text}, option=orjson.OPT_SORT_KEYS
        ).decode(),
        "seed": options.seed,
        "control_rate_gate": options.rate_gate,
        "control_rate_screen": options.rate_screen,
        **digests,
    }


class _Rows:
    """Rows on their way into one table, held as Python objects only by the thousand."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._rows: list[dict[str, Any]] = []
        self._tables: list[pa.Table] = []

    def append(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _ROWS_HELD:
            self._fold()

    def table(self) -> pa.Table:
        self._fold()
        return pa.concat_tables(self._tables)

    def _fold(self) -> None:
        self._tables.append(pa.Table.from_pylist(self._rows, self.schema))
        self._rows = []


class _PartRows:
    """What a part's documents have come to so far."""

    def __init__(self) -> None:
        self.tags = _Rows(TAGS)
        self.control = _Rows(CONTROL)
        self.escalated = 0
        self.failure: str | None = None

    def add(self, document: Document, options: ScanOptions) -> None:
        found = document.metadata
        self.failure = self.failure or found.get("failure")
        if self.failure:
            return
        try:
            if "control" in found:
                self.control.append(control_row(document, options))
            if found["gate_matches"]:
                self.escalated += "verdict" in found
                self.tags.append(tag_row(document, keep_text=options.keep_text))
        except Exception as error:  # as in `_tables`
            self.failure = f"{document.id}: {one_line(error)}"


def control_row(document: Document, options: ScanOptions) -> dict[str, Any]:
    """Return a row of the control sample."""
    found = document.metadata
    rate = options.rate_gate if found["control"] == "gate" else options.rate_screen
    return {
        **found,
        **_scores("screen_", found.get("screen")),
        "stratum": found["control"],
        "inclusion_probability": rate,
        "text": document.text,
    }


def tag_row(document: Document, *, keep_text: bool) -> dict[str, Any]:
    """Return a candidate's row; labels are null and passages empty where the screen stopped it."""
    found = document.metadata
    screen = _scores("screen_", found.get("screen"))
    if "verdict" not in found:
        return {**found, **screen, "behaviours": [], "passages": []}
    verdict = found["verdict"]
    return {
        **found,
        **screen,
        **verdict.probability,
        **{f"{label}_max": score for label, score in verdict.highest.items()},
        **{f"{label}_stance": stance for label, stance in verdict.stance.items()},
        "genre": verdict.genre,
        "behaviours": verdict.behaviours,
        "passages": [_passage(passage, keep_text=keep_text) for passage in found["passages"]],
    }


def _passage(passage: PassageReading, *, keep_text: bool) -> dict[str, Any]:
    return {
        "start": passage.start,
        "end": passage.end,
        "text": passage.text if keep_text else None,
        **{f"screen_{label}": score for label, score in passage.screen.items()},
        **{f"judge_{label}": score for label, score in passage.judge.items()},
        **passage.probability,
        "stance": passage.stance,
        "evidence": [span._asdict() for span in passage.evidence],
    }


def _scores(prefix: str, values: Any) -> dict[str, float | None]:
    if values is None:
        return {f"{prefix}{label}": None for label in LABELS}
    return {f"{prefix}{label}": float(v) for label, v in zip(LABELS, values, strict=True)}
