"""Evidence cues: words that speak for a behaviour, and those that turn what they say."""

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import LabelsError
from .taxonomy import BEHAVIOURS

VOWELS = "aeiou"


class BehaviourCues(BaseModel):
    """Cues of one behaviour: verb phrases in base form, and phrases that stand as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    verbs: tuple[str, ...]
    nouns: tuple[str, ...]


class Cues(BaseModel):
    """All cues, as `cues.yaml` has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    weak_agents: tuple[str, ...]
    negators: tuple[str, ...]
    hedges: tuple[str, ...]
    warnings: tuple[str, ...]
    refutations: tuple[str, ...]
    endorsements: tuple[str, ...]
    speakers: tuple[str, ...]
    fiction: tuple[str, ...]
    humans: tuple[str, ...]
    irregular: dict[str, tuple[str, ...]]
    behaviours: dict[str, BehaviourCues]

    def inflections(self, phrase: str) -> tuple[str, ...]:
        """Return a verb phrase with its first word in all its forms, the base form first."""
        verb, blank, rest = phrase.partition(" ")
        forms = self.irregular.get(verb) or _regular_forms(verb)
        return tuple(f"{form}{blank}{rest}" for form in (verb, *forms))


def _regular_forms(verb: str) -> tuple[str, str, str]:
    """Return a regular verb's third person, past and participle in -ing."""
    if verb.endswith("y") and verb[-2:-1] not in VOWELS:
        return f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"
    third = f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh")) else f"{verb}s"
    if verb.endswith("e"):
        return third, f"{verb}d", verb + "ing" if verb.endswith("ee") else f"{verb[:-1]}ing"
    return third, f"{verb}ed", f"{verb}ing"


@cache
def read_cues() -> Cues:
    """Read the shipped cues and check that they cover the taxonomy's behaviours.

    Raises:
        LabelsError: the file is malformed, or its behaviours are not the taxonomy's.
    """
    text = files(__spec__.parent).joinpath("cues.yaml").read_text("utf-8")
    try:
        cues = Cues.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise LabelsError(f"cues.yaml is malformed: {' '.join(str(error).split())}") from error
    if tuple(cues.behaviours) != BEHAVIOURS:
        raise LabelsError(f"cues.yaml lists {tuple(cues.behaviours)}; expected are {BEHAVIOURS}")
    return cues
