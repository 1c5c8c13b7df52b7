"""JSON lines: whole blocks and single lines are read alike, whatever stands in them."""

import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import SourceError
from narrascope.pipelines import jsonl
from narrascope.pipelines.batches import BATCH_ROWS, Batch, Columns
from narrascope.pipelines.parts import Part, Shard

DEFAULT = Columns()
COLUMNS = Columns(tokens="tokens")
FIRST = b'{"text":"a","tokens":1}\n'
"""A line with the columns that are asked for by name, which the first line must have."""

ODD = [
    b"", b" ", b"\r", b"\x00", b"null", b"[]", b"5", b"not json", b"{", b"}", b"{}", b" {}", b"{} ",
    b"{}{}", b"{} {}", b'{"text":"a"} {"text":"b"}', b'{"text":"a"} 5 {"text":"b"}', b"{}x{}",
    b'{"text":"a"}\x00{"text":"b"}', b'{"text":"a"}\x00', b'{"text":"a"}\x0b{"text":"b"}',
    b'{"text":{}', b'{"text":"a",', b'"id":"b"}', b'{"text":"a}', b'{b"}', b'{"text":', b'"a"}',
    b'{"text":"\\u0041\\/\\n\\u00e9\\ud83d\\ude00\\u0000\\""}', b'{"te\\u0078t":"a"}',
    b'{"text":"a\\ud800b"}', b'{"text":"a\\udc00b"}', b'{"text":"a","id":"\\ud800"}',
    b'{"text":"a\xffb"}', b'{"text":"a\xed\xa0\x80b"}', b'{"text":"a","\xff":1}',
    b'{"text":"a","other":"\xff"}', b'{"text":"a","other":"\\udc00"}', b'{"text":"a\x7fb"}',
    b'{"text":"a\x00b"}', b'{"text":"a\tb"}', b'{"text":"a","other":"\x01"}', b'{"text":"\\x"}',
    b'\xef\xbb\xbf{"text":"a"}', b'{"text":"a",}', b"{'text':'a'}", b'{"text":"a"}//', b'{"":"a"}',
    b'{"text":"a","text":"b"}', b'{"text":null,"text":"b"}', b'{"text":"b","text":null}',
    b'{"text":5,"text":"b"}', b'{"text":"b","text":5}', b'{"other":1,"other":2,"text":"a"}',
    b'{"text":5}', b'{"text":true}', b'{"text":["a"]}', b'{"text":{"text":"a"}}', b'{"text":null}',
    b'{"other":{"text":"b","id":[{}]},"text":"a"}', b'{"other":NaN}', b'{"other":-Infinity}',
    b'{"other":1e999}', b'{"other":1.}', b'{"other":01}', b'{"other":+1}', b'{"id":NaN}',
    b'{"id":1e2}', b'{"id":12345678901234567890123}', b'{"id":"2024-01-01T00:00:00","date":"2024"}',
    b'{"tokens":-0}', b'{"tokens":1.0}', b'{"tokens":1e2}', b'{"tokens":"5"}', b'{"tokens":true}',
    b'{"tokens":9223372036854775807}', b'{"tokens":9223372036854775808}', b'{"tokens":NaN}',
    b'{"text":"a\xff","tokens":9223372036854775808,"id":5}',
]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ordinary = st.fixed_dictionaries(
    {"text": st.text()},
    optional={
        "id": st.text(), "url": st.none() | st.text(), "date": st.text(), "other": values,
        "tokens": st.none() | st.integers(0, 2**40),
    },
)  # fmt: skip
strange = st.dictionaries(
    st.sampled_from(["text", "id", "date", "tokens", "other"]), values, max_size=4
)


def spelt(record: dict[str, Any], ascii_only: bool) -> bytes:
    return json.dumps(record, ensure_ascii=ascii_only).encode(errors="surrogatepass")


plain_lines = st.builds(spelt, ordinary, st.booleans())
odd_lines = st.sampled_from(ODD) | st.builds(spelt, strange, st.booleans())
files = st.tuples(
    st.lists(st.one_of(plain_lines, plain_lines, plain_lines, odd_lines), max_size=12),
    st.sampled_from([b"\n", b"\n", b"\r\n"]),
    st.booleans(),
).map(lambda parts: parts[1].join(parts[0]) + parts[1] * parts[2])


def read(path: Path, columns: Columns = DEFAULT) -> Iterator[Batch]:
    shard = Shard(path.name, str(path), "jsonl", path.stat().st_size, "")
    return jsonl.read_jsonl(Part(shard), columns)


def outcome(path: Path, columns: Columns = COLUMNS) -> tuple[Any, ...]:
    """Return all that a file was read as, or what was wrong with it."""
    try:
        batches = list(read(path, columns))
    except SourceError as error:
        return (str(error),)
    rows = [row for batch in batches for row in batch.table.to_pylist()]
    unreadable = [row for batch in batches for row in batch.unreadable]
    ends = [batch.end_row for batch in batches]
    for batch in batches:
        batch.table.validate(full=True)
    assert ends == sorted(set(ends))
    return rows, unreadable, sum(batch.invalid_utf8 for batch in batches), ends[-1:]


def by_lines(path: Path, columns: Columns = COLUMNS) -> tuple[Any, ...]:
    """Return what a file is read as where every line is read singly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "_parse_block", lambda block, schema: None)
        return outcome(path, columns)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jsonl") / "a.jsonl"


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([FIRST, FIRST, FIRST, b""]), files, st.sampled_from([8, 60, 2**20]))
def test_blocks_are_read_as_their_lines_are(
    file: Path, first: bytes, content: bytes, size: int
) -> None:
    file.write_bytes(first + content)
    expected = by_lines(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "_BLOCK_BYTES", size)
        patch.setattr(jsonl, "_READ_BYTES", max(1, size // 4))
        assert outcome(file) == expected


@pytest.mark.parametrize("line", ODD)
def test_an_odd_line_is_read_as_it_is_alone_and_makes_up_for_no_other(
    file: Path, line: bytes
) -> None:
    for other in (b'{"text":"b"}', b"{}{}"):
        for lines in ([line, other], [other, line]):
            file.write_bytes(FIRST + b"\n".join(lines))
            assert outcome(file) == by_lines(file), lines


@pytest.mark.parametrize("broken", [[b'{"other":', b"{}}"], [b'{"other":{}', b"}"]])
def test_an_object_on_two_lines_is_not_set_off_by_two_on_one(
    file: Path, broken: list[bytes]
) -> None:
    file.write_bytes(FIRST + b"\n".join([*broken, b"{}{}"]))
    rows, unreadable, _, _ = outcome(file)
    assert [row["row"] for row in rows] == [0]
    assert unreadable == [1, 2, 3]


def test_a_text_column_may_first_be_seen_below_the_first_line(file: Path) -> None:
    file.write_bytes(b'{"id":"a"}\n{"text":"b"}\n')
    assert [row["text"] for row in outcome(file, DEFAULT)[0]] == [None, "b"]


def test_plain_lines_are_not_read_singly(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, block: memoryview) -> Iterator[Batch]:
        raise AssertionError("read line by line")

    monkeypatch.setattr(jsonl._LineReader, "read", refuse)
    file.write_bytes(b'{"text":"a","other":[1]}\n{"id":"b","text":"\\u00e9\xc3\xa9"}')
    (batch,) = read(file)
    assert batch.table["text"].to_pylist() == ["a", "éé"]
    assert batch.table["bytes"].to_pylist() == [1, 4]
    assert batch.table["doc_id"].to_pylist() == [None, "b"]
    assert batch.end_row == 2


@pytest.mark.parametrize(
    "columns", [Columns(id="text"), Columns(tokens="id"), Columns(tokens="text"), Columns(url="id")]
)
def test_one_name_may_be_asked_for_twice(file: Path, columns: Columns) -> None:
    file.write_bytes(b'{"text":"5","id":"7"}\n{"text":"6","id":8}\n')
    assert outcome(file, columns) == by_lines(file, columns)
    assert len(outcome(file, columns)[0]) == 2


def test_a_line_longer_than_a_block_and_the_lines_around_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(jsonl, "_READ_BYTES", 7)
    texts = ["a" * 10, "b" * 5000, "", "c" * 90, "d"]
    file.write_bytes(b"\n".join(spelt({"text": text}, False) for text in texts))
    rows, unreadable, _, _ = outcome(file, DEFAULT)
    assert [row["text"] for row in rows] == texts
    assert unreadable == []


def test_many_short_lines_come_in_batches_of_bounded_rows(file: Path) -> None:
    count = 2 * BATCH_ROWS + 1
    file.write_bytes(b'{"text":"a"}\n' * count)
    batches = list(read(file))
    assert [batch.table.num_rows for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 1]
    assert [batch.end_row for batch in batches] == [BATCH_ROWS, 2 * BATCH_ROWS, count]
    rows = itertools.chain.from_iterable(b.table["row"].to_pylist() for b in batches)
    assert list(rows) == list(range(count))


def test_members_and_frames_that_follow_each_other_are_one_file(tmp_path: Path) -> None:
    lines = [b'{"text":"a"}\n{"te', b'xt":"b"}\n', b"", b'{"text":"c"}']
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join(map(gzip.compress, lines)))
    (tmp_path / "a.jsonl.zst").write_bytes(b"".join(map(zstandard.compress, lines)))
    for path in sorted(tmp_path.iterdir()):
        (batch,) = read(path)
        assert batch.table["text"].to_pylist() == ["a", "b", "c"]


def test_a_gzip_cut_in_the_middle_is_read_up_to_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_BLOCK_BYTES", 10_000)
    monkeypatch.setattr(jsonl, "_READ_BYTES", 1_000)
    path = tmp_path / "a.jsonl.gz"
    packed = gzip.compress(b"".join(spelt({"text": f"{i}"}, False) + b"\n" for i in range(20_000)))
    path.write_bytes(packed[: len(packed) // 2])
    rows = 0
    with pytest.raises(EOFError):
        for batch in read(path):
            rows = batch.end_row
    assert 0 < rows < 20_000
