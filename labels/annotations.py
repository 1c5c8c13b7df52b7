"""Stand-off annotations: labels of other people's text, kept without the text.

An annotation names a document by the hash of its text, and a passage by its offsets, so that who
has the corpus can join the two again. `annotations/` holds three files: `passages.jsonl`, chosen by
what the models were unsure of; `rejected.jsonl`, drawn from what the gate passes over; and
`documents.jsonl`, whole documents.
"""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints

from .labelled import Answers, Example, Labelled, read_lines

PASSAGES, REJECTED, DOCUMENTS = "passages.jsonl", "rejected.jsonl", "documents.jsonl"


class Place(NamedTuple):
    """Where a passage stands: xxh3_64 of its document's UTF-8 text, and a span in code points."""

    text_hash: int
    start: int
    end: int


class Reading(Answers):
    """What one reader answered of a passage, before quarrels were settled."""

    reader: str


class Annotation(Labelled):
    """A passage's settled answers and its place.

    `draw` says how it was chosen; `readings` has each reader's answers where there were several.
    """

    text_hash: Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]
    start: int = Field(ge=0)
    end: int = Field(gt=0)
    draw: str
    reader: str
    readings: tuple[Reading, ...] = ()

    @property
    def place(self) -> Place:
        """Where the passage stands."""
        return Place(int(self.text_hash, 16), self.start, self.end)

    def with_text(self, text: str) -> Example:
        """Return the passage as an example, with its text."""
        return Example.model_construct(**{name: getattr(self, name) for name in _SHARED}, text=text)


_SHARED = tuple(Labelled.model_fields)


def annotations_folder() -> Path:
    """Return the folder of the annotations that come with the package."""
    return Path(str(files(__spec__.parent).joinpath("annotations")))


def read_annotations(paths: Iterable[Path]) -> list[Annotation]:
    """Read annotations from JSONL files, in the order given.

    Raises:
        LabelsError: a file cannot be read, a line is no annotation, or an id stands twice.
    """
    return list(read_lines(paths, Annotation))
