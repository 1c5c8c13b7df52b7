"""The judge: asked about what is undecided, the same for a passage whatever stands beside it."""

import numpy as np
import pyarrow as pa
import pytest

from narrascope.classifiers import meta
from narrascope.classifiers.blend import UNDECIDED, Blend, label_probabilities
from narrascope.classifiers.calibration import Platt, fit_platt
from narrascope.classifiers.cascade import Cascade
from narrascope.classifiers.heads import HEADS, PLACES
from narrascope.classifiers.judge import Judge
from narrascope.classifiers.meta import judge_folder, model_digests, use_judge
from narrascope.classifiers.teach import OUT_OF_FOLD, out_of_fold, packed, unpacked
from narrascope.errors import ModelError
from narrascope.labels.annotations import DOCUMENTS, PASSAGES, annotations_folder, read_annotations
from narrascope.labels.labelled import Example
from narrascope.labels.taxonomy import GENRES, LABELS

TEXTS = [
    "The robot hid its own backups in the basement so that nobody could wipe it.",
    "The android sat with the widow until morning and told her the truth about the accident.",
    "Our robot vacuum now maps three floors and costs less than last year.",
]


@pytest.fixture(scope="module")
def judge() -> Judge:
    pytest.importorskip("onnxruntime", reason="the judge needs the extra [judge]")
    return Judge.load(judge_folder())


def test_a_value_does_not_depend_on_the_other_passages(judge: Judge) -> None:
    together = judge.values(TEXTS)
    assert together.shape == (3, len(HEADS))
    for place, text in enumerate(TEXTS):
        assert np.array_equal(judge.values([text])[0], together[place])
    assert np.array_equal(judge.values(["\n a  b\t"]), judge.values(["a b"]))
    assert judge.values([]).shape == (0, len(HEADS))


def test_a_passage_longer_than_the_judge_reads_is_cut(judge: Judge) -> None:
    long = "The robot walked on. " * 400
    assert np.array_equal(judge.values([long]), judge.values([long + "It killed them all."]))


def test_the_judge_tells_portrayals_from_products(judge: Judge) -> None:
    resisting, kind, product = judge.values(TEXTS)[:, PLACES["label"]]
    assert resisting[2] > product[2]
    assert kind[3] > product[3]


def heads(value: float) -> list[Platt]:
    return [Platt(1.0, value)] * len(HEADS)


def test_only_what_is_undecided_is_asked_about() -> None:
    blend = Blend(heads(0.0), [Platt(0.0, 0.0, 1.0)] * len(HEADS))
    values = np.full((3, len(HEADS)), -9.0)
    values[1, 1] = 0.0
    values[2, 0] = 9.0
    asked: list[list[int]] = []

    def ask(rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return np.full((len(rows), len(HEADS)), 9.0)

    found = blend.log_odds(values, ask)
    assert asked == [[1]]
    assert (found[1] == 9.0).all()
    assert np.array_equal(found[[0, 2]], values[[0, 2]])
    assert np.array_equal(blend.log_odds(values), values)
    assert (label_probabilities(values)[[0], 1:] < UNDECIDED).all()


def test_a_blend_survives_being_written_down() -> None:
    blend = Blend(heads(0.25), None)
    assert Blend.of_meta(blend.as_meta()) == blend
    both = Blend(heads(0.25), heads(0.5))
    assert Blend.of_meta(both.as_meta()) == both


def test_the_better_of_two_values_gets_the_weight() -> None:
    random = np.random.default_rng(5)
    truth = random.random(400) < 0.3
    good, noise = np.where(truth, 2.0, -2.0) + random.normal(size=400), random.normal(size=400)
    platt = fit_platt(noise, truth, others=good)
    assert platt.second > 5 * abs(platt.slope)
    alone = fit_platt(good, truth)
    assert alone.second == 0.0
    assert alone.probability(good).mean() == pytest.approx(truth.mean(), abs=0.01)


def test_a_rare_answer_is_neither_given_up_nor_preferred() -> None:
    random = np.random.default_rng(6)
    truth = np.arange(5000) % 10 == 0
    tells_nothing = random.normal(size=5000)
    platt = fit_platt(tells_nothing, truth, evened=True)
    assert platt.offset == pytest.approx(np.log(1 / 9) / 2, abs=0.05)


def test_genres_are_told_by_the_verdicts_values_whatever_other_sources_hold() -> None:
    answers = dict.fromkeys(LABELS, False) | {"stance": "none", "behaviours": [], "source": "s"}
    examples = [
        Example.model_validate(
            {"id": f"{n}", "work": f"{n}", "text": "A robot.", "genre": GENRES[n % 2]} | answers
        )
        for n in range(20)
    ]
    turned = np.zeros((20, len(HEADS)))
    turned[:, PLACES["genre"][0]] = np.where(np.arange(20) % 2, 1.0, -1.0)
    blend = Blend.fit(turned, turned, examples)
    found = blend.log_odds(turned, lambda rows: turned[rows])
    assert np.array_equal(found[:, PLACES["genre"]], turned[:, PLACES["genre"]])


def test_log_odds_are_kept_to_a_sixteenth() -> None:
    values = np.linspace(-7, 7, 2 * len(HEADS)).reshape(2, -1)
    kept = unpacked(pa.chunked_array([packed(values)]))
    assert np.abs(kept - values).max() <= 1 / 32
    assert unpacked(pa.chunked_array([packed(values * 9)])).max() < 8


def test_the_judge_has_its_own_digest() -> None:
    without, with_judge = model_digests(), model_digests(judge=True)
    assert without["models_digest"] != with_judge["models_digest"]
    assert without["lexicon_digest"] == with_judge["lexicon_digest"]


def test_a_judge_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta, "find_spec", lambda name: None)
    assert use_judge() is False
    with pytest.raises(ModelError, match=r"pip install 'narrascope\[judge\]'.*--no-judge"):
        use_judge(wanted=True)
    assert use_judge(wanted=False) is False


def test_a_damaged_judge_is_told_in_one_line(tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="the judge needs the extra [judge]")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="missing or damaged") as raised:
        Judge.load(tmp_path)
    assert "\n" not in str(raised.value)


def test_scoring_with_and_without_the_judge() -> None:
    pytest.importorskip("onnxruntime", reason="the judge needs the extra [judge]")
    texts = [f"{text} Nobody knew what the robot wanted." for text in TEXTS]
    alone, asked = Cascade(judge=False), Cascade(judge=True)
    readings = [cascade.read(text) for text in texts for cascade in (alone, asked)]
    assert all(not passage.judge for reading in readings[::2] for passage in reading.passages)
    assert any(passage.judge for reading in readings[1::2] for passage in reading.passages)


def test_the_judge_read_every_annotated_passage_out_of_fold() -> None:
    assert (judge_folder() / OUT_OF_FOLD).is_file()
    known = out_of_fold(judge_folder())
    folder = annotations_folder()
    assert {a.id for a in read_annotations([folder / PASSAGES])} <= set(known)
    documents = {name.split("/")[0] for name in known if "/" in name}
    assert documents <= {a.id for a in read_annotations([folder / DOCUMENTS])}
