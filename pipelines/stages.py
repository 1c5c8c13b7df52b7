"""The cascade's dear stages as steps: screen, evidence, verdict, each over a document's windows.

A stage adds what it found to the document's metadata and passes every document on; documents of the
control sample are only screened. A document whose reading fails here sets its part aside.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..errors import one_line
from ..labels.draw import below, draws
from .gated import ScanOptions


class Stage(PipelineStep):
    """A step that reads one document at a time and adds to its metadata."""

    type = "Stage"

    def __init__(self, options: ScanOptions) -> None:
        super().__init__()
        self.options = options

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Read each document, and pass all on."""
        for document in data or ():
            if self.applies(document):
                with self.track_time():
                    try:
                        self.read(document)
                    except Exception as error:  # the part must be named, whatever a library raised
                        document.metadata["failure"] = f"{document.id}: {one_line(error)}"
            yield document

    def applies(self, document: Document) -> bool:
        """Whether the document has windows that this stage reads."""
        return bool(document.metadata.get("windows")) and not document.metadata.keys() & {
            "failure", "control",
        }  # fmt: skip

    @abstractmethod
    def read(self, document: Document) -> None:
        """Add to the document's metadata."""


def passages(document: Document) -> list[str]:
    """Return the texts of a document's windows."""
    return [document.text[start:end] for start, end in document.metadata["windows"]]


class Screen(Stage):
    """Scores the windows with fastText and keeps those that the screen lets by.

    Adds `screen` (the highest score a label) and `screen_windows` (a row for each kept window). A
    document that is stopped here joins the control sample where the draw says so.
    """

    name = "Screen"

    def applies(self, document: Document) -> bool:
        """Whether the document has windows; those of the control sample are screened too."""
        return bool(document.metadata.get("windows"))

    def read(self, document: Document) -> None:
        """Screen one document."""
        screen, found = (
            self.options.cascade().screen,
            document.metadata,
        )
        scores = screen.score(passages(document))
        found["screen"] = scores.max(axis=0)
        if "control" in found:
            return
        kept = screen.lets_by(scores)
        found["screen_windows"] = scores[kept]
        found["windows"] = [w for w, keep in zip(found["windows"], kept, strict=True) if keep]
        if not found["windows"]:
            draw = draws("control-screen", self.options.seed, found["shard"], [found["row"]])
            if below(draw, self.options.rate_screen)[0]:
                found["control"] = "screen"


class Evidence(Stage):
    """Finds agents, behaviours and negation in the kept windows with spaCy."""

    name = "Evidence"

    def read(self, document: Document) -> None:
        """Read one document."""
        document.metadata["evidence"] = self.options.cascade().evidence.read(passages(document))


class Verdict(Stage):
    """Gives each kept window, and the document, its calibrated probabilities."""

    name = "Verdict"

    def read(self, document: Document) -> None:
        """Judge one document."""
        cascade, found = (
            self.options.cascade(),
            document.metadata,
        )
        found["passages"], found["verdict"] = cascade.judge(
            document.text, found["windows"], found["screen_windows"], found["evidence"]
        )
