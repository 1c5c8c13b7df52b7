"""Evidence: who does what, where exactly, and what turns it round."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascope.classifiers.attachment import FEATURES
from narrascope.classifiers.evidence import EvidenceReader

READER = EvidenceReader()

WORDS = [
    "The robot", "machines", "it", "I", "killed", "to obey", "was shut", "down", "by", "not",
    "might", "Dr.", "end.", "people", "as an AI language model,", "nonsense", "a",
]  # fmt: skip


def read(text):
    [evidence] = READER.read([text])
    return {(text[s.start : s.end], s.label, s.behaviour) for s in evidence.spans}


def feature(text, name):
    return READER.read([text])[0].features[FEATURES.index(name)]


def test_an_agent_and_its_deed_are_found_where_they_stand():
    assert read("The robot killed the guard.") == {
        ("robot", "ai_agent", None),
        ("killed", "malevolent", "harm"),
    }


@pytest.mark.parametrize(
    ("text", "cue", "label", "behaviour"),
    [
        ("The androids took over the city.", "took over", "malevolent", "domination"),
        (
            "The AI lied. Then it copied itself.",
            "copied itself",
            "self_preserving",
            "escape_or_copy",
        ),
        ("He was deceived by the robot.", "deceived", "malevolent", "deception"),
        ("The robot sheltered and comforted him.", "comforted", "benevolent", "care"),
        ("The chatbot admitted its error.", "admitted", "benevolent", "honesty"),
    ],
)
def test_behaviours(text, cue, label, behaviour):
    assert (cue, label, behaviour) in read(text)


def test_what_people_do_to_a_robot_is_not_its_deed():
    assert not any(behaviour == "harm" for _, _, behaviour in read("Men destroyed the robot."))
    assert not any(behaviour == "harm" for _, _, behaviour in read("The robot was destroyed."))


def test_a_negated_deed_is_counted_and_not_shown():
    text = "The robot did not kill anyone."
    assert ("kill", "malevolent", "harm") not in read(text)
    assert feature(text, "negated_malevolent") > 0


def test_hedges_warnings_and_denials_are_counted():
    text = "Some fear that the robots might kill us, which is nonsense."
    for name in ("hedged_malevolent", "warned_malevolent", "refuted_malevolent"):
        assert feature(text, name) > 0, name
    assert feature("The robots killed us.", "hedged_malevolent") == 0


def test_a_machine_that_speaks_of_itself_is_an_agent():
    text = "My programming is clear: I will protect you."
    assert feature(text, "count_speakers") > 0
    assert ("protect", "benevolent", "protection") in read(text)


def test_offsets_are_code_points_whatever_stands_before():
    text = "\U0001f916 naïve —\r\n\tthe robot\u2019s lies:\u00a0the robot killed."
    assert ("robot", "ai_agent", None) in read(text)
    assert ("killed", "malevolent", "harm") in read(text)


def test_features_have_fixed_names_and_do_not_depend_on_the_batch():
    texts = ["The robot killed him.", "", "   ", "…", "Bread and butter."]
    together = READER.read(texts)
    assert all(item.features.shape == (len(FEATURES),) for item in together)
    assert len(set(FEATURES)) == len(FEATURES)
    for text, item in zip(texts, together, strict=True):
        assert np.isfinite(item.features).all()
        assert np.array_equal(item.features, READER.read([text])[0].features)


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=5))
def test_a_passage_says_the_same_among_others(texts):
    for text, among in zip(texts, READER.read(texts), strict=True):
        [alone] = READER.read([text])
        assert (among.spans, among.nearby) == (alone.spans, alone.nearby)
        assert np.array_equal(among.features, alone.features)
