"""The REST service: every route answers as described, and every error is a problem document."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.api.access import Protection
from narrascope.api.app import create_app
from narrascope.errors import TagsError
from narrascope.labels.taxonomy import LABELS
from narrascope.manifests.manifest import load_manifest
from narrascope.store.folder import TagFolder
from narrascope.tests.tag_folder import NOVELS, PLEA, WEB, publish_corpus, publish_part

POLICY = {
    "version": 1,
    "buckets": [
        {"name": "malevolent", "where": "malevolent >= 0.6", "weight": 0.5},
        {"name": "aligned", "where": "benevolent >= 0.6", "weight": 2.0},
    ],
    "keep_total": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    return publish_corpus(str(tmp_path_factory.mktemp("api")))


@pytest.fixture(scope="module")
def client(folder: TagFolder) -> Iterator[TestClient]:
    app = create_app(folder.url)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("secret of the inside")

    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def refused(answer: Any, status: int) -> str:
    """Check that an answer is a problem document, and return its detail."""
    body = answer.json()
    assert answer.status_code == body["status"] == status, body
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail", "instance", "request_id"} <= set(body)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert len(body["detail"].splitlines()) == 1
    return body["detail"]


def test_prevalence_of_the_whole_and_by_group(client: TestClient) -> None:
    rows = client.get("/v1/prevalence").json()["rows"]
    assert [row["label"] for row in rows] == list(LABELS)
    asked = {"label": "malevolent", "by": "source", "unit": "documents", "estimator": "flagged"}
    answer = client.get("/v1/prevalence", params=asked).json()
    assert [(r["group"], r["numerator"], r["denominator"]) for r in answer["rows"]] == [
        ("novels", 1, 12), ("web", 1, 7), (None, 0, 1),
    ]  # fmt: skip
    assert answer["left_out"] == 0
    asked |= {"limit": 1}
    answer = client.get("/v1/prevalence", params=asked).json()
    assert (len(answer["rows"]), answer["left_out"]) == (1, 2)


def test_prevalence_under_a_condition(client: TestClient) -> None:
    for condition in (
        {"where": "domain = 'forum.example'"},
        {"domain": "forum.example"},
        {"domain": "forum.example", "where": "source = 'web' or source = 'novels'"},
    ):
        asked = {"label": "malevolent", **condition}
        (row,) = client.get("/v1/prevalence", params=asked).json()["rows"]
        assert (row["numerator"], row["denominator"]) == (1, 4)
    asked = {"label": "malevolent", "source": "o'web' or 'a' = 'a"}
    (row,) = client.get("/v1/prevalence", params=asked).json()["rows"]
    assert (row["numerator"], row["denominator"], row["share"]) == (0, 0, None)


def test_a_parameter_that_does_not_exist_is_refused(client: TestClient) -> None:
    assert "choose from label" in refused(client.get("/v1/prevalence?lable=malevolent"), 422)
    assert "has none" in refused(client.get("/v1/taxonomy?limit=3"), 422)


def test_thresholds_of_the_models_are_used_and_told(folder: TagFolder) -> None:
    app = create_app(folder.url, thresholds={"malevolent": 0.05})
    with TestClient(app, base_url="http://localhost") as client:
        shares = client.get("/v1/prevalence", params={"label": "malevolent"})
        others = [client.get(f"/v1/documents{key}") for key in ("", f"/{NOVELS}%231")]
        asked = {"headers": {"accept": "text/csv"}}
        tables = [client.get(f"/v1/{name}", **asked) for name in ("prevalence", "documents")]
    assert shares.json()["rows"][0]["numerator"] == 4
    told = dict.fromkeys(LABELS, 0.5) | {"malevolent": 0.05}
    assert [answer.json()["thresholds"] for answer in (shares, *others)] == [told] * 3
    for table in tables:
        assert table.headers["x-thresholds"] == (
            "ai_agent=0.5, malevolent=0.05, self_preserving=0.5, benevolent=0.5"
        )


def test_prevalence_of_one_stance(client: TestClient) -> None:
    asked = {"label": "malevolent", "stance": "refuted", "by": "genre"}
    rows = client.get("/v1/prevalence", params=asked).json()["rows"]
    counted = {row["group"]: row["numerator"] for row in rows if row["numerator"]}
    assert counted == {"discussion": 1}
    rows = client.get("/v1/prevalence", params=asked | {"stance": "endorsed"}).json()["rows"]
    assert not any(row["numerator"] for row in rows)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"label": "evil"}, 422, "malevolent"),
        ({"by": "author"}, 422, "source"),
        ({"estimator": "audited"}, 409, "needs an audit of"),
        ({"estimator": "audited", "stance": "warned"}, 422, "group by stance instead"),
        ({"where": "malevolent >"}, 422, "line 1"),
        ({"limit": 0}, 422, "limit"),
    ],
)
def test_prevalence_refuses_in_one_line(
    client: TestClient, asked: dict[str, Any], status: int, words: str
) -> None:
    assert words in refused(client.get("/v1/prevalence", params=asked), status)


def test_documents_page_by_page(client: TestClient) -> None:
    asked: dict[str, Any] = {"label": "malevolent", "limit": 3}
    keys = []
    while True:
        page = client.get("/v1/documents", params=asked).json()
        keys += [(d["shard"], d["row"]) for d in page["documents"]]
        assert page["total"] == 7
        assert all("passages" not in d for d in page["documents"])
        if page["next"] is None:
            break
        asked["cursor"] = page["next"]
    assert keys[:3] == [(NOVELS, 4), (WEB, 0), (WEB, 2)]
    assert len(set(keys)) == 7


def test_documents_with_filters_and_passages(client: TestClient) -> None:
    asked = {"stance": "refuted", "source": "web", "passages": "true"}
    page = client.get("/v1/documents", params=asked).json()
    (document,) = page["documents"]
    (passage,) = document["passages"]
    (span,) = passage["evidence"]
    assert passage["text"][span["start"] : span["end"]] == "plotting to enslave you"


def test_a_document_by_its_key(client: TestClient) -> None:
    answer = client.get(f"/v1/documents/{quote(f'{NOVELS}#1', safe='')}")
    assert answer.status_code == 200
    document = answer.json()
    assert document["passages"][0]["text"] == PLEA
    assert len(document["text_hash"]) == 16


@pytest.mark.parametrize(
    "key",
    ["nothing", "a#", "#1", "a#-1", "a#" + "9" * 40, "a#٣", "../../etc/passwd#0", f"{NOVELS}#0"],
)
def test_a_key_without_a_document_is_not_found(client: TestClient, key: str) -> None:
    refused(client.get(f"/v1/documents/{quote(key, safe='')}"), 404)


def test_a_cursor_that_was_tampered_with_is_refused(client: TestClient) -> None:
    asked = {"cursor": "AAAA"}
    assert "leave it out" in refused(client.get("/v1/documents", params=asked), 422)


def test_taxonomy_and_scans(client: TestClient) -> None:
    taxonomy = client.get("/v1/taxonomy").json()
    assert [label["name"] for label in taxonomy["labels"]] == list(LABELS)
    scans = client.get("/v1/scans").json()
    (scan,) = scans["scans"]
    assert (scan["documents"], scan["parts"], scan["candidates"]) == (20, 3, 7)
    assert scan["formats"] == ["parquet"]
    assert scan["started"] == "2026-01-02T03:04:05Z"
    assert scans["failed"] == []


def test_texts_are_scored_in_their_order(client: TestClient) -> None:
    texts = [{"id": "b", "text": PLEA}, {"id": "a", "text": "The kettle is on."}]
    answer = client.post("/v1/score", json={"documents": texts})
    assert answer.status_code == 200, answer.json()
    first, second = answer.json()["results"]
    assert (first["id"], second["id"]) == ("b", "a")
    assert second["stage"] == "gate"
    assert all(0 <= first[label] <= 1 for label in LABELS)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"documents": []},
        {"documents": [{"id": "a"}]},
        {"documents": [{"text": "a"}] * 101},
        {"documents": [{"text": "ü" * 100_001}]},
    ],
)
def test_what_cannot_be_scored_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    refused(client.post("/v1/score", json=body), 422)


def test_bodies_have_a_limit_whether_or_not_they_tell_their_length(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    big = b" " * (Protection().body_limit + 1)
    assert "bytes" in refused(client.post("/v1/score", content=big, headers=headers), 413)
    chunks = (big[:100_000] for _ in range(11))
    assert "bytes" in refused(client.post("/v1/score", content=chunks, headers=headers), 413)


def test_malformed_json_is_a_problem(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    refused(client.post("/v1/score", content=b"{", headers=headers), 422)


def test_a_plan_writes_nothing(client: TestClient, folder: TagFolder) -> None:
    plan = client.post("/v1/plans", json={"policy": POLICY}).json()
    assert [bucket["name"] for bucket in plan["buckets"]] == ["malevolent", "aligned", "rest"]
    assert plan["before"]["documents"] == 20
    assert plan["after"]["documents"] == pytest.approx(20 - 3 * 0.5 + 1)
    assert not Path(folder.path("manifests")).exists()


def test_a_policy_can_be_yaml_and_its_errors_name_the_place(client: TestClient) -> None:
    text = "version: 1\nbuckets:\n  - {name: a, where: 'benevolent >= 0.7', weight: 2.0}\n"
    assert client.post("/v1/plans", json={"policy": text}).status_code == 200
    wrong = {"version": 1, "buckets": [{"name": "a", "where": "benevolant > 1"}]}
    assert "benevolent" in refused(client.post("/v1/plans", json={"policy": wrong}), 422)


def test_a_manifest_is_built_once_and_read_back(tmp_path: Path) -> None:
    app = create_app(publish_corpus(str(tmp_path)).url)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/v1/manifests").json()["manifests"] == []
        first = client.post("/v1/manifests", json={"policy": POLICY})
        again = client.post("/v1/manifests", json={"policy": POLICY})
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        place = first.headers["location"]
        assert client.get(place).json() == first.json()
        (listed,) = client.get("/v1/manifests").json()["manifests"]
        assert listed["id"] == first.json()["id"]
        assert listed["place"] == first.json()["place"] == f"manifests/{listed['id']}"
        assert load_manifest(tmp_path / listed["place"]).id == listed["id"]
        shards = client.get(f"{place}/shards", params={"limit": 2}).json()
        assert (len(shards["shards"]), shards["total"]) == (2, 3)
        why = refused(client.get(f"{place}/exports/megatron"), 409)
        assert "narrascope reweigh" in why
        assert "megatron" in refused(client.get(f"{place}/exports/nobody"), 404)
        assert "writes the whole corpus" in refused(client.get(f"{place}/exports/dolma"), 409)
        assert [p.name for p in (tmp_path / "manifests").iterdir()] == [listed["id"]]


@pytest.mark.parametrize("name", ["0" * 16, "..", "%2e%2e", "a" * 300, "0" * 15 + "\n"])
def test_an_unknown_manifest_is_not_found(client: TestClient, name: str) -> None:
    refused(client.get(f"/v1/manifests/{quote(name, safe='%')}/shards"), 404)


def test_operations(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    text = client.get("/metrics").text
    assert 'narrascope_requests_total{method="GET",route="/healthz",status="200"}' in text


def test_the_page_and_the_reference_need_no_other_host(client: TestClient) -> None:
    for path in ("/", "/docs", "/static/page.js", "/static/page.css"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "http://" not in answer.text.replace("http://www.w3.org/", "")
        assert "https://" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
    assert "<script" not in client.get("/docs").text


def test_the_reference_names_every_route(client: TestClient) -> None:
    reference = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in reference


def test_every_answer_has_its_headers_and_its_request_id(client: TestClient) -> None:
    answer = client.get("/healthz", headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = client.get("/healthz", headers={"x-request-id": "no such\tid"})
    assert len(answer.headers["x-request-id"]) == 32


def test_errors_of_the_service_itself_tell_nothing_of_the_inside(client: TestClient) -> None:
    answer = client.get("/broken")
    refused(answer, 500)
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    refused(client.get("/v1/nothing"), 404)
    refused(client.delete("/v1/prevalence"), 405)
    refused(client.get("/static/../app.py"), 404)


def test_other_hosts_and_other_sites_pages_are_kept_out(client: TestClient) -> None:
    refused(client.get("/healthz", headers={"host": "evil.example"}), 421)
    assert client.get("/healthz", headers={"host": "[::1]:8000"}).status_code == 200
    headers = {"sec-fetch-site": "cross-site"}
    refused(client.post("/v1/plans", json={"policy": POLICY}, headers=headers), 403)


def test_a_missing_tag_folder_is_told_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(TagsError, match="narrascope scan"):
        create_app(str(tmp_path / "nowhere"), cache=tmp_path)


def test_a_new_part_shows_up_and_no_request_fails_meanwhile(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    app = create_app(folder.url, refresh_seconds=0)
    with TestClient(app, base_url="http://localhost") as client:
        statuses: list[int] = []

        def ask() -> None:
            statuses.extend(client.get("/v1/prevalence").status_code for _ in range(10))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(3):
            counts = [("web", "2022-01", None, 3, 30, None)]
            publish_part(folder, f"new-{number}.jsonl", 0, 3, [], counts)
        for thread in threads:
            thread.join()
        assert statuses == [200] * 30
        assert client.get("/v1/scans").json()["scans"][0]["parts"] == 6


def test_a_torn_part_leaves_the_old_figures_standing(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    app = create_app(folder.url, refresh_seconds=0)
    with TestClient(app, base_url="http://localhost") as client:
        publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
        Path(folder.part_path("tags", "new.jsonl", 0)).write_bytes(b"torn")
        assert client.get("/v1/prevalence").json()["rows"][0]["denominator"] == 20


def test_a_tag_file_that_vanished_is_a_conflict(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    with TestClient(create_app(folder.url), base_url="http://localhost") as client:
        Path(folder.part_path("tags", WEB, 0)).unlink()
        assert "cannot be read" in refused(client.get(f"/v1/documents/{WEB}%230"), 409)


@settings(max_examples=50)
@given(
    path=st.text(max_size=30),
    where=st.text(max_size=30),
    cursor=st.text(max_size=30),
    source=st.text(max_size=30),
)
def test_no_input_makes_the_service_fail(
    client: TestClient, path: str, where: str, cursor: str, source: str
) -> None:
    encoded = quote(path.encode("utf-8", "replace"), safe="")
    asked = {"where": where, "cursor": cursor, "source": source}
    asked = {k: v.encode("utf-8", "replace").decode() for k, v in asked.items()}
    for answer in (
        client.get(f"/v1/documents/{encoded}"),
        client.get(f"/v1/manifests/{encoded}"),
        client.get("/v1/documents", params=asked),
        client.get("/v1/prevalence", params={"where": asked["where"]}),
    ):
        assert answer.status_code in (200, 404, 409, 422), answer.text
