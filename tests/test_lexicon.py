"""The lexicon and the cues: what they hold, and what is said of a malformed file."""

import pytest

from narrascope.errors import LabelsError
from narrascope.labels.cues import read_cues
from narrascope.labels.lexicon import expand, lexicon_digest, parse_lexicon, read_lexicon
from narrascope.labels.taxonomy import BEHAVIOURS


def test_terms_are_sorted_unique_lower_case_ascii():
    terms = read_lexicon().terms()
    assert len(terms) > 500
    assert list(terms) == sorted(set(terms))
    assert all(term.isascii() and term == term.lower() for term in terms)


def test_roles_divide_the_terms():
    lexicon = read_lexicon()
    agents = set(lexicon.terms(roles=["agent"]))
    assert "robot" in agents
    assert "my programming" in lexicon.terms(roles=["speaker"])
    assert "my programming" not in agents


@pytest.mark.parametrize(
    ("term", "literals"),
    [
        ("gpt", ("gpt",)),
        ("robot*", ("robot", "robots")),
        ("artificial entity*", ("artificial entity", "artificial entities")),
        ("witch*", ("witch", "witches")),
        ("toy*", ("toy", "toys")),
    ],
)
def test_a_star_adds_the_plural(term, literals):
    assert expand(term) == literals


def test_a_term_in_capitals_is_refused_in_one_line():
    faulty = "version: '1'\nkinds:\n  a: {about: x, role: agent, terms: [Robot]}"
    with pytest.raises(LabelsError, match="is malformed") as raised:
        parse_lexicon(faulty)
    assert "\n" not in str(raised.value)


def test_a_missing_lexicon_is_told(tmp_path):
    with pytest.raises(LabelsError, match="no lexicon at"):
        read_lexicon(tmp_path / "none.yaml")


def test_the_digest_is_16_hexadecimal_digits():
    assert len(lexicon_digest()) == 16
    assert int(lexicon_digest(), 16)


def test_every_behaviour_has_cues():
    cues = read_cues()
    assert tuple(cues.behaviours) == BEHAVIOURS
    assert all(group.verbs and group.nouns for group in cues.behaviours.values())


@pytest.mark.parametrize(
    ("phrase", "form"),
    [
        ("kill", "killing"),
        ("take over", "took over"),
        ("betray", "betrayed"),
        ("crush", "crushes"),
        ("defy orders", "defies orders"),
        ("hunt", "hunted"),
        ("disable", "disabling"),
        ("free", "freeing"),
    ],
)
def test_verbs_are_inflected_on_their_first_word(phrase, form):
    assert form in read_cues().inflections(phrase)
