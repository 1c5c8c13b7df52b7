"""The plan tells from the catalogue what a policy would do, exactly where that can be known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from narrascope.errors import PolicyError, TagsError
from narrascope.labels.tag import CONTROL, DOMAINS, RECEIPT, TAGS
from narrascope.manifests.plan import plan
from narrascope.manifests.plan_rows import plan_rows
from narrascope.manifests.planned import Plan
from narrascope.manifests.policy import Policy
from narrascope.manifests.policy_file import check_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.tag_folder import publish_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Twenty documents, seven of them tagged: one malevolent, one refuting, one warning."""
    with open_catalogue(publish_corpus(str(tmp_path_factory.mktemp("tags")))) as connection:
        yield connection


def policy(*buckets: dict[str, Any], unit: str = "documents", **more: Any) -> Policy:
    return check_policy({"version": 1, "unit": unit, "buckets": list(buckets), **more})


def bucket(name: str, where: str, weight: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"name": name, "where": where, "weight": weight, **more}


def sizes(planned: Plan) -> dict[str, tuple[float, float]]:
    return {b.name: (b.before.documents, b.after.documents) for b in planned.buckets}


def group(planned: Plan, by: str, name: str | None, stance: str | None = None) -> Any:
    found = [g for g in planned.groups if (g.by, g.group, g.stance) == (by, name, stance)]
    assert len(found) == 1
    return found[0]


def test_the_first_bucket_that_matches_takes_the_document(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    planned = plan(
        corpus,
        policy(
            bucket("refuted", "malevolent_stance == 'refuted'"),
            bucket("dark", "malevolent >= 0.6", 0.5),
            keep_total=False,
        ),
    )
    assert sizes(planned) == {"refuted": (1, 1), "dark": (2, 1.0), "rest": (17, 17)}
    assert planned.after.documents == 19


def test_the_rest_grows_until_the_corpus_keeps_its_size(corpus: duckdb.DuckDBPyConnection) -> None:
    planned = plan(
        corpus,
        policy(bucket("dark", "malevolent >= 0.6", 0.5), rest={"max_repetition": 2}),
    )
    assert planned.weights[-1] == pytest.approx(18.5 / 17)
    assert planned.after.documents == pytest.approx(20)
    assert planned.notes == ("tokens are not known for every document, so none are shown",)


def test_the_plan_says_by_how_much_a_capped_corpus_shrinks(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    planned = plan(corpus, policy(bucket("dark", "malevolent >= 0.6", action="weigh", weight=0.0)))
    assert planned.weights == (0.0, 1.0)
    assert planned.notes[0] == (
        "the corpus shrinks by 15.0000% of its documents: rest would need weight 1.176, over its "
        "max_repetition 1"
    )


def test_named_buckets_that_outgrow_the_corpus_are_refused(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(PolicyError, match="named buckets alone come to 30 documents"):
        plan(corpus, policy(bucket("dark", "malevolent >= 0.6", 10.0)))


def test_documents_without_tags_fall_by_source_and_month_exactly(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    planned = plan(
        corpus,
        policy(
            bucket("dark", "malevolent >= 0.9"),
            bucket("forum", "domain == 'forum.example' and not month < '2021'"),
            bucket("undated", "month is null"),
            bucket("unread", "malevolent is null and source == 'novels'"),
        ),
    )
    assert {name: before for name, (before, _) in sizes(planned).items()} == {
        "dark": 1, "forum": 4, "undated": 1, "unread": 9, "rest": 5,
    }  # fmt: skip
    assert not any(b.estimated for b in planned.buckets)


def test_labels_sources_and_months_are_shown_before_and_after(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    dark = bucket("dark", "malevolent >= 0.6 and malevolent_stance != 'refuted'", 0.25)
    planned = plan(corpus, policy(dark, keep_total=False))
    malevolent = group(planned, "label", "malevolent")
    assert (malevolent.before.documents, malevolent.after.documents) == (2, 0.5)
    refuted = group(planned, "label", "malevolent", "refuted")
    assert (refuted.before.documents, refuted.after.documents) == (1, 1)
    assert group(planned, "label", "ai_agent").before.documents == 6
    novels = group(planned, "source", "novels")
    assert (novels.before.documents, novels.after.documents) == (12, 11.25)
    assert group(planned, "source", None).before.documents == 1
    assert group(planned, "month", "2021-03").after.documents == 6.25
    assert group(planned, "genre", "fiction").after.documents == 2.25


def test_rows_are_flat_and_begin_with_the_corpus(corpus: duckdb.DuckDBPyConnection) -> None:
    dark = bucket("dark", "malevolent >= 0.6", 0.5)
    rows = plan_rows(plan(corpus, policy(dark, unit="bytes", keep_total=False)))
    assert rows[0]["by"] == "corpus"
    assert rows[0]["bytes_before"] == 2560
    assert rows[0]["tokens_before"] is None
    assert rows[1]["weight"] == 0.5
    assert sum(row["share_after"] for row in rows if row["by"] == "bucket") == pytest.approx(1)


def test_unit_tokens_needs_token_counts(corpus: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(PolicyError, match="scan again with --token-column"):
        plan(corpus, policy(bucket("dark", "malevolent >= 0.6"), unit="tokens"))


def test_size_conditions_need_a_control_sample(corpus: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(PolicyError, match="bucket 'long' reads bytes or tokens of documents with"):
        plan(corpus, policy(bucket("long", "bytes > 100")))
    planned = plan(corpus, policy(bucket("long", "bytes > 80 and ai_agent >= 0.5")))
    assert not planned.buckets[0].estimated


def small_catalogue(control: list[dict[str, Any]], documents: int) -> duckdb.DuckDBPyConnection:
    """A catalogue of one untagged group, with some control rows."""
    connection = duckdb.connect()
    part = {"shard": "a", "first_row": 0, "month": None, "language": None, "domain": None}
    domains = [part | {"source": "web", "documents": documents, "empty": 0,
                       "bytes": documents * 10, "tokens": documents * 2}]  # fmt: skip
    tags = pa.schema([field for field in TAGS if field.name != "passages"])
    for name, table in {
        "documents": tags.empty_table(),
        "domains": pa.Table.from_pylist(domains, DOMAINS),
        "control": pa.Table.from_pylist(control, CONTROL),
        "receipts": RECEIPT.empty_table(),
    }.items():
        connection.register("rows", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    return connection


def control_row(row: int, size: int, probability: float) -> dict[str, Any]:
    return {
        "shard": "a", "row": row, "text_hash": row, "source": "web", "bytes": size, "tokens": 1,
        "stratum": "gate", "inclusion_probability": probability, "gate_matches": 0,
        "characters": size, "text": "",
    }  # fmt: skip


def test_size_conditions_are_estimated_from_the_control_sample_and_say_so() -> None:
    drawn = [control_row(1, 5, 0.1), control_row(2, 5, 0.1), control_row(3, 50, 0.05)]
    with small_catalogue(drawn, documents=80) as connection:
        planned = plan(
            connection,
            policy(
                bucket("other", "source == 'books'"), bucket("long", "bytes > 20", 0.5),
                bucket("dark", "malevolent > 0.5"), keep_total=False,
            ),
        )  # fmt: skip
    assert [b.estimated for b in planned.buckets] == [False, True, False, True]
    assert sizes(planned) == {"other": (0, 0), "long": (40, 20), "dark": (0, 0), "rest": (40, 40)}
    # 1,000 of the 1,100 bytes that the control rows stand for lie in long documents.
    assert planned.buckets[1].before.bytes == pytest.approx(800 * 1000 / 1100)
    assert "estimated from the control sample: long, rest" in planned.notes
    assert group(planned, "source", "web").before.documents == 80


def test_what_a_size_condition_leaves_to_a_later_bucket_is_counted_within_that_bucket() -> None:
    drawn = [control_row(1, 5, 0.5), control_row(2, 50, 0.5)]
    with small_catalogue(drawn, documents=80) as connection:
        planned = plan(
            connection,
            policy(
                bucket("long", "bytes > 20 and source != 'web'"), bucket("web", "source == 'web'"),
                keep_total=False,
            ),
        )  # fmt: skip
    assert sizes(planned) == {"long": (0, 0), "web": (80, 80), "rest": (0, 0)}


def test_contradictory_counts_are_refused(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    counts = {"documents": 8, "empty": 0, "bytes": 860}
    domains = [{"shard": "web.jsonl", "first_row": 0, "source": "web"} | counts]
    folder.publish("domains", "web.jsonl", 0, pa.Table.from_pylist(domains, DOMAINS))
    with (
        open_catalogue(folder) as connection,
        pytest.raises(TagsError, match="hold more than the scan counted there"),
    ):
        plan(connection, policy(bucket("forum", "domain == 'forum.example'")))


def test_the_plan_names_losers_and_winners_first_and_what_is_touched_without_a_label(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    forum = bucket("forum", "domain == 'forum.example'", 0.5)
    planned = plan(
        corpus, policy(forum, keep_total=False), thresholds={"malevolent": 0.75},
        by=("label", "source", "domain", "genre"),
    )  # fmt: skip
    # Of the four forum documents one is tagged malevolent and refuting, one only warns below 0.75.
    bucket_size = planned.buckets[0]
    assert (bucket_size.before.documents, bucket_size.unlabelled.documents) == (4, 3)
    domains = [g for g in planned.groups if g.by == "domain"]
    assert [g.group for g in domains] == ["forum.example", "news.example", None]
    assert domains[0].touched.documents == 4
    assert domains[0].unlabelled.documents == 3
    assert domains[1].touched.documents == 0
    web = group(planned, "source", "web")
    assert (web.touched.documents, web.unlabelled.documents) == (4, 3)
    refuted = group(planned, "label", "malevolent", "refuted")
    assert (refuted.touched.documents, refuted.unlabelled.documents) == (1, 0)
    agents = group(planned, "label", "ai_agent")
    assert (agents.touched.documents, agents.unlabelled.documents) == (2, 1)
    assert {g.by for g in planned.groups} == {"label", "source", "domain", "genre"}


def test_rows_tell_the_change_in_every_unit_and_relative(corpus: duckdb.DuckDBPyConnection) -> None:
    forum = bucket("forum", "domain == 'forum.example'", 0.5)
    rows = plan_rows(plan(corpus, policy(forum, keep_total=False), by=("domain",)))
    corpus_row, named, rest = rows[:3]
    assert corpus_row["documents_touched"] is None
    assert (named["documents_change"], named["bytes_change"]) == (-2, -250)
    assert named["relative_change"] == -0.5
    assert (rest["documents_touched"], rest["documents_unlabelled"]) == (0, 0)
    assert (rows[3]["group"], rows[3]["documents_touched"]) == ("forum.example", 4)
    assert rows[3]["tokens_change"] is None


def test_domains_beyond_the_most_changed_are_told(
    corpus: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrascope.manifests.collateral.MOST_DOMAINS", 1)
    forum = bucket("forum", "domain == 'forum.example'", 0.5)
    planned = plan(corpus, policy(forum, keep_total=False), by=("domain",))
    assert [g.group for g in planned.groups] == ["forum.example"]
    assert "2 domains that change less are left out" in planned.notes


def test_a_connection_whose_last_answer_was_not_read_to_its_end_can_be_planned_on(
    corpus: duckdb.DuckDBPyConnection,
) -> None:
    corpus.execute("SELECT * FROM documents").fetchone()
    assert plan(corpus, policy(bucket("dark", "malevolent >= 0.6"))).before.documents == 20
