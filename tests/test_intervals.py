"""The interval of a total over strata: laws, known values, and that it holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from narrascope.store.intervals import profile_interval

# A corpus of which a classifier found most, as weights and true rates: two strata of score, then
# what the gate passed over.
WEIGHT = np.array([0.004, 0.006, 0.99])
RATE = np.array([0.6, 0.05, 0.0003])
AUDITED = np.array([300, 200, 1500])


def strata(largest: int = 6) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Weights, documents read and positives of one to `largest` strata."""
    one = st.tuples(st.floats(0.01, 1), st.integers(1, 200), st.floats(0, 1))
    return st.lists(one, min_size=1, max_size=largest).map(
        lambda rows: (
            np.array([w for w, _, _ in rows]),
            np.array([n for _, n, _ in rows]),
            np.array([round(p * n) for _, n, p in rows]),
        )
    )


@settings(max_examples=50, deadline=None)
@given(strata())
def test_the_estimate_lies_within_its_limits(drawn):
    weight, audited, positive = drawn
    low, high = profile_interval(weight, audited, positive)
    share = (weight * positive / audited).sum()
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= weight.sum() + 1e-9


@settings(max_examples=50, deadline=None)
@given(strata(), st.permutations(range(6)))
def test_the_order_of_strata_does_not_matter(drawn, order):
    chosen = [place for place in order if place < len(drawn[0])]
    assert profile_interval(*(column[chosen] for column in drawn)) == pytest.approx(
        profile_interval(*drawn), abs=1e-7
    )


@settings(max_examples=50, deadline=None)
@given(strata())
def test_what_is_negative_is_the_rest_of_what_is_positive(drawn):
    weight, audited, positive = drawn
    low, high = profile_interval(weight, audited, positive)
    opposite = profile_interval(weight, audited, audited - positive)
    assert opposite == pytest.approx((weight.sum() - high, weight.sum() - low), abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(strata())
def test_a_higher_level_is_wider(drawn):
    low, high = profile_interval(*drawn, level=0.9)
    lower, higher = profile_interval(*drawn, level=0.99)
    assert lower <= low + 1e-9
    assert high <= higher + 1e-9


def test_one_stratum_is_near_the_textbook_interval():
    low, high = profile_interval(np.ones(1), np.array([1000]), np.array([100]))
    exact = stats.binomtest(100, 1000).proportion_ci(method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-3)


def test_none_in_n_leaves_room_for_about_three_in_n():
    low, high = profile_interval(np.ones(1), np.array([1000]), np.array([0]))
    assert low == 0
    assert 0.0025 < high < 0.0037


def test_a_stratum_that_nobody_read_may_hold_nothing_or_all():
    low, high = profile_interval(np.array([0.9, 0.1]), np.array([1000, 0]), np.array([450, 0]))
    alone = profile_interval(np.array([0.9]), np.array([1000]), np.array([450]))
    assert (low, high) == pytest.approx((alone[0], alone[1] + 0.1))


def test_one_call_serves_many_groups():
    positive = np.array([[3, 0, 1], [0, 0, 0]])
    low, high = profile_interval(WEIGHT, AUDITED, positive)
    for g in range(2):
        assert (low[g], high[g]) == pytest.approx(profile_interval(WEIGHT, AUDITED, positive[g]))


@pytest.mark.parametrize("missed", [0.0, 0.0003, 0.0015])
def test_the_interval_holds_where_the_gate_misses_none_some_or_most(missed):
    # At 4,000 draws 0.93 lies three standard errors below 0.942.
    rate = np.array([*RATE[:2], missed])
    positive = np.random.default_rng(11).binomial(AUDITED, rate, size=(4000, 3))
    low, high = profile_interval(WEIGHT, AUDITED, positive)
    truth = WEIGHT @ rate
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93


def test_without_the_continuity_it_would_not_hold():
    # A truth at which reading no positive is likely, and the plain likelihood leaves it too little.
    positive = np.random.default_rng(11).binomial(1500, 0.0015, size=(4000, 1))
    covered = []
    for continuity in (0.0, 0.25):
        low, high = profile_interval(np.ones(1), np.array([1500]), positive, continuity=continuity)
        covered.append(((low <= 0.0015) & (high >= 0.0015)).mean())
    assert covered[0] < 0.91
    assert covered[1] > 0.93
