"""Labelled passages: JSON lines read strictly, each fault told by file and line."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import LabelsError
from .taxonomy import LABELS, PORTRAYALS, Behaviour, Genre, Stance


class Answers(BaseModel):
    """What a reader answers of a passage; the labels must agree with each other.

    `sure` is false where another careful reader could well answer otherwise.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    ai_agent: bool
    malevolent: bool
    self_preserving: bool
    benevolent: bool
    stance: Stance
    genre: Genre
    behaviours: tuple[Behaviour, ...]
    sure: bool = True

    @model_validator(mode="after")
    def _agree(self) -> Self:
        portrayed = [label for label in PORTRAYALS if getattr(self, label)]
        if portrayed and not self.ai_agent:
            raise ValueError(f"{portrayed[0]} is 1 where ai_agent is 0; set ai_agent to 1")
        if bool(portrayed) == (self.stance == "none"):
            raise ValueError(
                f"stance is {self.stance!r} with portrayals {portrayed}; "
                "it is 'none' where, and only where, all three are 0"
            )
        return self

    def labels(self) -> tuple[bool, ...]:
        """Return the four answers in the order of `LABELS`."""
        return tuple(getattr(self, label) for label in LABELS)


class Labelled(Answers):
    """Answers with an id and a place; `work` groups what must not be split between folds."""

    id: str
    work: str
    document: str = ""
    source: str = ""


class Example(Labelled):
    """A passage with its answers.

    `document` is the text that the passage comes from, by default its work. Fields beyond these
    are ignored.
    """

    text: str = Field(min_length=1)


Line = TypeVar("Line", bound=Labelled)


def read_lines(paths: Iterable[Path], kind: type[Line]) -> Iterator[Line]:
    """Yield the lines of JSONL files as records of a kind, in order; blank lines are passed over.

    Raises:
        LabelsError: a file cannot be read, a line is not of the kind, or an id stands twice.
    """
    places: dict[str, str] = {}
    for path in paths:
        try:
            lines = path.read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise LabelsError(
                f"labelled passages at {path} cannot be read ({error}): give a JSONL file in UTF-8"
            ) from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                record = kind.model_validate_json(line)
            except ValidationError as error:
                fault = error.errors(include_url=False)[0]
                field = ".".join(map(str, fault["loc"])) or "line"
                raise LabelsError(f"{place}: {field}: {fault['msg']}") from error
            if record.id in places:
                raise LabelsError(
                    f"{place}: id {record.id!r} stands already at {places[record.id]}; "
                    "give each passage its own"
                )
            places[record.id] = place
            yield record


def read_examples(paths: Iterable[Path]) -> list[Example]:
    """Read labelled passages from JSONL files, in the order given.

    Raises:
        LabelsError: a file is missing or empty, a line is not a labelled passage, or an id stands
            twice.
    """
    examples = list(read_lines(paths, Example))
    if not examples:
        raise LabelsError("no labelled passage was given: name at least one JSONL file of them")
    return examples


def shipped_examples() -> Sequence[Path]:
    """Return the paths of the authored passages that come with the package, by name."""
    folder = Path(str(files(__spec__.parent).joinpath("examples")))
    return sorted(folder.glob("*.jsonl"))
