"""Laws of a scan: what it finds depends on the documents, not on their format, parts or tasks."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.labels.tag import TAGS
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import EVIL, KIND, NEUTRAL, PLAIN, documents, write
from narrascope.tests.inline import scan_inline
from narrascope.tests.published import published

FORMATS = ("a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.wet", "a.wet.gz")
NOT_IN_WET = {"shard", "doc_id", "url", "domain", "source", "month", "language"}

ANYTHING = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from(['"', "\\", "\n", "\r", "\0", "\u2028", "\ufeff", "\N{ROBOT FACE}"])
)
TEXTS = st.lists(st.sampled_from([EVIL, KIND, NEUTRAL, PLAIN, "robot", "A.I."]) | ANYTHING).map(
    " ".join
)


def found(folder: TagFolder, name: str) -> list[dict[str, Any]]:
    columns = [column for column in TAGS.names if column not in NOT_IN_WET]
    with Path(folder.part_path("tags", name, 0)).open("rb") as file:
        return pq.read_table(file, columns=columns).to_pylist()


@settings(max_examples=15, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_candidates_and_scores_do_not_depend_on_the_format(texts: list[str]) -> None:
    rows = [{"text": text} for text in texts]
    with tempfile.TemporaryDirectory() as temporary:
        source, tags = Path(temporary) / "corpus", Path(temporary) / "tags"
        for name in FORMATS:
            write(source / name, rows)
        folder = scan_inline(source, tags)
        receipts = {row["shard"]: row for row in folder.receipts().to_pylist()}
        first = found(folder, FORMATS[0])
        for name in FORMATS:
            assert found(folder, name) == first, name
            for column in ("documents", "empty", "bytes", "candidates", "escalated", "end_row"):
                assert receipts[name][column] == receipts[FORMATS[0]][column], (name, column)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number, name in enumerate(("a.parquet", "b.jsonl.gz", "c/d.parquet", "e.jsonl", "f.wet")):
        write(folder / name, documents(9 + number))
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    tags = tmp_path_factory.mktemp("tags")
    scan_inline(source, tags)
    return published(tags)


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(5)), tasks=st.integers(1, 7))
def test_tags_do_not_depend_on_the_order_of_parts_or_the_number_of_tasks(
    source: Path, whole: dict[str, bytes], order: list[int], tasks: int
) -> None:
    with tempfile.TemporaryDirectory() as tags:
        scan_inline(source, Path(tags), tasks=tasks, order=order)
        assert published(Path(tags)) == whole


def rows_of(tags: Path, shard: str) -> list[dict[str, Any]]:
    paths = sorted((tags / "tags" / shard).glob("*.parquet"), key=lambda path: int(path.stem))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


@pytest.mark.parametrize(("text_bytes", "parts"), [(1, 2), (10**9, 1)])
def test_rows_do_not_depend_on_where_a_shard_is_cut(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text_bytes: int, parts: int
) -> None:
    scan_inline(source, tmp_path / "whole")
    monkeypatch.setattr("narrascope.pipelines.parts.PART_TEXT_BYTES", text_bytes)
    scan_inline(source, tmp_path / "cut")
    for shard in ("a.parquet", "c/d.parquet"):
        assert len(list((tmp_path / "cut" / "tags" / shard).iterdir())) == parts
        assert rows_of(tmp_path / "cut", shard) == rows_of(tmp_path / "whole", shard)
