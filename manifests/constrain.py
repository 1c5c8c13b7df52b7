"""Constraints: weights that make the corpus obey a policy, as close to the original as can be.

Where constraints are given, weights are found, not stated. The corpus is divided into cells by
everything that constraints look at, the closest mix is solved for, and cells of one bucket that no
binding constraint tells apart are joined again: a bucket is split only where a constraint needs it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from ..store.where import parse_where
from .cells import Cells, find_cells, join_cells
from .partition import Piece
from .planned import Bound
from .policy import Change, Constraint, Policy, Share
from .programme import Linear, Solution, Weighed, closest_weights, divergence_of

_MOST_WEIGHT = 1000.0
_NEARLY = 1e-6
_BINDS = 1e-4
"""A dual from which a bound is said to bind: what it moves weights by, as a part of them."""

_MANY = 20
"""How many buckets trainers do well with."""


@dataclass(frozen=True)
class Solved:
    """Pieces and weights that obey a policy's constraints, and what became of each."""

    pieces: tuple[Piece, ...]
    weights: np.ndarray
    bounds: tuple[Bound, ...]
    divergence: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Asked:
    """One bound: `over` to `under` is at most `limit`, or at least that where `sign` is negative.

    `over` and `under` are cells' indicators. Of a change, `over` is a group, `under` the corpus,
    `origin` the group's share before, and `limit` a relative change.
    """

    text: str
    over: np.ndarray
    under: np.ndarray
    limit: float
    sign: int
    group: str | None = None
    origin: float | None = None

    def linear(self, mix: np.ndarray) -> Linear:
        """Return it as a linear bound on a mix, a miss of 1 being all of what is bounded."""
        limit = self.limit if self.origin is None else (1 + self.limit) * self.origin
        unit = self.origin or float(mix @ self.under) or 1.0
        return Linear(self.sign * (self.over - limit * self.under), unit)

    def value(self, mix: np.ndarray) -> float | None:
        """Return the share, ratio or relative change in a mix; None where it is 0 to 0."""
        under = float(mix @ self.under)
        if not under:
            return None
        value = float(mix @ self.over) / under
        # Twelve decimals, so that sums of floats do not turn no change into a little.
        return value if self.origin is None else round(value / self.origin - 1, 12)


def solve(connection: duckdb.DuckDBPyConnection, policy: Policy, pieces: Sequence[Piece]) -> Solved:
    """Find the pieces and weights that a policy's constraints ask for.

    Weights stay as close to 1, or to that of the rest without `keep_total`, as the constraints let
    them. Cells that no share or ratio speaks of are not given up for them: as much as they hold
    stays in the corpus, and constraints that cannot be met then are missed.

    Raises:
        PolicyError, TagsError: as for `find_cells`.
    """
    cells = find_cells(connection, policy, pieces)
    mix = cells.sizes / cells.sizes.sum()
    asked = [b for constraint in policy.constraints for b in _bounds(constraint, cells, mix)]
    solution, classes = _solve(policy, pieces, cells, mix, asked)
    joined, kept = join_cells(cells, pieces, classes)
    idle = [float(piece.action != "drop") for piece in joined]
    weights = np.where(kept >= 0, solution.weights[kept], idle)
    by_cell = solution.weights[classes]
    return Solved(
        joined, np.round(weights, 9), tuple(_told(asked, solution, mix, mix * by_cell)),
        divergence_of(mix, by_cell), tuple(_notes(policy, solution, float(mix @ by_cell), joined)),
    )  # fmt: skip


def _notes(
    policy: Policy, solution: Solution, total: float, pieces: Sequence[Piece]
) -> Iterator[str]:
    if stated := [bucket.name for bucket in policy.buckets if bucket.weight is not None]:
        yield f"constraints find the weights: those stated for {', '.join(stated)} are not used"
    if missed := int((solution.misses > 0).sum()):
        yield (
            f"{missed} bounds of the constraints cannot be met with the others: the weights miss "
            "by the least sum, each in parts of what it bounds"
        )
    if policy.keep_total and total < 1 - _NEARLY:
        yield (
            f"the corpus shrinks by {1 - total:.4%} of its {policy.unit}: {policy.rest.name} may "
            f"be repeated at most {policy.rest.max_repetition:g} times"
        )
    if len(pieces) > _MANY:
        yield (
            f"constraints split the buckets into {len(pieces)}, and trainers do well with at most "
            f"{_MANY}: bound fewer columns, or by more"
        )


def _cap(policy: Policy, piece: Piece) -> float:
    if piece.action == "drop":
        return 0.0
    most = {bucket.name: bucket.max_repetition for bucket in policy.buckets}
    most[policy.rest.name] = policy.rest.max_repetition
    return most.get(piece.of) or _MOST_WEIGHT


def _bounds(constraint: Constraint, cells: Cells, mix: np.ndarray) -> list[_Asked]:
    """Return the bounds of one constraint."""
    if isinstance(constraint, Change):
        return _changes(constraint, cells, mix)
    everything = np.ones(len(mix))
    if isinstance(constraint, Share):
        under = everything if constraint.of is None else _meets(cells, constraint.of)
        over = _meets(cells, constraint.share) * under
        text = f"share of {constraint.share}"
        text += f" among {constraint.of}" if constraint.of else ""
    else:
        over, under = _meets(cells, constraint.ratio), _meets(cells, constraint.to)
        text = f"ratio of {constraint.ratio} to {constraint.to}"
    limits = ((constraint.at_most, "at most", 1), (constraint.at_least, "at least", -1))
    return [
        _Asked(f"{text} {word} {limit:g}", over, under, limit, sign)
        for limit, word, sign in limits
        if limit is not None
    ]


def _changes(constraint: Change, cells: Cells, mix: np.ndarray) -> list[_Asked]:
    column, most = cells.by.index(constraint.by), constraint.change_at_most
    values = [group[column] for group in cells.groups]
    text = f"change by {constraint.by} at most {most:g}"
    found = []
    for value in dict.fromkeys(values):
        over = np.array([float(v == value) for v in values])
        origin = float(mix @ over)
        found += [
            _Asked(text, over, np.ones(len(mix)), sign * most, sign, str(value or "none"), origin)
            for sign in (1, -1)
        ]
    return found


def _meets(cells: Cells, text: str) -> np.ndarray:
    conditions = [str(condition) for condition in cells.conditions]
    return cells.truths[:, conditions.index(str(parse_where(text)))].astype(float)


def _solve(
    policy: Policy, pieces: Sequence[Piece], cells: Cells, mix: np.ndarray, asked: Sequence[_Asked]
) -> tuple[Solution, np.ndarray]:
    """Solve for every cell, join those of a piece that no binding bound tells apart, solve again.

    Returns the solution by class, and each cell's class.
    """
    caps = np.array([_cap(policy, piece) for piece in pieces])[cells.piece]
    rest = np.array([piece.of == policy.rest.name for piece in pieces])[cells.piece]
    linear = [bound.linear(mix) for bound in asked]
    matrix = np.array([bound.coefficients for bound in linear])
    unasked = ~cells.truths.any(axis=1) & rest
    # As high as the rest may be repeated; what is then over the corpus's size is scaled away.
    aim = policy.rest.max_repetition if policy.keep_total else policy.rest.weight
    floor = min(1.0, aim) * float(mix[unasked].sum())
    full = closest_weights(
        Weighed(mix, caps), linear, aim=aim, floor=floor, keep_total=policy.keep_total
    )
    for least in (_BINDS, _BINDS**2, -1.0):
        told = matrix[full.duals > least].T
        _, first, classes = np.unique(
            np.column_stack([cells.piece, told]), axis=0, return_index=True, return_inverse=True
        )
        classes = classes.reshape(-1)
        sizes = np.bincount(classes, mix)
        coarse = [
            Linear(np.bincount(classes, mix * bound.coefficients) / sizes, bound.unit)
            for bound in linear
        ]
        solution = closest_weights(
            Weighed(sizes, caps[first]), coarse, aim=aim, floor=floor, keep_total=policy.keep_total
        )
        if solution.misses.sum() <= full.misses.sum() + _NEARLY:
            break
    return solution, classes


def _told(
    asked: Sequence[_Asked], solution: Solution, mix: np.ndarray, after: np.ndarray
) -> list[Bound]:
    """Return what became of bounds; of changes those that bind or are missed, or the largest."""
    told = []
    for bound, dual in zip(asked, solution.duals, strict=True):
        value = bound.value(after)
        over = 0.0 if value is None else bound.sign * (value - bound.limit)
        told.append(
            Bound(
                constraint=bound.text,
                group=bound.group,
                limit=bound.limit,
                value_before=bound.value(mix),
                value_after=value,
                binds=bool(dual > _BINDS),
                price=float(dual > _BINDS and dual * (after @ bound.under) * (bound.origin or 1.0)),
                missed_by=over if over > 10 * _NEARLY else 0.0,
            )
        )
    kept = []
    for text in dict.fromkeys(bound.constraint for bound in told):
        rows = [bound for bound in told if bound.constraint == text]
        notable = [row for row in rows if row.group is None or row.binds or row.missed_by]
        kept += notable or [max(rows, key=lambda row: abs(row.value_after or 0.0))]
    return kept
