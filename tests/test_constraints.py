"""Constraints find weights that the corpus obeys, and split buckets only where they must."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import PolicyError
from narrascope.manifests.build import build_manifest
from narrascope.manifests.plan import plan
from narrascope.manifests.planned import Plan
from narrascope.manifests.policy_file import check_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.materialised import documents
from narrascope.tests.tag_folder import PARTS, publish_corpus

DARK = {"name": "dark", "where": "malevolent >= 0.6 and malevolent_stance != 'refuted'"}
KIND = {"name": "kind", "where": "benevolent >= 0.9"}
SHARE = {"share": "malevolent >= 0.6", "of": "ai_agent >= 0.5", "at_most": 0.1}


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    return publish_corpus(str(tmp_path_factory.mktemp("tags")))


@pytest.fixture(scope="module")
def corpus(tags: TagFolder) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_catalogue(tags) as connection:
        yield connection


def policy(*constraints: dict[str, Any], buckets: tuple = (DARK, KIND), **more: Any) -> Any:
    return check_policy(
        {"version": 1, "unit": "documents", "buckets": list(buckets),
         "constraints": list(constraints), "rest": {"max_repetition": 2.0}, **more}
    )  # fmt: skip


def after(corpus: duckdb.DuckDBPyConnection, planned: Plan, where: str) -> float:
    """Count the tagged documents that meet a condition, each as often as its bucket is seen."""
    branches = " ".join(
        f"WHEN {bucket.where.replace('==', '=')} THEN {bucket.weight!r}"
        for bucket in planned.buckets
        if bucket.where is not None
    )
    query = f"SELECT sum(CASE {branches} ELSE {planned.buckets[-1].weight!r} END) FROM documents "
    return float(corpus.execute(f"{query} WHERE {where}").fetchall()[0][0] or 0.0)


def test_a_share_is_what_was_asked_for(corpus: duckdb.DuckDBPyConnection) -> None:
    planned = plan(corpus, policy(SHARE))
    dark = after(corpus, planned, "malevolent >= 0.6 AND ai_agent >= 0.5")
    assert dark / after(corpus, planned, "ai_agent >= 0.5") == pytest.approx(0.1, abs=1e-5)
    bound = planned.constraints[0]
    assert (bound.value_before, bound.value_after) == pytest.approx((0.5, 0.1), abs=1e-5)
    assert bound.binds and bound.price > 0 and not bound.missed_by
    assert planned.after.documents == pytest.approx(20, abs=1e-5)
    assert planned.divergence and planned.divergence > 0


def test_a_ratio_raises_what_is_kind(corpus: duckdb.DuckDBPyConnection) -> None:
    ratio = {"ratio": "benevolent >= 0.9", "to": "malevolent >= 0.6", "at_least": 3}
    planned = plan(corpus, policy(ratio))
    kind = after(corpus, planned, "benevolent >= 0.9")
    assert kind / after(corpus, planned, "malevolent >= 0.6") == pytest.approx(3, abs=1e-4)


def test_sources_change_no_more_than_they_may(corpus: duckdb.DuckDBPyConnection) -> None:
    free = plan(corpus, policy(SHARE), by=("source",))
    shares = {g.group: g.after.documents / free.after.documents for g in free.groups}
    assert abs(shares["web"] / (7 / 20) - 1) > 0.02
    planned = plan(corpus, policy(SHARE, {"by": "source", "change_at_most": 0.02}), by=("source",))
    for group in planned.groups:
        share = group.after.documents / planned.after.documents
        assert abs(share / (group.before.documents / 20) - 1) < 0.02 + 1e-4
    assert any(b.group == "web" and b.binds for b in planned.constraints)


def test_a_bucket_is_split_only_where_a_binding_constraint_tells_its_documents_apart(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    idle = {"share": "genre == 'news'", "at_most": 0.9}
    planned = plan(corpus, policy(idle))
    assert [(b.name, b.weight) for b in planned.buckets] == [
        ("dark", pytest.approx(1)), ("kind", pytest.approx(1)), ("rest", pytest.approx(1))
    ]  # fmt: skip
    assert not planned.constraints[0].binds
    # The refuted document is malevolent too, and lies in the rest; so do untagged ones.
    split = plan(corpus, policy({**SHARE, "of": None}))
    assert [b.name for b in split.buckets if b.of == "rest"] == ["rest-1", "rest"]
    assert [b.before.documents for b in split.buckets if b.of == "rest"] == [1, 16]


def test_weights_that_are_stated_are_not_used_and_this_is_said(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    planned = plan(corpus, policy(SHARE, buckets=({**DARK, "weight": 0.25}, KIND)))
    assert planned.weights[0] != 0.25
    assert "constraints find the weights: those stated for dark are not used" in planned.notes


def test_what_is_dropped_stays_dropped(corpus: duckdb.DuckDBPyConnection) -> None:
    planned = plan(corpus, policy(SHARE, buckets=({**DARK, "action": "drop"}, KIND)))
    assert [b.weight for b in planned.buckets if b.of == "dark"] == [0]


def test_no_bucket_is_repeated_more_than_it_may(corpus: duckdb.DuckDBPyConnection) -> None:
    ratio = {"ratio": "benevolent >= 0.9", "to": "malevolent >= 0.6", "at_least": 30}
    planned = plan(corpus, policy(ratio, buckets=(DARK, {**KIND, "max_repetition": 1.5})))
    assert max(b.weight for b in planned.buckets if b.of == "kind") <= 1.5
    assert planned.constraints[0].value_after == pytest.approx(30, rel=1e-3)


def test_what_cannot_be_met_is_missed_by_the_least_and_said(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    impossible = {"share": "benevolent >= 0.9", "at_least": 0.9}
    capped = {**KIND, "max_repetition": 2.0}
    planned = plan(corpus, policy(impossible, buckets=(DARK, capped)))
    (bound,) = planned.constraints
    assert 0.5 < bound.missed_by < 0.9
    assert bound.value_after == pytest.approx(0.9 - bound.missed_by)
    assert any("cannot be met with the others" in note for note in planned.notes)


def test_the_corpus_shrinks_where_the_rest_may_not_fill_it(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    planned = plan(corpus, policy(SHARE, rest={"max_repetition": 1.0}))
    assert planned.after.documents < 19
    assert any(note.startswith("the corpus shrinks by") for note in planned.notes)


def test_without_keep_total_the_rest_keeps_its_weight(corpus: duckdb.DuckDBPyConnection) -> None:
    planned = plan(corpus, policy(SHARE, keep_total=False, rest={"weight": 1.0}))
    assert planned.weights[-1] == pytest.approx(1.0, abs=1e-6)


def test_too_many_conditions_are_refused(corpus: duckdb.DuckDBPyConnection) -> None:
    many = [{"share": f"malevolent >= 0.{n:02}", "at_most": 0.9} for n in range(1, 15)]
    with pytest.raises(PolicyError, match="14 different conditions divide 3 buckets"):
        plan(corpus, policy(*many))


def test_tokens_need_token_counts(corpus: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(PolicyError, match="unit: tokens needs token counts"):
        plan(corpus, policy(SHARE, unit="tokens"))


CONDITIONS = st.sampled_from(
    ["malevolent >= 0.6", "ai_agent >= 0.9", "genre == 'discussion'", "domain == 'news.example'",
     "malevolent is null", "'domination' in behaviours", "not month == '2021-03'"]
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(
    shares=st.lists(
        st.builds(
            lambda where, most: {"share": where, "at_most": round(most, 3)},
            CONDITIONS, st.floats(0.02, 0.6),
        ),
        min_size=1, max_size=3, unique_by=lambda share: share["share"],
    ),
    by=st.sampled_from([None, "source", "month", "genre"]),
)  # fmt: skip
def test_pieces_place_every_document_where_the_plan_counted_it(
    tmp_path_factory: pytest.TempPathFactory, shares: list[dict[str, Any]], by: str | None
) -> None:
    home = tmp_path_factory.mktemp("constrained")
    tags = publish_corpus(str(home / "tags"))
    more = [{"by": by, "change_at_most": 0.3}] if by else []
    with open_catalogue(tags) as connection:
        manifest = build_manifest(
            tags, connection, policy(*shares, *more, keep_total=False), out=home / "m"
        )
    assignment = manifest.assignment()
    counts = np.zeros(len(manifest.partition.names), dtype=int)
    for shard, first_row, end_row, *_ in PARTS:
        placed = assignment.buckets(
            documents(shard, first_row), shard=shard, first_row=first_row, end_row=end_row
        )
        counts += np.bincount(placed, minlength=len(counts))
    assert [b.before.documents for b in manifest.plan.buckets] == counts.tolist()
    assert counts.sum() == 20
