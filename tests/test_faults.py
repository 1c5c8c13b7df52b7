"""Faulty shards: each is counted exactly, or set aside with its reason, and none stops the scan."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from narrascope.pipelines.scan import ScanReport, scan
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import EVIL, documents, jsonl, wet, write

ROBOT = "The robot waved."
MANY = [{"text": f"{i} {EVIL}"} for i in range(300)]


def parquet(rows: dict[str, Any], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(rows), sink, **options)
    return sink.getvalue().to_pybytes()


def torn_page() -> bytes:
    data = bytearray(parquet({"text": [d["text"] for d in MANY]}, use_dictionary=False))
    data[4:64] = bytes(60)
    return bytes(data)


def binary(*values: bytes | None) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


DATES = ["2024-03-01", "n.d.", "", "2024-13-01", 20240301, 1e300, None, True, {"year": 2024}]

COUNTED: dict[str, tuple[bytes, dict[str, int]]] = {
    "bad-utf8.jsonl": (
        b'{"text": "\xff robot", "id": "\xff", "source": "\xfe"}\n',
        {"documents": 1, "candidates": 1, "invalid_utf8": 1},
    ),
    "surrogates.jsonl": (
        b'{"text": "\\ud800 robot", "id": "\\udfff", "url": "http://a.example/\\ud800"}\n',
        {"documents": 1, "candidates": 1, "invalid_utf8": 1},
    ),
    "bad-utf8.parquet": (
        parquet({n: binary(b"\xff robot", b"ok") for n in ("text", "id", "url", "source")}),
        {"documents": 2, "candidates": 1, "invalid_utf8": 1},
    ),
    "nul.jsonl": (
        b'{"text": "\\u0000 robot\\u0000", "source": "\\u0000"}\n',
        {"documents": 1, "candidates": 1, "bytes": 8},
    ),
    "nul.parquet": (
        parquet({"text": ["\0 robot\0", "\0"], "id": ["\0", None]}),
        {"documents": 2, "candidates": 1, "bytes": 9},
    ),
    "null-group.parquet": (
        parquet({"text": [None, None, ROBOT, None]}, row_group_size=2),
        {"documents": 4, "candidates": 1, "empty": 3},
    ),
    "all-null.parquet": (
        parquet({"text": pa.nulls(3)}),
        {"documents": 3, "candidates": 0, "empty": 3},
    ),
    "duplicate-ids.jsonl": (
        jsonl([{"text": ROBOT, "id": "same"}] * 3),
        {"documents": 3, "candidates": 3},
    ),
    "other-types.parquet": (
        parquet(
            {
                "text": pa.array([ROBOT]).dictionary_encode(),
                "id": pa.array([7], pa.int64()),
                "source": pa.array([{"name": "web"}]),
                "url": pa.array([["http://a.example"]]),
                "more": [1.5],
            }
        ),
        {"documents": 1, "candidates": 1},
    ),
    "few-columns.parquet": (
        parquet({"text": pa.array([ROBOT], pa.large_string())}),
        {"documents": 1, "candidates": 1},
    ),
    "dates.jsonl": (
        jsonl([{"text": ROBOT, "date": date} for date in DATES]),
        {"documents": 9, "candidates": 9},
    ),
    "dates.parquet": (
        parquet({"text": [ROBOT] * 2, "date": pa.array([0, 2**31 - 1], pa.date32())}),
        {"documents": 2, "candidates": 2},
    ),
    "durations.parquet": (
        parquet({"text": [ROBOT], "date": pa.array([5], pa.duration("s"))}),
        {"documents": 1, "candidates": 1},
    ),
    "no-json.jsonl": (
        b'\xff\xfe\n{"text": "robot", \n{"text": ["robot"]}\n' + b"[" * 100_000 + b"\n",
        {"documents": 0, "unreadable": 4},
    ),
    "cut-line.jsonl": (
        jsonl([{"text": ROBOT}]) + b'{"text": "The rob',
        {"documents": 1, "unreadable": 1},
    ),
    "empty.jsonl": (b"", {"documents": 0}),
    "no-rows.parquet": (parquet({"text": pa.array([], pa.string())}), {"documents": 0}),
}

SET_ASIDE: dict[str, tuple[bytes, str]] = {
    "torn-footer.parquet": (half(parquet({"text": [ROBOT] * 9})), "footer"),
    "empty.parquet": (b"", "size is 0 bytes"),
    "torn-page.parquet": (torn_page(), "."),
    "other-columns.parquet": (parquet({"body": [ROBOT]}), "no column 'text': it has body"),
    "numbers.parquet": (parquet({"text": [1]}), "holds int64, not text"),
    "other-columns.jsonl": (jsonl([{"body": ROBOT}]), "no column 'text': it has body"),
    "cut.jsonl.gz": (half(gzip.compress(jsonl(MANY))), "end-of-stream"),
    "cut.jsonl.zst": (half(zstandard.compress(jsonl(MANY))), "Truncated"),
    "no-gzip.jsonl.gz": (jsonl(MANY), "gzip"),
    "no-zstd.jsonl.zst": (jsonl(MANY), "."),
    "cut.wet.gz": (half(gzip.compress(wet(MANY))), "."),
    "cut.wet": (half(wet(MANY)), "cut short"),
    "no-records.warc": (b"", "holds no WARC record"),
    "no-warc.wet": (jsonl(MANY), "holds no WARC record"),
}


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tags")


@pytest.fixture(scope="module")
def report(tags: Path, tmp_path_factory: pytest.TempPathFactory) -> ScanReport:
    """What one scan says of all these shards and of a sound one among them."""
    source = tmp_path_factory.mktemp("corpus")
    write(source / "sound.parquet", documents(8))
    for name, (data, _) in (COUNTED | SET_ASIDE).items():
        (source / name).write_bytes(data)
    return scan(str(source), str(tags), workers=2)


def test_what_can_be_read_is_counted_and_the_rest_is_named(report: ScanReport) -> None:
    assert sorted(report.failed) == sorted(SET_ASIDE)
    assert report.counts["documents"] == 8 + sum(want["documents"] for _, want in COUNTED.values())


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_a_faulty_shard_is_counted_exactly(name: str, report: ScanReport, tags: Path) -> None:
    assert name not in report.failed
    (receipt,) = (r for r in TagFolder(str(tags)).receipts().to_pylist() if r["shard"] == name)
    want = COUNTED[name][1]
    assert {column: receipt[column] for column in want} == want
    assert receipt["end_row"] == receipt["documents"] + receipt["unreadable"]


@pytest.mark.parametrize("name", sorted(SET_ASIDE))
def test_a_shard_that_cannot_be_read_is_set_aside(
    name: str, report: ScanReport, tags: Path
) -> None:
    account = json.loads((tags / "failed" / f"{name}.json").read_text())
    assert SET_ASIDE[name][1] in account["reason"] or SET_ASIDE[name][1] == "."
    assert report.failed[name] == account["reason"]
    assert "--retry-failed" in account["retry"]
    assert "\n" not in account["reason"]
    for kind in ("tags", "control", "totals", "domains", "receipts"):
        assert not (tags / kind / name).exists()


def test_dates_that_are_not_dates_have_no_month(report: ScanReport, tags: Path) -> None:
    def months(shard: str) -> list[str | None]:
        with (tags / "tags" / shard / "0.parquet").open("rb") as file:
            return pq.ParquetFile(file).read(columns=["month"])["month"].to_pylist()

    assert months("dates.jsonl") == ["2024-03", *[None] * 8]
    assert months("dates.parquet")[0] == "1970-01"
    assert months("durations.parquet") == [None]
