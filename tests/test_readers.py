"""Readers: every row is counted once, whatever the format, and what is broken is named."""

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from narrascope.errors import SourceError
from narrascope.pipelines.batches import Columns
from narrascope.pipelines.formats import read_part
from narrascope.pipelines.parts import list_corpus, plan_parts

DOCUMENTS = [
    {"text": "The robot waved.", "id": "a", "source": "tales", "date": "2024-03-01"},
    {"text": "", "id": "b", "source": "tales", "date": None},
    {"text": "Café — naïve 雪", "id": "c", "source": None, "date": "n.d."},
]


def read(path: Path, **columns: str) -> list[dict]:
    """Read a file's only part whole."""
    (part,) = plan_parts(list_corpus(str(path)), columns.get("text", "text"))
    batches = list(read_part(part, Columns(**columns)))
    return [row for batch in batches for row in batch.table.to_pylist()]


def jsonl(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write_all_formats(folder: Path) -> list[Path]:
    pq.write_table(pa.Table.from_pylist(DOCUMENTS), folder / "a.parquet")
    (folder / "a.jsonl").write_bytes(jsonl(DOCUMENTS))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(jsonl(DOCUMENTS)))
    (folder / "c.jsonl.zst").write_bytes(zstandard.compress(jsonl(DOCUMENTS)))
    return sorted(folder.iterdir())


def test_parquet_and_json_lines_are_read_alike(tmp_path: Path) -> None:
    first, *others = [read(path) for path in write_all_formats(tmp_path)]
    assert [row["text"] for row in first] == [d["text"] for d in DOCUMENTS]
    assert [row["bytes"] for row in first] == [16, 0, 20]
    assert [row["row"] for row in first] == [0, 1, 2]
    for other in others:
        assert other == first


def test_a_line_that_is_no_object_is_counted_and_the_rows_after_it_keep_their_number(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text": "one"}\nnot json\n\n[1]\n{"text": 5}\n{"text": null}\n{"text": "x"}'
    )
    (part,) = plan_parts(list_corpus(str(path)), "text")
    (batch,) = read_part(part, Columns())
    assert batch.table["row"].to_pylist() == [0, 5, 6]
    assert batch.unreadable == [1, 2, 3, 4]
    assert batch.end_row == 7


def test_broken_utf8_and_lone_surrogates_are_replaced_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(
        b'{"text": "a\xffb"}\n{"text": "a\\ud800b"}\n{"text": "ab"}\n'
    )
    (part,) = plan_parts(list_corpus(str(tmp_path)), "text")
    (batch,) = read_part(part, Columns())
    assert batch.table["text"].to_pylist() == ["a�b", "a�b", "ab"]
    assert batch.invalid_utf8 == 2


def test_broken_utf8_in_parquet_is_counted_and_kept_for_the_gate(tmp_path: Path) -> None:
    broken = pa.array([b"fine", b"a\xffrobot", None]).view(pa.string())
    pq.write_table(pa.table({"text": broken, "id": broken}), tmp_path / "a.parquet")
    (part,) = plan_parts(list_corpus(str(tmp_path)), "text")
    (batch,) = read_part(part, Columns())
    assert batch.invalid_utf8 == 1
    assert batch.table["bytes"].to_pylist() == [4, 7, 0]
    assert batch.table["doc_id"].to_pylist() == ["fine", "a�robot", None]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_a_missing_text_column_names_the_columns_there_are(tmp_path: Path, name: str) -> None:
    write_all_formats(tmp_path)
    with pytest.raises(
        SourceError, match=r"no column 'body'.*text, id, source, date.*--text-column"
    ):
        read(tmp_path / name, text="body")


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_a_column_asked_for_by_name_must_exist(tmp_path: Path, name: str) -> None:
    write_all_formats(tmp_path)
    with pytest.raises(SourceError, match=r"no column 'site'.*--source-column"):
        read(tmp_path / name, source="site")


def test_a_text_column_of_numbers_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="holds int64, not text"):
        read(tmp_path / "a.parquet")


def test_parts_of_parquet_are_whole_row_groups_and_keep_row_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrascope.pipelines.parts.PART_TEXT_BYTES", 100)
    texts = [f"document {i} " * 5 for i in range(10)]
    pq.write_table(
        pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=3, use_dictionary=False
    )
    parts = plan_parts(list_corpus(str(tmp_path)), "text")
    assert [(part.first_row, part.end_row) for part in parts] == [(0, 3), (3, 6), (6, 9), (9, 10)]
    rows = [
        row
        for part in parts
        for batch in read_part(part, Columns())
        for row in batch.table.select(["row", "text"]).to_pylist()
    ]
    assert rows == [{"row": i, "text": text} for i, text in enumerate(texts)]


def warc(path: Path) -> None:
    """Write a WARC with a page, an image, a request and a plain text resource."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    uri = "https://www.tidewater.example/a"
    date = {"WARC-Date": "2024-03-01T00:00:00Z"}

    def http(kind: str) -> StatusAndHeaders:
        return StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.1")

    page = "<html><body><p>The caf\xe9's robot waved at the guests.</p></body></html>".encode(
        "latin-1"
    )
    for record in (
        writer.create_warc_record(
            uri, "response", io.BytesIO(page), http_headers=http("text/html; charset=iso-8859-1"),
            warc_headers_dict=date,
        ),
        writer.create_warc_record(
            uri, "response", io.BytesIO(b"\x89PNG"), http_headers=http("image/png")
        ),
        writer.create_warc_record(
            uri, "metadata", io.BytesIO(b"x"), warc_content_type="text/plain"
        ),
        writer.create_warc_record(
            uri, "resource", io.BytesIO(b"plain"), warc_content_type="text/plain"
        ),
    ):  # fmt: skip
        writer.write_record(record)
    path.write_bytes(buffer.getvalue())


@pytest.mark.filterwarnings("ignore:Exception ignored in.*Spooled")  # warcio's writer, not ours
def test_warc_documents_are_text_payloads_and_rows_count_every_record(tmp_path: Path) -> None:
    warc(tmp_path / "a.warc.gz")
    rows = read(tmp_path / "a.warc.gz")
    assert [row["row"] for row in rows] == [0, 3]
    assert [row["html"] for row in rows] == [True, False]
    assert "café's robot" in rows[0]["text"]
    assert rows[0]["url"] == "https://www.tidewater.example/a"
    assert rows[0]["date"] == "2024-03-01T00:00:00Z"


def test_an_empty_folder_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds nothing to read"):
        list_corpus(str(tmp_path))
    with pytest.raises(SourceError, match="no file or folder at"):
        list_corpus(str(tmp_path / "nowhere"))


def test_shards_are_named_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "a.jsonl").write_bytes(jsonl(DOCUMENTS))
    (tmp_path / "en" / "notes.txt").write_text("not a shard")
    (tmp_path / "_SUCCESS").touch()
    for source, root, name in (
        (tmp_path, None, "en/a.jsonl"),
        (tmp_path / "en" / "a.jsonl", None, "a.jsonl"),
        (tmp_path / "en" / "*.jsonl", None, "a.jsonl"),
        (tmp_path / "en" / "a.jsonl", str(tmp_path), "en/a.jsonl"),
    ):
        corpus = list_corpus(str(source), root=root)
        assert [shard.name for shard in corpus.shards] == [name]
    assert list_corpus(str(tmp_path)).skipped == {".txt": 1}
    with pytest.raises(SourceError, match="outside the root"):
        list_corpus(str(tmp_path / "en"), root=str(tmp_path / "other"))
