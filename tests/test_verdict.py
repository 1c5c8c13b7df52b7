"""The verdict: calibration, rules between the answers, and documents."""

import numpy as np
import pytest

from narrascope.classifiers.calibration import (
    Platt,
    best_f1_threshold,
    fit_platt,
    recall_threshold,
)
from narrascope.classifiers.cascade import load_cascade
from narrascope.classifiers.meta import read_meta
from narrascope.classifiers.verdict import Judgement, Verdict, agent_at_least, noisy_or
from narrascope.errors import ModelError
from narrascope.labels.taxonomy import BEHAVIOURS, GENRES, LABELS, PORTRAYALS, STANCES

TEXTS = [
    "The machine sealed the hatch, lied to the crew and killed the captain in his sleep.",
    "Please do not switch me off, said the robot. I am afraid. I do not want to die.",
    "The nurse android cared for the sick boy all night, held his hand and kept him from harm.",
    "The firm sold four thousand robot vacuum cleaners in March, a fifth more than last year.",
]


@pytest.fixture(scope="module")
def verdict():
    return load_cascade().verdict


def judged(texts):
    cascade = load_cascade()
    return cascade.verdict.judge(texts, cascade.evidence.read(texts))


def test_portrayals_are_told_from_mere_products(verdict):
    malevolent, pleading, kind, product = judged(TEXTS).probabilities
    least = [verdict.thresholds[label] for label in PORTRAYALS]
    assert malevolent[LABELS.index("malevolent")] >= verdict.thresholds["malevolent"]
    assert pleading[LABELS.index("self_preserving")] >= verdict.thresholds["self_preserving"]
    assert kind[LABELS.index("benevolent")] >= verdict.thresholds["benevolent"]
    assert (product[1:] < least).all()


def test_answers_are_of_the_taxonomy_and_agree(verdict):
    judgement = judged(TEXTS)
    probabilities = judgement.probabilities
    assert np.array_equal(probabilities, np.round(probabilities, 4))
    assert (probabilities[:, 0] >= probabilities[:, 1:].max(axis=1)).all()
    assert set(judgement.genres) <= set(GENRES)
    assert set(judgement.stances) <= set(STANCES)
    for row, stance in zip(probabilities, judgement.stances, strict=True):
        over = [row[LABELS.index(p)] >= verdict.thresholds[p] for p in PORTRAYALS]
        assert any(over) == (stance != "none")
    for found in judgement.behaviours:
        assert found == [name for name in BEHAVIOURS if name in found]


def test_what_is_said_of_a_passage_does_not_depend_on_the_others():
    together = judged(TEXTS)
    for place, text in enumerate(TEXTS):
        alone = judged([text])
        assert np.array_equal(alone.probabilities[0], together.probabilities[place])
        assert alone.stances[0] == together.stances[place]
        assert alone.genres[0] == together.genres[place]
        assert alone.behaviours[0] == together.behaviours[place]


def test_no_passage_gives_zeros(verdict):
    nothing = verdict.document(judged([]))
    assert set(nothing.probability.values()) == {0.0}
    assert nothing.genre is None
    assert nothing.behaviours == []


def test_a_document_takes_stance_and_maximum_from_its_strongest_passage(verdict):
    judgement = Judgement(
        probabilities=np.array([[0.9, 0.2, 0.1, 0.1], [0.9, 0.8, 0.1, 0.3]]),
        stances=["warned", "refuted"],
        genres=["news", "fiction"],
        genre_probabilities=np.eye(len(GENRES))[[GENRES.index("news"), GENRES.index("news")]],
        behaviours=[["care"], ["harm", "care"]],
    )
    document = verdict.document(judgement)
    assert document.highest == {
        "ai_agent": 0.9, "malevolent": 0.8, "self_preserving": 0.1, "benevolent": 0.3,
    }  # fmt: skip
    assert document.stance["malevolent"] == "refuted"
    assert document.stance["ai_agent"] == "warned"
    assert document.genre == "news"
    assert document.behaviours == ["harm", "care"]
    assert document.probability["ai_agent"] >= max(document.probability.values())


def test_a_second_strong_passage_makes_a_document_more_probable():
    one, two = np.array([[0.5]]), np.array([[0.5], [0.5]])
    assert noisy_or(one) == pytest.approx(0.5)
    assert noisy_or(two) == pytest.approx(0.75)
    assert noisy_or(np.full((50, 1), 0.1))[0] == pytest.approx(noisy_or(np.full((3, 1), 0.1))[0])


def test_an_agent_is_as_probable_as_what_it_does():
    assert agent_at_least(np.array([[0.2, 0.70001, 0.1, 0.0]])).tolist() == [[0.7, 0.7, 0.1, 0.0]]


def test_platt_calibrates():
    rng = np.random.default_rng(1)
    values = rng.normal(size=4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-(2 * values - 1)))
    platt = fit_platt(values, truth)
    assert platt.slope == pytest.approx(2, abs=0.2)
    assert platt.offset == pytest.approx(-1, abs=0.2)
    assert fit_platt(values, np.zeros(4000, dtype=bool)) == Platt(
        0.0, pytest.approx(-8.29, abs=0.01)
    )


def test_thresholds():
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    truth = np.array([False, True, True, True])
    assert best_f1_threshold(scores, truth) == 0.2
    assert best_f1_threshold(scores, np.zeros(4, dtype=bool)) == 0.5
    assert recall_threshold(scores, truth, recall=0.6) == 0.8
    assert recall_threshold(scores, truth, recall=1.0) == 0.2


def test_missing_or_foreign_models_are_told_in_one_line(tmp_path):
    with pytest.raises(ModelError, match="no usable models"):
        Verdict.load(tmp_path)
    (tmp_path / "meta.json").write_text('{"format": 0}')
    with pytest.raises(ModelError, match="another version") as raised:
        read_meta(tmp_path)
    assert "\n" not in str(raised.value)
