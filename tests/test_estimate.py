"""The audited estimate: of a corpus, its groups, its bytes, its long documents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import TagsError
from narrascope.store.estimate import (
    Population,
    Sample,
    audited_share,
    audited_shares,
    simultaneous,
)

# Documents and positives of four strata: three of score, and what the gate passed over.
DOCUMENTS = np.array([400, 900, 3000, 200_000])
POSITIVE = np.array([300, 200, 60, 40])
TRUTH = POSITIVE.sum() / DOCUMENTS.sum()


def rows(audited: list[int], positive: list[int]) -> Sample:
    """An audit by counts: of each stratum, how many documents were read and were positive."""
    stratum = np.repeat(np.arange(len(audited)), audited)
    found = np.concatenate(
        [np.arange(n) < x for n, x in zip(audited, positive, strict=True)] or [np.empty(0, bool)]
    )
    return Sample.of_documents(stratum, found)


def counts() -> st.SearchStrategy[tuple[list[int], list[int], list[int]]]:
    """Documents, how many of them were read, and positives among these, of some strata."""
    one = st.integers(1, 300).flatmap(
        lambda documents: st.integers(0, documents).flatmap(
            lambda read: st.tuples(st.just(documents), st.just(read), st.integers(0, read))
        )
    )
    return st.lists(one, min_size=1, max_size=5).map(
        lambda found: tuple(list(column) for column in zip(*found, strict=True))
    )


@settings(max_examples=50, deadline=None)
@given(counts())
def test_the_share_lies_within_its_limits(drawn):
    documents, audited, positive = drawn
    found = audited_share(Population.of_documents(np.array(documents)), rows(audited, positive))
    assert 0 <= found.low <= found.share <= found.high <= 1 + 1e-9
    assert found.n_audited == sum(audited)
    assert found.numerator == pytest.approx(found.share * sum(documents))


@settings(max_examples=50, deadline=None)
@given(counts())
def test_a_corpus_that_was_read_whole_is_known(drawn):
    documents, _, positive = drawn
    found = audited_share(Population.of_documents(np.array(documents)), rows(documents, positive))
    truth = sum(positive) / sum(documents)
    assert (found.low, found.share, found.high) == pytest.approx((truth, truth, truth))


@settings(max_examples=50, deadline=None)
@given(counts(), st.permutations(range(5)))
def test_the_names_of_strata_do_not_matter(drawn, order):
    documents, audited, positive = (
        [column[place] for place in order if place < len(column)] for column in drawn
    )
    one = audited_share(Population.of_documents(np.array(drawn[0])), rows(*drawn[1:]))
    other = audited_share(Population.of_documents(np.array(documents)), rows(audited, positive))
    assert (one.low, one.share, one.high) == pytest.approx(
        (other.low, other.share, other.high), abs=1e-6
    )


def test_the_order_of_documents_does_not_matter():
    sample = rows([100, 100, 100, 1000], [70, 20, 2, 1])
    mixed = sample.where(np.random.default_rng(1).permutation(1300))
    population = Population.of_documents(DOCUMENTS)
    assert audited_share(population, mixed) == audited_share(population, sample)


def test_interval_and_estimate_hold_over_many_audits():
    # Of 400 audits 0.92 lies two standard errors below 0.943, which is less than was measured.
    rng = np.random.default_rng(5)
    audited = [80, 120, 100, 1200]
    found = [
        audited_share(
            Population.of_documents(DOCUMENTS),
            rows(audited, rng.hypergeometric(POSITIVE, DOCUMENTS - POSITIVE, audited).tolist()),
        )
        for _ in range(400)
    ]
    assert np.mean([e.low <= TRUTH <= e.high for e in found]) >= 0.92
    assert np.mean([e.share for e in found]) == pytest.approx(TRUTH, rel=0.04)


def test_few_positives_are_said_to_be_few():
    nothing = audited_share(Population.of_documents(DOCUMENTS), rows([10, 10, 10, 300], [0] * 4))
    assert (nothing.share, nothing.low) == (0, 0)
    assert 0.005 < nothing.high < 0.02
    assert nothing.note.startswith("0 positive read")
    assert not audited_share(
        Population.of_documents(DOCUMENTS), rows([10, 10, 10, 300], [9, 1, 0, 0])
    ).note


def test_a_stratum_that_nobody_read_is_allowed_for_and_named():
    found = audited_share(Population.of_documents(np.array([100, 900])), rows([50, 0], [25, 0]))
    assert found.share == pytest.approx(0.05)
    assert found.high > 0.9
    assert "nothing was read of strata with 90.00%" in found.note


def test_equal_sizes_count_like_documents():
    sample = rows([80, 120, 100, 1200], [60, 30, 2, 1])
    in_bytes = Sample(sample.stratum, sample.positive, sample.size * 700, sample.read)
    one = audited_share(Population.of_documents(DOCUMENTS), sample)
    other = audited_share(Population(DOCUMENTS, DOCUMENTS * 700), in_bytes)
    assert (one.low, one.share, one.high) == pytest.approx((other.low, other.share, other.high))


def test_unequal_sizes_widen_the_interval():
    sample = rows([80, 120, 100, 1200], [60, 30, 2, 1])
    size = np.random.default_rng(2).lognormal(7, 1.5, len(sample.stratum))
    in_bytes = Sample(sample.stratum, sample.positive, size, sample.read)
    total = np.bincount(sample.stratum, size) / np.bincount(sample.stratum) * DOCUMENTS
    one = audited_share(Population.of_documents(DOCUMENTS), sample)
    other = audited_share(Population(DOCUMENTS, total), in_bytes)
    assert (other.high - other.low) / other.share > 1.3 * (one.high - one.low) / one.share


def test_documents_read_in_part_raise_the_upper_limit_alone():
    whole = rows([80, 120, 100, 1200], [60, 30, 2, 1])
    half = np.where(np.arange(len(whole.stratum)) % 3 == 0, 0.5, 1.0)
    part = Sample.of_documents(whole.stratum, whole.positive, half)
    one, other = (audited_share(Population.of_documents(DOCUMENTS), s) for s in (whole, part))
    assert other.share == one.share
    assert other.low == pytest.approx(one.low, rel=0.01)
    assert other.high > 1.05 * one.high
    assert "500 documents read in part" in other.note


def test_groups_are_estimated_from_their_own_documents():
    documents = np.array([[100, 5000], [300, 5000]])
    sample = rows([200, 400], [100, 2])
    group = np.concatenate([np.arange(200) % 2, np.arange(400) % 2])
    found = audited_shares(documents, documents, sample, group)
    for g in range(2):
        own = audited_share(Population.of_documents(documents[g]), sample.where(group == g))
        assert found[g].share == pytest.approx(own.share)
        assert found[g].low == pytest.approx(own.low)
        assert found[g].high == pytest.approx(own.high)


def test_a_group_of_which_nothing_was_read_borrows_and_says_so():
    documents = np.array([[100, 50_000], [100, 50_000], [10, 0]])
    sample = rows([100, 1000], [50, 4])
    # The second group's candidates were read, none of its other documents.
    group = np.concatenate([np.arange(100) % 2, np.zeros(1000, int)])
    found = audited_shares(documents, documents, sample, group)
    assert found[1].share == pytest.approx((100 * 0.5 + 50_000 * 0.004) / 50_100)
    assert "80% of `share` is borrowed" in found[1].note
    assert found[1].low < 0.5 * 100 / 50_100
    # Its positives are some of the stratum's: twice the whole's upper limit at most.
    assert 0.012 < found[1].high < 0.03
    assert (found[2].low, found[2].high) == pytest.approx((0, 1), abs=1e-9)


def test_an_empty_group_and_documents_of_no_group_are_no_trouble():
    documents = np.array([[100, 5000], [0, 0]])
    sample = rows([20, 40], [10, 1])
    group = np.where(np.arange(60) % 2, 0, -1)
    found = audited_shares(documents, documents, sample, group)
    assert found[0].n_audited == 30
    assert (found[1].share, found[1].high, found[1].note) == (0, 0, "no documents")


def test_an_audit_of_other_tags_is_refused():
    with pytest.raises(TagsError, match="12 documents were audited of a stratum that holds 10"):
        audited_share(Population.of_documents(np.array([10])), rows([12], [1]))
    with pytest.raises(TagsError, match="stratum 1, but there are 1"):
        audited_share(Population.of_documents(np.array([10])), rows([1, 1], [1, 0]))


def test_ten_intervals_at_once_are_each_made_at_a_higher_level():
    assert simultaneous(0.95, 10) == pytest.approx(0.995)
    assert simultaneous(0.95, 1) == simultaneous(0.95, 0) == pytest.approx(0.95)
