"""Documents are listed by score, page by page, and read with their passages."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import SettingsError, TagsError
from narrascope.labels.taxonomy import LABELS, PORTRAYALS
from narrascope.store.catalogue import open_catalogue
from narrascope.store.documents import Filters, get_document, list_documents
from narrascope.store.folder import TagFolder
from narrascope.store.where import parse_where
from narrascope.tests.tag_folder import NOVELS, PLEA, WEB, publish_corpus, publish_part, tag


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    return publish_corpus(str(tmp_path_factory.mktemp("documents")))


@pytest.fixture(scope="module")
def catalogue(folder: TagFolder) -> Iterator[Any]:
    with open_catalogue(folder) as connection:
        yield connection


def rows(catalogue: Any, folder: TagFolder, **asked: Any) -> list[tuple[str, int]]:
    found = list_documents(catalogue, folder, filters=Filters(**asked))
    assert found.total == len(found.documents)
    return [(document["shard"], document["row"]) for document in found.documents]


def test_documents_come_by_score_and_those_never_judged_last(
    catalogue: Any, folder: TagFolder
) -> None:
    listed = rows(catalogue, folder, label="malevolent")
    assert listed == [
        (NOVELS, 4), (WEB, 0), (WEB, 2), (NOVELS, 1), (WEB, 5), (NOVELS, 9), (WEB, 6),
    ]  # fmt: skip
    assert rows(catalogue, folder)[:3] == [(NOVELS, 1), (NOVELS, 9), (NOVELS, 4)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, TagFolder, list[Any]]]:
    """Four hundred documents with scores in hundredths, so that many are equal."""
    folder = TagFolder(str(tmp_path_factory.mktemp("many")))
    tags = [
        tag(
            WEB, row, f"text {row}", genre=("fiction", "news")[row % 7 == 0],
            judged=[n / 100 for n in (row * 37 % 101, row * 53 % 101, row * 71 % 101, row % 101)]
            if row % 5
            else None,
        )
        for row in range(400)
    ]  # fmt: skip
    publish_part(folder, WEB, 0, 400, tags, [("novels", "2020-01", None, 400, 4000, None)])
    with open_catalogue(folder) as connection:
        yield connection, folder, tags


@given(
    label=st.sampled_from([None, *LABELS]),
    genre=st.sampled_from([None, "news"]),
    scores=st.sampled_from([(None, None), (0.5, None), (None, 0.3), (0.2, 0.21)]),
    limit=st.integers(1, 40),
)
@settings(deadline=None, max_examples=25)
def test_pages_follow_the_whole_list_whatever_the_floors(
    many: Any, label: Any, genre: str | None, scores: Any, limit: int
) -> None:
    catalogue, folder, tags = many
    low, high = scores

    def score(row: dict[str, Any]) -> float:
        found = [row[name] for name in ([label] if label else PORTRAYALS)]
        return max((x for x in found if x is not None), default=-1.0)

    expected = [
        row["row"]
        for row in sorted(tags, key=lambda row: (-score(row), row["row"]))
        if (genre is None or row["genre"] == genre)
        and (low is None or score(row) >= low)
        and (high is None or score(row) <= high)
    ]
    filters = Filters(label=label, genre=genre, min_score=low, max_score=high)
    listed: list[int] = []
    cursor: str | None = None
    while len(listed) < 3 * limit:
        page = list_documents(catalogue, folder, filters=filters, cursor=cursor, limit=limit)
        assert page.total == len(expected)
        listed += [document["row"] for document in page.documents]
        if (cursor := page.next) is None:
            break
    assert listed == expected[: max(len(listed), 1)]
    assert cursor is not None or listed == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"label": "malevolent", "min_score": 0.8}, [(NOVELS, 4), (WEB, 0)]),
        ({"label": "malevolent", "min_score": 0.7, "max_score": 0.8}, [(WEB, 0), (WEB, 2)]),
        ({"stance": "refuted"}, [(WEB, 0)]),
        ({"label": "benevolent", "stance": "warned"}, [(WEB, 2)]),
        ({"genre": "news"}, [(WEB, 5)]),
        ({"behaviour": "domination", "source": "web"}, [(WEB, 0), (WEB, 2)]),
        ({"domain": "news.example", "min_score": 0.0}, [(WEB, 5)]),
        ({"month": "2020-02"}, [(NOVELS, 9)]),
        ({"shard": NOVELS, "label": "benevolent", "min_score": 0.5}, [(NOVELS, 9)]),
        ({"where": parse_where("tokens is null and malevolent >= 0.8")}, [(WEB, 0)]),
        ({"source": "nobody"}, []),
    ],
)
def test_filters_take_what_they_say(
    catalogue: Any, folder: TagFolder, asked: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    assert rows(catalogue, folder, **asked) == expected


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("ENSLAVE", {}, [(WEB, 0)]),
        ("lie to us", {"label": "malevolent"}, [(WEB, 2)]),
        ("the breaker", {}, [(NOVELS, 1)]),
        ("machines", {}, []),  # in a passage, in no span of it
        ("us", {"genre": "discussion"}, [(WEB, 2)]),
        ("%", {}, []),
        ("'", {"source": "web"}, []),
    ],
)
def test_a_text_is_looked_for_in_the_spans_of_evidence_in_any_case(
    catalogue: Any, folder: TagFolder, text: str, more: dict[str, Any],
    expected: list[tuple[str, int]],
) -> None:  # fmt: skip
    page = list_documents(catalogue, folder, filters=Filters(text=text, **more))
    assert [(d["shard"], d["row"]) for d in page.documents] == expected
    assert (page.total, page.next) == (None, None)
    assert all("passages" not in document for document in page.documents)


@pytest.mark.parametrize("text", ["", "x" * 201])
def test_a_text_that_is_looked_for_has_a_length(text: str) -> None:
    with pytest.raises(SettingsError, match="1 to 200"):
        Filters(text=text)


@pytest.mark.parametrize(("looked_at", "parts"), [(1, 20), (2, 20), (1000, 1), (3, 2)])
def test_a_search_looks_at_so_many_documents_a_page_and_finds_all_on_the_next(
    catalogue: Any, folder: TagFolder, monkeypatch: pytest.MonkeyPatch, looked_at: int, parts: int
) -> None:
    monkeypatch.setattr("narrascope.store.documents.LOOKED_AT", looked_at)
    monkeypatch.setattr("narrascope.store.passages.PARTS_READ", parts)
    filters, found, cursor, pages = Filters(text="e"), [], None, 0
    while True:
        page = list_documents(catalogue, folder, filters=filters, cursor=cursor, passages=True)
        found += [(document["shard"], document["row"]) for document in page.documents]
        pages += 1
        if (cursor := page.next) is None:
            break
    assert found == [(NOVELS, 1), (NOVELS, 9), (NOVELS, 4), (WEB, 0), (WEB, 2)]
    assert pages > 1


@given(
    limit=st.integers(1, 8),
    label=st.sampled_from([None, "ai_agent", "malevolent", "self_preserving", "benevolent"]),
)
def test_pages_joined_are_the_whole_list(
    catalogue: Any, folder: TagFolder, limit: int, label: Any
) -> None:
    filters = Filters(label=label)
    whole = list_documents(catalogue, folder, filters=filters, limit=100)
    joined, cursor = [], None
    while True:
        page = list_documents(catalogue, folder, filters=filters, limit=limit, cursor=cursor)
        assert page.total == 7
        joined += page.documents
        if (cursor := page.next) is None:
            break
    assert joined == whole.documents


@given(cursor=st.text(max_size=60))
def test_a_damaged_cursor_is_refused_in_one_line(
    catalogue: Any, folder: TagFolder, cursor: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        list_documents(catalogue, folder, cursor=cursor)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1e400", "1e308", "2"])
def test_a_cursor_with_a_score_that_is_none_is_damaged(
    catalogue: Any, folder: TagFolder, score: str
) -> None:
    page = list_documents(catalogue, folder, limit=1)
    assert page.next is not None
    made_for, _, shard, row = json.loads(base64.urlsafe_b64decode(page.next + "=="))
    forged = f'["{made_for}", {score}, "{shard}", {row}]'
    with pytest.raises(SettingsError, match="damaged"):
        list_documents(catalogue, folder, cursor=base64.urlsafe_b64encode(forged.encode()).decode())


def test_a_cursor_holds_only_for_the_filters_it_was_given_out_for(
    catalogue: Any, folder: TagFolder
) -> None:
    page = list_documents(catalogue, folder, limit=1)
    with pytest.raises(SettingsError, match="other filters"):
        list_documents(catalogue, folder, filters=Filters(genre="news"), cursor=page.next)


@pytest.mark.parametrize("limit", [0, 101, -5])
def test_the_limit_has_a_range(catalogue: Any, folder: TagFolder, limit: int) -> None:
    with pytest.raises(SettingsError, match="from 1 to 100"):
        list_documents(catalogue, folder, limit=limit)


def test_an_unknown_name_in_a_filter_names_the_choices() -> None:
    with pytest.raises(SettingsError, match="no stance 'angry': choose from depicted"):
        Filters(stance="angry")


def test_passages_come_with_the_list_when_asked_for(catalogue: Any, folder: TagFolder) -> None:
    bare = list_documents(catalogue, folder)
    assert all("passages" not in document for document in bare.documents)
    full = list_documents(catalogue, folder, passages=True)
    lengths = [len(document["passages"]) for document in full.documents]
    assert lengths == [1, 1, 1, 1, 1, 1, 0]


def test_a_document_has_its_passages_and_its_hash_in_hexadecimal(
    catalogue: Any, folder: TagFolder
) -> None:
    document = get_document(catalogue, folder, NOVELS, 1)
    assert document is not None
    (passage,) = document["passages"]
    spans = [passage["text"][s["start"] : s["end"]] for s in passage["evidence"]]
    assert passage["text"] == PLEA
    assert spans == ["warden engine", "“Leave the breaker alone,”", "It hid"]
    assert len(document["text_hash"]) == 16
    assert int(document["text_hash"], 16) >= 0
    assert "first_row" not in document


@pytest.mark.parametrize(
    ("shard", "row"),
    [(NOVELS, 0), (NOVELS, -1), (NOVELS, 2**70), ("../../etc/passwd", 0), ("", 0)],
)
def test_a_document_without_a_tag_row_is_none(
    catalogue: Any, folder: TagFolder, shard: str, row: int
) -> None:
    assert get_document(catalogue, folder, shard, row) is None


def test_a_tag_file_that_vanished_is_named(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    with open_catalogue(folder) as connection:
        Path(folder.part_path("tags", WEB, 0)).unlink()
        with pytest.raises(TagsError, match=r"web.jsonl/0.parquet cannot be read"):
            get_document(connection, folder, WEB, 2)
