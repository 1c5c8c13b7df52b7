"""Audited shares come near the truth with intervals that hold it, for any group and filter."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrascope.errors import SettingsError, TagsError
from narrascope.labels.taxonomy import BEHAVIOURS, GENRES
from narrascope.store.audit_import import import_labels
from narrascope.store.audit_report import SECTIONS, report
from narrascope.store.audits import Audit
from narrascope.store.catalogue import open_catalogue
from narrascope.store.diagram import draw_reliability
from narrascope.store.folder import TagFolder
from narrascope.store.prevalence import prevalence
from narrascope.store.where import parse_where
from narrascope.tests.audit_folder import (
    ROWS,
    answered,
    draw,
    is_evil,
    publish_documents,
    text_of,
    truth,
    write_jsonl,
)

THRESHOLDS = {"ai_agent": 0.5, "malevolent": 0.5, "self_preserving": 0.5, "benevolent": 0.5}


def label(audit: Audit, path: Path, **changes: Any) -> None:
    assert not import_labels(audit.folder, [write_jsonl(path, answered(audit, **changes))]).bad


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    """A folder with an audit of every verdict and control row, labelled without fault."""
    place = tmp_path_factory.mktemp("report")
    folder = publish_documents(str(place / "tags"))
    label(draw(folder, budget=460), place / "a.jsonl")
    return folder


@pytest.fixture(scope="module")
def catalogue(folder: TagFolder) -> Iterator[Any]:
    with open_catalogue(folder) as connection:
        yield connection


def audited(catalogue: Any, folder: TagFolder, **asked: Any) -> list[dict[str, Any]]:
    asked.setdefault("label", "malevolent")
    return prevalence(catalogue, estimator="audited", folder=folder, **asked)


def test_the_interval_holds_the_truth_and_says_what_it_is_of(
    catalogue: Any, folder: TagFolder
) -> None:
    (row,) = audited(catalogue, folder)
    assert row["low"] <= truth() <= row["high"]
    assert abs(row["share"] - truth()) < 0.02
    assert (row["denominator"], row["n_audited"]) == (ROWS, 460)
    assert (
        "a reader under the guidelines would label at least one passage malevolent" in row["note"]
    )
    assert "refuted beside it: 1.00" in row["note"]


def test_groups_have_their_own_intervals_and_exact_denominators(
    catalogue: Any, folder: TagFolder
) -> None:
    rows = audited(catalogue, folder, by="source")
    assert {row["group"]: row["denominator"] for row in rows} == {"novels": 500, "web": 500}
    for row in rows:
        of = range(500) if row["group"] == "novels" else range(500, 1000)
        assert row["low"] <= np.mean([is_evil(r) for r in of]) <= row["high"]
    (whole,) = audited(catalogue, folder)
    assert sum(row["numerator"] for row in rows) == pytest.approx(whole["numerator"], abs=25)


def test_a_filter_on_counted_columns_moves_the_denominator(
    catalogue: Any, folder: TagFolder
) -> None:
    (row,) = audited(catalogue, folder, where=parse_where("source = 'web'"))
    by_source = {row["group"]: row for row in audited(catalogue, folder, by="source")}
    assert (row["denominator"], row["n_audited"]) == (500, by_source["web"]["n_audited"])
    assert row["share"] == pytest.approx(by_source["web"]["share"], abs=0.01)


@pytest.mark.parametrize("by", [None, "stance"])
def test_of_documents_that_are_not_there_is_no_share(
    catalogue: Any, folder: TagFolder, by: str | None
) -> None:
    where = parse_where("source = 'nobody'")
    for row in audited(catalogue, folder, label="malevolent", where=where, by=by):
        assert (row["share"], row["low"], row["high"], row["denominator"]) == (None, None, None, 0)


def test_a_filter_on_scores_is_of_the_whole_corpus(catalogue: Any, folder: TagFolder) -> None:
    (row,) = audited(catalogue, folder, where=parse_where("malevolent >= 0.5"))
    flagged = np.mean([is_evil(r) and r % 10 < 4 for r in range(ROWS)])
    assert row["denominator"] == ROWS and "of the whole corpus" in row["note"]
    assert row["low"] <= flagged <= row["high"]


@pytest.mark.parametrize("unit", ["bytes", "tokens"])
def test_bytes_and_tokens_are_weighed(catalogue: Any, folder: TagFolder, unit: str) -> None:
    (row,) = audited(catalogue, folder, unit=unit)
    size = {r: len(text_of(r).encode()) if unit == "bytes" else 20 for r in range(ROWS)}
    share = sum(size[r] for r in range(ROWS) if is_evil(r)) / sum(size.values())
    assert row["denominator"] == sum(size.values())
    assert row["low"] <= share <= row["high"]


def test_genres_stances_and_behaviours_are_the_readers(catalogue: Any, folder: TagFolder) -> None:
    genres = {row["group"]: row for row in audited(catalogue, folder, by="genre")}
    assert set(genres) == set(GENRES)
    (whole,) = audited(catalogue, folder)
    assert genres["fiction"]["share"] == pytest.approx(whole["share"])
    assert genres["news"]["share"] == 0 < genres["news"]["high"]
    stances = {row["group"]: row["share"] for row in audited(catalogue, folder, by="stance")}
    assert stances["refuted"] == pytest.approx(0.01, abs=0.002)
    behaviours = {row["group"]: row for row in audited(catalogue, folder, by="behaviour")}
    assert set(behaviours) == set(BEHAVIOURS)
    assert behaviours["harm"]["share"] == pytest.approx(whole["share"])


def test_the_groups_shown_can_be_limited_and_the_rest_are_told(
    catalogue: Any, folder: TagFolder
) -> None:
    rows = audited(catalogue, folder, by="source", limit=1)
    assert len(rows) == 1 and "1 more groups left out" in rows[0]["note"]


def test_what_is_open_widens_the_interval_both_ways(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    audit = draw(folder, budget=460)
    rows = answered(audit)
    for row in [row for row in rows if row["malevolent"] is True][:20]:
        row |= {"malevolent": "unsure", "stance": ""}
    import_labels(folder, [write_jsonl(tmp_path / "a.jsonl", rows)])
    with open_catalogue(folder) as catalogue:
        (row,) = audited(catalogue, folder)
    assert row["low"] < row["share"] < truth() <= row["high"]
    assert row["n_audited"] == 440 and "20 documents are open" in row["note"]


def test_a_stratum_of_which_nothing_was_read_may_hold_anything(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    audit = draw(folder, budget=200)
    rows = [row for row in answered(audit) if "Leeks" not in row["text"]]
    import_labels(folder, [write_jsonl(tmp_path / "a.jsonl", rows)])
    with open_catalogue(folder) as catalogue:
        (row,) = audited(catalogue, folder)
    assert row["high"] > 0.5 and "nothing was read of strata with 50.00%" in row["note"]


def test_audits_of_the_same_strata_are_pooled(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    counts = []
    for number in (1, 2):
        label(draw(folder, budget=100), tmp_path / f"{number}.jsonl")
        with open_catalogue(folder) as catalogue:
            (row,) = audited(catalogue, folder)
        counts.append(row["n_audited"])
        assert row["low"] <= truth() <= row["high"]
    assert counts == [100, 200]


def test_of_audits_in_other_strata_only_the_control_rows_count(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    label(draw(folder, budget=100, label="malevolent"), tmp_path / "1.jsonl")
    other = draw(folder, budget=100, label="benevolent")
    label(other, tmp_path / "2.jsonl")
    with open_catalogue(folder) as catalogue:
        (row,) = audited(catalogue, folder)
    control = sum(s.drawn for s in other.design.strata if s.low is None)
    assert row["n_audited"] == 100 + control
    assert "strata of audit-2 are others" in row["note"]


def test_a_model_s_labels_are_marked(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    label(draw(folder, budget=60), tmp_path / "a.jsonl", annotator="model:m", model="m")
    with open_catalogue(folder) as catalogue:
        (row,) = audited(catalogue, folder)
    assert "60 documents were read by a language model alone" in row["note"]


def test_without_an_audit_the_next_act_is_told(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    with open_catalogue(folder) as catalogue:
        with pytest.raises(
            TagsError, match=r"needs an audit of .*: draw one with `narrascope audit"
        ):
            audited(catalogue, folder)
        draw(folder, budget=20)
        with pytest.raises(TagsError, match="no document of audit-1 is labelled yet: import the"):
            audited(catalogue, folder)
        with pytest.raises(SettingsError, match="needs the tag folder"):
            prevalence(catalogue, estimator="audited")


def of_section(rows: list[dict[str, Any]], section: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["section"] == section]


def test_the_report_measures_the_thresholds_on_this_corpus(
    catalogue: Any, folder: TagFolder
) -> None:
    rows = report(catalogue, folder, thresholds=THRESHOLDS)
    found = {(row["label"], row["of"]): row for row in of_section(rows, "threshold")}
    evil = [r for r in range(ROWS) if is_evil(r)]
    caught = [r for r in evil if r % 10 < 4]
    assert found["malevolent", "precision"]["share"] == 1
    recall = found["malevolent", "recall"]
    assert recall["low"] <= len(caught) / len(evil) <= recall["high"]
    assert [row["section"] for row in rows] == sorted(
        (row["section"] for row in rows), key=SECTIONS.index
    )


def test_of_nothing_flagged_there_is_no_precision(catalogue: Any, folder: TagFolder) -> None:
    rows = report(catalogue, folder, thresholds=THRESHOLDS | {"malevolent": 1.0})
    found = {(row["label"], row["of"]): row for row in of_section(rows, "threshold")}

    def limits(label: str, of: str) -> list[float | None]:
        return [found[label, of][name] for name in ("share", "low", "high")]

    assert limits("malevolent", "precision") == [None, None, None]
    assert limits("malevolent", "recall") == [0, 0, 0]
    # Nobody found a self-preserving document, so there is nothing to recall.
    assert limits("self_preserving", "recall") == [None, None, None]


def test_the_report_recalibrates_the_sum_of_probabilities(
    catalogue: Any, folder: TagFolder
) -> None:
    rows = of_section(report(catalogue, folder, thresholds=THRESHOLDS), "recalibration")
    (fit,) = [row for row in rows if row["label"] == "malevolent"]
    caught = sum(is_evil(r) and r % 10 < 4 for r in range(ROWS))
    assert abs(fit["recalibrated"] - caught) < abs(fit["expected"] - caught)
    assert fit["recalibrated"] == pytest.approx(caught, rel=0.1)
    assert fit["slope"] > 1


def test_reliability_counts_every_document_with_a_verdict(
    catalogue: Any, folder: TagFolder, tmp_path: Path
) -> None:
    rows = of_section(report(catalogue, folder, thresholds=THRESHOLDS), "reliability")
    malevolent = [row for row in rows if row["label"] == "malevolent"]
    assert sum(row["documents"] for row in malevolent) == 400
    assert all(row["low_score"] <= row["mean_score"] <= row["high_score"] for row in malevolent)
    png, svg = draw_reliability(rows, tmp_path / "plots")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"malevolent" in svg.read_bytes() or b"<svg" in svg.read_bytes()
    first = svg.read_bytes()
    draw_reliability(rows, tmp_path / "plots")
    assert svg.read_bytes() == first


def test_the_report_says_how_many_labels_a_width_needs(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    label(draw(folder, budget=100), tmp_path / "a.jsonl")

    def more(width: float) -> dict[str, Any]:
        with open_catalogue(folder) as catalogue:
            rows = of_section(
                report(catalogue, folder, thresholds=THRESHOLDS, width=width), "labels"
            )
        return next(row for row in rows if row["label"] == "malevolent")

    assert more(0.9)["more"] == 0
    assert 0 < more(0.08)["more"] < 400
    assert more(0.001)["more"] is None
    assert "scan with a higher --control-rate" in more(0.001)["note"]
    with open_catalogue(folder) as catalogue, pytest.raises(SettingsError, match="--width is 2"):
        report(catalogue, folder, thresholds=THRESHOLDS, width=2)


def test_one_audit_can_be_reported_alone(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    for number in (1, 2):
        label(draw(folder, budget=100), tmp_path / f"{number}.jsonl")
    with open_catalogue(folder) as catalogue:
        rows = report(catalogue, folder, thresholds=THRESHOLDS, name="audit-2")
        assert {row["n_audited"] for row in of_section(rows, "estimate")} == {100}
        with pytest.raises(TagsError, match=r"no audit 'audit-9'.*choose from audit-1, audit-2"):
            report(catalogue, folder, thresholds=THRESHOLDS, name="audit-9")
