"""Answers that a client has already are not sent again, and large ones are sent compressed."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from narrascope.api.access import Protection
from narrascope.api.app import create_app
from narrascope.api.keys import Keys
from narrascope.api.state import State
from narrascope.api.tabular import ARROW, CSV, PARQUET
from narrascope.store.folder import TagFolder
from narrascope.tests.tag_folder import publish_corpus, publish_part

ROUTES = ["/v1/prevalence?by=source", "/v1/documents?limit=3", "/v1/documents/web.jsonl%230",
          "/v1/scans"]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> TagFolder:
    return publish_corpus(str(tmp_path))


def client_of(folder: TagFolder, **more: Any) -> TestClient:
    return TestClient(
        create_app(folder.url, refresh_seconds=0, **more), base_url="http://localhost"
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of tags that no test changes."""
    with client_of(publish_corpus(str(tmp_path_factory.mktemp("tags")))) as client:
        yield client


def tag_of(client: TestClient, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def test_what_a_client_has_is_not_sent_again_until_the_catalogue_changes(folder: TagFolder) -> None:
    with client_of(folder) as client:
        tags = {path: tag_of(client, path) for path in ROUTES}
        for path, tag in tags.items():
            for known in (tag, f'"other", {tag}', "*"):
                answer = client.get(path, headers={"if-none-match": known})
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"] == tag
                assert answer.headers["cache-control"] == "no-cache"
        publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
        for path, tag in tags.items():
            answer = client.get(path, headers={"if-none-match": tag})
            assert answer.status_code == 200 and answer.headers["etag"] != tag


def test_other_thresholds_are_another_answer(folder: TagFolder) -> None:
    others = {"malevolent": 0.05}
    with client_of(folder) as client, client_of(folder, thresholds=others) as other:
        assert tag_of(other, ROUTES[0]) != tag_of(client, ROUTES[0])


@pytest.mark.parametrize("form", [CSV, ARROW, PARQUET])
def test_each_form_of_a_table_has_a_tag_of_its_own(client: TestClient, form: str) -> None:
    for path in ROUTES[:2]:
        tag = tag_of(client, path, accept=form)
        assert tag != tag_of(client, path)
        answer = client.get(path, headers={"accept": form, "if-none-match": tag})
        assert answer.status_code == 304 and "Accept" in answer.headers["vary"]


def test_audited_shares_are_never_taken_as_known(folder: TagFolder) -> None:
    with client_of(folder) as client:
        wish = {"label": "malevolent", "budget": 6}
        assert client.post("/v1/audits", json=wish).status_code == 201
        path = "/v1/prevalence?estimator=audited&label=malevolent"
        for known in ("*", tag_of(client, ROUTES[0])):
            answer = client.get(path, headers={"if-none-match": known})
            assert answer.status_code != 304 and "etag" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/prevalence?by=author", "/v1/documents?lable=malevolent"])
def test_what_is_wrong_is_refused_and_not_called_unchanged(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"if-none-match": "*"}).status_code == 422


def test_who_sees_the_text_has_another_answer(folder: TagFolder) -> None:
    keys = Keys(State(Path(folder.path("service.sqlite"))))
    protection = Protection(require_keys=True, withhold_text=True)
    tags: list[str] = []
    headers: list[dict[str, Any]] = []
    for scopes in (["read"], ["read", "text"]):
        _, token = keys.make("tester", scopes=scopes, days=1)
        headers.append({"authorization": f"Bearer {token}"})
    with client_of(folder, protection=protection) as client:
        tags = [tag_of(client, ROUTES[2], **header) for header in headers]
        assert tags[0] != tags[1]
        asked = {"if-none-match": tags[1]}
        assert client.get(ROUTES[2], headers=headers[0] | asked).status_code == 200
        assert client.get(ROUTES[2], headers=asked).status_code == 401
        # Who may not see the text may not ask what is in it either.
        statuses = [
            client.get("/v1/documents?text=lie", headers=header).status_code for header in headers
        ]
        assert statuses == [403, 200]


def test_large_answers_are_compressed_for_those_who_can_read_them(client: TestClient) -> None:
    path = "/v1/documents?passages=true"
    with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    plain = client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content and len(raw) < len(plain.content) / 2
    small = client.get("/healthz", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


def test_parquet_which_is_compressed_is_not_compressed_again(client: TestClient) -> None:
    asked = {"accept": PARQUET, "accept-encoding": "gzip"}
    assert "content-encoding" not in client.get(ROUTES[0], headers=asked).headers
