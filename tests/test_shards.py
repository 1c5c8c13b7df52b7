"""Thousands of shards: planning, resume and catalogue are exact; run with -s, it prints seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrascope.labels.tag import KINDS, RECEIPT
from narrascope.pipelines.parts import list_corpus, plan_parts
from narrascope.pipelines.scan import scan
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.store.prevalence import prevalence
from narrascope.tests.corpora import documents, jsonl

pytestmark = pytest.mark.slow

SHARDS = 2_000
LEFT = 3
ROWS = 8


def spread(folder: Path, tags: Path) -> None:
    """Write a corpus of many equal shards, and tags as if most had been scanned."""
    sink = BytesIO()
    pq.write_table(pa.Table.from_pylist(documents(ROWS)), sink)
    content = {".parquet": sink.getvalue(), ".jsonl": jsonl(documents(ROWS))}
    names = [f"{i // 1000}/{i:05d}{('.parquet', '.jsonl')[i % 2]}" for i in range(SHARDS)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content[Path(name).suffix])
    for name in names[:2]:
        scan(str(folder / name), str(tags), root=str(folder), control_rate=0.5)
    models = {
        Path(name).suffix: {kind: (tags / kind / name / "0.parquet").read_bytes() for kind in KINDS}
        for name in names[:2]
    }
    receipts = {
        ending: pq.read_table(BytesIO(files["receipts"])) for ending, files in models.items()
    }
    shard = RECEIPT.get_field_index("shard")
    for name in names[2 : SHARDS - LEFT]:
        for kind in KINDS:
            path = tags / kind / name / "0.parquet"
            path.parent.mkdir(parents=True)
            if kind == "receipts":
                table = receipts[Path(name).suffix].set_column(
                    shard, RECEIPT.field("shard"), pa.array([name])
                )
                pq.write_table(table, path)
            else:
                path.write_bytes(models[Path(name).suffix][kind])


@contextmanager
def timed(what: str, took: dict[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    took[what] = round(time.perf_counter() - began, 2)


def test_thousands_of_shards(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    source, tags = tmp_path / "corpus", tmp_path / "tags"
    spread(source, tags)
    folder, took = TagFolder(str(tags)), {}
    with timed("list", took):
        corpus = list_corpus(str(source))
    with timed("plan", took):
        parts = plan_parts(corpus, "text")
    assert len(parts) == SHARDS
    with timed("receipts", took):
        assert folder.receipts().num_rows == SHARDS - LEFT
    with timed("build the catalogue", took):
        open_catalogue(folder).close()
    with timed("resume, read 3 shards, bring the catalogue up to date", took):
        report = scan(str(source), str(tags), control_rate=0.5)
    assert (report.parts, report.done_before) == (LEFT, SHARDS - LEFT)
    assert report.counts["documents"] == SHARDS * ROWS
    with timed("resume where nothing is left", took):
        assert scan(str(source), str(tags), control_rate=0.5).parts == 0
    with timed("open the catalogue", took), open_catalogue(folder) as catalogue:
        (row,) = prevalence(catalogue, label="ai_agent")
    assert row["denominator"] == SHARDS * ROWS
    for what, seconds in took.items():
        record_property(what, seconds)
        print(f"{what}: {seconds} s")
