"""A step whose process dies, or whose disk is full, at parts of a given name."""

import errno
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from narrascope.pipelines.parts import Part, Shard


def parts(*names: str) -> list[Part]:
    """Return a part for each name."""
    return [Part(Shard(name, name, "jsonl", 1, "digest")) for name in names]


class Fragile(PipelineStep):
    """Writes a file for each part; `kills…` kills its process, `once…` so only the first time."""

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
            if name.startswith("kills") or (name.startswith("once") and not tried.exists()):
                tried.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if name.startswith("full"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/tags")
            (self.done / name).touch()
        yield from ()
