"""Verification counts the files themselves, and tells of each thing that is not as planned."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from narrascope.errors import ManifestError
from narrascope.manifests.assign import MODES, Mode
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.recount import recount
from narrascope.manifests.reweighed import Reweighed, save_reweighed
from narrascope.manifests.verify import verify
from narrascope.tests.materialised import materialise
from narrascope.tests.tag_folder import WEB


def alter(record: Reweighed, manifest: Manifest, bucket: str, **changes: Any) -> None:
    """Change the first entry of a bucket in the record."""
    place = next(i for i, entry in enumerate(record.written) if entry.bucket == bucket)
    written = list(record.written)
    written[place] = written[place].model_copy(update=changes)
    save_reweighed(record.model_copy(update={"written": tuple(written)}), manifest)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_reweighed_as_planned_has_no_failures(
    manifest: Manifest, tmp_path: Path, mode: Mode
) -> None:
    materialise(manifest, tmp_path / "out", mode)
    found = verify(manifest)
    assert found.failures == ()
    assert found.mode == mode
    rows = {row["bucket"]: row for row in found.rows}
    assert list(rows) == ["dark", "kind", "forum", "rest"]
    assert sum(row["share"] for row in found.rows) == pytest.approx(1)
    assert (rows["forum"]["documents"], rows["forum"]["share"]) == (0, 0)
    assert rows["rest"]["documents"] == rows["rest"]["planned_documents"] == 14
    assert abs(rows["kind"]["documents"] - 2.5) < 1


def test_both_modes_show_a_trainer_the_planned_documents(
    manifest: Manifest, tmp_path: Path
) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    for row in verify(manifest).rows:
        assert row["documents"] == row["planned_documents"]


def test_a_file_that_lost_a_document_is_told(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    path = tmp_path / "out" / "rest" / "web.jsonl.0.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    assert verify(manifest).failures == (
        "rest/web.jsonl.0.parquet: holds 3 documents, 4 were recorded",
        "rest/web.jsonl.0.parquet: holds 33 bytes of text, 44 were recorded",
    )


def test_a_torn_or_missing_file_is_told_in_one_line(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    torn = tmp_path / "out" / "rest" / "web.jsonl.0.parquet"
    torn.write_bytes(torn.read_bytes()[:50])
    (tmp_path / "out" / "kind" / "novels" / "a.6.parquet").unlink()
    failures = verify(manifest).failures
    assert len(failures) == 2
    assert all("cannot be counted" in line and "\n" not in line for line in failures)


def test_a_file_that_is_not_in_the_record_is_told(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    pq.write_table(pa.table({"text": ["again"]}), tmp_path / "out" / "rest" / "old.parquet")
    assert verify(manifest).failures == (
        "rest/old.parquet: is not in the record: remove it or reweigh into an empty folder",
    )


def test_a_weight_that_was_not_applied_is_told(manifest: Manifest, tmp_path: Path) -> None:
    record = materialise(manifest, tmp_path / "out", "buckets")
    save_reweighed(record.model_copy(update={"mode": "realised"}), manifest)
    assert "novels/a.parquet at row 6, kind: 1 documents written, 2.5 wanted" in (
        verify(manifest).failures
    )


def test_a_count_that_differs_from_the_manifest_is_told(manifest: Manifest, tmp_path: Path) -> None:
    record = materialise(manifest, tmp_path / "out", "buckets")
    alter(record, manifest, "forum", matched=2)
    assert verify(manifest).failures == (f"{WEB} at row 0, forum: 2 documents matched, 3 planned",)


def test_a_part_that_is_missing_from_the_record_is_told(manifest: Manifest, tmp_path: Path) -> None:
    record = materialise(manifest, tmp_path / "out", "buckets")
    kept = tuple(entry for entry in record.written if entry.bucket != "forum")
    save_reweighed(record.model_copy(update={"written": kept}), manifest)
    assert verify(manifest).failures == (
        f"{WEB} at row 0, forum: 3 documents planned, none matched",
    )


def test_shards_that_the_source_lacked_are_told_once(manifest: Manifest, tmp_path: Path) -> None:
    record = materialise(manifest, tmp_path / "out", "buckets")
    kept = tuple(entry for entry in record.written if entry.shard != WEB)
    save_reweighed(record.model_copy(update={"written": kept, "not_in_source": (WEB,)}), manifest)
    found = verify(manifest)
    assert not [line for line in found.failures if "is not in the record" not in line]
    (note,) = found.notes
    assert note.startswith("1 shards of the manifest were not in the source (first: web.jso")


LINES = b'{"text": "caf\xc3\xa9"}\n{"text": null}\n{"id": 1}\n{"text": "\\ud800"}\n'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES),
        ("a.jsonl.gz", gzip.compress(LINES)),
        ("a.jsonl.zst", zstandard.compress(LINES)),
    ],
    ids=["plain", "ndjson", "gzip", "zstd"],
)
def test_json_lines_are_counted_as_a_scan_counts_them(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    assert recount(tmp_path / name, "text") == (4, 8)


def test_parquet_is_counted_in_bytes_of_utf8(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["café", None, ""]}), tmp_path / "a.parquet")
    assert recount(tmp_path / "a.parquet", "text") == (3, 5)
    with pytest.raises(ManifestError, match="cannot be counted"):
        recount(tmp_path / "a.parquet", "body")
