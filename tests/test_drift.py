"""Drift tells which groups move a share, adds up, and says what its figures are not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from narrascope.cli import app
from narrascope.errors import SettingsError, TagsError
from narrascope.labels.taxonomy import LABELS
from narrascope.store.catalogue import open_catalogue
from narrascope.store.drift import drift
from narrascope.store.folder import TagFolder
from narrascope.tests.tag_folder import NOVELS, SECOND_PART, publish_corpus, publish_part


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_catalogue(publish_corpus(str(tmp_path_factory.mktemp("drift")))) as connection:
        yield connection


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A scan of twelve novels of which one is tagged, by other models."""
    folder = TagFolder(str(tmp_path_factory.mktemp("earlier")))
    counts = [("novels", "2020-02", None, 12, 1600, 300)]
    publish_part(folder, NOVELS, 6, 18, SECOND_PART, counts, models_digest="older")
    with open_catalogue(folder) as connection:
        yield connection


def by_group(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {row["group"]: row for row in rows}


def test_two_scans_are_compared_group_by_group(catalogue: Any, earlier: Any) -> None:
    rows = drift(catalogue, against=earlier, label="malevolent")
    assert [row["group"] for row in rows] == ["all", "novels", "web", None]
    found = by_group(rows)
    whole, novels, web = found["all"], found["novels"], found["web"]
    assert (whole["share_before"], whole["share_after"]) == (0.0, 0.1)
    assert (novels["numerator_after"], novels["denominator_after"]) == (1, 12)
    # Novels were the whole corpus and are 12 of 20 documents: 1.0 and 0.6 make a mean part of 0.8.
    assert novels["within"] == pytest.approx(0.8 * (1 / 12))
    assert web["share_before"] is None and web["difference"] is None
    assert web["mix"] == pytest.approx(1 / 20)
    assert all(row["low"] is row["high"] is None for row in rows)
    assert "no sampling interval" in whole["note"]
    assert "tagged by 2 versions" in whole["note"]


@settings(deadline=None, max_examples=30)
@given(
    label=st.sampled_from(LABELS),
    by=st.sampled_from(["source", "domain"]),
    unit=st.sampled_from(["documents", "bytes"]),
    estimator=st.sampled_from(["flagged", "expected"]),
    scans=st.booleans(),
)
def test_contributions_add_up_to_the_difference(
    catalogue: Any, earlier: Any, label: str, by: str, unit: str, estimator: str, scans: bool
) -> None:
    whole, *groups = drift(
        catalogue, against=earlier if scans else None, by=by, label=label, unit=unit,
        estimator=estimator,
    )  # fmt: skip
    assert sum(row["contribution"] for row in groups) == pytest.approx(whole["difference"])
    assert whole["within"] + whole["mix"] == pytest.approx(whole["difference"])
    assert sum(row["within"] for row in groups) == pytest.approx(whole["within"])
    moves = [abs(row["contribution"]) for row in groups]
    assert moves == sorted(moves, reverse=True)


def test_the_halves_of_the_months_are_compared_unless_spans_are_named(catalogue: Any) -> None:
    halves = drift(catalogue, label="malevolent")[0]
    assert "2020-02..2021-03 against 2020-01..2020-01" in halves["note"]
    assert (halves["denominator_before"], halves["denominator_after"]) == (6, 13)
    named = drift(catalogue, label="malevolent", before="2020-01..2020-02", after="2021-03")[0]
    assert (named["numerator_before"], named["denominator_before"]) == (1, 12)
    assert (named["numerator_after"], named["denominator_after"]) == (1, 7)


def test_each_month_is_compared_with_the_one_before_it(catalogue: Any) -> None:
    rows = by_group(drift(catalogue, by="month", label="malevolent"))
    assert set(rows) == {"2020-02", "2021-03"}
    assert rows["2020-02"]["share_before"] == 1 / 6
    assert rows["2021-03"]["difference"] == 1 / 7
    assert rows["2021-03"]["contribution"] == pytest.approx(1 / 20)


def test_what_is_beyond_top_is_told(catalogue: Any, earlier: Any) -> None:
    rows = drift(catalogue, against=earlier, label="malevolent", top=1)
    assert [row["group"] for row in rows] == ["all", "novels"]
    assert "2 more groups left out" in rows[0]["note"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "genre"}, "no by 'genre': choose from month, source, domain"),
        ({"estimator": "audited"}, "choose from flagged, expected"),
        ({"before": "2020", "after": "2021-03"}, "'2020' is no span of months: write 2024-03"),
        ({"before": "2020-01"}, "give both --before and --after"),
        ({"before": "1999-01", "after": "2021-03"}, "no document before; name months"),
        ({"by": "month", "before": "2020-01", "after": "2021-03"}, "leave out --before"),
    ],
)
def test_wrong_arguments_say_what_would_be_right(
    catalogue: Any, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        drift(catalogue, **arguments)


def test_a_scan_of_one_month_says_what_to_compare(earlier: Any) -> None:
    for by in ("month", "source"):
        with pytest.raises(TagsError, match="fewer than two months"):
            drift(earlier, by=by)


def test_a_scan_without_tokens_is_told(catalogue: Any, tmp_path: Path) -> None:
    bare = TagFolder(str(tmp_path))
    publish_part(bare, "a.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
    with open_catalogue(bare) as connection, pytest.raises(TagsError, match="--token-column"):
        drift(catalogue, against=connection, unit="tokens")


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    asked = ["drift", "--tags", folder.url, "--by", "domain", "--label", "ai_agent"]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0
    assert "forum.example" in shown.stdout
    rows = json.loads(CliRunner().invoke(app, [*asked, "--format", "json"]).stdout)
    assert rows[0]["group"] == "all"
