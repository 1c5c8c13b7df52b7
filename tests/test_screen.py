"""The screen: which passages go on, and what is said where it cannot be loaded."""

import numpy as np
import pytest

from narrascope.classifiers.cascade import load_cascade
from narrascope.classifiers.screen import Screen, even
from narrascope.classifiers.screen_training import train_screen
from narrascope.errors import ModelError
from narrascope.labels.taxonomy import LABELS

TEXTS = ["The robot killed the guard and fled.", "The baker sold bread and cakes."] * 8
TRUTH = [(True, True, False, False), (False, False, False, False)] * 8


def test_text_is_evened_out():
    assert even(" The\r\nROBOT\u00a0sat ") == "the robot sat"


def test_scores_are_rounded_and_in_label_order(tmp_path):
    model = train_screen(TEXTS, TRUTH, seed=1, path=tmp_path / "screen.bin")
    scores = Screen(model, [None] * 4).score([*TEXTS[:2], "", "line\nbreak"])
    assert scores.shape == (4, len(LABELS))
    assert scores.dtype == np.float64
    assert np.array_equal(scores, np.round(scores, 4))
    assert scores[0, 0] > scores[1, 0]
    assert (scores[:, 2:] == 0).all()


def test_the_same_passages_train_the_same_bytes(tmp_path):
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for path in paths:
        train_screen(TEXTS, TRUTH, seed=1, path=path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_any_label_over_its_threshold_lets_a_passage_by():
    scores = np.array([[0.5, 0, 0, 0], [0.4, 0, 0, 0.9], [0.4, 0.9, 0, 0.2]])
    screen = Screen(None, [0.5, None, None, 0.3])
    assert screen.lets_by(scores).tolist() == [True, True, False]
    assert screen.lets_by(scores[:0]).tolist() == []


def test_a_score_does_not_depend_on_its_batch():
    screen = load_cascade().screen
    together = screen.score(TEXTS[:2])
    assert np.array_equal(together[1:], screen.score(TEXTS[1:2]))


def test_a_missing_screen_is_told_in_one_line(tmp_path):
    with pytest.raises(ModelError, match="no usable screen") as raised:
        Screen.load(tmp_path, thresholds=[0.5] * 4)
    assert "\n" not in str(raised.value)
