"""The closest weights that obey bounds: closed forms, optimality, and bounds that contradict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.manifests.programme import Linear, Weighed, closest_weights, divergence_of


def cells(*mix: float, caps: float = 1000.0) -> Weighed:
    shares = np.array(mix) / sum(mix)
    return Weighed(shares, np.full(len(mix), caps))


def at_most(share: float, over: list[int], under: list[int]) -> Linear:
    return Linear(np.array(over) - share * np.array(under), 1.0)


def solve(of: Weighed, *bounds: Linear, **more: object) -> np.ndarray:
    ends: dict = {"aim": 1.0, "floor": 0.0, "keep_total": False} | more
    return closest_weights(of, bounds, **ends).weights


def test_without_a_binding_bound_nothing_changes() -> None:
    assert solve(cells(1, 3), at_most(0.5, [1, 0], [1, 1])) == pytest.approx([1, 1], abs=1e-6)


def test_one_share_has_the_weights_of_the_closed_form() -> None:
    # Weights are exp(-k (1 - a)) and exp(k a), with the k at which the share is a.
    a, dark, kind = 0.1, 0.4, 0.6
    k = np.log(dark * (1 - a) / (a * kind))
    found = solve(cells(dark, kind), at_most(a, [1, 0], [1, 1]))
    assert found == pytest.approx([np.exp(-k * (1 - a)), np.exp(k * a)], rel=1e-5)


def test_the_corpus_keeps_its_size_as_far_as_weights_may_rise() -> None:
    bound = at_most(0.1, [1, 0], [1, 1])
    free = solve(cells(0.4, 0.6), bound, aim=2.0, keep_total=True)
    assert free == pytest.approx([0.1 / 0.4, 0.9 / 0.6], rel=1e-5)
    capped = solve(cells(0.4, 0.6, caps=1.2), bound, aim=1.2, keep_total=True)
    assert capped == pytest.approx([0.6 * 1.2 / 9 / 0.4, 1.2], rel=1e-4)


def test_a_cell_that_is_fixed_at_nothing_stays_so() -> None:
    of = Weighed(np.array([0.2, 0.3, 0.5]), np.array([0.0, 1000.0, 1000.0]))
    found = solve(of, at_most(0.25, [0, 1, 0], [1, 1, 1]))
    assert found[0] == 0
    assert 0.3 * found[1] / (0.3 * found[1] + 0.5 * found[2]) == pytest.approx(0.25, rel=1e-5)


def test_bounds_that_contradict_are_missed_by_the_least() -> None:
    # The first cell is to be at most a tenth and at least half: the misses add up to 0.4 at least.
    least = Linear(0.5 * np.ones(2) - np.array([1, 0]), 1.0)
    found = closest_weights(
        cells(1, 1), [at_most(0.1, [1, 0], [1, 1]), least], aim=1.0, floor=1.0, keep_total=False
    )
    assert found.misses.sum() == pytest.approx(0.4, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    mix=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=7),
    share=st.floats(0.05, 0.95),
    keep_total=st.booleans(),
    data=st.data(),
)
def test_weights_obey_their_bounds_and_no_others_that_do_are_closer(
    mix: list[float], share: float, keep_total: bool, data: st.DataObject
) -> None:
    of = cells(*mix, caps=50.0)
    over = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(mix), max_size=len(mix))))
    over[0], over[1] = 1, 0
    bound = at_most(share, list(over), [1] * len(mix))
    ends: dict = {"aim": 50.0 if keep_total else 1.0, "floor": 0.0, "keep_total": keep_total}
    found = closest_weights(of, [bound], **ends)
    assert (of.mix * found.weights) @ bound.coefficients <= 1e-6
    # At the optimum the logarithm of a weight is what the binding bounds add up to.
    logs = np.log(found.weights)
    by_bound = logs + found.duals @ bound.coefficients[None, :]
    assert np.ptp(by_bound) < 1e-3
    if keep_total:
        assert of.mix @ found.weights == pytest.approx(1.0, abs=1e-6)


def test_divergence_is_that_of_the_mixes_whatever_their_sizes() -> None:
    mix = np.array([0.5, 0.5])
    assert divergence_of(mix, np.array([3.0, 3.0])) == pytest.approx(0.0, abs=1e-12)
    assert divergence_of(mix, np.array([1.0, 0.0])) == pytest.approx(np.log(2))
