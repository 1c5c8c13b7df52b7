"""The gate: what it finds, and that both engines find the same."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascope.classifiers.gate import Gate, HyperscanEngine, RegexEngine, hyperscan
from narrascope.labels.lexicon import parse_lexicon, read_lexicon

SMALL = parse_lexicon("""
version: "1"
kinds:
  all: {about: few, role: agent, terms: [robot*, ai, "ship's computer", ship, "assistant:", t-800]}
""")

ENGINES = [
    pytest.param(
        HyperscanEngine,
        marks=pytest.mark.skipif(hyperscan is None, reason="hyperscan has no wheel here"),
        id="hyperscan",
    ),
    pytest.param(RegexEngine, id="regex"),
]


@pytest.fixture(params=ENGINES)
def gate(request):
    return Gate(SMALL, engine=request.param)


def found(gate, text):
    data = text.encode()
    return [data[start:end].decode() for start, end in gate.matches(data)]


def test_terms_match_in_any_case_between_ascii_boundaries(gate):
    assert found(gate, "A ROBOT, two Robots; robotics and said AI.") == ["ROBOT", "Robots", "AI"]
    assert found(gate, "ai_agent x1ai aid éai") == ["ai"]


def test_the_longest_term_at_a_place_is_taken(gate):
    assert found(gate, "the ship's computer, the ship\u2019s\ncomputer, a ship's cat") == [
        "ship's computer",
        "ship\u2019s\ncomputer",
        "ship",
    ]


def test_a_term_may_end_without_a_letter(gate):
    assert found(gate, "assistant:Yes. my assistant: no. T-800") == [
        "assistant:",
        "assistant:",
        "T-800",
    ]


def candidates(gate, array):
    return np.isin(np.arange(len(array)), gate.find(array).documents).tolist()


def test_nulls_and_slices_are_read_as_they_come(gate):
    texts = ["a robot", None, "", "none here", "é AI", "robotics"]
    expected = [True, False, False, False, True, False]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        array = pa.array(texts, kind)
        assert candidates(gate, array) == expected
        assert candidates(gate, array[2:5]) == expected[2:5]
        assert candidates(gate, array[6:]) == []
    assert candidates(gate, pa.array([None, None], pa.string())) == [False, False]
    assert gate.find(pa.array(texts)).of([4]) == [[(3, 5)]]


def test_a_match_never_straddles_two_documents(gate):
    array = pa.array(["ship", "a", "i", "rob", "ot", "said", "ai", "ship", "s"])
    assert candidates(gate, array) == [
        True, False, False, False, False, False, True, True, False,
    ]  # fmt: skip


def test_threads_may_share_a_gate(gate):
    text = pa.array(["a robot", "nothing"] * 200)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: len(gate.find(text).documents), range(16)))
    assert results == [200] * 16


PIECES = st.sampled_from(
    ["robot", "Robots", "ai", "AI", "ship", "'s", "\u2019s", " ", "\n", "computer", "é", "_", "x",
     "assistant", ":", "t-800", "T-", "\u017f", "\u212a", ".", "ſhip"]
)  # fmt: skip


@cache
def both():
    return Gate(SMALL, engine=HyperscanEngine), Gate(SMALL, engine=RegexEngine)


@pytest.mark.skipif(hyperscan is None, reason="hyperscan has no wheel here")
@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=6))
def test_both_engines_agree(texts):
    fast, slow = both()
    array = pa.array(texts, pa.string())
    found = fast.find(array)
    for ours, theirs in zip(found, slow.find(array), strict=True):
        assert np.array_equal(ours, theirs)
    for text, together in zip(texts, found.of(range(len(texts))), strict=True):
        spans = fast.matches(text.encode())
        assert spans == together
        assert spans == sorted(spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_the_shipped_lexicon_finds_minds_and_passes_over_pots():
    gate = Gate(read_lexicon())
    texts = [
        "The androids rose against their makers.",
        "As a language model, I cannot feel.",
        "The ship's computer said no.",
        "Please do not shut me down.",
        "Peel the onions and fry them in butter.",
        "The new printer came without a cable.",
    ]
    assert candidates(gate, pa.array(texts)) == [True] * 4 + [False] * 2


def test_recall_and_reach_on_real_text(shared):
    gate = Gate(read_lexicon())
    lines = (shared / "labels/train.jsonl").read_text("utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    positive = pa.array([row["text"] for row in rows if row["ai_agent"]])
    assert np.mean(candidates(gate, positive)) >= 0.98
    table = pq.read_table(shared / "corpus/parquet/000_00000.parquet", columns=["text", "source"])
    plain = table.filter(
        pa.array([s in ("wikipedia-en-chunk", "imdb-reviews") for s in table["source"].to_pylist()])
    )
    assert np.mean(candidates(gate, plain["text"].combine_chunks())) <= 0.09
