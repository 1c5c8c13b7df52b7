"""Reweighing: what is written is what was planned, and nothing of a kept row changes."""

import gzip
import json
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from narrascope.errors import ManifestError
from narrascope.manifests.manifest import load_manifest
from narrascope.manifests.takedown import extend_takedown
from narrascope.manifests.verify import verify
from narrascope.pipelines.reweigh import reweigh
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, jsonl, write
from narrascope.tests.reweighing import POLICY, build, contents, with_manifest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, its tags and a manifest."""
    return with_manifest(tmp_path_factory.mktemp("place"))


def written(out: Path) -> list[tuple[str, dict]]:
    """Return (bucket, row) of everything written."""
    found = []
    for bucket in sorted(p for p in out.iterdir() if p.is_dir() and p.name[0] != "."):
        for path in sorted(bucket.rglob("*")):
            if path.suffix == ".parquet" and path.is_file():
                found += [(bucket.name, row) for row in pq.read_table(path).to_pylist()]
            elif path.is_file():
                data = (
                    gzip.decompress(path.read_bytes())
                    if path.suffix == ".gz"
                    else path.read_bytes()
                )
                found += [(bucket.name, json.loads(line)) for line in data.splitlines()]
    return found


def test_buckets_hold_each_kept_document_once_and_unchanged(place: Path, tmp_path: Path) -> None:
    reweigh(place / "manifest", str(place / "corpus"), tmp_path / "out")
    rows = written(tmp_path / "out")
    assert {bucket for bucket, _ in rows} == {"dark", "kind", "rest"}
    originals = [*documents(120), *documents(61), *documents(30)]
    dropped = len(originals) - len(rows)
    assert dropped > 0
    kept = Counter(json.dumps(row, sort_keys=True) for _, row in rows)
    assert not kept - Counter(json.dumps(row, sort_keys=True) for row in originals)
    assert not verify(load_manifest(place / "manifest"), data=tmp_path / "out").failures


def test_realised_copies_are_within_one_document_a_part_and_never_neighbours(
    place: Path, tmp_path: Path
) -> None:
    record = reweigh(place / "manifest", str(place / "corpus"), tmp_path / "out", mode="realised")
    manifest = load_manifest(place / "manifest")
    assert record.written
    for entry in record.written:
        wanted = entry.matched * manifest.weights[entry.bucket]
        assert abs(entry.documents - wanted) < 1, entry
    assert not verify(manifest, data=tmp_path / "out").failures
    for path in (tmp_path / "out" / "kind").rglob("*.0.parquet"):
        ids = pq.read_table(path)["id"].to_pylist()
        assert len(ids) > len(set(ids))
        assert all(a != b for a, b in pairwise(ids))


def test_the_same_bytes_from_one_and_two_workers_and_after_a_stop(
    place: Path, tmp_path: Path
) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        reweigh(
            place / "manifest", str(place / "corpus"), tmp_path / name, mode="realised",
            workers=workers,
        )  # fmt: skip
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    (tmp_path / "two" / ".reweigh" / "parts" / "c.jsonl" / "0.json").unlink()
    (tmp_path / "two" / "reweigh.json").unlink()
    reweigh(place / "manifest", str(place / "corpus"), tmp_path / "two", mode="realised")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_some_of_the_source_can_be_reweighed_under_the_manifest_s_root(
    place: Path, tmp_path: Path
) -> None:
    record = reweigh(place / "manifest", str(place / "corpus" / "sub"), tmp_path / "out")
    assert {entry.shard for entry in record.written} == {"sub/b.jsonl.gz"}
    assert record.not_in_source == ("a.parquet", "c.jsonl")


def test_a_moved_corpus_is_matched_by_id(place: Path, tmp_path: Path) -> None:
    rows = documents(120)
    write(tmp_path / "moved" / "x.parquet", rows[60:])
    write(tmp_path / "moved" / "y.parquet", rows[:60])
    with pytest.raises(ManifestError, match="no shard of the source is in the manifest"):
        reweigh(place / "manifest", str(tmp_path / "moved"), tmp_path / "by-row")
    by_row = reweigh(place / "manifest", str(place / "corpus" / "a.parquet"), tmp_path / "rows")
    for match in ("doc_id", "text_hash"):
        moved = reweigh(place / "manifest", str(tmp_path / "moved"), tmp_path / match, match=match)
        assert count(moved) == count(by_row)


def count(record: object) -> Counter[str]:
    counts: Counter[str] = Counter()
    for entry in record.written:  # type: ignore[attr-defined]
        counts[entry.bucket] += entry.matched
    return counts


def test_what_no_longer_matches_is_counted_by_bucket(place: Path, tmp_path: Path) -> None:
    manifest = load_manifest(place / "manifest")
    whole = reweigh(place / "manifest", str(place / "corpus" / "a.parquet"), tmp_path / "whole")
    write(tmp_path / "moved" / "x.jsonl", documents(90) + documents(10))
    record = reweigh(
        place / "manifest", str(tmp_path / "moved"), tmp_path / "moved-out", match="doc_id"
    )
    listed = manifest.read_documents().to_pylist()
    for entry in record.found:
        ids = {row["doc_id"] for row in listed if row["bucket"] == entry.bucket}
        here = [row["id"] for row in documents(90)] + [row["id"] for row in documents(10)]
        assert entry.listed == len(ids)
        assert entry.missing == len(ids - set(here))
        assert entry.again == sum(here.count(key) - 1 for key in ids & set(here))
    assert {entry.bucket for entry in record.found} == {row["bucket"] for row in listed}
    assert record.listed_again == len(listed) - len({row["doc_id"] for row in listed})
    notes = verify(manifest, data=tmp_path / "moved-out").notes
    assert any("are not in the source by their doc_id" in note for note in notes)
    assert not whole.found


def test_a_takedown_since_the_manifest_was_built_is_refused(place: Path, tmp_path: Path) -> None:
    policy = POLICY.replace("seed: 17", "seed: 18")
    folder = tmp_path / "place"
    folder.mkdir()
    shutil.copytree(place / "tags", folder / "tags")
    manifest = build(folder, policy, "manifest")
    (tmp_path / "list.csv").write_text("kind,value\ndoc_id,doc-7\n")
    tags = TagFolder(str(folder / "tags"))
    extend_takedown(tags, tmp_path / "list.csv")
    source = str(place / "corpus")
    with pytest.raises(ManifestError, match=r"has grown by 1 entries .* build the manifest again"):
        reweigh(manifest, source, tmp_path / "out")
    again = build(folder, policy, "again")
    reweigh(again, source, tmp_path / "again-out")
    assert not [row for _, row in written(tmp_path / "again-out") if row["id"] == "doc-7"]
    shutil.rmtree(folder / "tags")
    (note,) = reweigh(manifest, source, tmp_path / "out").notes
    assert "could not be reached" in note


def test_warc_is_refused_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    write(tmp_path / "corpus" / "x.wet.gz", documents(3))
    with pytest.raises(ManifestError, match=r"x\.wet\.gz is WARC.*extract its text"):
        reweigh(place / "manifest", str(tmp_path / "corpus"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_masks_and_prefixes_of_a_policy_reach_the_shards(place: Path, tmp_path: Path) -> None:
    policy = """\
version: 1
buckets:
  - {name: dark, where: "malevolent >= 0.5", action: mask_spans}
  - {name: kind, where: "benevolent >= 0.5", action: {prefix: "<|kind|>"}}
"""
    manifest = build(place, policy, "marked")
    reweigh(manifest, str(place / "corpus"), tmp_path / "out")
    originals = {row["id"]: row for row in documents(120)}
    for bucket, row in written(tmp_path / "out"):
        assert ("mask_spans" in row) == (bucket == "dark")
        spans = row.pop("mask_spans", None)
        prefix = "<|kind|>" if bucket == "kind" else ""
        assert row == originals[row["id"]] | {"text": prefix + originals[row["id"]]["text"]}
        assert bucket != "dark" or all(
            0 <= s["start"] < s["end"] <= len(row["text"]) for s in spans
        )
    found = verify(load_manifest(manifest), data=tmp_path / "out")
    assert not found.failures
    path = next((tmp_path / "out" / "kind").glob("c.0.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"<|kind|>", b"<|evil|>"))
    found = verify(load_manifest(manifest), data=tmp_path / "out")
    assert ["do not begin with <|kind|>" in line for line in found.failures] == [True]


@pytest.mark.parametrize(("out", "why"), [("corpus/out", "beside it"), ("tags", "a tag folder")])
def test_nothing_is_written_into_the_source_or_among_tags(place: Path, out: str, why: str) -> None:
    before = {path for path in place.rglob("*") if path.is_file()}
    with pytest.raises(ManifestError, match=why):
        reweigh(place / "manifest", str(place / "corpus"), place / out)
    assert {path for path in place.rglob("*") if path.is_file()} == before


def test_a_shard_rewritten_since_its_scan_is_refused(place: Path, tmp_path: Path) -> None:
    write(tmp_path / "corpus" / "c.jsonl", documents(29))
    with pytest.raises(ManifestError, match=r"c\.jsonl was rewritten since its scan"):
        reweigh(place / "manifest", str(tmp_path / "corpus"), tmp_path / "out")


def test_another_mode_into_the_same_folder_is_refused(place: Path, tmp_path: Path) -> None:
    source = str(place / "corpus" / "c.jsonl")
    reweigh(place / "manifest", source, tmp_path / "out")
    with pytest.raises(ManifestError, match="another manifest, mode or match"):
        reweigh(place / "manifest", source, tmp_path / "out", mode="realised")


def test_json_lines_are_copied_byte_for_byte(place: Path, tmp_path: Path) -> None:
    reweigh(place / "manifest", str(place / "corpus" / "c.jsonl"), tmp_path / "out")
    lines = set(jsonl(documents(30)).splitlines())
    for path in (tmp_path / "out").glob("*/c.0.jsonl"):
        assert set(path.read_bytes().splitlines()) <= lines
