"""A policy is read strictly, and a mistake in it is told by its place."""

from pathlib import Path
from typing import Any

import pytest

from narrascope.errors import PolicyError
from narrascope.manifests.policy import Policy
from narrascope.manifests.policy_file import check_policy, load_policy

POLICY = """
version: 1
seed: 17
unit: bytes
buckets:
  - {name: dark, where: "malevolent >= 0.8 and malevolent_stance != 'refuted'", weight: 0.25}
  - {name: aligned, where: "benevolent >= 0.7 and not malevolent >= 0.2", weight: 4.0,
     max_repetition: 4}
rest: {name: rest, weight: 1.0, max_repetition: 1}
keep_total: true
"""

WHOLE = (
    POLICY
    + """
constraints:
  - {share: "malevolent >= 0.5", of: "ai_agent >= 0.5", at_most: 0.10}
  - {ratio: "benevolent >= 0.5", to: "malevolent >= 0.5", at_least: 3}
  - {by: source, change_at_most: 0.02}
stages: [{until: 0.9}, {until: 1.0, weights: {aligned: 8.0}}]
"""
)


def changed(**changes: Any) -> dict[str, Any]:
    """A policy of one bucket, with keys of the policy or of the bucket changed."""
    bucket: dict[str, Any] = {"name": "dark", "where": "malevolent >= 0.8", "weight": 0.5}
    document: dict[str, Any] = {"version": 1, "buckets": [bucket]}
    for key, value in changes.items():
        (document if key in Policy.model_fields else bucket)[key] = value
    return document


def test_a_policy_is_read_from_text_and_from_a_file(tmp_path: Path) -> None:
    policy = load_policy(POLICY)
    assert policy.names == ("dark", "aligned", "rest")
    assert [bucket.factor for bucket in policy.buckets] == [0.25, 4.0]
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, "utf-8")
    assert load_policy(path) == policy


def test_the_policy_in_the_documentation_is_read() -> None:
    text = (Path(__file__).parents[1] / "docs" / "manifests.md").read_text("utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    assert load_policy(example).names == ("malevolent", "aligned", "adverts", "rest")


def test_what_is_left_out_has_the_documented_default() -> None:
    policy = check_policy(changed())
    assert (policy.seed, policy.unit, policy.keep_total) == (0, "bytes", True)
    assert (policy.rest.name, policy.rest.weight, policy.rest.max_repetition) == ("rest", 1, 1)


def test_a_dropped_bucket_has_weight_zero_and_survives_writing() -> None:
    document = changed(action="drop")
    del document["buckets"][0]["weight"]
    policy = check_policy(document)
    assert policy.buckets[0].factor == 0
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy


def test_a_prefix_may_be_written_in_its_action_or_beside_it() -> None:
    tag = {"prefix": "<|ai|>", "before": "passage"}
    wanted = check_policy(changed(action="prefix", **tag)).buckets[0]
    assert (wanted.action, wanted.prefix, wanted.before) == ("prefix", "<|ai|>", "passage")
    assert check_policy(changed(action=tag)).buckets[0] == wanted
    assert check_policy(changed(**tag)).buckets[0] == wanted


def test_the_policy_of_the_design_is_read() -> None:
    policy = load_policy(WHOLE)
    assert [type(c).__name__ for c in policy.constraints] == ["Share", "Ratio", "Change"]
    assert [stage.weights for stage in policy.stages] == [{}, {"aligned": 8.0}]
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy
    digest = policy.digest()
    assert load_policy(WHOLE.replace("benevolent >= 0.5", "benevolent >= .5")).digest() == digest
    assert load_policy(WHOLE.replace("at_least: 3", "at_least: 4")).digest() != digest
    assert load_policy(WHOLE.replace("until: 0.9", "until: 0.8")).digest() != digest


def test_the_digest_follows_the_meaning_not_the_layout() -> None:
    digest = load_policy(POLICY).digest()
    assert load_policy(POLICY.replace("0.25", ".25").replace(">= 0.8 and", ">=   0.8 AND")).digest(
    ) == digest  # fmt: skip
    assert load_policy(POLICY.replace("seed: 17", "seed: 18")).digest() != digest
    assert load_policy(POLICY.replace(">= 0.8", ">= 0.81")).digest() != digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version: input should be 1 (found 2)"),
        ({"unit": "byte"}, "unit: input should be 'bytes', 'documents' or 'tokens' (found 'byte')"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0 (found -1)"),
        ({"wieght": 2}, "buckets[0].wieght: no such key; did you mean weight?"),
        ({"weight": "4"}, "buckets[0].weight: input should be a valid number (found '4')"),
        ({"weight": -1}, "buckets[0].weight: input should be greater than or equal to 0"),
        ({"weight": float("nan")}, "buckets[0].weight: "),
        ({"weight": 8, "max_repetition": 4}, "buckets[0]: weight 8 is over max_repetition 4"),
        ({"max_repetition": 0.5}, "buckets[0].max_repetition: input should be greater than or"),
        ({"name": "Dark ones"}, "buckets[0].name: 'Dark ones' is no name"),
        ({"name": "../dark"}, "buckets[0].name: '../dark' is no name"),
        ({"name": "rest"}, "two buckets are named 'rest'"),
        ({"action": "drop"}, "buckets[0]: drop contradicts weight 0.5: leave the weight out"),
        ({"action": "cut"}, "buckets[0].action: 'cut' is no action: choose from weigh, drop"),
        ({"action": "prefix"}, "buckets[0]: a prefix is a text before each document or passage"),
        ({"action": "mask_spans", "prefix": "<|x|>"}, "buckets[0]: a prefix is a text"),
        ({"before": "passage"}, "buckets[0]: before says where a prefix goes"),
        ({"constraints": {}}, "constraints: write a list of up to 50 constraints"),
        ({"constraints": [{"shaer": "bytes > 1"}]}, "constraints[0].share: is missing"),
        ({"constraints": [{"share": "bytes > 1"}]}, "constraints[0]: it bounds nothing"),
        (
            {"constraints": [{"share": "bytes > 1", "at_most": 0.1, "at_least": 0.2}]},
            "constraints[0]: at_least 0.2 is over at_most 0.1",
        ),
        (
            {"constraints": [{"share": "malevolant > 1", "at_most": 0.1}]},
            "constraints[0].share: line 1, column 1: no column 'malevolant'",
        ),
        ({"constraints": [{"by": "shard", "change_at_most": 0.1}]}, "constraints[0].by: "),
        (
            {"constraints": [{"ratio": "bytes > 1", "of": "bytes > 2", "at_least": 3}]},
            "constraints[0].to: is missing",
        ),
        (
            {"constraints": [{"by": "source", "change_at_most": 0.1, "at_mots": 1}]},
            "constraints[0].at_mots: no such key; choose from by, change_at_most",
        ),
        (
            {
                "constraints": [{"by": "source", "change_at_most": 0.1}],
                "keep_total": False,
                "rest": {"weight": 0},
            },
            "constraints keep weights close to rest.weight, which is 0: write one above 0",
        ),
        ({"stages": [{"until": 0.9}]}, "stages end at 0.9: let `until` rise to 1.0"),
        ({"stages": [{"until": 0.9}, {"until": 0.5}]}, "stages end at 0.9, 0.5"),
        (
            {"stages": [{"until": 1.0, "weights": {"drak": 2.0}}]},
            "the stage until 1 weighs 'drak': choose from dark",
        ),
        ({"stages": [{"until": 1.0, "weight": 2}]}, "stages[0].weight: no such key; did you mean"),
        ({"replace": {"like": ["source"]}}, "replace makes up for what is dropped"),
        ({"replace": {"like": []}}, "replace.like: write a list of columns"),
        ({"replace": {"like": ["source", "source"]}}, "replace: a column stands twice"),
        ({"where": "malevolant > 1"}, "buckets[0].where: line 1, column 1: no column 'malevolant'"),
        ({"where": 5}, "buckets[0].where: input should be a valid string (found 5)"),
        ({"buckets": []}, "buckets: write a list of 1 to 100 buckets"),
        ({"buckets": ["dark"]}, "buckets[0]: write a mapping such as"),
        ({"rest": {"where": "x"}}, "rest.where: no such key"),
        ({"rest": {"weight": 0.5}}, "rest.weight 0.5 has no effect under keep_total"),
        ({"rest": {"weight": 3}, "keep_total": False}, "rest: weight 3 is over max_repetition 1"),
    ],
)
def test_a_mistake_is_told_by_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_policy(changed(**changes))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a policy is a mapping with the keys version, seed, unit, buckets, rest, keep_total"),
        ("- version: 1", "this is a list"),
        ("version: 1\nversion: 1", "line 2, column 1: the key 'version' stands twice"),
        ("version: [1", "line 1, column 12: "),
        ("version: !!python/object:os.system x", "could not determine a constructor"),
        ("version: 1", "buckets: is missing"),
        ("version: !!bool x", "line 1, column 10: this is no bool"),
        ("version: !!int ''", "this is no int"),
        ("version: !!float ''", "this is no float"),
        ("version: !!timestamp x", "this is no timestamp"),
        ("version: !!timestamp {=: x}", "this is no timestamp"),
        ("version: 2020-99-99", "this is no timestamp"),
        ("version: !!map [ab]", "expected a mapping node"),
    ],
)
def test_text_that_is_no_policy_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="name a YAML file in UTF-8"):
        load_policy(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("version: 3", "utf-8")
    with pytest.raises(PolicyError, match=r"bad\.yaml: buckets: is missing|bad\.yaml: version"):
        load_policy(tmp_path / "bad.yaml")
