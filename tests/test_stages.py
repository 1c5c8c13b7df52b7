"""Stages of training weigh in their own way, and over all of them add up to what a plan shows."""

from pathlib import Path
from typing import Any

import pytest

from narrascope.errors import PolicyError
from narrascope.manifests.build import build_manifest
from narrascope.manifests.mixture import mix
from narrascope.manifests.plan import plan
from narrascope.manifests.planned import Plan
from narrascope.manifests.policy_file import check_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.materialised import materialise
from narrascope.tests.tag_folder import publish_corpus

DARK = {"name": "dark", "where": "malevolent >= 0.6", "weight": 0.5}
KIND = {"name": "kind", "where": "benevolent >= 0.9", "weight": 1.0, "max_repetition": 2}
STAGES = [{"until": 0.75}, {"until": 1.0, "weights": {"kind": 5.0}}]


def policy(**more: Any) -> Any:
    given: dict[str, Any] = {"version": 1, "unit": "documents", "buckets": [DARK, KIND]}
    return check_policy(given | {"stages": STAGES, "rest": {"max_repetition": 1.5}} | more)


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    return publish_corpus(str(tmp_path_factory.mktemp("tags")))


def planned(tags: TagFolder, **more: Any) -> Plan:
    with open_catalogue(tags) as connection:
        return plan(connection, policy(**more))


def test_each_stage_keeps_the_corpus_s_size_and_the_whole_is_their_mean(tags: TagFolder) -> None:
    found = planned(tags)
    # Three dark documents at a half, one kind, sixteen others that fill up.
    early, late = (stage.weights for stage in found.stages)
    assert early == pytest.approx((0.5, 1.0, 17.5 / 16))
    assert late == pytest.approx((0.5, 5.0, 13.5 / 16))
    assert [stage.after.documents for stage in found.stages] == pytest.approx([20, 20])
    assert found.weights == pytest.approx((0.5, 2.0, (3 * 17.5 + 13.5) / 4 / 16))
    assert found.after.documents == pytest.approx(20)


def test_a_bucket_repeated_beyond_its_cap_by_a_stage_is_said(tags: TagFolder) -> None:
    assert not [note for note in planned(tags).notes if "over its max_repetition" in note]
    stages = [{"until": 0.5}, {"until": 1.0, "weights": {"kind": 5.0}}]
    assert "kind is seen 3 times over the whole training, over its max_repetition 2: a stage " in (
        " ".join(planned(tags, stages=stages).notes)
    )


def test_a_stage_that_outgrows_the_corpus_is_named(tags: TagFolder) -> None:
    stages = [{"until": 0.5}, {"until": 1.0, "weights": {"kind": 100.0}}]
    with pytest.raises(PolicyError, match=r"from 0\.5 to 1 of the training, the named buckets"):
        planned(tags, stages=stages)


@pytest.mark.parametrize("mode", ["buckets", "realised"])
def test_a_trainer_gets_the_shares_of_each_stage_in_either_mode(
    tags: TagFolder, tmp_path: Path, mode: Any
) -> None:
    with open_catalogue(tags) as connection:
        manifest = build_manifest(tags, connection, policy(), out=tmp_path / "m")
    mixture = mix(manifest, materialise(manifest, tmp_path / "out", mode))
    assert mixture.stages == (0.75, 1.0)
    shares = {i.name: i.shares for i in mixture.ingredients}
    for stage in range(2):
        assert sum(of[stage] for of in shares.values()) == pytest.approx(1)
    whole = {i.name: i.share for i in mixture.ingredients}
    if mode == "buckets":
        for name, (early, late) in shares.items():
            assert 0.75 * early + 0.25 * late == pytest.approx(whole[name], rel=0.05)
        assert shares["kind"][1] / shares["kind"][0] == pytest.approx(5, rel=0.2)


def test_constraints_hold_where_a_stage_has_no_weights_of_its_own(tags: TagFolder) -> None:
    share = {"share": "malevolent >= 0.6", "of": "ai_agent >= 0.5", "at_most": 0.1}
    found = planned(tags, constraints=[share])
    assert len(found.stages) == 2
    assert found.constraints[0].value_after == pytest.approx(0.1)
    late = dict(zip([b.of for b in found.buckets], found.stages[1].weights, strict=True))
    assert late["kind"] == 5.0
