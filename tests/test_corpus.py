"""The real corpus beside the checkout: counts that equal an independent count, in every format."""

import gzip
import io
from collections import Counter
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
import zstandard
from warcio.archiveiterator import ArchiveIterator

from narrascope.pipelines.scan import scan
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.store.prevalence import prevalence


def counted(folder: Path) -> Counter[str | None]:
    """Count documents by source without any of our readers."""
    count: Counter[str | None] = Counter()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            count.update(pq.read_table(path, columns=["source"])["source"].to_pylist())
        elif path.name.endswith((".jsonl.gz", ".jsonl.zst")):
            with path.open("rb") as raw:
                lines = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else unpacked(raw)
                count.update(orjson.loads(line)["source"] for line in lines)
        elif path.name.endswith((".warc.gz", ".wet.gz")):
            with path.open("rb") as raw:
                count[None] += sum(map(is_document, ArchiveIterator(raw)))
    return count


def unpacked(raw: io.BufferedReader) -> io.BufferedReader:
    reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return io.BufferedReader(reader)  # type: ignore[arg-type]


def is_document(record: object) -> bool:
    kind = record.rec_type  # type: ignore[attr-defined]
    headers = record.http_headers if kind == "response" else record.rec_headers  # type: ignore[attr-defined]
    return kind in ("response", "resource", "conversion") and headers.get_header(
        "Content-Type", ""
    ).startswith("text/")


def denominators(tags: Path) -> Counter[str | None]:
    with open_catalogue(TagFolder(str(tags))) as catalogue:
        rows = prevalence(catalogue, label="malevolent", by="source")
    return Counter({row["group"]: row["denominator"] for row in rows})


def test_web_archives_are_scanned_and_counted(shared: Path, tmp_path: Path) -> None:
    report = scan(str(shared / "corpus" / "warc"), str(tmp_path / "tags"))
    assert not report.failed
    assert report.counts["unreadable"] == 0
    assert denominators(tmp_path / "tags") == counted(shared / "corpus" / "warc")


@pytest.mark.slow
def test_the_whole_corpus_is_scanned_in_one_call(shared: Path, tmp_path: Path) -> None:
    report = scan(str(shared / "corpus"), str(tmp_path / "tags"), workers=2)
    assert not report.failed
    assert denominators(tmp_path / "tags") == counted(shared / "corpus")
