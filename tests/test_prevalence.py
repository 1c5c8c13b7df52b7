"""Shares are exact, add up as they should, and say what they leave out."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import SettingsError, TagsError
from narrascope.labels.taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES
from narrascope.store.catalogue import open_catalogue
from narrascope.store.counts import By
from narrascope.store.folder import TagFolder
from narrascope.store.prevalence import prevalence
from narrascope.store.where import parse_where
from narrascope.tests.tag_folder import (
    FIRST_PART,
    NOVELS,
    TAKEOVER,
    WEB,
    evidence,
    publish_corpus,
    publish_part,
    scores,
    tag,
)

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


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Three hundred documents with scores, stances and groups of all kinds, drawn by a seed."""
    folder = TagFolder(str(tmp_path_factory.mktemp("many")))
    draw = np.random.default_rng(7)
    for shard in ("a.parquet", "b.jsonl", "c.jsonl"):
        tags = []
        counts: Counter[tuple[str | None, str | None, str | None]] = Counter()
        for row in range(100):
            groups = (
                (None, "novels", "web")[draw.integers(3)],
                (None, "2020-01", "2020-02")[draw.integers(3)],
                (None, *(f"site{i}.example" for i in range(12)))[draw.integers(13)],
            )
            judged = np.round(draw.beta(0.4, 0.8, 4), 4).tolist() if draw.random() < 0.7 else None
            said = [evidence("we lie", "lie", "malevolent", BEHAVIOURS[draw.integers(20)])]
            tags.append(
                tag(
                    shard, row, f"text {draw.integers(80)}", judged=judged, source=groups[0],
                    month=groups[1], domain=groups[2], genre=GENRES[draw.integers(11)],
                    stance=STANCES[draw.integers(5)], spans=said if judged else None,
                    tokens=None if row % 9 == 0 else row,
                )
            )  # fmt: skip
            counts[groups] += 2
        sizes = [(s, m, d, n, 90 * n, 40 * n) for (s, m, d), n in sorted(counts.items(), key=str)]
        publish_part(folder, shard, 0, 200, tags, sizes)
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
        ({"estimator": "audited"}, "needs the tag folder that the audits lie in"),
        ({"stance": "hostile"}, "no stance 'hostile': choose from depicted"),
    ],
)
def test_wrong_arguments_name_the_choices(
    catalogue: Any, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        prevalence(catalogue, **arguments)


@settings(deadline=None)
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


@settings(deadline=None)
@given(
    label=st.sampled_from(LABELS),
    stance=st.sampled_from(STANCES),
    unit=st.sampled_from(["documents", "bytes", "tokens"]),
    estimator=st.sampled_from(["flagged", "expected"]),
)
def test_genres_of_a_stance_are_stances_of_a_genre(
    many: Any, label: str, stance: str, unit: str, estimator: str
) -> None:
    asked: Any = {"label": label, "unit": unit, "estimator": estimator}
    of_stance = prevalence(many, by="genre", stance=stance, **asked)
    assert {row["group"] for row in of_stance} >= set(GENRES)
    for row in of_stance:
        where = parse_where(f"genre = '{row['group']}'")
        of_genre = by_group(prevalence(many, by="stance", where=where, **asked))
        assert (row["numerator"], row["denominator"]) == of_genre[stance]


def test_of_one_stance_what_is_refuted_is_counted_and_said(catalogue: Any) -> None:
    (row,) = prevalence(catalogue, label="malevolent", stance="refuted")
    assert (row["numerator"], row["denominator"]) == (1, 20)
    assert "1 of these refuted" in row["note"] and "only refuted" in row["note"]


def test_shares_by_stance_sum_to_one_where_every_document_is_flagged(tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    publish_part(folder, NOVELS, 0, 2, FIRST_PART, [("novels", "2020-01", None, 2, 300, 40)])
    with open_catalogue(folder) as connection:
        for by in ("stance", "genre"):
            rows = prevalence(connection, label="ai_agent", by=by)
            assert sum(row["share"] for row in rows) == 1.0


@settings(deadline=None)
@given(
    label=st.sampled_from(LABELS),
    threshold=st.one_of(
        st.integers(0, 10_000).map(lambda n: n / 10_000), st.floats(-0.1, 1.1, allow_nan=False)
    ),
    by=st.sampled_from([None, *get_args(By)]),
    unit=st.sampled_from(["documents", "bytes", "tokens"]),
    estimator=st.sampled_from(["flagged", "expected"]),
    limit=st.sampled_from([None, 1, 2]),
)
def test_aggregates_give_what_counting_the_rows_gives(
    many: Any, label: str, threshold: float, by: Any, unit: str, estimator: str, limit: Any
) -> None:
    asked = {"label": label, "by": by, "unit": unit, "estimator": estimator, "limit": limit,
             "thresholds": {label: threshold}}  # fmt: skip
    every = parse_where("shard is not null")
    assert prevalence(many, **asked) == prevalence(many, where=every, **asked)


def test_copies_of_a_text_count_once_where_they_are_known(tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    copies = [
        tag(WEB, row, TAKEOVER, judged=scores(0.97, 0.91, 0.4, 0.02), source=source)
        for row, source in enumerate(["web", "web", "news"])
    ]
    counts = [("web", "2020-01", None, 10, 1000, 90), ("news", "2020-01", None, 5, 500, 40)]
    publish_part(folder, WEB, 0, 15, copies, counts)
    with open_catalogue(folder) as connection:
        asked: Any = {"label": "malevolent", "thresholds": {"malevolent": 0.5}, "distinct": True}
        (whole,) = prevalence(connection, **asked)
        assert (whole["numerator"], whole["denominator"]) == (1, 13)
        assert "copies among documents without a tag row are not known" in whole["note"]
        sources = by_group(prevalence(connection, by="source", **asked))
        assert sources == {"news": (1, 5), "web": (1, 9)}
        (size,) = prevalence(connection, unit="bytes", **asked)
        length = len(TAKEOVER.encode())
        assert (size["numerator"], size["denominator"]) == (length, 1500 - 2 * length)
        assert by_group(prevalence(connection, by="genre", **asked))["fiction"] == (1, 13)


def test_a_limit_keeps_the_highest_groups_and_says_how_many_are_left_out(catalogue: Any) -> None:
    rows = prevalence(catalogue, label="malevolent", by="source", limit=2)
    assert [row["group"] for row in rows] == ["novels", "web"]
    assert rows.left_out == 1
    assert "1 more groups left out" in rows[0]["note"]
