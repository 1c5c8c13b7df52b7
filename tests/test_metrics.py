"""Figures of merit: what they say of cases whose answer is known."""

import numpy as np
import pytest

from narrascope.classifiers.metrics import (
    bootstrap,
    expected_calibration_error,
    figures_of,
    macro_f1,
    precision_at_recall,
)

TRUTH = np.array([True, False, True, False])


def test_calibration_error_is_the_distance_of_belief_and_truth():
    assert expected_calibration_error(np.full(4, 0.5), TRUTH) == pytest.approx(0)
    assert expected_calibration_error(np.full(4, 0.9), TRUTH) == pytest.approx(0.4)


def test_precision_at_recall_takes_the_best_threshold_that_finds_enough():
    scores = np.array([0.9, 0.8, 0.3, 0.1])
    assert precision_at_recall(scores, TRUTH, 0.5) == 1.0
    assert precision_at_recall(scores, TRUTH, 0.9) == pytest.approx(2 / 3)


def test_macro_f1_counts_names_alike():
    truth = np.array(["a", "a", "a", "b"])
    assert macro_f1(truth, truth) == 1.0
    assert macro_f1(np.array(["a"] * 4), truth) == pytest.approx((6 / 7) / 2)


def test_the_bootstrap_draws_whole_groups():
    """Two passages of a work are not two witnesses: the interval is that of the works."""
    random = np.random.default_rng(1)
    works = random.random(60)
    alone = bootstrap(lambda p: float(works[p].mean()), np.arange(60), seed=1)
    twice = np.repeat(works, 2)
    doubled = bootstrap(lambda p: float(twice[p].mean()), np.repeat(np.arange(60), 2), seed=1)
    assert doubled == pytest.approx(alone)
    assert alone[0] < works.mean() < alone[1]


def test_figures_of_a_perfect_score():
    row = figures_of(TRUTH.astype(float), TRUTH, np.arange(4), threshold=0.5)
    assert row["average_precision"] == row["f1"] == row["precision_at_recall_0.9"] == 1.0
    assert row["calibration_error"] == row["brier"] == 0.0
    assert "calibration_error" not in figures_of(TRUTH * 3.0, TRUTH, np.arange(4), calibrated=False)
