"""The presets that ship are policies that can be planned, and say on what they rest."""

from pathlib import Path

import pytest

from narrascope.errors import PolicyError
from narrascope.manifests.plan import plan
from narrascope.manifests.policy_file import load_policy
from narrascope.manifests.presets import find_policy, presets, summary
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.tag_folder import publish_corpus

NAMES = (
    "balance", "downweight", "filter-strict", "late-insertion", "random-drop-control",
    "upweight-aligned",
)  # fmt: skip


def test_the_presets_are_those_of_the_documentation() -> None:
    assert tuple(presets()) == NAMES
    text = (Path(__file__).parents[1] / "docs" / "manifests.md").read_text("utf-8")
    assert all(f"`{name}`" in text for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_planned_by_its_name(name: str, tmp_path: Path) -> None:
    path = find_policy(name)
    assert summary(path).endswith(".") and len(path.read_text("utf-8").split("version")[0]) > 200
    with open_catalogue(publish_corpus(str(tmp_path / "tags"))) as connection:
        planned = plan(connection, load_policy(path))
    assert planned.before.documents == 20
    assert planned.after.bytes <= planned.before.bytes * (1 + 1e-9)


def test_a_control_drops_as_many_bytes_as_what_it_controls() -> None:
    strict, control = (load_policy(presets()[n]) for n in ("filter-strict", "random-drop-control"))
    assert strict.buckets[0].condition == control.buckets[0].condition
    assert control.buckets[0].at_random == control.replace == strict.replace


def test_a_name_that_is_neither_file_nor_preset_is_told_with_the_choices() -> None:
    with pytest.raises(PolicyError, match="or a preset of balance, downweight, filter-strict"):
        find_policy("filter-strickt")
