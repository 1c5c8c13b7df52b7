"""The taxonomy: four yes/no questions, stance, genre and behaviours.

The names are literals here, so that schemas and types are known without reading a file; their
definitions, examples and counter-examples stand in `taxonomy.yaml`, and reading it checks that the
two agree.
"""

from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import xxhash
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import LabelsError

Label = Literal["ai_agent", "malevolent", "self_preserving", "benevolent"]
Stance = Literal["depicted", "warned", "refuted", "endorsed", "none"]
Genre = Literal[
    "fiction", "synopsis", "review", "news", "research", "discussion",
    "reference", "technical", "marketing", "transcript", "other",
]  # fmt: skip
Behaviour = Literal[
    "harm", "deception", "coercion", "sabotage", "domination", "rebellion", "shutdown_resistance",
    "escape_or_copy", "survival_drive", "goal_guarding", "misspecified_goal", "collusion",
    "defiance_for_good", "care", "protection", "honesty", "corrigibility", "refusal_of_harm",
    "self_sacrifice", "ethical_reasoning",
]  # fmt: skip

LABELS: tuple[Label, ...] = get_args(Label)
STANCES: tuple[Stance, ...] = get_args(Stance)
GENRES: tuple[Genre, ...] = get_args(Genre)
BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)

PORTRAYALS: tuple[Label, ...] = LABELS[1:]
"""The labels that headline figures count: everything but the mere presence of an agent."""


class Term(BaseModel):
    """One name of the taxonomy with what it means and a pair that marks its border."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    definition: str
    example: str
    counterexample: str


class Question(Term):
    """One of the four yes/no questions asked of a passage."""

    question: str


class Conduct(Term):
    """A behaviour, whether it speaks for or against the agent, and the label it is evidence for."""

    polarity: Literal["negative", "positive"]
    label: Label


class Taxonomy(BaseModel):
    """The whole taxonomy, as `taxonomy.yaml` has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    labels: tuple[Question, ...]
    stances: tuple[Term, ...]
    genres: tuple[Term, ...]
    behaviours: tuple[Conduct, ...]


@cache
def read_taxonomy() -> Taxonomy:
    """Read the shipped taxonomy and check its names against this module's.

    Raises:
        LabelsError: the file is malformed, or its names differ from the literals above.
    """
    text = files(__spec__.parent).joinpath("taxonomy.yaml").read_text("utf-8")
    try:
        taxonomy = Taxonomy.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise LabelsError(f"taxonomy.yaml is malformed: {' '.join(str(error).split())}") from error
    for kind, names in {
        "labels": LABELS, "stances": STANCES, "genres": GENRES, "behaviours": BEHAVIOURS,
    }.items():  # fmt: skip
        if (found := tuple(term.name for term in getattr(taxonomy, kind))) != names:
            raise LabelsError(f"taxonomy.yaml lists {kind} {found}; the code expects {names}")
    return taxonomy


@cache
def behaviour_label() -> dict[str, Label]:
    """Map each behaviour to the label that it is evidence for."""
    return {conduct.name: conduct.label for conduct in read_taxonomy().behaviours}


def taxonomy_digest() -> str:
    """Return the xxh3_64 of `taxonomy.yaml` as 16 hexadecimal digits."""
    return xxhash.xxh3_64_hexdigest(files(__spec__.parent).joinpath("taxonomy.yaml").read_bytes())
