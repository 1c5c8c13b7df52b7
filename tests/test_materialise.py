"""What reaches bucket shards: every kept row as it was, counts as asked, copies apart."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import ManifestError
from narrascope.manifests.assign import Match
from narrascope.manifests.partition import Piece
from narrascope.manifests.recount import recount, wrong_marks
from narrascope.pipelines import routing
from narrascope.pipelines.batches import Columns
from narrascope.pipelines.listed import read_listed
from narrascope.pipelines.parts import list_corpus, plan_parts
from narrascope.pipelines.placing import Placer
from narrascope.pipelines.windows import read_windows
from narrascope.tests.by_hand import (
    assignment,
    bucket,
    files_of,
    materialise,
    shards,
    text_hash,
    unpacked,
)
from narrascope.tests.corpora import write

ENDINGS = ("parquet", "jsonl", "jsonl.gz", "jsonl.zst")
texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


def rows_of(texts: list[str | None]) -> list[dict]:
    return [
        {"text": text, "id": f"d{i}", "extra": {"n": i, "tags": ["a", "ß"]}, "score": i / 3}
        for i, text in enumerate(texts)
    ]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(texts, min_size=1, max_size=40),
    ending=st.sampled_from(ENDINGS),
    mode=st.sampled_from(("buckets", "realised")),
    weights=st.tuples(st.floats(0, 4), st.floats(0, 4)),
    held=st.sampled_from((1, 300, 1 << 24)),
    data=st.data(),
)
def test_rows_are_kept_whole_counts_as_asked_and_copies_apart(
    texts, ending, mode, weights, held, data
) -> None:
    rows = rows_of(texts)
    names = data.draw(
        st.lists(st.sampled_from(("a", "b", "gone", None)), min_size=len(rows), max_size=len(rows))
    )
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "_HELD_BYTES", held)
        here = Path(folder)
        write(here / "in" / f"x.{ending}", rows)
        if not any(text for text in texts) and ending == "parquet":
            return  # a column of nulls is no text
        placing = assignment(
            here / "m",
            [bucket("a"), bucket("b"), bucket("gone", action="drop")],
            [
                {"shard": f"x.{ending}", "row": i, "bucket": name}
                for i, name in enumerate(names)
                if name
            ],
            (*weights, 0.0),
        )
        (account,) = materialise(here / "in", here / "out", placing, mode=mode)
        asked = dict(zip(("a", "b", "gone", "rest"), (*weights, 0.0, 1.0), strict=True))
        where = Counter(name or "rest" for name in names)
        assert Counter({e.bucket: e.matched for e in account.written if e.matched}) == where
        for name, weight in asked.items():
            files = files_of(here / "out", name)
            found = [row for file in files for row in file]
            wanted = where[name] * weight if mode == "realised" else where[name] * (name != "gone")
            assert abs(len(found) - wanted) < 1
            for file in files:
                assert all(a["id"] != b["id"] for a, b in pairwise(file))
            for row in found:
                assert row == rows[int(row["id"][1:])]
            times = Counter(row["id"] for row in found)
            assert max(times.values(), default=0) - min(times.values(), default=0) <= 1
            entries = [entry for entry in account.written if entry.bucket == name and entry.path]
            for entry in entries:
                path = here / "out" / entry.path
                assert recount(path, "text") == (entry.documents, entry.bytes)
            assert len(entries) == len(files)


def test_json_lines_go_through_byte_for_byte(tmp_path: Path) -> None:
    lines = [
        b'{"text": "a",  "n": 1.0, "big": 123456789012345678901234567890}\n',
        b'{"text":"caf\\u00e9" , "n": 1e5}\r\n',
        b'{"text": null, "dup": 1, "dup": 2}\n',
        b"no document at all\n",
        b'{"text": "last, without a line feed"}',
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.jsonl").write_bytes(b"".join(lines))
    placing = assignment(
        tmp_path / "m", [bucket("a")], [{"shard": "x.jsonl", "row": 1, "bucket": "a"}]
    )
    (account,) = materialise(tmp_path / "in", tmp_path / "out", placing)
    assert (tmp_path / "out" / "a" / "x.0.jsonl").read_bytes() == lines[1]
    assert (tmp_path / "out" / "rest" / "x.0.jsonl").read_bytes() == (
        lines[0] + lines[2] + lines[4] + b"\n"
    )
    assert account.without_document == 1


def test_types_metadata_and_codec_of_parquet_stay(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["one", "two", None, "one"]).dictionary_encode(),
            "id": pa.array(["a", "b", "c", "d"], pa.large_string()),
            "source": pa.array(["x", "y", "x", None]).dictionary_encode(),
            "when": pa.array([1, 2, None, 4], pa.timestamp("us", "UTC")),
            "nested": [{"k": [1, 2]}, None, {"k": None}, {"k": []}],
        }
    ).replace_schema_metadata({"owner": "tests"})
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "x.parquet", row_group_size=2, compression="gzip")
    placing = assignment(
        tmp_path / "m", [bucket("a")], [{"shard": "x.parquet", "row": 1, "bucket": "a"}]
    )
    materialise(tmp_path / "in", tmp_path / "out", placing)
    for name, rows in (("a", [1]), ("rest", [0, 2, 3])):
        (path,) = shards(tmp_path / "out", name)
        found = pq.read_table(path)
        assert found.schema.equals(pq.read_schema(tmp_path / "in" / "x.parquet"))
        assert found.schema.metadata[b"owner"] == b"tests"
        assert found.to_pylist() == table.take(rows).to_pylist()
        assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "GZIP"


MARKED = ["Die 🤖-Maschine lügt. Sie lügt.", "no marks", None, "x"]
SPANS = [{"start": 4, "end": 14}, {"start": 21, "end": 24}]


def marked(tmp_path: Path, ending: str, piece: Piece, **match: Match) -> Path:
    """Reweigh four documents of one bucket, the first with spans and places."""
    rows = [{"id": str(i), "text": text, "more": {"b": 1.50}} for i, text in enumerate(MARKED)]
    write(tmp_path / "in" / f"x.{ending}", rows)
    listed = [
        {"shard": f"x.{ending}", "row": i, "bucket": piece.name, "doc_id": str(i),
         "text_hash": text_hash(text or "")}
        for i, text in enumerate(MARKED)
    ]  # fmt: skip
    listed[0] |= {"spans": SPANS, "places": [0, 21]}
    placing = assignment(tmp_path / "m", [piece], listed)
    (account,) = materialise(tmp_path / "in", tmp_path / "out", placing, **match)
    (entry,) = account.written
    (path,) = shards(tmp_path / "out", piece.name)
    assert recount(path, "text") == (entry.documents, entry.bytes)
    assert wrong_marks(path, "text", piece) == (0, 0)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_spans_go_into_a_column_of_their_own(tmp_path: Path, ending: str) -> None:
    path = marked(tmp_path, ending, bucket("m", action="mask_spans"))
    (rows,) = files_of(tmp_path / "out", "m")
    assert [row.pop("mask_spans") for row in rows] == [SPANS, None, None, None]
    assert [row["text"] for row in rows] == MARKED
    if ending != "parquet":
        before = unpacked(tmp_path / "in" / f"x.{ending}").splitlines()
        for old, new in zip(before, unpacked(path).splitlines(), strict=True):
            assert new.startswith(old[:-1] + b',"mask_spans":')


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_prefix_goes_before_documents(tmp_path: Path, ending: str) -> None:
    marked(tmp_path, ending, bucket("m", action="prefix", prefix='<|"é|>'))
    (rows,) = files_of(tmp_path / "out", "m")
    assert [row["text"] for row in rows] == [t if t is None else '<|"é|>' + t for t in MARKED]
    assert all(row["more"] == {"b": 1.5} for row in rows)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_prefix_goes_before_passages(tmp_path: Path, ending: str) -> None:
    marked(tmp_path, ending, bucket("m", action="prefix", prefix="<|é|>", before="passage"))
    (rows,) = files_of(tmp_path / "out", "m")
    assert [row["text"] for row in rows] == [
        "<|é|>Die 🤖-Maschine lügt. <|é|>Sie lügt.", *MARKED[1:],
    ]  # fmt: skip


def test_a_prefix_goes_before_documents_that_are_not_listed_too(tmp_path: Path) -> None:
    write(tmp_path / "in" / "x.parquet", [{"text": "one", "source": "s"}, {"text": "two"}])
    piece = Piece(name="p", of="p", where="source == 's'", action="prefix", prefix="<|s|>")
    materialise(tmp_path / "in", tmp_path / "out", assignment(tmp_path / "m", [piece], []))
    assert [r["text"] for r in files_of(tmp_path / "out", "p")[0]] == ["<|s|>one"]
    assert [r["text"] for r in files_of(tmp_path / "out", "rest")[0]] == ["two"]


@pytest.mark.parametrize("before", ["document", "passage"])
def test_a_prefix_in_invalid_utf8_is_counted_as_written(tmp_path: Path, before: str) -> None:
    texts = pa.array([b"caf\xe9 is bad", b"good"], pa.binary())
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": texts.view(pa.string())}), tmp_path / "in" / "x.parquet")
    listed = {"shard": "x.parquet", "row": 0, "bucket": "p", "places": [5]}
    listed["text_hash"] = text_hash("caf\ufffd is bad")
    piece = bucket("p", action="prefix", prefix="<|p|>", before=before)
    placing = assignment(tmp_path / "m", [piece], [listed])
    (account,) = materialise(tmp_path / "in", tmp_path / "out", placing)
    (path,) = shards(tmp_path / "out", "p")
    found = pq.read_table(path)["text"].cast(pa.binary()).to_pylist()
    wanted = b"<|p|>caf\xe9 is bad" if before == "document" else "caf\ufffd <|p|>is bad".encode()
    assert found == [wanted]
    assert recount(path, "text") == (1, account.written[0].bytes)


def test_what_surrounds_a_text_in_its_line_stays(tmp_path: Path) -> None:
    lines = [
        b'{"\\u0074ext" : "caf\\u00e9", "text2": "text", "n": 1.0, "o": {"text": "inner"} }\n',
        b'{"n": 1e5, "text": "twice", "text": "last \\ud83d wins"}\n',
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.jsonl").write_bytes(b"".join(lines))
    listed = [{"shard": "x.jsonl", "row": i, "bucket": "p"} for i in range(2)]
    piece = bucket("p", action="prefix", prefix="<|p|>")
    materialise(tmp_path / "in", tmp_path / "out", assignment(tmp_path / "m", [piece], listed))
    assert (tmp_path / "out" / "p" / "x.0.jsonl").read_bytes().splitlines() == [
        b'{"\\u0074ext" : "<|p|>caf\xc3\xa9", "text2": "text", "n": 1.0, "o": {"text": "inner"} }',
        b'{"n": 1e5, "text": "twice", "text": "<|p|>last \xef\xbf\xbd wins"}',
    ]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_source_with_a_column_for_spans_is_refused(tmp_path: Path, ending: str) -> None:
    write(tmp_path / "in" / f"x.{ending}", [{"text": "one", "mask_spans": 1}])
    piece = bucket("m", action="mask_spans")
    placing = assignment(
        tmp_path / "m", [piece], [{"shard": f"x.{ending}", "row": 0, "bucket": "m"}]
    )
    with pytest.raises(ManifestError, match=r"x\.\S+ has a column 'mask_spans' already"):
        materialise(tmp_path / "in", tmp_path / "out", placing)
    assert not shards(tmp_path / "out", "m")


@pytest.mark.parametrize(
    ("spans", "wrong"),
    [([], 0), ([(0, 4)], 0), ([(0, 5)], 1), ([(2, 2)], 1), ([(-1, 2)], 1), ([(None, 2)], 1)],
)
def test_spans_outside_their_text_are_found(
    tmp_path: Path, spans: list[tuple[int, int]], wrong: int
) -> None:
    rows = [
        {"text": "café", "mask_spans": [{"start": a, "end": b} for a, b in spans]},
        {"text": None, "mask_spans": None},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    kind = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))
    schema = pa.schema([("text", pa.string()), ("mask_spans", kind)])
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert wrong_marks(tmp_path / name, "text", bucket("m", action="mask_spans"))[0] == wrong


def test_a_missing_prefix_or_column_is_found(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["<|p|>a", "b", None]}), tmp_path / "a.parquet")
    piece = bucket("p", action="prefix", prefix="<|p|>")
    assert wrong_marks(tmp_path / "a.parquet", "text", piece) == (0, 1)
    with pytest.raises(ManifestError, match="mask_spans"):
        wrong_marks(tmp_path / "a.parquet", "text", bucket("m", action="mask_spans"))


def test_marks_of_another_text_are_left_out_and_told(tmp_path: Path) -> None:
    write(
        tmp_path / "in" / "y.parquet",
        [{"id": "a", "text": "new words"}, {"id": "b", "text": "same"}],
    )
    listed = [
        {"shard": "x", "row": i, "bucket": "m", "doc_id": key, "text_hash": text_hash(text),
         "spans": [{"start": 0, "end": 4}]}
        for i, (key, text) in enumerate([("a", "old and longer words"), ("b", "same")])
    ]  # fmt: skip
    placing = assignment(tmp_path / "m", [bucket("m", action="mask_spans")], listed)
    (account,) = materialise(tmp_path / "in", tmp_path / "out", placing, match="doc_id")
    (rows,) = files_of(tmp_path / "out", "m")
    assert [row["mask_spans"] for row in rows] == [None, [{"start": 0, "end": 4}]]
    assert account.stale == 1


WHERES = (
    None,
    "source == 's1'",
    "bytes > 1 and domain == 'x.org' or month >= '2024-02'",
    "malevolent is null",
)


@settings(max_examples=80, deadline=None)
@given(
    ids=st.lists(st.sampled_from(("a", "b", "c", "d", None)), min_size=1, max_size=12),
    listed=st.lists(
        st.tuples(st.sampled_from(("a", "b", "c", "e", None)), st.sampled_from(("p", "q"))),
        max_size=12,
    ),
    match=st.sampled_from(("row", "doc_id", "text_hash")),
    where=st.sampled_from(WHERES),
    down=st.sampled_from(((), (("document", "x.jsonl#1"),), (("doc_id", "b"), ("text_hash", "c")))),
)
def test_documents_fall_where_the_assignment_says(ids, listed, match, where, down) -> None:
    rows = [
        {"text": (key or "none") * (1 + i % 2), "id": key, "source": f"s{i % 2}",
         "url": "https://www.x.org/" if i % 3 else None, "date": f"2024-0{1 + i % 3}-01"}
        for i, key in enumerate(ids)
    ]  # fmt: skip
    documents = pa.table(
        {
            "row": pa.array(range(len(rows)), pa.int64()),
            "doc_id": pa.array([row["id"] for row in rows], pa.string()),
            "text_hash": pa.array([text_hash(row["text"]) for row in rows], pa.uint64()),
            "source": [row["source"] for row in rows],
            "domain": pa.array([row["url"] and "x.org" for row in rows], pa.string()),
            "month": [row["date"][:7] for row in rows],
            "language": pa.nulls(len(rows), pa.string()),
            "bytes": [len(row["text"]) for row in rows],
            "tokens": pa.nulls(len(rows), pa.int64()),
        }
    )
    with TemporaryDirectory() as folder:
        here = Path(folder)
        write(here / "in" / "x.jsonl", rows)
        placing = assignment(
            here / "m",
            [bucket("p"), Piece(name="q", of="q", listed=True, where=where)],
            [
                {"shard": "x.jsonl", "row": i, "bucket": name, "doc_id": key,
                 "text_hash": text_hash(key or "none")}
                for i, (key, name) in enumerate(listed)
            ],
            taken_down=[
                (kind, f"{text_hash(value):016x}" if kind == "text_hash" else value)
                for kind, value in down
            ],
        )  # fmt: skip
        (part,) = plan_parts(list_corpus(str(here / "in")), "text")
        found = read_listed(placing, match, part if match == "row" else None)
        (window,) = read_windows(part, Columns())
        places = Placer(placing, match).place(window, found, part)
        wanted = placing.buckets(
            documents, shard="x.jsonl", first_row=0, end_row=len(rows), match=match
        )
        assert places.buckets.tolist() == wanted.tolist()
        keys = [
            {"row": i, "doc_id": key, "text_hash": text_hash(key or "none")}[match]
            for i, (key, _) in enumerate(listed)
        ]
        own = documents[match].to_pylist()
        assert (places.entries >= 0).tolist() == [k is not None and k in keys for k in own]


def test_a_document_that_is_alone_has_each_copy_in_a_file_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "in" / "sub" / "x.jsonl", [{"text": "one"}, {"text": "two"}])
    placing = assignment(
        tmp_path / "m", [bucket("a")], [{"shard": "sub/x.jsonl", "row": 0, "bucket": "a"}], [3.0]
    )
    (account,) = materialise(tmp_path / "in", tmp_path / "out", placing, mode="realised")
    assert files_of(tmp_path / "out", "a") == [[{"text": "one"}]] * 3
    entries = [entry for entry in account.written if entry.bucket == "a"]
    assert [(e.path, e.matched, e.documents, e.bytes) for e in entries] == [
        ("a/sub/x.0.jsonl", 1, 1, 3), ("a/sub/x.0+1.jsonl", 0, 1, 3), ("a/sub/x.0+2.jsonl", 0, 1, 3)
    ]  # fmt: skip


@pytest.mark.parametrize("count", range(1, 7))
@pytest.mark.parametrize("last_more", [True, False])
def test_no_order_puts_a_copy_beside_its_like(count: int, last_more: bool) -> None:
    for rounds in (1, 2, 3):
        copies = np.full(count, rounds)
        copies[-1 if last_more else 0] += count > 1
        order = routing._order(copies)
        order = np.arange(count) if order is None else order
        assert Counter(order.tolist()) == dict(enumerate(copies.tolist()))
        assert count == 1 or all(a != b for a, b in pairwise(order))


def test_a_part_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "in" / "x.jsonl.gz", rows_of(["a"] * 50))
    whole = (tmp_path / "in" / "x.jsonl.gz").read_bytes()
    (tmp_path / "in" / "x.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises((EOFError, OSError)):
        materialise(tmp_path / "in", tmp_path / "out", assignment(tmp_path / "m", [], []))
    assert not [path for path in tmp_path.glob("out/**/*") if path.is_file()]
