"""A step whose process dies, or whose disk is full, at parts of a given name."""

import errno
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from narrascope.pipelines.parts import Part, Shard


def parts(*names: str) -> list[Part]:
    """Return a part for each name."""
    return [Part(Shard(name, name, "jsonl", 1, "digest")) for name in names]


class Fragile(PipelineStep):
    """Writes a file for each part.

    `kills…` kills its process, `once…` so only the first time; `stalls…` does not end the first
    time, as a worker does that waits for a lock which a killed one held, and no other kills before.
    """

    def __init__(self, parts: list[Part], done: Path) -> None:
        super().__init__()
        self.parts = parts
        self.done = done

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        for part in self.parts[rank::world_size]:
            name = part.shard.name
            tried = self.done / f"{name}.tried"
            while not name.startswith("stalls") and not self._are_stalling():
                time.sleep(0.01)
            if name.startswith("kills") or (name.startswith("once") and not tried.exists()):
                tried.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if name.startswith("stalls") and not tried.exists():
                tried.touch()
                signal.pause()
            if name.startswith("full"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/tags")
            (self.done / name).touch()
        yield from ()

    def _are_stalling(self) -> bool:
        names = (part.shard.name for part in self.parts)
        stalls = (name for name in names if name.startswith("stalls"))
        return all((self.done / f"{name}.tried").exists() for name in stalls)
