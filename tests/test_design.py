"""How an audit is drawn: strata of the score, and how many documents of each are read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.store.design import allocate, planning_rates, score_edges, stratum_of

SCORES = np.round(np.random.default_rng(3).beta(0.3, 3, 20_000), 4)


def test_strata_cost_about_as_much_reading_each():
    edges = score_edges(SCORES, strata=8)
    spread = np.bincount(stratum_of(SCORES, edges), np.sqrt(SCORES * (1 - SCORES)))
    assert len(edges) == 7
    assert spread.max() < 1.3 * spread.min()


def test_counted_scores_are_cut_like_the_documents_themselves():
    values, counts = np.unique(SCORES, return_counts=True)
    assert np.array_equal(score_edges(values, counts), score_edges(SCORES))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])), st.integers(1, 8))
def test_no_stratum_of_the_score_is_empty(scores, strata):
    edges = score_edges(np.array(scores), strata=strata)
    assert len(edges) < strata
    if scores:
        assert np.bincount(stratum_of(np.array(scores), edges)).min() > 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.floats(0.0001, 0.9999), st.floats(0, 1)), min_size=1
    ),
    st.integers(0, 20_000),
    st.integers(0, 20),
)
def test_allocation_spends_the_budget_and_no_more_than_there_is(rows, budget, at_least):
    documents = np.array([d for d, _, _ in rows])
    rates = np.array([r for _, r, _ in rows])
    available = np.array([int(d * part) for d, _, part in rows])
    found = allocate(documents, rates, budget=budget, at_least=at_least, available=available)
    demanded = np.minimum(available, at_least)
    assert (found <= available).all()
    assert (found >= demanded).all()
    assert found.sum() == min(max(budget, demanded.sum()), available.sum())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=3, max_size=3), st.integers(0, 2000))
def test_what_was_read_stays_read(audited, more):
    documents, rates = np.array([300, 3000, 100_000]), np.array([0.5, 0.05, 0.001])
    before = np.array(audited)
    found = allocate(documents, rates, budget=int(before.sum()) + more, audited=before, at_least=0)
    assert (found >= before).all()
    assert found.sum() == before.sum() + more


def test_many_audits_are_allocated_at_once():
    documents = np.array([300, 3000, 100_000])
    rates = np.array([[0.5, 0.05, 0.001], [0.1, 0.1, 0.1]])
    both = allocate(documents, rates, budget=1000)
    for row, rate in zip(both, rates, strict=True):
        assert np.array_equal(row, allocate(documents, rate, budget=1000))


def test_neyman_reads_in_proportion_to_size_and_spread():
    found = allocate(np.array([10_000, 10_000]), np.array([0.5, 0.1]), budget=800)
    assert found.tolist() == [500, 300]


def test_without_a_pilot_what_the_gate_passed_over_is_planned_for():
    documents, expected = np.array([1000, 9000, 990_000]), np.array([0.8, np.nan, np.nan])
    rates = planning_rates(documents, expected)
    assert rates[0] == pytest.approx(0.8)
    assert 0 < rates[2] < rates[1] < 0.1
    assert allocate(documents, rates, budget=1000)[2] > 500


def test_a_pilot_corrects_a_classifier_that_is_wrong():
    documents, expected = np.array([1000, 990_000]), np.array([0.8, np.nan])
    rates = planning_rates(
        documents, expected, audited=np.array([200, 500]), positive=np.array([20, 5])
    )
    assert rates[0] == pytest.approx(0.13, abs=0.02)
    assert rates[1] == pytest.approx(0.0035, abs=0.002)


def test_nothing_is_planned_as_certain():
    rates = planning_rates(np.array([10, 10, 0]), np.array([0.0, 1.0, np.nan]))
    assert ((rates > 0) & (rates < 1)).all()
