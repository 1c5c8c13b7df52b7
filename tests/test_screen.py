"""The screen: which passages go on, and what is said where it cannot be loaded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascope.classifiers.cascade import load_cascade
from narrascope.classifiers.passages import Window
from narrascope.classifiers.screen import WORD, Screen, line
from narrascope.classifiers.screen_training import train_screen
from narrascope.errors import ModelError
from narrascope.labels.labelled import Example
from narrascope.labels.taxonomy import LABELS


def window(text: str, *terms: str) -> Window:
    places = [text.index(term) for term in terms]
    spans = [(place, place + len(term)) for place, term in zip(places, terms, strict=True)]
    return Window(0, len(text), text, tuple(spans))


KILLER, BAKER = "The robot killed the guard and fled.", "The baker sold bread and cakes."
WINDOWS = [window(KILLER, "robot"), window(BAKER)] * 8
EXAMPLES = [
    Example.model_validate(
        {"id": str(number), "text": text, "work": str(number), "source": "", "ai_agent": shown,
         "malevolent": shown, "self_preserving": 0, "benevolent": 0, "behaviours": [],
         "stance": "depicted" if shown else "none", "genre": "fiction", "sure": 1}
    )
    for number, (text, shown) in enumerate([(KILLER, 1), (BAKER, 0)] * 8)
]  # fmt: skip


def test_words_are_read_without_signs_and_those_beside_a_term_twice():
    assert line(window(" The\r\nBAKER’s\u00a0dog, sat. ")) == "the baker s dog sat"
    told = window(
        "One two three four five six the Robot, seven eight: the A.I. nine.", "Robot", "A.I."
    )
    words = "one two three four five six the robot seven eight the a i nine"
    marked = "three four five six the robot seven eight the a i nine"
    assert line(told) == " ".join([words, *(f"@{word}" for word in marked.split())])
    near = window("Robot one two three four five six seven eight nine ten eleven AI", "Robot", "AI")
    marked = "robot one two three four five seven eight nine ten eleven ai"
    assert line(near).split()[13:] == [f"@{word}" for word in marked.split()]


@given(st.text(st.sampled_from("aZ9_é–—’“… \n\u00a0'-.İ²") | st.characters()))
def test_words_are_runs_of_letters_and_digits_however_they_are_found(text):
    assert line(Window(0, len(text), text, ())) == " ".join(WORD.findall(text)).lower()


def test_scores_are_rounded_and_in_label_order(tmp_path):
    model = train_screen(WINDOWS, EXAMPLES, seed=1, path=tmp_path / "screen.bin")
    scores = Screen(model, [None] * 4).score([*WINDOWS[:2], window(""), window("line\nbreak")])
    assert scores.shape == (4, len(LABELS))
    assert scores.dtype == np.float64
    assert np.array_equal(scores, np.round(scores, 4))
    assert scores[0, 0] > scores[1, 0]
    assert (scores[:, 2:] == 0).all()


def test_the_same_passages_train_the_same_bytes(tmp_path):
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for path in paths:
        train_screen(WINDOWS, EXAMPLES, seed=1, path=path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_any_label_over_its_threshold_lets_a_passage_by():
    scores = np.array([[0.5, 0, 0, 0], [0.4, 0, 0, 0.9], [0.4, 0.9, 0, 0.2]])
    screen = Screen(None, [0.5, None, None, 0.3])
    assert screen.lets_by(scores).tolist() == [True, True, False]
    assert screen.lets_by(scores[:0]).tolist() == []


def test_a_score_does_not_depend_on_its_batch():
    screen = load_cascade().screen
    together = screen.score(WINDOWS[:2])
    assert np.array_equal(together[1:], screen.score(WINDOWS[1:2]))


def test_a_missing_screen_is_told_in_one_line(tmp_path):
    with pytest.raises(ModelError, match="no usable screen") as raised:
        Screen.load(tmp_path, thresholds=[0.5] * 4)
    assert "\n" not in str(raised.value)
