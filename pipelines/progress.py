"""How far a scan has come: counted by its tasks, added up for a terminal and for dashboards.

::

    TAGS/progress/tasks/<task>.json    what one task has counted, written again as it goes on
    TAGS/progress/status.json          the sum of all tasks
    TAGS/progress/narrascope.prom      the same for the textfile collector of Prometheus

A task writes only its own file, so that tasks need neither a leader nor locks, whatever runs them
and whichever of them is killed; one that finds the sum out of date adds up anew.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, field

import orjson
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..store.folder import TagFolder
from .parts import Part, expected_documents

FOLDER = "progress"

IN_HAND_SECONDS = 120.0
"""How long a task is believed to read what it last told it had in hand."""


@dataclass(slots=True)
class Counted:
    """What was read; `work` is in expected documents, by which the time left is judged."""

    documents: int = 0
    bytes: int = 0
    candidates: int = 0
    work: float = 0.0

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(
            self.documents + other.documents,
            self.bytes + other.bytes,
            self.candidates + other.candidates,
            self.work + other.work,
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """What a scan set out to read: parts, expected documents, and when (seconds since 1970)."""

    parts: int
    work: float
    began: float

    @classmethod
    def of(cls, parts: list[Part]) -> "Planned":
        """Plan to read some parts, beginning now."""
        return cls(len(parts), expected_documents(parts), time.time())


@dataclass(slots=True)
class Progress:
    """How far a scan has come at `updated` (seconds since 1970).

    `parts_done` have a receipt, `parts_failed` were set aside; `counted` takes in what has been
    read of the parts in hand. What an earlier scan had read is in none of the counts. `is_stopped`
    says that nobody reads on, though parts are left.
    """

    planned: Planned
    updated: float
    parts_done: int = 0
    parts_failed: int = 0
    counted: Counted = field(default_factory=Counted)
    is_stopped: bool = False

    @property
    def is_done(self) -> bool:
        """Whether every part was read or set aside."""
        return self.parts_done + self.parts_failed >= self.planned.parts

    @property
    def seconds(self) -> float:
        """Time since the scan began."""
        return max(0.0, self.updated - self.planned.began)

    @property
    def share(self) -> float:
        """Share of the work that is done, in [0, 1]."""
        return 1.0 if self.is_done else min(1.0, self.counted.work / max(self.planned.work, 1.0))

    @property
    def seconds_left(self) -> float | None:
        """Time left at the mean speed so far; None before anything was read."""
        return self.seconds * (1 - self.share) / self.share if self.share else None

    @property
    def bytes_per_second(self) -> float:
        """Mean speed so far, in bytes of text."""
        return self.counted.bytes / self.seconds if self.seconds else 0.0

    @property
    def candidate_share(self) -> float:
        """Share of candidates among the documents read, in [0, 1]."""
        return self.counted.candidates / max(self.counted.documents, 1)

    def row(self) -> dict[str, float | int | str | None]:
        """Return it under the names of `status.json`."""
        left = self.seconds_left
        return {
            "state": "done" if self.is_done else "stopped" if self.is_stopped else "running",
            "began": round(self.planned.began, 3),
            "updated": round(self.updated, 3),
            "parts": self.planned.parts,
            "parts_done": self.parts_done,
            "parts_failed": self.parts_failed,
            "documents": self.counted.documents,
            "bytes": self.counted.bytes,
            "candidates": self.counted.candidates,
            "bytes_per_second": round(self.bytes_per_second, 1),
            "share_done": round(self.share, 6),
            "seconds_left": None if left is None else round(left, 1),
        }


def begin_progress(folder: TagFolder, planned: Planned) -> None:
    """Forget the counts of an earlier scan, and say that this one has begun."""
    with suppress(FileNotFoundError):
        folder.filesystem.rm(folder.path(FOLDER), recursive=True)
    publish_progress(folder, Progress(planned, planned.began))


def read_progress(folder: TagFolder, planned: Planned) -> Progress:
    """Add up what all tasks of a scan have told so far."""
    progress = Progress(planned, time.time())
    root = folder.path(FOLDER, "tasks")
    in_hand = Counted()
    with suppress(FileNotFoundError):  # nothing was told yet
        for path in folder.filesystem.ls(root, detail=False):
            if path.endswith(".json"):
                told = orjson.loads(folder.filesystem.cat_file(path))
                progress.parts_done += told["parts_done"]
                progress.parts_failed += told["parts_failed"]
                progress.counted += Counted(**told["finished"])
                if progress.updated - told["at"] < IN_HAND_SECONDS:
                    in_hand += Counted(**told["in_hand"])
    if not progress.is_done:
        progress.counted += in_hand
    return progress


def publish_progress(folder: TagFolder, progress: Progress) -> None:
    """Write the sum for people and programs, and for Prometheus."""
    row = progress.row()
    folder.write(folder.path(FOLDER, "status.json"), orjson.dumps(row, option=orjson.OPT_INDENT_2))
    registry = CollectorRegistry()
    for name, help_text in _GAUGES.items():
        value = row[name]
        if value is not None:
            Gauge(f"narrascope_scan_{name}", help_text, registry=registry).set(float(value))
    folder.write(folder.path(FOLDER, "narrascope.prom"), generate_latest(registry))


_GAUGES = {
    "began": "When the scan began, in seconds since 1970.",
    "updated": "When these figures were added up, in seconds since 1970.",
    "parts": "Parts that the scan set out to read.",
    "parts_done": "Parts that have a receipt.",
    "parts_failed": "Parts that were set aside.",
    "documents": "Documents read, those of parts in hand among them.",
    "bytes": "Bytes of text read.",
    "candidates": "Documents in which the gate found a term.",
    "bytes_per_second": "Bytes of text read a second since the scan began.",
    "share_done": "Share of the work that is done, 0 to 1.",
    "seconds_left": "Time left at the mean speed so far.",
}
