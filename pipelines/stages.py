"""The cascade's dear stages as steps: screen, evidence, verdict, each over many windows at once.

A stage adds what it found to the documents' metadata and passes every document on; documents of the
control sample are only screened. What is said of a document does not depend on those beside it. A
document whose reading fails here sets its part aside.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..classifiers.cascade import Escalated
from ..classifiers.passages import Window
from ..errors import one_line
from .gated import ScanOptions

WINDOWS_HELD = 256
"""Windows that a stage waits for, over which the cost of each call is spread."""

DOCUMENTS_HELD = 1024


class Stage(PipelineStep):
    """A step that reads documents by the hundred windows and adds to their metadata."""

    type = "Stage"

    def __init__(self, options: ScanOptions) -> None:
        super().__init__()
        self.options = options

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Read the documents, and pass all on in order; none is held beyond its part's end."""
        held: list[Document] = []
        windows = 0
        for document in data or ():
            held.append(document)
            windows += len(document.metadata.get("windows", ()))
            is_end = "part_end" in document.metadata
            if is_end or windows >= WINDOWS_HELD or len(held) >= DOCUMENTS_HELD:
                self._read_held([document for document in held if self.applies(document)])
                yield from held
                held, windows = [], 0
        self._read_held([document for document in held if self.applies(document)])
        yield from held

    def _read_held(self, documents: list[Document]) -> None:
        with self.track_time():
            try:
                self.read(documents)
            except Exception:
                for document in documents:
                    self._read_alone(document)

    def _read_alone(self, document: Document) -> None:
        try:
            self.read([document])
        except Exception as error:  # the part must be named, whatever a library raised
            document.metadata["failure"] = f"{document.id}: {one_line(error)}"

    def applies(self, document: Document) -> bool:
        """Whether the document has windows that this stage reads."""
        return bool(document.metadata.get("windows")) and not document.metadata.keys() & {
            "failure", "control",
        }  # fmt: skip

    @abstractmethod
    def read(self, documents: list[Document]) -> None:
        """Add to the documents' metadata, to that of all or, where it raises, of none."""


def _windows(documents: list[Document]) -> tuple[list[Window], list[slice]]:
    """Return all windows, and which of them are each document's."""
    windows = [window for document in documents for window in document.metadata["windows"]]
    ends = accumulate((len(document.metadata["windows"]) for document in documents), initial=0)
    return windows, [slice(start, end) for start, end in pairwise(ends)]


class Screen(Stage):
    """Scores the windows with fastText and keeps those that the screen lets by.

    Adds `screen` (the highest score a label) and `screen_windows` (a row for each kept window). A
    document that is stopped here joins the control sample where it was drawn for it.
    """

    name = "Screen"

    def applies(self, document: Document) -> bool:
        """Whether the document has windows; those of the control sample are screened too."""
        return bool(document.metadata.get("windows"))

    def read(self, documents: list[Document]) -> None:
        """Screen the documents."""
        screen = self.options.cascade().screen
        windows, places = _windows(documents)
        scores = screen.score(windows)
        kept = screen.lets_by(scores)
        for document, own in zip(documents, places, strict=True):
            found = document.metadata
            found["screen"] = scores[own].max(axis=0)
            if "control" in found:
                continue
            chosen = np.flatnonzero(kept[own]).tolist()
            found["screen_windows"] = scores[own][chosen]
            found["windows"] = [found["windows"][place] for place in chosen]
            if not chosen and "drawn" in found:
                found["control"] = "screen"


class Evidence(Stage):
    """Finds agents, behaviours and negation in the kept windows with spaCy."""

    name = "Evidence"

    def read(self, documents: list[Document]) -> None:
        """Read the documents."""
        windows, places = _windows(documents)
        evidence = self.options.cascade().evidence.read([window.text for window in windows])
        for document, own in zip(documents, places, strict=True):
            document.metadata["evidence"] = evidence[own]


class Verdict(Stage):
    """Gives each kept window, and the document, its calibrated probabilities."""

    name = "Verdict"

    def read(self, documents: list[Document]) -> None:
        """Judge the documents."""
        escalated = [
            Escalated(found["windows"], found["screen_windows"], found["evidence"])
            for found in (document.metadata for document in documents)
        ]
        judged = self.options.cascade().judge(escalated)
        for document, (passages, verdict) in zip(documents, judged, strict=True):
            document.metadata["passages"], document.metadata["verdict"] = passages, verdict
