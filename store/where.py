"""The `where` conditions of policies and filters: parsed, checked, compiled to DuckDB SQL.

A condition is three-valued as in SQL: a comparison with a null is null, and a row is taken where
the condition is *true*. Literals never enter the SQL text; they are bound as parameters. The
grammar stands in `where.lark` and is explained in `docs/manifests.md`.
"""

import difflib
import math
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, NoReturn

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from ..errors import PolicyError
from ..labels.taxonomy import BEHAVIOURS, GENRES, STANCES
from .condition import (
    Absence,
    Combination,
    Comparison,
    Membership,
    Mention,
    Negation,
    Node,
    Value,
    Verity,
)
from .condition_columns import COLUMNS, Column, kind_of

MAX_CHARACTERS = 20_000
"""How long a condition may be, in code points."""

MAX_DEPTH = 64
"""How many negations and combinations may stand inside one another."""

_INTEGERS = range(-(2**63), 2**64)
_NAMES = {
    "NAME": "a column", "NUMBER": "a number", "STRING": "a quoted string", "$END": "the end",
    "OPERATOR": "a comparison (== != < <= > >=)", "LPAR": "(", "RPAR": ")", "COMMA": ",",
    "_NOT": "not", "NOT": "not", "_IN": "in", "_IS": "is", "_NULL": "null", "_TRUE": "true",
    "_AND": "and", "_OR": "or",
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A parsed condition; `str()` gives its canonical form, which parses to the same condition."""

    node: Node

    def __str__(self) -> str:
        return str(self.node)

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns that the condition reads."""
        return frozenset(self.node.columns())

    def sql(self, *, untagged: bool = False) -> tuple[str, list[Any]]:
        """Return a DuckDB boolean expression with `?` parameters, and what to bind to them.

        With `untagged` every column that a document without a tag row lacks is a null, so that
        the expression reads only `DOCUMENT_COLUMNS`.
        """
        bound: list[Any] = []
        return self.node.sql(untagged, bound), bound

    def matches_untagged(self) -> bool:
        """Return whether a document without a tag row might meet the condition.

        Such a document has `DOCUMENT_COLUMNS`, and nulls in all other columns. The answer errs
        towards yes: terms are taken as independent, so `bytes > 9 and bytes < 9` might match.
        """
        return True in self.node.truths()


def parse_where(text: str, *, max_characters: int | None = MAX_CHARACTERS) -> Condition:
    """Parse a condition and check its columns, types and values.

    Args:
        text: the condition.
        max_characters: how long it may be; None for one that was written by `str()`.

    Raises:
        PolicyError: naming line and column, what was found, and what would be right there.
    """
    if max_characters is not None and len(text) > max_characters:
        raise PolicyError(
            f"the condition has {len(text):,} characters, over the limit of {max_characters:,}: "
            "split it over several buckets"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PolicyError(
            f"the condition holds half a surrogate pair at character {error.start + 1}: write it "
            "in valid UTF-8"
        ) from error
    try:
        return Condition(_parser().parse(text))  # type: ignore[arg-type]
    except UnexpectedToken as error:
        expected = _choices(error.accepts or error.expected)
        if error.token.type == "$END":
            lines = text.split("\n")
            at = Token("$END", "", line=len(lines), column=len(lines[-1]) + 1)
            _refuse(at, f"the condition ends, expected {expected}")
        _refuse(error, f"found {_short(error.token)}, expected {expected}")
    except UnexpectedCharacters as error:
        found = text[error.pos_in_stream]
        hint = " (is the quote closed?)" if found in "'\"" else ""
        _refuse(error, f"found {found!r}{hint}, expected {_choices(error.allowed or ())}")


@cache
def _parser() -> Lark:
    grammar = files(__spec__.parent).joinpath("where.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=True, transformer=_Builder())


def _refuse(at: Any, what: str) -> NoReturn:
    line, column = max(at.line, 1), max(at.column, 1)
    raise PolicyError(f"line {line}, column {column}: {what}")


def _choices(terminals: Any) -> str:
    return " | ".join(sorted({_NAMES[name] for name in terminals}))


def _short(text: str) -> str:
    return repr(str(text) if len(text) <= 40 else f"{text[:39]}…")


def _nearest(name: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    return f"nearest: {', '.join(near)}" if near else f"choose from {', '.join(choices)}"


def _allowed_values(column: str) -> tuple[str, ...] | None:
    if column == "genre":
        return GENRES
    return STANCES if column.endswith("_stance") else None


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """Builds nodes while the parser reduces, so that a deep condition needs no deep recursion."""

    def start(self, node: Node) -> Node:
        return node

    def either(self, *terms: Node) -> Node:
        return _shallow(Combination("or", terms))

    def both(self, *terms: Node) -> Node:
        return _shallow(Combination("and", terms))

    def negation(self, term: Node) -> Node:
        return _shallow(Negation(term))

    def verity(self, term: Node, negated: Token | None) -> Node:
        return _shallow(Verity(term, negated is not None))

    def comparison(self, left: Token, operator: Token, right: Token) -> Node:
        column = _column(left)
        sign = "=" if operator == "==" else str(operator)
        if _allowed_values(column.name) and sign not in ("=", "!="):
            _refuse(operator, f"{column} has no order: compare it with == or !=, or use `in`")
        if right.type != "NAME":
            return Comparison(column, sign, _value(right, column))
        other = _column(right)
        if kind_of(other.name) != kind_of(column.name):
            _refuse(right, f"{column} is a {kind_of(column.name)}, {other} is not: compare like")
        return Comparison(column, sign, other)

    def membership(self, name: Token, negated: Token | None, *values: Token) -> Node:
        column = _column(name)
        return Membership(column, tuple(_value(v, column) for v in values), negated is not None)

    def absence(self, name: Token, negated: Token | None) -> Node:
        return Absence(_column(name), negated is not None)

    def mention(self, quoted: Token, negated: Token | None, name: Token) -> Node:
        if name != "behaviours":
            _refuse(name, f"`in` without a list looks only in behaviours, not {_short(name)}")
        value = _unquote(quoted)
        if value not in BEHAVIOURS:
            _refuse(quoted, f"no behaviour {_short(value)}; {_nearest(value, BEHAVIOURS)}")
        return Mention(Value(value), negated is not None)


def _shallow(node: Negation | Verity | Combination) -> Node:
    if node.depth > MAX_DEPTH:
        raise PolicyError(
            f"the condition nests more than {MAX_DEPTH} deep: take out parentheses and `not`s, or "
            "split it over several buckets"
        )
    return node


def _column(name: Token) -> Column:
    if name == "behaviours":
        _refuse(name, "behaviours is a list: write `'harm' in behaviours`")
    if name not in COLUMNS:
        _refuse(name, f"no column {_short(name)}; {_nearest(str(name), tuple(COLUMNS))}")
    return Column(str(name))


def _unquote(quoted: Token) -> str:
    return quoted[1:-1].replace(quoted[0] * 2, quoted[0])


def _value(token: Token, column: Column) -> Value:
    kind = kind_of(column.name)
    if (token.type == "STRING") != (kind == "string"):
        right = "write it in quotes" if kind == "string" else "write it without quotes"
        _refuse(token, f"{column} is a {kind}, {_short(token)} is not: {right}")
    if token.type == "NUMBER":
        return Value(_number(token))
    value = _unquote(token)
    allowed = _allowed_values(column.name)
    if allowed and value not in allowed:
        _refuse(token, f"{column} is never {_short(value)}; {_nearest(value, allowed)}")
    return Value(value)


def _number(token: Token) -> int | float:
    if token.lstrip("-").isdigit():
        if len(token) > 20 or (value := int(token)) not in _INTEGERS:
            _refuse(token, f"{_short(token)} is out of range: integers have at most 64 bits")
        return value
    if not math.isfinite(real := float(token)):
        _refuse(token, f"{_short(token)} is out of range: write a finite number")
    return real
