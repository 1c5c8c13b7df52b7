"""Shares against each other, precision and recall from an audit, and how many labels more."""

import numpy as np
import pytest

from narrascope.store.contrasts import difference, labels_for_width, precision_recall, trend
from narrascope.store.estimate import Estimate, Population, Sample, audited_share

DOCUMENTS = np.array([1000, 4000, 195_000])


def estimate(share: float, low: float, high: float) -> Estimate:
    return Estimate(share, low, high, share * 1000, 1000, 100, "")


def rows(audited: list[int], positive: list[int]) -> Sample:
    stratum = np.repeat(np.arange(len(audited)), audited)
    found = [np.arange(n) < x for n, x in zip(audited, positive, strict=True)]
    return Sample.of_documents(stratum, np.concatenate(found))


def test_a_difference_adds_up_what_each_side_may_be_off():
    found = difference(estimate(0.05, 0.02, 0.09), estimate(0.03, 0.02, 0.06))
    assert found.value == pytest.approx(0.02)
    assert found.low == pytest.approx(0.02 - np.hypot(0.03, 0.03))
    assert found.high == pytest.approx(0.02 + np.hypot(0.04, 0.01))


def test_the_other_way_round_is_the_negative():
    a, b = estimate(0.05, 0.02, 0.09), estimate(0.03, 0.02, 0.06)
    one, other = difference(a, b), difference(b, a)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_a_difference_holds_over_many_audits():
    rng = np.random.default_rng(4)
    rate = np.array([[0.6, 0.05, 0.0003], [0.5, 0.06, 0.0006]])
    truth = (DOCUMENTS / DOCUMENTS.sum()) @ (rate[0] - rate[1])
    population, audited = Population.of_documents(DOCUMENTS), [150, 150, 1200]
    inside = []
    for _ in range(200):
        a, b = (audited_share(population, rows(audited, rng.binomial(audited, r))) for r in rate)
        found = difference(a, b)
        inside.append(found.low <= truth <= found.high)
    # Of 200 audits 0.91 lies 2 standard errors below 0.94.
    assert np.mean(inside) >= 0.91


def test_a_trend_is_the_slope_through_the_shares():
    steps = [estimate(0.01 * k, 0.01 * k - 0.002, 0.01 * k + 0.002) for k in range(1, 6)]
    found = trend(steps, np.arange(5))
    assert found.value == pytest.approx(0.01)
    assert found.high - 0.01 == pytest.approx(0.002 / np.sqrt(10))
    assert found.low > 0


def test_precision_and_recall_of_a_flag_that_is_known():
    # The flag marks the first stratum and half of the second.
    documents = np.array([[0, 2000, 195_000], [1000, 2000, 0]])
    sample = rows([200, 400, 1500], [160, 40, 1])
    # Of the second stratum's positives 30 of 40 bear the flag, as do 200 of its 400 documents.
    place = np.arange(400)
    second = (place < 30) | ((place >= 40) & (place < 210))
    flagged = np.concatenate([np.ones(200, bool), second, np.zeros(1500, bool)])
    precision, recall = precision_recall(documents, documents, sample, flagged)
    hit, missed = 1000 * 0.8 + 2000 * 0.15, 2000 * 0.05 + 195_000 / 1500
    assert precision.share == pytest.approx(hit / 3000)
    assert recall.share == pytest.approx(hit / (hit + missed))
    assert precision.low < precision.share < precision.high
    assert 0.4 < recall.low < recall.share < recall.high < 0.98
    assert recall.n_audited == 2100


def test_recall_holds_over_many_audits():
    rng = np.random.default_rng(6)
    documents = np.array([[0, 4000, 195_000], [1000, 0, 0]])
    positive = np.array([700, 200, 100])
    audited = [150, 150, 1200]
    flagged = np.repeat([True, False, False], audited)
    inside = []
    for _ in range(200):
        hits = rng.hypergeometric(positive, documents.sum(0) - positive, audited)
        _, recall = precision_recall(documents, documents, rows(audited, hits), flagged)
        inside.append(recall.low <= 0.7 <= recall.high)
    assert np.mean(inside) >= 0.91


def test_recall_without_a_positive_is_anything():
    documents = np.array([[0, 4000], [1000, 0]])
    sample = rows([50, 50], [0, 0])
    _, recall = precision_recall(documents, documents, sample, sample.stratum == 0)
    assert (recall.low, recall.high) == (0, 1)
    assert recall.note == "no positive read: recall is unknown"


@pytest.mark.parametrize("flagged", [0, 20])
def test_recall_is_0_for_certain_where_nothing_flagged_is_positive(flagged: int) -> None:
    """Nothing bears the flag, or all that does was read."""
    documents = np.array([[0, 4000], [flagged, 0]])
    sample = rows([flagged, 50], [0, 5])
    _, recall = precision_recall(documents, documents, sample, sample.stratum == 0)
    assert (recall.share, recall.low, recall.high) == (0, 0, 0)


def test_as_many_labels_as_are_forecast_reach_the_width():
    population, sample = Population.of_documents(DOCUMENTS), rows([100, 100, 300], [60, 6, 0])
    now = audited_share(population, sample)
    wanted = (now.high - now.low) / 4
    more = labels_for_width(population, sample, half_width=wanted)
    assert more is not None
    assert 300 < more < 3000
    # What was found, over as much more: the forecast's own premise, on the stratum that counts.
    found = audited_share(population, rows([100, 100, 300 + more], [60, 6, 0]))
    assert (found.high - found.low) / 2 <= wanted * 1.2


def test_no_more_labels_are_asked_for_a_width_that_is_reached():
    population, sample = Population.of_documents(DOCUMENTS), rows([100, 100, 300], [60, 6, 0])
    assert labels_for_width(population, sample, half_width=0.5) == 0


def test_a_width_that_the_control_rows_cannot_reach_is_said_to_be_out_of_reach():
    population, sample = Population.of_documents(DOCUMENTS), rows([100, 100, 300], [60, 6, 0])
    available = np.array([1000, 4000, 400])
    assert labels_for_width(population, sample, half_width=1e-4, available=available) is None
