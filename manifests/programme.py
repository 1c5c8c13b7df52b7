"""The convex programme behind constraints: the mix closest to the original that obeys them.

The mix is a share of the corpus for each cell. Among the mixes that obey linear bounds, the one of
least Kullback-Leibler divergence from the original is found (Csiszar 1975, "I-divergence geometry
of probability distributions and minimization problems"): in it, cells that no binding bound tells
apart keep their proportions. Where the bounds contradict each other, the least sum of misses is
found first, and then the closest mix that misses by no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

_SLACK = 1e-7
"""Misses below this are the solver's, not the bounds'."""


@dataclass(frozen=True)
class Linear:
    """A bound on a mix: `coefficients @ mix <= limit`, a miss of 1 being `unit` of it.

    Args:
        coefficients: one for each cell.
        limit: the right side.
        unit: what a miss is measured in, above 0: so that misses of different bounds add up.
    """

    coefficients: np.ndarray
    limit: float
    unit: float


@dataclass(frozen=True)
class Mix:
    """A solution: `weights` of the cells with mean 1 over the mix, and `duals` of the bounds.

    A dual is by how much the divergence falls for each unit by which its right side rises.
    """

    weights: np.ndarray
    duals: np.ndarray
    misses: np.ndarray
    divergence: float


def closest_mix(mix: np.ndarray, caps: np.ndarray, bounds: Sequence[Linear]) -> Mix:
    """Return the mix closest to a given one that obeys bounds, or misses them by the least.

    Args:
        mix: the original shares of the cells, all above 0, with sum 1.
        caps: the most that each cell's weight may be; 0 fixes it.
        bounds: the bounds.

    Returns:
        Weights of shape (cells,), by which shares are multiplied.
    """
    # Imported when it is first needed: it takes seconds.
    import cvxpy as cp

    matrix = np.array([bound.coefficients * mix for bound in bounds])
    limits = np.array([bound.limit for bound in bounds])
    units = np.array([bound.unit for bound in bounds])
    weights = cp.Variable(len(mix), nonneg=True)
    slack = cp.Variable(len(bounds), nonneg=True)
    kept = [mix @ weights == 1, weights <= caps]
    scaled = (matrix / units[:, None]) @ weights - limits / units
    cp.Problem(cp.Minimize(cp.sum(slack)), [*kept, scaled <= slack]).solve(solver=cp.CLARABEL)
    least = np.atleast_1d(np.asarray(slack.value))
    misses = np.where(least > 10 * _SLACK, least, 0.0)
    obeyed = scaled <= misses + np.where(misses > 0, _SLACK, 0.0)
    divergence = cp.sum(cp.multiply(mix, -cp.entr(weights)))
    cp.Problem(cp.Minimize(divergence), [*kept, obeyed]).solve(solver=cp.CLARABEL)
    found = np.clip(np.asarray(weights.value), 0.0, caps)
    duals = np.maximum(np.atleast_1d(np.asarray(obeyed.dual_value)), 0.0) / units
    return Mix(found, duals, misses * units, float(np.sum(xlogy(mix * found, found))))
