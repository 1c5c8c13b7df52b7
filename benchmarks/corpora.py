"""What the benchmarks read: corpora made of the shared shards, in sizes and formats as needed."""

import gzip
from io import BytesIO
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard
from warcio.warcwriter import WARCWriter

RARE = (
    "wikipedia-en-chunk", "imdb-reviews", "20newsgroups", "nltk-corpora", "dragnet-gold",
    "gutenberg-top-authors",
)  # fmt: skip
"""Sources in which AI is as rare as on the web."""


def make_corpora(source: Path, folder: Path) -> dict[str, float]:
    """Write one copy of each corpus, and return their megabytes of text."""
    shards = [pq.read_table(path) for path in sorted(source.glob("*.parquet"))]
    everything = pa.concat_tables(shards, promote_options="permissive")
    rare = everything.filter(pc.is_in(everything["source"], pa.array(RARE)))
    sizes = {}
    for name, table in (("web", rare), ("dense", everything)):
        (folder / name / "1").mkdir(parents=True)
        path = folder / name / "1" / "000.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=10_000)
        sizes[name] = pc.sum(pc.binary_length(table["text"])).as_py() / 1e6
    return sizes


def repeated(folder: Path, name: str, copies: int) -> Path:
    """Return a folder that holds so many copies of a corpus, each another name of one file."""
    target = folder / name / str(copies)
    if not target.exists():
        target.mkdir()
        for number in range(copies):
            (target / f"{number:03}.parquet").hardlink_to(folder / name / "1" / "000.parquet")
    return target


def first_document(folder: Path, name: str) -> Path:
    """Return a corpus of one document, a scan of which is all start-up."""
    target = folder / name / "first"
    if not target.exists():
        target.mkdir()
        rows = pq.ParquetFile(folder / name / "1" / "000.parquet").iter_batches(1, [0])
        pq.write_table(pa.Table.from_batches([next(rows)]), target / "000.parquet")
    return target


def make_formats(folder: Path) -> dict[str, Path]:
    """Write the corpus `web` in each format that a scan reads, and return the folders."""
    rows = pq.read_table(folder / "web" / "1" / "000.parquet").to_pylist()
    lines = b"".join(orjson.dumps(row, default=str) + b"\n" for row in rows)
    records = BytesIO()
    writer = WARCWriter(records, gzip=True)
    for row in rows:
        payload = BytesIO((row["text"] or "").encode())
        uri = row["url"] or "https://example.org/"
        writer.write_record(
            writer.create_warc_record(
                uri, "conversion", payload=payload, warc_content_type="text/plain"
            )
        )
    packed = {
        "jsonl.gz": gzip.compress(lines, 6),
        "jsonl.zst": zstandard.compress(lines),
        "wet.gz": records.getvalue(),
    }
    found = {"parquet": repeated(folder, "web", 1)}
    for name, data in packed.items():
        found[name] = folder / name
        found[name].mkdir()
        (found[name] / f"000.{name}").write_bytes(data)
    return found
