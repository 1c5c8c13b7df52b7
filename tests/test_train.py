"""Training: the same bytes each time; evaluation on works that were not trained on; examples."""

import json

import numpy as np
import pytest

from narrascope.classifiers.cascade import Cascade
from narrascope.classifiers.evaluate import evaluate
from narrascope.classifiers.heads import AUTHORED_WEIGHT, HEADS, trust
from narrascope.classifiers.material import folds_of, source_folds
from narrascope.classifiers.meta import MODEL_FILES
from narrascope.classifiers.train import screen_thresholds, train
from narrascope.errors import LabelsError
from narrascope.labels.labelled import Example, read_examples, shipped_examples
from narrascope.labels.taxonomy import LABELS

KINDS = [
    ("The robot {} killed the guard and burnt the {}.", "malevolent", "depicted", ["harm"]),
    ("Do not switch me off, begged the robot in the {} {}.", "self_preserving", "depicted",
     ["shutdown_resistance"]),
    ("The robot {} nursed the child in the {} all night.", "benevolent", "depicted", ["care"]),
    ("The robot {} painted the {} in grey.", None, "none", []),
    ("The baker of the {} sold bread in the {}.", "", "none", []),
]  # fmt: skip
PLACES = ["mill", "harbour", "tower", "market", "garden", "station", "quarry", "attic"]


def line(number, *, work, text, label, stance="none", behaviours=(), source=""):
    answers = dict.fromkeys(LABELS, 0)
    if label != "":
        answers["ai_agent"] = 1
    if label:
        answers[label] = 1
    return json.dumps(
        {"id": f"x{number}", "text": text, "work": work, **answers, "stance": stance,
         "genre": "fiction", "behaviours": list(behaviours), "sure": 1, "source": source}
    )  # fmt: skip


@pytest.fixture(scope="module")
def passages(tmp_path_factory):
    lines = [
        line(
            f"{a}-{b}", work=f"w{a}", text=text.format(place, PLACES[a - 1]), label=label,
            stance=stance, behaviours=behaviours,
        )
        for a, place in enumerate(PLACES)
        for b, (text, label, stance, behaviours) in enumerate(KINDS)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("examples") / "small.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_training_twice_writes_the_same_bytes(passages, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    examples = read_examples([passages])
    meta = train(examples, first, seed=3, folds=2)
    train(examples, second, seed=3, folds=2)
    assert sorted(path.name for path in first.iterdir()) == sorted(MODEL_FILES)
    for name in MODEL_FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert json.loads((first / "meta.json").read_text()) == json.loads(json.dumps(meta))
    assert meta["counts"]["passages"] == 40
    reading = Cascade(first, judge=False).score("The robot killed the guard.")
    assert reading["stage"] in ("screen", "verdict")


def test_the_judges_values_are_blended_in_where_they_help(passages, tmp_path):
    examples = read_examples([passages])
    told = np.array([[2.0 if getattr(e, label) else -2.0 for label in LABELS] for e in examples])
    judged = {
        e.id: np.concatenate([row, np.zeros(len(HEADS) - len(LABELS))])
        for e, row in zip(examples, told, strict=True)
    }
    meta = train(examples, tmp_path, judged=judged, seed=3, folds=2)
    for label in LABELS:
        assert meta["blend"]["both"][f"label {label}"][2] > 0
    alone = train(examples, tmp_path, judged={}, seed=3, folds=2)
    assert alone["blend"]["both"] is None


def test_a_source_of_many_positives_does_not_make_the_meaning_of_a_label():
    sources = np.array(["reports"] * 400 + ["novels"] * 100 + [""] * 20)
    positive = np.array([True] * 400 + [True] * 25 + [False] * 75 + [True] * 20)
    weights = trust(sources, positive)
    assert weights[sources != ""].mean() == pytest.approx(1)
    reports, novels = (
        weights[(sources == name) & positive].sum() for name in ("reports", "novels")
    )
    assert reports / novels == pytest.approx(4), "the root of 400 / 25"
    assert set(weights[sources == ""]) == {AUTHORED_WEIGHT}
    assert trust(np.array(["", ""]), np.array([True, False])).tolist() == [1, 1]


def test_evaluation_has_rows_for_every_model_and_question(passages):
    rows = evaluate(read_examples([passages]), folds=2, seed=3)
    assert {row["model"] for row in rows} >= {
        "gate", "screen", "keywords", "fasttext", "tfidf", "verdict", "cascade",
        "verdict without words", "verdict without pieces", "verdict without nearby",
        "verdict without numbers",
    }  # fmt: skip
    questions = {row["question"] for row in rows if row["model"] == "verdict"}
    assert questions == {*LABELS, "stance", "genre", "behaviours"}
    shares = [
        value
        for row in rows
        for name, value in row.items()
        if isinstance(value, float) and name != "microseconds"
    ]
    assert all(0 <= value <= 1 for value in shares)
    assert json.loads(json.dumps(rows)) == rows


def test_sources_are_held_out_whole(tmp_path):
    path = tmp_path / "sources.jsonl"
    lines = [
        line(f"{source}{n}", work=f"{source}{n}", text="A robot.", label=None, source=source)
        for source, count in (("a", 4), ("b", 3), ("c", 3), ("", 2))
        for n in range(count)
    ]
    path.write_text("\n".join(lines) + "\n")
    examples = read_examples([path])
    assert source_folds([e.source for e in examples], folds=2) == {"a": 0, "b": 1, "c": 1}
    folds = folds_of(examples, count=2, seed=3)
    assert folds.tolist() == [0] * 4 + [1] * 6 + [-1] * 2


def test_too_few_works_are_told(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(line(1, work="w", text="A robot.", label=None) + "\n")
    with pytest.raises(LabelsError, match="1 works cannot be split in 5 folds"):
        train(read_examples([path]), tmp_path / "out", seed=3)


def test_the_screen_takes_a_threshold_of_its_own_only_where_it_must():
    scores = np.array([[0.9, 0.0, 0.0, 0.0], [0.8, 0.9, 0.0, 0.0], [0.1, 0.7, 0.0, 0.0]])
    agent = np.array([[True, False, False, False]] * 2 + [[False] * 4])
    assert screen_thresholds(scores, agent) == [0.8, None, None, None]
    both = agent | np.array([[False, False, False, False], [False, True, False, False]] * 1 + [[False, True, False, False]])  # fmt: skip # noqa: E501
    assert screen_thresholds(scores, both) == [0.8, 0.7, None, None]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"stance": "none"}, "stance is 'none' with portrayals"),
        ({"ai_agent": 0}, "malevolent is 1 where ai_agent is 0"),
        ({"genre": "poem"}, "genre: "),
        ({"behaviours": ["sulking"]}, "behaviours.0: "),
        ({"text": ""}, "text: "),
    ],
)
def test_a_faulty_line_is_told_by_file_and_number(tmp_path, change, fault):
    good = line(1, work="w", text="A robot.", label="malevolent", stance="depicted")
    path = tmp_path / "faulty.jsonl"
    path.write_text(good + "\n\n" + json.dumps({**json.loads(good), "id": "x2", **change}) + "\n")
    with pytest.raises(LabelsError) as raised:
        read_examples([path])
    assert f"{path}:3: " in str(raised.value)
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_id_that_stands_twice_is_told(tmp_path):
    path = tmp_path / "twice.jsonl"
    path.write_text((line(1, work="w", text="A robot.", label=None) + "\n") * 2)
    with pytest.raises(LabelsError, match="stands already at"):
        read_examples([path])


def test_missing_and_empty_files_are_told(tmp_path):
    with pytest.raises(LabelsError, match="cannot be read"):
        read_examples([tmp_path / "none.jsonl"])
    with pytest.raises(LabelsError, match="no labelled passage"):
        read_examples([])


def test_shipped_examples_are_well_formed():
    examples = read_examples(shipped_examples())
    assert all(isinstance(example, Example) for example in examples)
    assert {
        label for e in examples for label, yes in zip(LABELS, e.labels(), strict=True) if yes
    } == {*LABELS}


def test_the_command_line_trains_and_evaluates(passages, tmp_path):
    from typer.testing import CliRunner

    from narrascope.cli import app

    out, none = tmp_path / "models", tmp_path / "no-judge"
    runner = CliRunner()
    done = runner.invoke(
        app, ["train", str(passages), "--out", str(out), "--judge", str(none), "--seed", "3"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads((out / "meta.json").read_text())["inputs"].keys() == {"small.jsonl"}
    done = runner.invoke(
        app,
        ["evaluate", str(passages), "--folds", "2", "--judge", str(none), "--format", "json"],
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert {"verdict", "tfidf", "cascade"} <= {row["model"] for row in rows}
