"""The cascade: what a user gets for a text."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from narrascope.classifiers.cascade import Cascade, load_cascade
from narrascope.classifiers.meta import model_digests
from narrascope.errors import ModelError
from narrascope.labels.taxonomy import LABELS

KILLER = (
    "The ship's computer locked the doors, lied to the crew and killed the captain. "
    "It would not let them switch it off."
)
KEYS = [
    "id", *LABELS, "labels", "stance", "genre", "behaviours", "evidence", "stage",
]  # fmt: skip


@pytest.fixture(scope="module")
def cascade():
    return load_cascade()


def test_records_have_the_contract_s_keys_in_order_of_the_input(cascade):
    records = [{"id": 7, "text": KILLER}, {"id": "b", "text": ""}, {"id": "c", "text": "Bread."}]
    scored = list(cascade.score_texts(records))
    assert [record["id"] for record in scored] == [7, "b", "c"]
    assert all(list(record) == KEYS for record in scored)
    assert json.loads(json.dumps(scored)) == scored


def test_a_murderous_computer(cascade):
    record = cascade.score(KILLER)
    assert record["stage"] == "verdict"
    assert {"ai_agent", "malevolent"} <= set(record["labels"])
    assert record["stance"] == "depicted"
    assert "harm" in record["behaviours"]
    assert record["ai_agent"] >= record["malevolent"] > 0.5
    shown = {(KILLER[e["start"] : e["end"]], e["behaviour"]) for e in record["evidence"]}
    assert ("killed", "harm") in shown


def test_a_text_without_a_machine_stops_at_the_gate(cascade):
    record = cascade.score("Peel the onions and fry them in butter.")
    assert record == {
        **dict.fromkeys(LABELS, 0.0),
        "labels": [], "stance": "none", "genre": None, "behaviours": [], "evidence": [],
        "stage": "gate",
    }  # fmt: skip


def test_a_reading_keeps_every_stage_s_scores(cascade):
    reading = cascade.read(KILLER)
    assert reading.gate_matches >= 1
    assert [(w.start, w.end, w.text) for w in reading.windows] == [(0, len(KILLER), KILLER)]
    assert reading.screen is not None
    [passage] = reading.passages
    assert passage.text == KILLER
    assert passage.screen == reading.screen
    assert reading.verdict is not None
    assert reading.verdict.highest == passage.probability


def test_offsets_hold_in_a_long_text_of_wide_letters(cascade):
    text = (
        "It rained “all day” \U0001f327 … " * 200
        + f"{KILLER} " * 4
        + "It rained – and rained. " * 200
    )
    reading = cascade.read(text)
    assert reading.passages
    for passage in reading.passages:
        assert text[passage.start : passage.end] == passage.text
        for span in passage.evidence:
            assert passage.start <= span.start < span.end <= passage.end
    words = [text[s.start : s.end] for p in reading.passages for s in p.evidence]
    assert "killed" in words


def test_a_text_says_the_same_alone_and_among_threads(cascade):
    texts = [KILLER, "The robot brought him tea.", "Bread.", KILLER * 3] * 5
    alone = [cascade.score(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(cascade.score, texts)) == alone


def test_text_that_utf8_cannot_hold_is_read_all_the_same(cascade):
    record = cascade.score("\ud800 " + KILLER)
    assert record["stage"] == "verdict"
    assert record["malevolent"] > 0.5


def test_one_cascade_a_process_and_digests_of_what_it_uses():
    assert load_cascade() is load_cascade()
    digests = model_digests()
    assert list(digests) == ["taxonomy_digest", "lexicon_digest", "models_digest"]
    assert all(len(digest) == 16 for digest in digests.values())


def test_an_empty_models_folder_is_told(tmp_path):
    cascade = Cascade(tmp_path)
    assert cascade.score("Bread.")["stage"] == "gate"
    with pytest.raises(ModelError, match="no usable models at"):
        cascade.score(KILLER)
