"""Counterfactuals: pairs of passages that differ in what matters, and changes that must not matter.

No model was trained on them. What fails is marked as expected to fail, by id, in
`counterfactual_failures.yaml`; none is left out, and one that begins to pass must leave the list.
The pass rates stand in the model card.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from narrascope.classifiers.cascade import Cascade, load_cascade
from narrascope.labels.labelled import read_examples, shipped_examples
from narrascope.labels.taxonomy import PORTRAYALS

pytest.importorskip("onnxruntime", reason="the judge needs the extra [judge]")

HERE = Path(__file__).parent
ITEMS: list[dict[str, Any]] = yaml.safe_load((HERE / "counterfactuals.yaml").read_text("utf-8"))
FAILURES: dict[str, list[str]] = yaml.safe_load(
    (HERE / "counterfactual_failures.yaml").read_text("utf-8")
)
BEFORE = "Home | About | Contact | Subscribe to our newsletter | Terms of use\n\n"
AFTER = "\n\nShare this page. Comments are closed. © 2019, all rights reserved."
CHANGES = {
    "upper_case": str.upper,
    "lower_case": str.lower,
    "curly_quotes": lambda text: text.replace("'", "’").replace(' "', " “").replace('"', "”"),
    "line_breaks": lambda text: re.sub(r"((?:\S+ ){8}\S+) ", r"\1\n", text),
    "boilerplate": lambda text: BEFORE + text + AFTER,
}


def marked(kind: str, name: str, *values: Any) -> Any:
    fails = name in FAILURES.get(kind, ())
    marks = [pytest.mark.xfail(reason=f"known failure of {kind}", strict=True)] if fails else []
    return pytest.param(*values, id=f"{kind}-{name}", marks=marks)


@pytest.fixture(scope="module")
def cascade() -> Cascade:
    return load_cascade(judge=True)


@pytest.mark.parametrize("item", [marked(item["kind"], item["id"], item) for item in ITEMS])
def test_a_label_follows_what_matters(cascade: Cascade, item: dict[str, Any]) -> None:
    for text, expected in zip((item["text"], item["changed"]), item["expect"], strict=True):
        said = cascade.score(text)
        assert (item["label"] in said["labels"]) == bool(expected), said
    if "stances" in item:
        found = [cascade.score(item[side])["stance"] for side in ("text", "changed")]
        assert found == item["stances"]


@pytest.mark.parametrize(
    ("change", "item"),
    [marked(change, item["id"], change, item) for change in CHANGES for item in ITEMS],
)
def test_what_does_not_matter_changes_no_portrayal(
    cascade: Cascade, change: str, item: dict[str, Any]
) -> None:
    plain, changed = (
        set(cascade.score(text)["labels"]) & set(PORTRAYALS)
        for text in (item["text"], CHANGES[change](item["text"]))
    )
    assert plain == changed


def test_no_model_was_trained_on_them() -> None:
    trained = {" ".join(e.text.split()) for e in read_examples(shipped_examples())}
    for item in ITEMS:
        assert not {" ".join(item[side].split()) for side in ("text", "changed")} & trained
