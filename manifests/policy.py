"""The policy: which documents fall in which bucket, and how often each bucket is to be seen."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import orjson
import xxhash
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from ..errors import PolicyError
from ..store.where import Condition, parse_where

Unit = Literal["bytes", "documents", "tokens"]
UNITS: tuple[Unit, ...] = ("documents", "bytes", "tokens")
Action = Literal["weigh", "drop", "mask_spans", "prefix"]
Alike = Literal["source", "domain", "month", "language", "genre"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Weight = Annotated[float, Field(ge=0, le=1000, strict=True)]
Repetition = Annotated[float, Field(ge=1, le=1000, strict=True)]
Part = Annotated[float, Field(ge=0, le=1, strict=True)]
Many = Annotated[float, Field(ge=0, le=1e9, strict=True)]


def _readable(text: str) -> str:
    try:
        parse_where(text)
    except PolicyError as error:
        raise ValueError(str(error)) from error
    return text


Where = Annotated[str, Field(strict=True), AfterValidator(_readable)]


def _cap(weight: float, most: float | None) -> None:
    if most is not None and weight > most:
        raise ValueError(
            f"weight {weight:g} is over max_repetition {most:g}: lower the one or raise the other"
        )


def _bound(most: float | None, least: float | None) -> None:
    if most is None and least is None:
        raise ValueError("it bounds nothing: give at_most, at_least or both")
    if most is not None and least is not None and least > most:
        raise ValueError(f"at_least {least:g} is over at_most {most:g}: swap them")


class Strict(BaseModel):
    """A mapping of a policy: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Like(Strict):
    """Strata: documents are alike that agree in these columns, a null being a value of its own."""

    like: Annotated[tuple[Alike, ...], Field(min_length=1, max_length=5)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.like)) < len(self.like):
            raise ValueError(f"a column stands twice in {', '.join(self.like)}: name each once")
        return self


class Bucket(Strict):
    """The documents that meet a condition, and what is done about them.

    With `at_random` it takes, instead of them, as much of their strata drawn at random.

    `prefix` is a control tag that goes before each document, or each passage with evidence, of a
    bucket whose action is prefix; `action: {prefix: "<|tag|>"}` says the same.
    """

    name: Name
    where: Where
    weight: Weight | None = None
    max_repetition: Repetition | None = None
    action: Action = "weigh"
    prefix: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    before: Literal["document", "passage"] = "document"
    at_random: Like | None = None

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        action = given.get("action")
        if isinstance(action, dict) and "prefix" in action:
            return {**given, **action, "action": "prefix"}
        if action is None and "prefix" in given:
            return {**given, "action": "prefix"}
        return given

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.action == "drop" and self.weight:
            raise ValueError(f"drop contradicts weight {self.weight:g}: leave the weight out")
        if (self.action == "prefix") != (self.prefix is not None):
            raise ValueError(
                "a prefix is a text before each document or passage: write "
                "action: {prefix: '<|tag|>'}, and no prefix under another action"
            )
        if self.action != "prefix" and self.before != "document":
            raise ValueError("before says where a prefix goes: leave it out or give a prefix")
        _cap(self.factor, self.max_repetition)
        return self

    @property
    def factor(self) -> float:
        """How often each of its documents is to be seen; 0 where dropped, 1 where not said."""
        if self.action == "drop":
            return 0.0
        return 1.0 if self.weight is None else self.weight

    @property
    def condition(self) -> Condition:
        """The condition, parsed."""
        return parse_where(self.where)


class Rest(Strict):
    """The documents that no bucket takes."""

    name: Name = "rest"
    weight: Weight = 1.0
    max_repetition: Repetition = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        _cap(self.weight, self.max_repetition)
        return self


class Share(Strict):
    """A bound on the share that meets `share` among what meets `of`, or among everything."""

    share: Where
    of: Where | None = None
    at_most: Part | None = None
    at_least: Part | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _bound(self.at_most, self.at_least)
        return self


class Ratio(Strict):
    """A bound on how much meets `ratio` for each one that meets `to`."""

    ratio: Where
    to: Where
    at_most: Many | None = None
    at_least: Many | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _bound(self.at_most, self.at_least)
        return self


class Change(Strict):
    """A bound on how much the share of each source, domain, month, language or genre changes."""

    by: Alike
    change_at_most: Part


def _kind(given: Any) -> str:
    keys = given if isinstance(given, dict) else getattr(given, "__dict__", {})
    return next((kind for kind in ("ratio", "by") if kind in keys), "share")


Constraint = Annotated[
    Annotated[Share, Tag("share")] | Annotated[Ratio, Tag("ratio")] | Annotated[Change, Tag("by")],
    Discriminator(_kind),
]


class Stage(Strict):
    """A stretch of training that ends at `until`, and weights that hold in it alone."""

    until: Annotated[float, Field(gt=0, le=1, strict=True)]
    weights: dict[Name, Weight] = {}


class Policy(Strict):
    """What is to be done about a corpus, in the order in which buckets take documents.

    With `replace`, what is dropped is made up for by documents like it that passed.
    """

    version: Literal[1]
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    unit: Unit = "bytes"
    buckets: Annotated[tuple[Bucket, ...], Field(min_length=1, max_length=100)]
    rest: Rest = Rest()
    keep_total: Annotated[bool, Field(strict=True)] = True
    constraints: Annotated[tuple[Constraint, ...], Field(max_length=50)] = ()
    stages: Annotated[tuple[Stage, ...], Field(max_length=20)] = ()
    replace: Like | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = self.names
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ValueError(f"two buckets are named {name!r}: give each its own name")
        if self.keep_total and self.rest.weight != 1.0:
            raise ValueError(
                f"rest.weight {self.rest.weight:g} has no effect under keep_total, which finds it: "
                "leave it out or set keep_total: false"
            )
        if self.constraints and any(b.at_random and b.action != "drop" for b in self.buckets):
            raise ValueError("constraints cannot weigh what is drawn at random: let it be dropped")
        if self.constraints and not self.rest.weight:
            raise ValueError(
                "constraints keep weights close to rest.weight, which is 0: write one above 0, and "
                "let what is to go be a bucket with action: drop"
            )
        if self.replace and not any(b.action == "drop" for b in self.buckets):
            raise ValueError("replace makes up for what is dropped, and no bucket has action: drop")
        self._check_stages()
        return self

    def _check_stages(self) -> None:
        ends = [stage.until for stage in self.stages]
        if ends and (ends[-1] != 1 or any(a >= b for a, b in pairwise(ends))):
            raise ValueError(
                f"stages end at {', '.join(f'{end:g}' for end in ends)}: let `until` rise to 1.0"
            )
        weighed = [b.name for b in self.buckets if b.action != "drop"]
        weighed += [] if self.keep_total else [self.rest.name]
        for stage in self.stages:
            for name in stage.weights:
                if name not in weighed:
                    raise ValueError(
                        f"the stage until {stage.until:g} weighs {name!r}: choose from "
                        f"{', '.join(weighed)}"
                    )

    @property
    def names(self) -> tuple[str, ...]:
        """The buckets' names in order, `rest` last."""
        return (*(bucket.name for bucket in self.buckets), self.rest.name)

    def digest(self) -> str:
        """Return the xxh3_64 of the policy's meaning, blind to layout and spelled-out defaults."""
        document = self.model_dump(mode="json")
        for bucket, dumped in zip(self.buckets, document["buckets"], strict=True):
            dumped["where"] = str(bucket.condition)
            dumped["weight"] = bucket.factor
        for dumped in document["constraints"]:
            for key in ("share", "of", "ratio", "to"):
                if dumped.get(key) is not None:
                    dumped[key] = str(parse_where(dumped[key]))
        return xxhash.xxh3_64_hexdigest(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
