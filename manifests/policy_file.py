"""Reads a policy from YAML or JSON, and tells a mistake in it by its place."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import PolicyError
from .policy import Bucket, Change, Like, Policy, Ratio, Rest, Share, Stage

MAX_CHARACTERS = 1_000_000
"""How long the YAML text of a policy may be."""

_KINDS: dict[str, type[BaseModel]] = {"share": Share, "ratio": Ratio, "by": Change}
_OWNERS: dict[str, type[BaseModel]] = {
    "buckets": Bucket, "rest": Rest, "stages": Stage, "replace": Like,
}  # fmt: skip
_LISTS = {
    "buckets": "write a list of 1 to 100 buckets",
    "constraints": "write a list of up to 50 constraints",
    "stages": "write a list of up to 20 stages",
    "like": "write a list of columns, as in like: [source, month, genre]",
}
_MAPPINGS = {
    "buckets": "write a mapping such as {name: aligned, where: 'benevolent >= 0.7', weight: 4}",
    "constraints": "write a mapping such as {share: 'malevolent >= 0.5', of: 'ai_agent >= 0.5', "
    "at_most: 0.1}, {ratio: …, to: …, at_least: 3} or {by: source, change_at_most: 0.02}",
    "stages": "write a mapping such as {until: 1.0, weights: {aligned: 8.0}}",
}


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
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise PolicyError(_told(error)) from error


class _Loader(yaml.SafeLoader):
    """YAML without merge keys, and without repeated keys, of which only the last would count."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            # PyYAML's own constructors check little: `!!bool x` is a KeyError.
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this is no {kind}", node.start_mark
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.tag == "tag:yaml.org,2002:merge":
                # Merges of merges grow tenfold a line: a few hundred bytes would take hours.
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys (<<) are not read", key.start_mark
                )
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
    steps = list(first["loc"])
    # Which kind of constraint it was tried as is no place in the policy.
    owner = _KINDS.get(str(steps[2])) if steps[:1] == ["constraints"] and len(steps) > 2 else None
    if owner:
        del steps[2]
    place = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
    kind, value = first["type"], first["input"]
    if kind == "missing":
        said = "is missing"
    elif kind == "extra_forbidden":
        said = f"no such key; {_near(steps, owner)}"
    elif kind == "value_error":
        said = str(first.get("ctx", {}).get("error", first["msg"]))
    elif kind in ("tuple_type", "too_short", "too_long") and steps[-1] in _LISTS:
        said = _LISTS[str(steps[-1])]
    elif kind in ("model_type", "model_attributes_type", "union_tag_not_found"):
        said = _MAPPINGS.get(str(steps[0]), "write a mapping")
    elif kind == "string_pattern_mismatch":
        said = f"{value!r} is no name: use up to 63 of a-z, 0-9, - and _, a letter or digit first"
    elif kind == "literal_error" and steps[-1] == "action":
        choices = ", ".join(get_args(Bucket.model_fields["action"].annotation))
        said = f"{value!r} is no action: choose from {choices}"
    else:
        shown = f" (found {value!r})" if isinstance(value, str | int | float) else ""
        said = first["msg"][0].lower() + first["msg"][1:] + shown
    return f"{place}: {said}" if place else said


def _near(steps: list[int | str], owner: type[BaseModel] | None) -> str:
    owner = owner or (_OWNERS.get(str(steps[0]), Policy) if len(steps) > 1 else Policy)
    keys = list(owner.model_fields)
    near = difflib.get_close_matches(str(steps[-1]), keys, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(keys)}"
