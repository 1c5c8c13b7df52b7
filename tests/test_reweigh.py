"""Reweighing: what is written is what was planned, and nothing of a kept row changes."""

import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from narrascope.errors import ManifestError
from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import load_manifest
from narrascope.manifests.policy_file import load_policy
from narrascope.manifests.verify import verify
from narrascope.pipelines.reweigh import reweigh
from narrascope.pipelines.scan import scan
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, jsonl, write

POLICY = """\
version: 1
seed: 17
unit: bytes
buckets:
  - {name: dark, where: "malevolent >= 0.5", weight: 0.25}
  - {name: kind, where: "benevolent >= 0.5", weight: 2.5}
  - {name: notes, where: "source == 'notes' and month >= '2024-06'", action: drop}
rest: {name: rest, weight: 1.0, max_repetition: 1.5}
keep_total: true
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, its tags and a manifest."""
    folder = tmp_path_factory.mktemp("place")
    write(folder / "corpus" / "a.parquet", documents(120))
    write(folder / "corpus" / "sub" / "b.jsonl.gz", documents(61))
    write(folder / "corpus" / "c.jsonl", documents(30))
    (folder / "policy.yaml").write_text(POLICY)
    scan(str(folder / "corpus"), str(folder / "tags"))
    tags = TagFolder(str(folder / "tags"))
    with open_catalogue(tags) as catalogue:
        policy = load_policy(folder / "policy.yaml")
        build_manifest(tags, catalogue, policy, out=folder / "manifest")
    return folder


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
    def contents(out: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.is_file() and path.parent.name[0] != "." and path.name[0] != "."
            and not path.relative_to(out).parts[0].startswith(".")
        }  # fmt: skip

    for name, workers in (("one", 1), ("two", 2)):
        reweigh(
            place / "manifest", str(place / "corpus"), tmp_path / name, mode="realised",
            workers=workers,
        )  # fmt: skip
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    (tmp_path / "two" / ".parts" / "c.jsonl" / "0.json").unlink()
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
