"""What one task has read so far, told in a file of its own about once a second."""

import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict

import orjson

from ..store.folder import TagFolder
from .parts import COMPRESSIONS, Part, expected_documents
from .progress import FOLDER, Counted, Planned, publish_progress, read_progress

STATUS_SECONDS = 15.0
"""How old the sum of all tasks may grow before a task adds up anew."""

UNPACKED = 3.5
"""Bytes of text that a packed byte is taken for while a file is being read."""

_TELL_SECONDS = {True: 1.0, False: 15.0}  # whether the tag folder is on a local disk


class Meter:
    """Counts for the steps of a task; reader and publisher share one.

    The file is replaced whole, so that a task that is killed leaves what it last told. A file that
    cannot be written stops no scan: the tags say whether there is room for them.

    Args:
        tags: the tag folder's URL.
        planned: what the whole scan set out to read.
    """

    def __init__(self, tags: str, planned: Planned) -> None:
        self.tags = tags
        self.planned = planned
        self._finished = Counted()
        self._in_hand = Counted()
        self._parts_done = self._parts_failed = 0
        self._told = self._looked = 0.0

    def begin_task(self, rank: int) -> None:
        """Begin to count for a task of this process."""
        self._folder = TagFolder(self.tags)
        task = f"{rank}-{socket.gethostname()}-{os.getpid()}-{time.time_ns()}.json"
        self._path = self._folder.path(FOLDER, "tasks", task)

    def read(self, part: Part, documents: int, size: int, candidates: int) -> None:
        """Count some documents of the part in hand, with their bytes of text."""
        hand = self._in_hand
        hand.documents += documents
        hand.bytes += size
        hand.candidates += candidates
        if part.end_row is not None:
            share = hand.documents / max(1, part.end_row - part.first_row)
        else:
            packed = part.shard.path.endswith(COMPRESSIONS)
            share = hand.bytes / max(1.0, part.shard.size * (UNPACKED if packed else 1.0))
        hand.work = min(1.0, share) * expected_documents([part])
        self._tell_in_time()

    def end_part(self, part: Part, documents: int, size: int, candidates: int) -> None:
        """Count a part as done, with the numbers of its receipt."""
        self._parts_done += 1
        self._end(Counted(documents, size, candidates, expected_documents([part])))

    def fail_part(self, part: Part) -> None:
        """Count a part as set aside: nothing that was read of it counts."""
        self._parts_failed += 1
        self._end(Counted(work=expected_documents([part])))

    def end_task(self) -> None:
        """Tell the last counts, and add up all tasks."""
        with suppress(OSError):
            self._tell()
            publish_progress(self._folder, read_progress(self._folder, self.planned))

    def _end(self, counted: Counted) -> None:
        self._finished += counted
        self._in_hand = Counted()
        self._tell_in_time()

    def _tell_in_time(self) -> None:
        now = time.monotonic()
        with suppress(OSError):
            if now - self._told >= _TELL_SECONDS[self._folder.is_local]:
                self._told = now
                self._tell()
            if now - self._looked >= STATUS_SECONDS:
                self._looked = now
                if self._status_age() > STATUS_SECONDS:
                    publish_progress(self._folder, read_progress(self._folder, self.planned))

    def _status_age(self) -> float:
        path = self._folder.path(FOLDER, "status.json")
        return time.time() - self._folder.filesystem.modified(path).timestamp()

    def _tell(self) -> None:
        told = {
            "at": time.time(),
            "parts_done": self._parts_done,
            "parts_failed": self._parts_failed,
            "finished": asdict(self._finished),
            "in_hand": asdict(self._in_hand),
        }
        self._folder.write(self._path, orjson.dumps(told))
