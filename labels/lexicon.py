"""The lexicon: the terms the gate looks for, grouped by kind."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import xxhash
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import LabelsError

Role = Literal["agent", "speaker", "topic"]
"""What a term does: name an agent, let a machine speak of itself, or name the topic."""

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9 '.:\-]*[a-z0-9:])?\*?$")]


class Kind(BaseModel):
    """One group of terms; a final `*` adds the plural."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    about: str
    role: Role
    terms: tuple[Pattern, ...] = Field(min_length=1)


class Lexicon(BaseModel):
    """All terms of the gate, as `lexicon.yaml` has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    kinds: dict[str, Kind]

    def terms(self, *, roles: Iterable[Role] = ("agent", "speaker", "topic")) -> tuple[str, ...]:
        """Return the literals with their plurals, sorted and without repeats.

        A space in a term stands for one blank or line end, an apostrophe for the
        straight and the curly one.
        """
        wanted = set(roles)
        return tuple(
            sorted(
                {
                    literal
                    for kind in self.kinds.values()
                    if kind.role in wanted
                    for term in kind.terms
                    for literal in expand(term)
                }
            )
        )


def expand(term: str) -> tuple[str, ...]:
    """Return a term's literals: itself, and its plural where it ends in `*`."""
    if not term.endswith("*"):
        return (term,)
    noun = term[:-1]
    if re.search(r"[^aeiou]y$", noun):
        return noun, f"{noun[:-1]}ies"
    return noun, f"{noun}es" if re.search(r"(s|x|ch|sh)$", noun) else f"{noun}s"


def parse_lexicon(text: str, *, name: str = "lexicon.yaml") -> Lexicon:
    """Parse a lexicon from YAML.

    Raises:
        LabelsError: it is not YAML, a field is missing or unknown, or a term is not a lower-case
            ASCII literal that begins and ends with a letter or digit.
    """
    try:
        return Lexicon.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise LabelsError(f"{name} is malformed: {' '.join(str(error).split())}") from error


@cache
def read_lexicon(path: Path | None = None) -> Lexicon:
    """Read a lexicon from a file, by default the one that is shipped.

    Raises:
        LabelsError: the file is missing or malformed.
    """
    try:
        text = (path or files(__spec__.parent).joinpath("lexicon.yaml")).read_text("utf-8")
    except OSError as error:
        raise LabelsError(f"no lexicon at {path}: give a YAML file like labels/lexicon.yaml") from (
            error
        )
    return parse_lexicon(text, name=str(path or "lexicon.yaml"))


def lexicon_digest() -> str:
    """Return the xxh3_64 of `lexicon.yaml` and `cues.yaml` as 16 hexadecimal digits."""
    folder = files(__spec__.parent)
    return xxhash.xxh3_64_hexdigest(
        b"\0".join(folder.joinpath(name).read_bytes() for name in ("lexicon.yaml", "cues.yaml"))
    )
