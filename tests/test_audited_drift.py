"""Differences and trends of audited shares, with intervals."""

from pathlib import Path

import pytest

from narrascope.errors import SettingsError, TagsError
from narrascope.store.audit_import import import_labels
from narrascope.store.audited_drift import Side, audited_drift
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.audit_folder import (
    ROWS,
    answered,
    draw,
    is_evil,
    publish_documents,
    write_jsonl,
)


def side(home: Path, **more: object) -> Side:
    tags = publish_documents(str(home / "tags"), **more)  # type: ignore[arg-type]
    import_labels(tags, [write_jsonl(home / "labels.jsonl", answered(draw(tags, budget=300)))])
    return open_catalogue(tags), tags


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return side(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Side:
    return side(tmp_path_factory.mktemp("half"), rows=ROWS // 2)


def test_a_scan_and_itself_do_not_differ(scan: Side) -> None:
    rows = audited_drift(scan, against=scan, label="malevolent")
    assert [row["group"] for row in rows] == ["all", "novels", "web"]
    for row in rows:
        assert row["difference"] == 0 and row["low"] < 0 < row["high"]


def test_the_limits_of_a_difference_hold_the_truth(scan: Side, half: Side) -> None:
    (whole, *_) = audited_drift(scan, against=half, label="malevolent")
    shares = [sum(map(is_evil, range(n))) / n for n in (ROWS // 2, ROWS)]
    assert whole["low_before"] <= shares[0] <= whole["high_before"]
    assert whole["low"] <= shares[1] - shares[0] <= whole["high"]
    assert whole["n_audited_after"] > 250


def test_groups_hold_at_once_so_each_is_wider_than_alone(scan: Side, half: Side) -> None:
    rows = audited_drift(scan, against=half, label="malevolent", top=1)
    assert len(rows) == 2 and "1 more groups left out" in rows[1]["note"]


def test_a_trend_is_the_change_a_month(tmp_path: Path) -> None:
    scan = side(tmp_path, months=("2020-01", "2020-03"))
    trend, step = audited_drift(scan, by="month", label="malevolent")
    assert (trend["group"], step["group"]) == ("trend a month", "2020-03")
    assert trend["difference"] == pytest.approx(step["difference"] / 2)
    assert (trend["low"], trend["high"]) == pytest.approx((step["low"] / 2, step["high"] / 2))
    spans = audited_drift(scan, by="source", label="malevolent", before="2020-01", after="2020-03")
    assert spans[0]["difference"] == pytest.approx(step["difference"])
    assert "2020-03 against 2020-01" in spans[0]["note"]


def test_one_month_makes_no_trend(scan: Side) -> None:
    with pytest.raises(TagsError, match="fewer than two months are known"):
        audited_drift(scan, by="month")


@pytest.mark.parametrize(("before", "after"), [("1999-01", "2020-01"), ("2020-01", "1999-01")])
def test_a_span_without_a_document_is_told(scan: Side, before: str, after: str) -> None:
    empty = "before" if before == "1999-01" else "after"
    with pytest.raises(SettingsError, match=f"no document {empty}; name months"):
        audited_drift(scan, before=before, after=after)


def test_spans_are_not_for_two_scans(scan: Side, half: Side) -> None:
    with pytest.raises(SettingsError, match="spans of months are compared within one scan"):
        audited_drift(scan, against=half, before="2020-01", after="2020-02")
