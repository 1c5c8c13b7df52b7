"""Rows as tables: the same in JSON, CSV, Arrow and Parquet, page by page while tags come in."""

from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.api.app import create_app
from narrascope.api.tabular import ARROW, CSV, JSON, PARQUET
from narrascope.tests.tag_folder import (
    NOVELS,
    TAKEOVER,
    WEB,
    publish_corpus,
    publish_part,
    scores,
    tag,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    url = publish_corpus(str(tmp_path_factory.mktemp("tables"))).url
    return TestClient(create_app(url), base_url="http://localhost")


def table(client: TestClient, path: str, form: str, **asked: Any) -> tuple[pa.Table, Any]:
    answer = client.get(path, params=asked, headers={"accept": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(form)
    assert "Accept" in answer.headers["vary"].split(", ")
    read = {ARROW: lambda b: pa.ipc.open_stream(b).read_all(), PARQUET: pq.read_table}
    return read.get(form, pyarrow.csv.read_csv)(BytesIO(answer.content)), answer.headers


@pytest.mark.parametrize("form", [ARROW, PARQUET, CSV])
def test_shares_are_the_same_in_every_form(client: TestClient, form: str) -> None:
    asked = {"by": "source", "label": "malevolent", "limit": 2}
    expected = client.get("/v1/prevalence", params=asked).json()
    found, headers = table(client, "/v1/prevalence", form, **asked)
    assert found.column_names == list(expected["rows"][0])
    for name in ("label", "group", "share", "numerator", "denominator", "note"):
        assert found[name].to_pylist() == [row[name] for row in expected["rows"]]
    assert headers["x-left-out"] == str(expected["left_out"]) == "1"
    assert headers["x-catalogue"] == expected["catalogue"]


@pytest.mark.parametrize("form", [ARROW, PARQUET])
def test_documents_are_the_same_with_their_passages(client: TestClient, form: str) -> None:
    asked = {"passages": "true", "label": "malevolent"}
    expected = client.get("/v1/documents", params=asked).json()["documents"]
    found, headers = table(client, "/v1/documents", form, **asked)
    for row, document in zip(found.to_pylist(), expected, strict=True):
        assert {name: row[name] for name in document} == document
    assert headers["x-total-count"] == "7" and "link" not in headers


def test_documents_as_csv_have_lists_joined_and_no_passages(client: TestClient) -> None:
    found, _ = table(client, "/v1/documents", CSV, shard=WEB, label="malevolent")
    assert "passages" not in found.column_names
    assert found["behaviours"].to_pylist()[1] == "deception|domination"
    answer = client.get("/v1/documents?passages=true", headers={"accept": CSV})
    assert answer.status_code == 406


@pytest.mark.parametrize(
    ("accepted", "form"),
    [
        ("*/*", JSON),
        ("text/html, */*;q=0.8", JSON),
        ("text/csv;q=0.5, application/json", JSON),
        ("text/*", CSV),
        (f"{PARQUET}, text/csv;q=0.1", PARQUET),
        ("text/html", None),
        ("text/csv;q=0", None),
        ("no media type", None),
    ],
)
def test_a_form_is_chosen_as_http_says(client: TestClient, accepted: str, form: str | None) -> None:
    answer = client.get("/v1/prevalence", headers={"accept": accepted})
    if form is None:
        assert answer.status_code == 406 and ARROW in answer.json()["detail"]
    else:
        assert answer.headers["content-type"].startswith(form)


def test_the_next_page_of_a_table_is_linked(client: TestClient) -> None:
    path, keys = "/v1/documents?limit=3&where=bytes%20%3E%200", []
    while path:
        answer = client.get(path, headers={"accept": ARROW})
        keys += pa.ipc.open_stream(answer.content).read_all()["row"].to_pylist()
        path = answer.links.get("next", {}).get("url")
    assert len(keys) == 7


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=6), swap_after=st.integers(0, 3))
def test_pages_survive_a_new_catalogue(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], swap_after: int
) -> None:
    folder = publish_corpus(str(tmp_path_factory.mktemp("swap")))
    client = TestClient(create_app(folder.url, refresh_seconds=0), base_url="http://localhost")
    asked: dict[str, Any] = {"label": "malevolent"}
    before = [(d["shard"], d["row"]) for d in client.get("/v1/documents").json()["documents"]]
    seen: list[tuple[str, int]] = []
    for page in range(50):
        if page == swap_after:
            new = [
                tag("a-new.jsonl", row, TAKEOVER, judged=scores(0.9, score, 0.0, 0.0))
                for row, score in enumerate((0.99, 0.5, 0.0))
            ]
            counts = [("novels", "2020-01", None, 3, 300, 60)]
            publish_part(folder, "a-new.jsonl", 0, 3, new, counts)
        asked["limit"] = sizes[page % len(sizes)]
        answer = client.get("/v1/documents", params=asked).json()
        seen += [(d["shard"], d["row"]) for d in answer["documents"]]
        if answer["next"] is None:
            break
        asked["cursor"] = answer["next"]
    assert len(seen) == len(set(seen))
    assert set(before) <= set(seen)
    assert seen.index((NOVELS, 4)) < seen.index((WEB, 0))
    assert (swap_after >= page) or ("a-new.jsonl", 2) in seen
