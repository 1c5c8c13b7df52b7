"""Constraints: weights that make the corpus obey a policy, as close to the original as can be.

Where constraints are given, weights are found, not stated. The corpus is divided into cells by
everything that constraints look at, the closest mix is solved for, and cells of one bucket that no
binding constraint tells apart are joined again: a bucket is split only where a constraint needs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from ..store.where import parse_where
from .cells import Cells, find_cells, join_cells
from .partition import Piece
from .planned import Bound
from .policy import Change, Constraint, Policy, Share
from .programme import Linear, Mix, closest_mix

_MOST_WEIGHT = 1000.0
_NEARLY = 1e-6


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
        return Linear(self.sign * (self.over - limit * self.under), 0.0, unit)

    def value(self, mix: np.ndarray) -> float | None:
        """Return the share, ratio or relative change in a mix; None where it is 0 to 0."""
        under = float(mix @ self.under)
        if not under:
            return None
        value = float(mix @ self.over) / under
        return value if self.origin is None else value / self.origin - 1


def solve(connection: duckdb.DuckDBPyConnection, policy: Policy, pieces: Sequence[Piece]) -> Solved:
    """Find the pieces and weights that a policy's constraints ask for.

    The mix is solved for as a share of the corpus. Weights are then scaled together: to the size of
    the corpus under `keep_total`, else so that the rest has its own weight on average; in both as
    far as the rest may repeat.

    Raises:
        PolicyError, TagsError: as for `find_cells`.
    """
    cells = find_cells(connection, policy, pieces)
    mix = cells.sizes / cells.sizes.sum()
    caps = np.array([_cap(policy, piece) for piece in pieces])[cells.piece]
    asked = [b for constraint in policy.constraints for b in _bounds(constraint, cells, mix)]
    solution, classes = _solve_joined(mix, caps, asked, cells.piece)
    joined, kept = join_cells(cells, pieces, classes)
    weights = np.array(
        [solution.weights[k] if k >= 0 else float(p.action != "drop")
         for k, p in zip(kept, joined, strict=True)]
    )  # fmt: skip
    sizes = np.array([mix[classes == k].sum() for k in kept])
    scale, notes = _scale(policy, joined, weights, sizes)
    if stated := [bucket.name for bucket in policy.buckets if bucket.weight is not None]:
        notes.append(
            f"constraints find the weights: those stated for {', '.join(stated)} are not used"
        )
    after = mix * solution.weights[classes]
    if missed := [m for m in solution.misses if m > 0]:
        notes.append(
            f"{len(missed)} bounds of the constraints cannot be met with the others: the weights "
            "miss by the least sum, each in parts of what it bounds"
        )
    return Solved(
        joined, np.round(weights * scale, 9), tuple(_told(asked, solution, mix, after)),
        solution.divergence, tuple(notes),
    )  # fmt: skip


def _cap(policy: Policy, piece: Piece) -> float:
    if piece.action == "drop":
        return 0.0
    most = {bucket.name: bucket.max_repetition for bucket in policy.buckets}
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


def _solve_joined(
    mix: np.ndarray, caps: np.ndarray, asked: Sequence[_Asked], piece: np.ndarray
) -> tuple[Mix, np.ndarray]:
    """Solve for every cell, join those of a piece that no binding bound tells apart, solve again.

    Returns the solution by class, and each cell's class.
    """
    linear = [bound.linear(mix) for bound in asked]
    matrix = np.array([bound.coefficients for bound in linear])
    full = closest_mix(mix, caps, linear)
    for least in (_NEARLY, _NEARLY**2, -1.0):
        told = matrix[full.duals > least].T
        _, first, classes = np.unique(
            np.column_stack([piece, told]), axis=0, return_index=True, return_inverse=True
        )
        classes = classes.reshape(-1)
        sizes = np.bincount(classes, mix)
        coarse = [
            Linear(np.bincount(classes, mix * b.coefficients) / sizes, b.limit, b.unit)
            for b in linear
        ]
        solution = closest_mix(sizes, caps[first], coarse)
        if solution.misses.sum() <= full.misses.sum() + _NEARLY:
            break
    return solution, classes


def _scale(
    policy: Policy, pieces: Sequence[Piece], weights: np.ndarray, sizes: np.ndarray
) -> tuple[float, list[str]]:
    """Return by what all weights are multiplied, and a note where the corpus shrinks for it."""
    rest = np.array([piece.of == policy.rest.name for piece in pieces]) & (sizes > 0)
    if not rest.any():
        return 1.0, []
    highest = float(weights[rest].max())
    wanted = 1.0
    if not policy.keep_total:
        wanted = policy.rest.weight * float(sizes[rest].sum() / (sizes[rest] @ weights[rest]))
    scale = min(wanted, policy.rest.max_repetition / highest)
    if not policy.keep_total or scale > 1 - _NEARLY:
        return scale, []
    return scale, [
        f"the corpus shrinks by {1 - scale:.4%} of its {policy.unit}: {policy.rest.name} would "
        f"need weight {highest:.4g}, over its max_repetition {policy.rest.max_repetition:g}"
    ]


def _told(
    asked: Sequence[_Asked], solution: Mix, mix: np.ndarray, after: np.ndarray
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
                before=bound.value(mix),
                after=value,
                binds=bool(dual > _NEARLY),
                price=float(dual * (after @ bound.under) * (bound.origin or 1.0)),
                missed_by=over if over > 10 * _NEARLY else 0.0,
            )
        )
    kept = []
    for text in dict.fromkeys(bound.constraint for bound in told):
        rows = [bound for bound in told if bound.constraint == text]
        notable = [row for row in rows if row.group is None or row.binds or row.missed_by]
        kept += notable or [max(rows, key=lambda row: abs(row.after or 0.0))]
    return kept
