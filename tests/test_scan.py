"""The scan: exact counts, the same tags whatever the workers, and an account of what is broken."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrascope.errors import SettingsError, SourceError, TagsError
from narrascope.labels.tag import KINDS
from narrascope.pipelines.parts import list_corpus
from narrascope.pipelines.scan import scan
from narrascope.pipelines.slurm import Slurm
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import EVIL, documents, write


def published(tags: Path, kind: str) -> list[Path]:
    """Return the files of a kind; a shard's folder may itself be named *.parquet."""
    return [path for path in sorted((tags / kind).rglob("*.parquet")) if path.is_file()]


def files(tags: Path) -> dict[str, bytes]:
    """Return all that a scan published but its receipts, which hold times."""
    return {
        str(path.relative_to(tags)): path.read_bytes()
        for kind in KINDS[:-1]
        for path in published(tags, kind)
    }


def rows_of(tags: Path, kind: str) -> list[dict]:
    return [row for path in published(tags, kind) for row in pq.read_table(path).to_pylist()]


def tag_rows(tags: Path) -> list[dict]:
    return rows_of(tags, "tags")


def corpus(folder: Path) -> Path:
    write(folder / "en" / "a.parquet", documents(40))
    write(folder / "en" / "b.jsonl.gz", documents(20))
    write(folder / "c.jsonl.zst", documents(12))
    return folder


def test_every_row_is_counted_and_only_candidates_are_tagged(tmp_path: Path) -> None:
    report = scan(str(corpus(tmp_path / "corpus")), str(tmp_path / "tags"))
    assert report.counts["documents"] == 72
    assert report.counts["candidates"] == 54
    tagged = [row["row"] for row in tag_rows(tmp_path / "tags") if row["shard"] == "c.jsonl.zst"]
    assert tagged == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    for kind in ("totals", "domains"):
        assert sum(row["documents"] for row in rows_of(tmp_path / "tags", kind)) == 72


def test_evil_and_kind_machines_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", documents(4))
    scan(str(tmp_path / "a.parquet"), str(tmp_path / "tags"))
    evil, kind, neutral = tag_rows(tmp_path / "tags")
    assert evil["malevolent"] > kind["malevolent"]
    assert kind["benevolent"] > evil["benevolent"]
    assert evil["malevolent"] > (neutral["malevolent"] or 0)
    (passage,) = evil["passages"]
    text = documents(1)[0]["text"]
    assert text[passage["start"] : passage["end"]] == passage["text"]
    assert all(text[span["start"] : span["end"]] for span in passage["evidence"])


def test_tags_do_not_depend_on_workers_or_on_how_often_the_scan_was_stopped(tmp_path: Path) -> None:
    source = str(corpus(tmp_path / "corpus"))
    scan(source, str(tmp_path / "one"), workers=1, seed=3)
    scan(source, str(tmp_path / "two"), workers=2, seed=3)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    (tmp_path / "two" / "receipts" / "c.jsonl.zst" / "0.parquet").unlink()
    kept = tmp_path / "two" / "receipts" / "en" / "a.parquet" / "0.parquet"
    before = kept.stat().st_mtime_ns
    report = scan(source, str(tmp_path / "two"), seed=3)
    assert (report.parts, report.done_before) == (1, 2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert kept.stat().st_mtime_ns == before


def test_tags_do_not_depend_on_the_format(tmp_path: Path) -> None:
    found = []
    for name in ("a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        write(tmp_path / name, documents(12))
        scan(str(tmp_path / name), str(tmp_path / f"tags-{name}"), control_rate=1.0)
        found.append([{**row, "shard": None} for row in tag_rows(tmp_path / f"tags-{name}")])
    assert found[0]
    assert all(other == found[0] for other in found)


def test_the_control_sample_holds_what_the_gate_and_the_screen_let_go(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", documents(40))
    scan(str(tmp_path / "a.parquet"), str(tmp_path / "tags"), control_rate=1.0)
    rows = rows_of(tmp_path / "tags", "control")
    assert [row["row"] for row in rows if row["stratum"] == "gate"] == list(range(3, 40, 4))
    for row in rows:
        assert row["inclusion_probability"] == 1.0
        assert row["text"].startswith("Entry")
        assert row["screen_malevolent"] is not None
    stopped = {row["row"] for row in tag_rows(tmp_path / "tags") if not row["passages"]}
    assert {row["row"] for row in rows if row["stratum"] == "screen"} == stopped


def test_a_torn_shard_is_set_aside_and_the_others_are_scanned(tmp_path: Path) -> None:
    source = corpus(tmp_path / "corpus")
    good = (source / "en" / "a.parquet").read_bytes()
    (source / "torn.parquet").write_bytes(good[: len(good) // 2])
    packed = (source / "en" / "b.jsonl.gz").read_bytes()
    (source / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    write(source / "other.jsonl", [{"body": "a robot"}])
    tags = str(tmp_path / "tags")
    report = scan(str(source), tags)
    assert report.counts["documents"] == 72
    assert sorted(report.failed) == ["cut.jsonl.gz", "other.jsonl", "torn.parquet"]
    assert "it has body" in report.failed["other.jsonl"]
    assert not (tmp_path / "tags" / "tags" / "cut.jsonl.gz").exists()
    again = scan(str(source), tags)
    assert (again.parts, sorted(again.failed)) == (0, sorted(report.failed))
    (source / "cut.jsonl.gz").write_bytes(packed)
    mended = scan(str(source), tags)
    assert (mended.parts, sorted(mended.failed)) == (1, ["other.jsonl", "torn.parquet"])
    assert mended.counts["documents"] == 92
    retried = scan(str(source), tags, retry_failed=True)
    assert sorted(retried.failed) == ["other.jsonl", "torn.parquet"]


def test_broken_text_is_counted_and_scanned(tmp_path: Path) -> None:
    lines = b'{"text": "\xff ' + EVIL.replace('"', "'").encode() + b'"}\nno json\n{"text": null}\n'
    (tmp_path / "a.jsonl").write_bytes(lines)
    report = scan(str(tmp_path / "a.jsonl"), str(tmp_path / "tags"))
    assert report.counts["documents"] == 2
    assert report.counts["empty"] == 1
    assert report.counts["invalid_utf8"] == 1
    assert report.counts["unreadable"] == 1
    (receipt,) = TagFolder(str(tmp_path / "tags")).receipts().to_pylist()
    assert receipt["unreadable_rows"] == [1]
    assert (receipt["first_row"], receipt["end_row"]) == (0, 3)
    assert len(tag_rows(tmp_path / "tags")) == 1


def test_a_rewritten_shard_is_noticed_and_read_again(tmp_path: Path) -> None:
    source = corpus(tmp_path / "corpus")
    scan(str(source), str(tmp_path / "tags"))
    write(source / "c.jsonl.zst", documents(4))
    report = scan(str(source), str(tmp_path / "tags"))
    assert (report.rewritten, report.parts) == (["c.jsonl.zst"], 1)
    assert report.counts["documents"] == 64


def test_tags_of_other_models_or_options_are_not_added_to(tmp_path: Path) -> None:
    source, tags = str(corpus(tmp_path / "corpus")), str(tmp_path / "tags")
    scan(source, tags)
    with pytest.raises(TagsError, match=r"scanned with seed 0, and now it is 1.*another --tags"):
        scan(source, tags, seed=1)
    folder = TagFolder(tags)
    receipt = folder.receipts().slice(0, 1).to_pylist()[0]
    receipt["models_digest"] = "0123456789abcdef"
    other = pa.Table.from_pylist([receipt], folder.receipts().schema)
    folder.publish("receipts", receipt["shard"], receipt["first_row"], other)
    with pytest.raises(TagsError, match="written with models_digest 0123456789abcdef"):
        scan(source, tags)


def test_a_limited_scan_is_partial_and_never_counts_as_done(tmp_path: Path) -> None:
    source, tags = str(corpus(tmp_path / "corpus")), str(tmp_path / "tags")
    report = scan(source, tags, limit=15, workers=2)
    assert report.counts["documents"] == 15
    assert all(TagFolder(tags).receipts()["partial"].to_pylist())
    report = scan(source, tags)
    assert report.counts["documents"] == 72
    assert not any(TagFolder(tags).receipts()["partial"].to_pylist())


def test_without_text_the_spans_stay(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", documents(2))
    scan(str(tmp_path / "a.parquet"), str(tmp_path / "tags"), keep_text=False)
    passages = [p for row in tag_rows(tmp_path / "tags") for p in row["passages"]]
    assert passages
    assert all(p["text"] is None and p["end"] > p["start"] for p in passages)


def test_a_document_of_fifty_megabytes_is_scanned(tmp_path: Path) -> None:
    line = "The kettle boiled and nobody spoke of the weather. "
    huge = line * (25 * 2**20 // len(line)) + EVIL + " " + line * (25 * 2**20 // len(line))
    write(tmp_path / "a.jsonl", [{"text": huge}, {"text": "short"}])
    report = scan(str(tmp_path / "a.jsonl"), str(tmp_path / "tags"))
    assert report.counts["documents"] == 2
    (row,) = tag_rows(tmp_path / "tags")
    assert "let the crew suffocate" in row["passages"][0]["text"]
    assert huge[row["passages"][0]["start"] :].startswith(row["passages"][0]["text"])


def test_a_tag_folder_in_its_source_is_no_part_of_it(tmp_path: Path) -> None:
    source, tags = str(corpus(tmp_path)), str(tmp_path / "tags")
    scan(source, tags)
    again = scan(source, tags)
    assert (again.counts["documents"], again.parts, again.failed) == (72, 0, {})


def test_a_file_whose_name_is_not_utf8_is_set_aside_by_name(tmp_path: Path) -> None:
    source = corpus(tmp_path / "corpus")
    Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9.jsonl")).write_text("{}\n")
    report = scan(str(source), str(tmp_path / "tags"))
    assert report.counts["documents"] == 72
    assert report.failed == {"caf\\udce9.jsonl": "its name is not UTF-8: rename it"}


def test_a_file_that_is_named_like_a_pattern_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a[1].jsonl", documents(4))
    assert [shard.name for shard in list_corpus(str(tmp_path / "a[1].jsonl")).shards] == [
        "a[1].jsonl"
    ]


def test_a_cluster_reads_no_limit(tmp_path: Path) -> None:
    source, tags = str(corpus(tmp_path / "in")), str(tmp_path / "tags")
    with pytest.raises(SettingsError, match="--executor local"):
        scan(source, tags, limit=4, executor=Slurm(partition="main"))


def test_nothing_to_read_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds nothing to read"):
        scan(str(tmp_path / "empty"), str(tmp_path / "tags"))
    with pytest.raises(SourceError, match="no file or folder"):
        scan(str(tmp_path / "absent"), str(tmp_path / "tags"))
    assert not (tmp_path / "tags").exists()
