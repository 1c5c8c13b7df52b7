"""Shares are exact, add up as they should, and say what they leave out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrascope.errors import SettingsError, TagsError
from narrascope.labels.taxonomy import BEHAVIOURS, GENRES, LABELS
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.store.prevalence import prevalence
from narrascope.store.where import parse_where
from narrascope.tests.tag_folder import FIRST_PART, NOVELS, publish_corpus, publish_part

BAD = {"shard": "bad.parquet", "reason": "no column 'text'", "retry": "mend it"}

KEYS = ["by", "group", "label", "estimator", "unit", "share", "low", "high", "numerator",
        "denominator", "n_audited", "note"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    return publish_corpus(str(tmp_path_factory.mktemp("prevalence")))


@pytest.fixture(scope="module")
def catalogue(folder: TagFolder) -> Iterator[Any]:
    with open_catalogue(folder) as connection:
        yield connection


def by_group(rows: list[dict[str, Any]]) -> dict[Any, tuple[float, float]]:
    return {row["group"]: (row["numerator"], row["denominator"]) for row in rows}


def test_each_label_has_a_row_with_the_contracts_keys(catalogue: Any) -> None:
    rows = prevalence(catalogue)
    assert [row["label"] for row in rows] == list(LABELS)
    assert all(list(row) == KEYS for row in rows)
    assert all(row["low"] is row["high"] is None and row["n_audited"] == 0 for row in rows)


def test_flagged_documents_are_counted_and_the_refuted_ones_shown_beside_them(
    catalogue: Any,
) -> None:
    (row,) = prevalence(catalogue, label="malevolent")
    assert (row["group"], row["numerator"], row["denominator"]) == ("all", 2, 20)
    assert row["share"] == 0.1
    assert "1 more refuted (5.0000% of all)" in row["note"]


def test_an_agent_is_present_whatever_the_stance(catalogue: Any) -> None:
    (row,) = prevalence(catalogue, label="ai_agent")
    assert row["numerator"] == 6


def test_a_threshold_is_reached_by_the_score_that_equals_it(catalogue: Any) -> None:
    (at,) = prevalence(catalogue, label="malevolent", thresholds={"malevolent": 0.91})
    (above,) = prevalence(catalogue, label="malevolent", thresholds={"malevolent": 0.9101})
    assert (at["numerator"], above["numerator"]) == (1, 0)


def test_expected_is_the_sum_of_probabilities(catalogue: Any) -> None:
    (row,) = prevalence(catalogue, label="malevolent", estimator="expected")
    assert row["numerator"] == 2.79
    assert "0.8 of it refuted" in row["note"]


def test_every_source_has_a_row_and_documents_without_one_are_a_group(catalogue: Any) -> None:
    rows = prevalence(catalogue, label="malevolent", by="source")
    assert by_group(rows) == {"novels": (1, 12), "web": (1, 7), None: (0, 1)}


def test_months_are_in_order_and_domains_by_count(catalogue: Any) -> None:
    months = prevalence(catalogue, label="malevolent", by="month")
    assert [row["group"] for row in months] == ["2020-01", "2020-02", "2021-03", None]
    domains = prevalence(catalogue, label="malevolent", by="domain")
    assert by_group(domains) == {None: (1, 12), "forum.example": (1, 4), "news.example": (0, 4)}
    assert domains[0]["group"] is None


def test_shards_genres_stances_and_behaviours(catalogue: Any) -> None:
    shards = prevalence(catalogue, label="self_preserving", by="shard")
    assert by_group(shards) == {"novels/a.parquet": (1, 12), "web.jsonl": (0, 8)}
    genres = prevalence(catalogue, label="malevolent", by="genre")
    assert {row["group"] for row in genres} == set(GENRES)
    assert by_group(genres)["discussion"] == (1, 20)
    stances = by_group(prevalence(catalogue, label="malevolent", by="stance"))
    assert (stances["refuted"], stances["warned"], stances["depicted"]) == ((1, 20),) * 3
    behaviours = by_group(prevalence(catalogue, label="malevolent", by="behaviour"))
    assert (behaviours["domination"], behaviours["deception"]) == ((2, 20), (1, 20))
    assert "care" not in behaviours
    every = prevalence(catalogue, label="ai_agent", by="behaviour")
    assert {row["group"] for row in every} == set(BEHAVIOURS)


def test_bytes_weigh_documents_by_size(catalogue: Any) -> None:
    (row,) = prevalence(catalogue, label="self_preserving", unit="bytes")
    assert row["denominator"] == 900 + 800 + 500 + 300 + 60
    size = catalogue.execute("SELECT bytes FROM documents WHERE row = 1").fetchone()
    assert row["numerator"] == size[0]


def test_tokens_count_where_they_are_known_and_say_where_not(
    catalogue: Any, tmp_path: Path
) -> None:
    (row,) = prevalence(catalogue, label="self_preserving", unit="tokens")
    assert (row["numerator"], row["denominator"]) == (20, 350)
    assert "1 of 3 parts have no token counts" in row["note"]
    bare = TagFolder(str(tmp_path))
    publish_part(bare, "a.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
    with open_catalogue(bare) as connection, pytest.raises(TagsError, match="--token-column"):
        prevalence(connection, unit="tokens")


def test_a_condition_on_counted_columns_restricts_both_sides(catalogue: Any) -> None:
    where = parse_where("source = 'web' and domain = 'forum.example'")
    (row,) = prevalence(catalogue, label="malevolent", where=where)
    assert (row["numerator"], row["denominator"]) == (1, 4)
    assert "whole corpus" not in row["note"]


def test_a_condition_on_tags_restricts_the_numerator_and_says_so(catalogue: Any) -> None:
    where = parse_where("genre = 'fiction'")
    (row,) = prevalence(catalogue, label="malevolent", where=where)
    assert (row["numerator"], row["denominator"]) == (1, 20)
    assert "of the whole corpus (genre: not counted for every document)" in row["note"]


def test_notes_name_partial_scans_failed_shards_and_mixed_models(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    counts = [("web", "2022-01", None, 3, 30, None)]
    publish_part(folder, "new.jsonl", 0, 3, [], counts, partial=True, models_digest="other")
    folder.set_aside("bad.parquet", BAD)
    with open_catalogue(folder) as connection:
        note = prevalence(connection)[0]["note"]
    assert "1 of 4 parts were cut short by --limit" in note
    assert "failed: bad.parquet" in note
    assert "2 versions" in note


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": "evil"}, "no label 'evil': choose from ai_agent, malevolent"),
        ({"by": "author"}, "no by 'author': choose from source, domain"),
        ({"unit": "words"}, "no unit 'words': choose from documents, bytes, tokens"),
        ({"estimator": "guessed"}, "no estimator 'guessed': choose from flagged, expected"),
        ({"estimator": "audited"}, "needs an audit .* use flagged or expected"),
    ],
)
def test_wrong_arguments_name_the_choices(
    catalogue: Any, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        prevalence(catalogue, **arguments)


@given(
    label=st.sampled_from(LABELS),
    threshold=st.integers(0, 10_000).map(lambda n: n / 10_000),
    by=st.sampled_from(["source", "domain", "month", "shard", "genre", "stance"]),
    unit=st.sampled_from(["documents", "bytes"]),
    estimator=st.sampled_from(["flagged", "expected"]),
)
def test_groups_add_up_to_the_whole(
    catalogue: Any, label: str, threshold: float, by: str, unit: str, estimator: str
) -> None:
    asked = {"label": label, "unit": unit, "estimator": estimator, "thresholds": {label: threshold}}
    (whole,) = prevalence(catalogue, **asked)
    rows = prevalence(catalogue, by=by, **asked)
    apart = by == "stance" and estimator == "flagged" and label != "ai_agent"
    rows = [row for row in rows if not (apart and row["group"] == "refuted")]
    assert sum(row["numerator"] for row in rows) == pytest.approx(whole["numerator"])
    if by in ("genre", "stance"):
        assert {row["denominator"] for row in rows} == {whole["denominator"]}
        assert sum(row["share"] for row in rows) == pytest.approx(whole["share"])
    else:
        assert sum(row["denominator"] for row in rows) == whole["denominator"]
    assert all(0 <= row["share"] <= 1 for row in rows)


def test_shares_by_stance_sum_to_one_where_every_document_is_flagged(tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    publish_part(folder, NOVELS, 0, 2, FIRST_PART, [("novels", "2020-01", None, 2, 300, 40)])
    with open_catalogue(folder) as connection:
        for by in ("stance", "genre"):
            rows = prevalence(connection, label="ai_agent", by=by)
            assert sum(row["share"] for row in rows) == 1.0
