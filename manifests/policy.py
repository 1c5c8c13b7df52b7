"""The policy: which documents fall in which bucket, and how often each bucket is to be seen."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import xxhash
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import PolicyError
from ..store.where import Condition, parse_where

Unit = Literal["bytes", "documents", "tokens"]
UNITS: tuple[Unit, ...] = ("documents", "bytes", "tokens")
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Weight = Annotated[float, Field(ge=0, le=1000, strict=True)]
Repetition = Annotated[float, Field(ge=1, le=1000, strict=True)]

MAX_CHARACTERS = 1_000_000
"""How long the YAML text of a policy may be."""

_LATER_KEYS = ("constraints", "stages", "replace")
_LATER_ACTIONS = ("mask_spans", "prefix")


def _cap(weight: float, most: float | None) -> None:
    if most is not None and weight > most:
        raise ValueError(
            f"weight {weight:g} is over max_repetition {most:g}: lower the one or raise the other"
        )


class Bucket(BaseModel):
    """The documents that meet a condition, and what is done about them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    where: str
    weight: Weight | None = None
    max_repetition: Repetition | None = None
    action: Literal["weigh", "drop"] = "weigh"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.action == "drop" and self.weight:
            raise ValueError(f"drop contradicts weight {self.weight:g}: leave the weight out")
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
        """The condition, parsed; `load_policy` has already checked it."""
        return parse_where(self.where)


class Rest(BaseModel):
    """The documents that no bucket takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name = "rest"
    weight: Weight = 1.0
    max_repetition: Repetition = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        _cap(self.weight, self.max_repetition)
        return self


class Policy(BaseModel):
    """What is to be done about a corpus, in the order in which buckets take documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[1]
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    unit: Unit = "bytes"
    buckets: Annotated[tuple[Bucket, ...], Field(min_length=1, max_length=100)]
    rest: Rest = Rest()
    keep_total: Annotated[bool, Field(strict=True)] = True

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
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The buckets' names in order, `rest` last: a bucket's index is its place here."""
        return (*(bucket.name for bucket in self.buckets), self.rest.name)

    def digest(self) -> str:
        """Return the xxh3_64 of the policy's meaning, blind to layout and spelled-out defaults."""
        document = self.model_dump(mode="json")
        for bucket, dumped in zip(self.buckets, document["buckets"], strict=True):
            dumped["where"] = str(bucket.condition)
            dumped["weight"] = bucket.factor
        return xxhash.xxh3_64_hexdigest(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))


def load_policy(source: Path | str) -> Policy:
    """Read a policy from a YAML file (a `Path`) or from YAML text (a `str`).

    Raises:
        PolicyError: the file cannot be read, is no YAML, or says something that cannot be done;
            the message names the place, what is right there and what to do.
    """
    if isinstance(source, str):
        return check_policy(_read_yaml(source))
    try:
        return check_policy(_read_yaml(source.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            f"the policy {source} cannot be read ({error}): name a YAML file in UTF-8"
        ) from error
    except PolicyError as error:
        raise PolicyError(f"{source}: {error}") from error


def check_policy(document: object) -> Policy:
    """Return a policy from what YAML or JSON gave.

    Raises:
        PolicyError: naming the first place that is wrong, as in `buckets[1].where`.
    """
    if not isinstance(document, dict):
        raise PolicyError(
            f"a policy is a mapping with the keys {', '.join(Policy.model_fields)}; this is "
            f"{'empty' if document is None else f'a {type(document).__name__}'}"
        )
    for key in _LATER_KEYS:
        if key in document:
            raise PolicyError(f"{key}: not read yet, it comes in a later version; leave it out")
    buckets = document.get("buckets")
    for place, bucket in enumerate(buckets if isinstance(buckets, list) else ()):
        _check_bucket(bucket, f"buckets[{place}]")
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise PolicyError(_told(error)) from error


def _check_bucket(bucket: object, place: str) -> None:
    if not isinstance(bucket, dict):
        return
    action = bucket.get("action")
    named = action if isinstance(action, str) else next(iter(action), "") if action else ""
    for later in _LATER_ACTIONS:
        if later in bucket or str(named).startswith(later):
            raise PolicyError(
                f"{place}.action: {later} comes in a later version; use weigh or drop"
            )
    if isinstance(where := bucket.get("where"), str):
        try:
            parse_where(where)
        except PolicyError as error:
            raise PolicyError(f"{place}.where: {error}") from error


class _Loader(yaml.SafeLoader):
    """YAML without repeated keys, of which only the last would count."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_yaml(text: str) -> object:
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(f"the policy has {len(text):,} characters; at most {MAX_CHARACTERS:,}")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise PolicyError(f"{where}{error.problem}: write valid YAML there") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PolicyError(f"the policy is no YAML: {' '.join(str(error).split())}") from error


def _told(error: ValidationError) -> str:
    first = error.errors()[0]
    steps = [f"[{s}]" if isinstance(s, int) else f".{s}" for s in first["loc"]]
    place = "".join(steps).lstrip(".")
    kind, value = first["type"], first["input"]
    if kind == "missing":
        said = "is missing"
    elif kind == "extra_forbidden":
        said = f"no such key; {_near(list(map(str, first['loc'])))}"
    elif kind == "value_error":
        said = str(first.get("ctx", {}).get("error", first["msg"]))
    elif kind in ("tuple_type", "too_short", "too_long"):
        said = "write a list of 1 to 100 buckets"
    elif kind == "model_type":
        said = "write a mapping such as {name: aligned, where: 'benevolent >= 0.7', weight: 4}"
    elif kind == "string_pattern_mismatch":
        said = f"{value!r} is no name: use up to 63 of a-z, 0-9, - and _, a letter or digit first"
    else:
        shown = f" (found {value!r})" if isinstance(value, str | int | float) else ""
        said = first["msg"][0].lower() + first["msg"][1:] + shown
    return f"{place}: {said}" if place else said


def _near(steps: list[str]) -> str:
    owner = {"buckets": Bucket, "rest": Rest}.get(steps[0], Policy)
    keys = list((owner if len(steps) > 1 else Policy).model_fields)
    near = difflib.get_close_matches(steps[-1], keys, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(keys)}"
