"""A bad part is set aside with its reason; its shard's other parts stand; everything says so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datatrove.data import Document
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from narrascope.api.app import create_app
from narrascope.cli import app
from narrascope.pipelines import gated, resume
from narrascope.pipelines.scan import scan
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, write
from narrascope.tests.inline import scan_inline

SHARD = "en/a.parquet"


def damage(path: Path, group: int) -> None:
    """Overwrite the head of a row group's text page, as a bad block of a disk does."""
    column = pq.ParquetFile(path).metadata.row_group(group).column(0)
    assert column.path_in_schema == "text"
    data = bytearray(path.read_bytes())
    start = min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)


def receipts(tags: Path) -> dict[str, int]:
    paths = (path for path in (tags / "receipts").rglob("*.parquet") if path.is_file())
    return {str(path.relative_to(tags / "receipts")): path.stat().st_mtime_ns for path in paths}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus whose first shard has four parts of seven rows, the second of them damaged."""
    monkeypatch.setattr("narrascope.pipelines.parts.PART_TEXT_BYTES", 1)
    damage(write(tmp_path / "corpus" / SHARD, documents(28)), group=1)
    write(tmp_path / "corpus" / "b.jsonl", documents(4))
    return tmp_path / "corpus"


def test_a_bad_part_is_told_of_everywhere_and_its_neighbours_stand(
    source: Path, tmp_path: Path
) -> None:
    tags = tmp_path / "tags"
    cli = CliRunner()
    done = cli.invoke(app, ["scan", str(source), "--tags", str(tags), "--workers", "2"])
    assert done.exit_code == 1
    assert "25 documents" in done.stderr
    assert f"set aside: {SHARD}: the part rows 7 to 13: OSError" in done.stderr
    sound = {f"{SHARD}/{first_row}.parquet" for first_row in (0, 14, 21)}
    assert set(receipts(tags)) == sound | {"b.jsonl/0.parquet"}

    account = json.loads((tags / "failed" / f"{SHARD}.json").read_text())
    assert (account["first_row"], account["end_row"]) == (7, 14)
    assert "--retry-failed" in account["retry"]

    found = cli.invoke(app, ["stats", "--tags", str(tags), "--by", "source", "--format", "json"])
    rows = json.loads(found.stdout)
    assert rows
    assert all(f"not counted, failed: {SHARD} rows 7 to 13" in row["note"] for row in rows)
    assert sum(row["denominator"] for row in rows if row["label"] == "malevolent") == 25

    with TestClient(create_app(str(tags)), base_url="http://localhost") as service:
        (failed,) = service.get("/v1/scans").json()["failed"]
        (share, *_) = service.get("/v1/prevalence").json()["rows"]
    assert (failed["shard"], failed["first_row"], failed["end_row"]) == (SHARD, 7, 14)
    assert failed["why"] == account["reason"]
    assert f"{SHARD} rows 7 to 13" in share["note"]


def test_a_bad_part_is_read_again_only_when_asked_or_mended(source: Path, tmp_path: Path) -> None:
    tags = tmp_path / "tags"
    scan(str(source), str(tags), seed=1)
    before = receipts(tags)
    again = scan(str(source), str(tags), seed=1)
    assert (again.parts, again.done_before, list(again.failed)) == (0, 4, [SHARD])
    retried = scan(str(source), str(tags), seed=1, retry_failed=True)
    assert (retried.parts, retried.done_before, list(retried.failed)) == (1, 4, [SHARD])
    assert receipts(tags) == before
    write(source / SHARD, documents(28))
    mended = scan(str(source), str(tags), seed=1)
    assert (mended.parts, mended.rewritten, mended.failed) == (4, [SHARD], {})
    assert mended.counts["documents"] == 32
    assert not list((tags / "failed").rglob("*.json"))


def test_a_part_that_no_task_reached_is_not_held_back_by_a_bad_one(
    source: Path, tmp_path: Path
) -> None:
    tags = tmp_path / "tags"
    scan(str(source), str(tags))
    (tags / "receipts" / SHARD / "21.parquet").unlink()
    report = scan(str(source), str(tags))
    assert (report.parts, report.done_before) == (1, 3)


def test_a_shard_that_vanishes_before_it_is_read_is_set_aside_until_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, tags = tmp_path / "corpus", str(tmp_path / "tags")
    write(source / "a.jsonl", documents(4))
    path = write(source / "b.jsonl", documents(6))
    data = path.read_bytes()

    def then_vanish(*given: Any, **named: Any) -> resume.Pending:
        pending = resume.pending_parts(*given, **named)
        path.unlink()
        return pending

    with monkeypatch.context() as patch:
        patch.setattr("narrascope.pipelines.scan.pending_parts", then_vanish)
        report = scan(str(source), tags)
    assert report.counts["documents"] == 4
    assert "FileNotFoundError" in report.failed["b.jsonl"]
    path.write_bytes(data)
    assert list(scan(str(source), tags).failed) == ["b.jsonl"]
    retried = scan(str(source), tags, retry_failed=True)
    assert (retried.parts, retried.failed) == (1, {})
    assert retried.counts["documents"] == 10


def test_a_source_that_gains_shards_has_only_those_read(tmp_path: Path) -> None:
    source, tags = tmp_path / "corpus", tmp_path / "tags"
    write(source / "b.jsonl", documents(4))
    scan(str(source), str(tags))
    before = receipts(tags)
    write(source / "a.parquet", documents(3))
    write(source / "new" / "c.jsonl.gz", documents(5))
    report = scan(str(source), str(tags))
    assert (report.parts, report.done_before) == (2, 1)
    assert report.counts["documents"] == 12
    assert before.items() <= receipts(tags).items()


def test_a_value_that_no_column_holds_sets_its_part_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "a.jsonl", documents(2))
    read = gated.GatedReader.run

    def spoilt(*given: Any, **named: Any) -> Iterator[Document]:
        for document in read(*given, **named):
            if "row" in document.metadata:
                document.metadata["url"] = 7
            yield document

    monkeypatch.setattr(gated.GatedReader, "run", spoilt)
    folder = scan_inline(source, tmp_path / "tags")
    (failure,) = folder.failures()
    assert failure["reason"].startswith("ArrowTypeError")
    assert folder.settled() == {("a.jsonl", 0)}
    assert not folder.receipt_paths()


def test_two_bad_parts_of_a_shard_are_both_told_of(tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    base = {"shard": SHARD, "size": 1, "input_digest": "d", "retry": "again"}
    folder.set_aside(SHARD, base | {"reason": "second", "first_row": 10, "end_row": 20})
    folder.set_aside(SHARD, base | {"reason": "first", "first_row": 9, "end_row": 10})
    (failure,) = folder.failures()
    assert [part["reason"] for part in failure["parts"]] == ["first", "second"]
    assert folder.settled() == {(SHARD, 9), (SHARD, 10)}
    folder.take_back(SHARD)
    assert not list(folder.failures())


def test_a_file_that_cannot_be_opened_is_set_aside_and_the_others_stand(tmp_path: Path) -> None:
    write(tmp_path / "corpus" / "b.jsonl", documents(4))
    (tmp_path / "corpus" / "gone.jsonl").symlink_to(tmp_path / "nowhere.jsonl")
    report = scan(str(tmp_path / "corpus"), str(tmp_path / "tags"))
    assert report.counts["documents"] == 4
    assert list(report.failed) == ["gone.jsonl"] and "No such file" in report.failed["gone.jsonl"]
    (tmp_path / "corpus" / "gone.jsonl").unlink()
    write(tmp_path / "corpus" / "gone.jsonl", documents(3))
    again = scan(str(tmp_path / "corpus"), str(tmp_path / "tags"), retry_failed=True)
    assert again.counts["documents"] == 7 and not again.failed
