"""Passages: windows around matches, and whole texts in slices."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from narrascope.classifiers.passages import (
    LONGEST,
    REACH,
    UNCUT,
    char_offsets,
    read_windows,
    slices,
    windows,
)

FILLER = "Nothing much happened in the village of stone that day. "


def test_a_short_text_is_one_passage():
    text = "  The robot sat down. Then it rained.\n"
    assert [text[a:b] for a, b in windows(text, [(6, 11)])] == [
        "The robot sat down. Then it rained."
    ]


def test_a_text_without_match_has_no_window():
    assert windows(FILLER * 50, []) == []


def test_a_window_ends_with_sentences():
    text = FILLER * 50 + "The robot sat down. " + FILLER * 50
    at = text.index("robot")
    [(start, end)] = windows(text, [(at, at + 5)])
    assert text[start:end].startswith("Nothing")
    assert text[start:end].endswith("day.")
    assert REACH <= at - start <= UNCUT


def test_far_matches_have_windows_of_their_own_and_near_ones_share():
    text = ("robot. " + FILLER * 40) * 2 + "robot robot."
    matches = [(i, i + 5) for i in range(len(text)) if text.startswith("robot", i)]
    spans = windows(text, matches)
    assert len(spans) == 3
    assert all("robot" in text[start:end] for start, end in spans)


def test_a_crowd_of_matches_is_cut_without_loss():
    text = "The robot said that it would go. " * 400
    matches = [(i, i + 5) for i in range(len(text)) if text.startswith("robot", i)]
    spans = windows(text, matches)
    assert all(end - start <= LONGEST for start, end in spans)
    assert " ".join(text[start:end] for start, end in spans) == text.strip()


def test_text_without_blanks_is_cut_all_the_same():
    spans = slices("x" * 5000)
    assert spans[0][0] == 0
    assert spans[-1][1] == 5000
    assert all(end - start <= UNCUT for start, end in spans)


def test_slices_of_blank_text_are_none():
    assert slices("") == slices(" \n ") == []


def test_byte_offsets_become_code_points():
    text = "é\U0001f916 robot, naïve robot"
    data = text.encode()
    spans = [(i, i + 5) for i in range(len(data)) if data.startswith(b"robot", i)]
    assert [text[a:b] for a, b in char_offsets(data, spans)] == ["robot", "robot"]
    assert char_offsets(data, []) == []


@given(
    st.lists(st.sampled_from(["robot ", FILLER, "\n\n", "é", " ", "xxxxxxxxxx" * 40]), max_size=60)
)
def test_windows_are_disjoint_ascending_short_and_cover_every_match(pieces):
    text = "".join(pieces)
    matches = [(i, i + 5) for i in range(len(text)) if text.startswith("robot", i)]
    spans = windows(text, matches)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert all(0 < end - start <= UNCUT for start, end in spans)
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    for start, end in matches:
        assert any(a < end and start < b for a, b in spans)


@given(
    st.lists(
        st.sampled_from(
            ["robot ", FILLER, "\n\n", "é", "\U0001f916 ", "ü" * 700, FILLER * 40, "x" * 1300]
        ),
        max_size=40,
    )
)
def test_windows_read_from_bytes_are_those_of_the_whole_text(pieces):
    text = "".join(pieces)
    data = text.encode()
    in_text = [(i, i + 5) for i in range(len(text)) if text.startswith("robot", i)]
    in_bytes = [(i, i + 5) for i in range(len(data)) if data.startswith(b"robot", i)]
    read = read_windows(data, in_bytes)
    assert [(start, end) for start, end, *_ in read] == windows(text, in_text)
    assert all(text[start:end] == passage for start, end, passage, _ in read)
    terms = [(start + a, start + b) for start, _, _, own in read for a, b in own]
    assert set(terms) == set(in_text), "each match is a term of its window"
