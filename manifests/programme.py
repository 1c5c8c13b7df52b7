"""The convex programme behind constraints: the weights closest to 1 that obey them.

Among the weights of cells that obey linear bounds, those are found that take the corpus to a mix of
least I-divergence from the original (Csiszar 1975, "I-divergence geometry of probability
distributions and minimization problems", Annals of Probability 3): cells that no binding bound
tells apart keep their proportions. Where bounds contradict each other, the least sum of misses is
found first, and then the closest weights that miss by no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from scipy.optimize import root
from scipy.special import xlogy

_ROOM = 1e-5
_BINDING = 1e-6
_NEAR = 1e-2
_TOLERANCE = 1e-7
"""Differences below this are the solver's, not the bounds'."""


@dataclass(frozen=True)
class Linear:
    """A bound on weights: `(coefficients * mix) @ weights <= 0`, a miss of 1 being `unit` of it."""

    coefficients: np.ndarray
    unit: float


@dataclass(frozen=True)
class Weighed:
    """What is weighed, an entry for each cell.

    Args:
        mix: original shares of the corpus, all above 0, with sum 1.
        caps: the most that the weight may be; 0 fixes it.
    """

    mix: np.ndarray
    caps: np.ndarray


@dataclass(frozen=True)
class Solution:
    """Weights of the cells, `duals` and `misses` of the bounds.

    A dual is by how much the divergence falls for each unit by which a bound's right side rises.
    """

    weights: np.ndarray
    duals: np.ndarray
    misses: np.ndarray


def closest_weights(
    cells: Weighed, bounds: Sequence[Linear], *, aim: float, floor: float, keep_total: bool
) -> Solution:
    """Return the weights closest to `aim` that obey bounds, or miss them by the least.

    Args:
        cells: what is weighed.
        bounds: the bounds.
        aim: the weight that cells have where nothing binds.
        floor: how much of the corpus must be left, as a part of it.
        keep_total: scale `aim` down where the corpus would come to more than its original size.
    """
    weights = cp.Variable(len(cells.mix), nonneg=True)
    slack = cp.Variable(len(bounds), nonneg=True)
    units = np.array([bound.unit for bound in bounds])
    matrix = np.array([bound.coefficients * cells.mix for bound in bounds]) / units[:, None]
    total = cells.mix @ weights
    kept = [weights <= cells.caps, total >= floor]
    least = _solved(np.ones(len(bounds)) @ slack, [*kept, matrix @ weights <= slack], slack)
    # With a little room, without which the solver has nowhere to move.
    misses = np.where(least > 10 * _TOLERANCE, least + _ROOM, 0.0)
    obeyed = matrix @ weights <= misses
    divergence = cells.mix @ (-cp.entr(weights) - (1 + np.log(aim)) * weights)
    found = _solved(divergence, [*kept, obeyed], weights)
    fixed = keep_total and bool(cells.mix @ found > 1 + _TOLERANCE)
    if fixed:
        found = _solved(divergence, [weights <= cells.caps, total == 1, obeyed], weights)
    duals = np.maximum(np.atleast_1d(np.asarray(obeyed.dual_value)), 0.0)
    exact, duals = _polished(cells, matrix, misses, found, duals, aim=aim, fixed=fixed)
    return Solution(_tidy(exact, cells.caps), duals / units, misses * units)


def _polished(
    cells: Weighed, matrix: np.ndarray, misses: np.ndarray, found: np.ndarray, duals: np.ndarray, *,
    aim: float, fixed: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Take an interior point to the optimum near it, where binding bounds hold to the last digits.

    At the optimum a weight is `aim` times the exponential of what the duals of the binding bounds
    add up to, or its cap. Where that has no solution near by, what was found stands.
    """
    binding = duals > _BINDING
    coefficients = matrix[binding] / cells.mix

    def weigh(unknown: np.ndarray) -> np.ndarray:
        exponent = unknown[-1] - unknown[:-1] @ coefficients
        return np.minimum(aim * np.exp(np.clip(exponent, -50, 50)), cells.caps)

    def left(unknown: np.ndarray) -> np.ndarray:
        weights = weigh(unknown)
        end = cells.mix @ weights - 1 if fixed else unknown[-1]
        return np.append(matrix[binding] @ weights - misses[binding], end)

    free = (found > _NEAR) & (found < cells.caps - _NEAR)
    scale = np.log(found[free] / aim) + duals[binding] @ coefficients[:, free]
    start = np.append(duals[binding], float(np.median(scale)) if fixed and free.any() else 0.0)
    solved = root(left, start, tol=1e-13)
    weights = weigh(solved.x)
    if (
        np.abs(left(solved.x)).max() > 1e-10
        or np.abs(weights - found).max() > _NEAR
        or (matrix @ weights - misses).max(initial=0.0) > _TOLERANCE
    ):
        return found, duals
    exact = np.zeros(len(duals))
    exact[binding] = np.maximum(solved.x[:-1], 0.0)
    return weights, exact


def divergence_of(mix: np.ndarray, weights: np.ndarray) -> float:
    """Return the Kullback-Leibler divergence of the weighted mix from the original, in nats."""
    after = mix * weights
    after = after / after.sum()
    return float(np.sum(xlogy(after, after / mix)))


def _tidy(weights: np.ndarray, caps: np.ndarray) -> np.ndarray:
    """Take weights that all but reach 0 or their cap there."""
    weights = np.where(weights > caps - 10 * _TOLERANCE, caps, weights)
    return np.where(weights < 10 * _TOLERANCE, 0.0, weights)


def _solved(wanted: cp.Expression, kept: list, variable: cp.Variable) -> np.ndarray:
    cp.Problem(cp.Minimize(wanted), kept).solve(solver=cp.CLARABEL)
    return np.atleast_1d(np.asarray(variable.value))
