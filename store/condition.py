"""What a `where` condition is made of: nodes that know their SQL and their truth without tags."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from .condition_columns import Column

Truth = bool | None

_EVERY: frozenset[Truth] = frozenset((True, False, None))


@dataclass(frozen=True)
class Value:
    """A number or a string that the policy's author wrote."""

    value: int | float | str

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return "'" + self.value.replace("'", "''") + "'"
        return repr(self.value)


@dataclass(frozen=True)
class Comparison:
    """`column operator value`, where the value is a literal or another column."""

    left: Column
    operator: str
    right: Value | Column
    depth: ClassVar[int] = 0

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the comparison, its literal appended to `bound`."""
        if isinstance(self.right, Column):
            right = self.right.sql(untagged)
        else:
            bound.append(self.right.value)
            right = "?"
        return f"{self.left.sql(untagged)} {self.operator} {right}"

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible in an untagged document."""
        sides = [side for side in (self.left, self.right) if isinstance(side, Column)]
        if any(side.nullness() == {True} for side in sides):
            return frozenset((None,))
        nullable = any(True in side.nullness() for side in sides)
        return _EVERY if nullable else frozenset((True, False))

    def columns(self) -> Iterator[str]:
        """Yield the names of the columns it reads."""
        yield self.left.name
        if isinstance(self.right, Column):
            yield self.right.name


@dataclass(frozen=True)
class Membership:
    """`column in (…)` or `column not in (…)`."""

    column: Column
    values: tuple[Value, ...]
    negated: bool
    depth: ClassVar[int] = 0

    def __str__(self) -> str:
        word = "not in" if self.negated else "in"
        return f"{self.column} {word} ({', '.join(map(str, self.values))})"

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the membership, its values appended to `bound`."""
        bound.extend(value.value for value in self.values)
        word = "NOT IN" if self.negated else "IN"
        return f"{self.column.sql(untagged)} {word} ({', '.join('?' * len(self.values))})"

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible in an untagged document."""
        return Comparison(self.column, "=", self.values[0]).truths()

    def columns(self) -> Iterator[str]:
        """Yield the name of the column it reads."""
        yield self.column.name


@dataclass(frozen=True)
class Absence:
    """`column is null` or `column is not null`; never null itself."""

    column: Column
    negated: bool
    depth: ClassVar[int] = 0

    def __str__(self) -> str:
        return f"{self.column} is {'not ' if self.negated else ''}null"

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the test; it binds nothing."""
        return f"{self.column.sql(untagged)} IS {'NOT ' if self.negated else ''}NULL"

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible in an untagged document."""
        return frozenset(absent != self.negated for absent in self.column.nullness())

    def columns(self) -> Iterator[str]:
        """Yield the name of the column it reads."""
        yield self.column.name


@dataclass(frozen=True)
class Mention:
    """`'harm' in behaviours`, or `not in`; null in a document without a tag row."""

    behaviour: Value
    negated: bool
    depth: ClassVar[int] = 0

    def __str__(self) -> str:
        return f"{self.behaviour} {'not ' if self.negated else ''}in behaviours"

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the look-up, its behaviour appended to `bound`."""
        bound.append(self.behaviour.value)
        behaviours = "NULL::VARCHAR[]" if untagged else '"behaviours"'
        return f"{'NOT ' if self.negated else ''}list_contains({behaviours}, ?)"

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible in an untagged document."""
        return frozenset((None,))

    def columns(self) -> Iterator[str]:
        """Yield the one column it reads."""
        yield "behaviours"


@dataclass(frozen=True)
class Negation:
    """`not` before a test, a negation or parentheses."""

    term: "Node"

    def __str__(self) -> str:
        return f"not ({self.term})"

    @cached_property
    def depth(self) -> int:
        """How many negations and combinations stand inside one another, this one counted."""
        return 1 + self.term.depth

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the negation of its term's SQL."""
        return f"NOT ({self.term.sql(untagged, bound)})"

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible in an untagged document."""
        return frozenset(None if truth is None else not truth for truth in self.term.truths())

    def columns(self) -> Iterator[str]:
        """Yield the names of the columns its term reads."""
        yield from self.term.columns()


@dataclass(frozen=True)
class Verity:
    """`(…) is true` or `(…) is not true`; never null itself."""

    term: "Node"
    negated: bool

    def __str__(self) -> str:
        return f"({self.term}) is {'not ' if self.negated else ''}true"

    @cached_property
    def depth(self) -> int:
        """How many negations and combinations stand inside one another, this one counted."""
        return 1 + self.term.depth

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the test of its term's SQL."""
        return f"({self.term.sql(untagged, bound)}) IS {'NOT ' if self.negated else ''}TRUE"

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible in an untagged document."""
        return frozenset((truth is True) != self.negated for truth in self.term.truths())

    def columns(self) -> Iterator[str]:
        """Yield the names of the columns its term reads."""
        yield from self.term.columns()


@dataclass(frozen=True)
class Combination:
    """Two or more terms joined by `and` or by `or`, in Kleene's three-valued logic."""

    word: Literal["and", "or"]
    terms: tuple["Node", ...]

    def __str__(self) -> str:
        return f" {self.word} ".join(f"({term})" for term in self.terms)

    @cached_property
    def depth(self) -> int:
        """How many negations and combinations stand inside one another, this one counted."""
        return 1 + max(term.depth for term in self.terms)

    def sql(self, untagged: bool, bound: list[Any]) -> str:
        """Return the terms' SQL, each in parentheses."""
        return f" {self.word.upper()} ".join(f"({t.sql(untagged, bound)})" for t in self.terms)

    def truths(self) -> frozenset[Truth]:
        """Return the truths that are possible where terms are taken as independent."""
        reached: frozenset[Truth] = frozenset((self.word == "and",))
        for term in self.terms:
            reached = frozenset(kleene(self.word, (a, b)) for a in reached for b in term.truths())
        return reached

    def columns(self) -> Iterator[str]:
        """Yield the names of the columns its terms read."""
        for term in self.terms:
            yield from term.columns()


Node = Comparison | Membership | Absence | Mention | Negation | Verity | Combination


def kleene(word: Literal["and", "or"], truths: Iterable[Truth]) -> Truth:
    """Combine truths as SQL does: one false decides `and`, one true decides `or`, else null."""
    decisive = word == "or"
    seen = set(truths)
    if decisive in seen:
        return decisive
    return None if None in seen else not decisive


def joined(word: Literal["and", "or"], nodes: Sequence[Node]) -> Node:
    """Return one or more nodes as one."""
    return nodes[0] if len(nodes) == 1 else Combination(word, tuple(nodes))


def among(column: str, values: Iterable[str | None]) -> Node:
    """Return a condition that a column has one of one or more values, a null being one of its own.

    Values are sorted, so that the same ones give the same condition.
    """
    found = set(values)
    named = tuple(Value(value) for value in sorted(v for v in found if v is not None))
    nodes: list[Node] = [Membership(Column(column), named, negated=False)] if named else []
    if None in found:
        nodes.append(Absence(Column(column), negated=False))
    return joined("or", nodes)
