"""Audits over REST: drawn, read item by item, reported, all from the tag folder alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from narrascope.api.app import create_app
from narrascope.tests.audit_folder import answers, publish_documents, truth
from narrascope.tests.tag_folder import publish_part

HOW_FAR = ("items", "answered", "labelled", "current")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    url = publish_documents(str(tmp_path_factory.mktemp("api") / "tags")).url
    with TestClient(create_app(url), base_url="http://localhost") as client:
        yield client


def test_an_audit_is_drawn_read_and_reported(client: TestClient) -> None:
    asked = {"label": "malevolent", "budget": 60, "name": "first"}
    drawn = client.post("/v1/audits", json=asked)
    assert (drawn.status_code, drawn.json()["items"]) == (201, 60)
    assert "first" in [audit["id"] for audit in client.get("/v1/audits").json()["audits"]]
    asked = {"label": "malevolent", "estimator": "audited"}
    assert client.get("/v1/prevalence", params=asked).status_code == 409
    read: list[str] = []
    (listed,) = client.get("/v1/audits").json()["audits"]
    assert [listed[name] for name in HOW_FAR] == [60, 0, False, True]
    for limit, left in ((1, 60), (50, 59), (50, 9)):
        asked_of = {"annotator": "anna", "limit": limit, "blind": True}
        answer = client.get("/v1/audits/first/next", params=asked_of).json()
        assert (answer["total"], answer["answered"], answer["left"]) == (60, 60 - left, left)
        assert "evidence" not in answer["items"][0]
        labels = [item | answers(item["text"]) for item in answer["items"]]
        kept = client.post("/v1/audits/first/labels", json={"labels": labels}).json()
        assert (kept["kept"], kept["bad"]) == (min(limit, left), [])
        read += [item["id"] for item in answer["items"]]
    assert len(set(read)) == 60
    (listed,) = client.get("/v1/audits").json()["audits"]
    assert [listed[name] for name in HOW_FAR] == [60, 60, True, True]
    (row,) = client.get("/v1/prevalence", params=asked).json()["rows"]
    assert row["n_audited"] == 60 and row["low"] <= truth() <= row["high"]
    nobody = client.get("/v1/prevalence", params={**asked, "by": "source", "source": "nobody"})
    assert (nobody.status_code, nobody.json()["rows"]) == (200, [])
    report = client.get("/v1/audits/first/report", params={"width": 0.1}).json()["rows"]
    assert {"estimate", "threshold", "reliability", "labels"} <= {r["section"] for r in report}


def test_bad_labels_are_named_and_good_ones_kept(client: TestClient) -> None:
    client.post("/v1/audits", json={"budget": 20, "name": "second"}).raise_for_status()
    item = client.get("/v1/audits/second/next", params={"annotator": "ben"}).json()["items"][0]
    good = item | answers(item["text"])
    bad = [good | {"id": "a.jsonl#99999"}, good | {"malevolent": "maybe", "annotator": "cleo"}]
    answer = client.post("/v1/audits/second/labels", json={"labels": [good, *bad]}).json()
    assert answer["kept"] == 1 and len(answer["bad"]) == 2
    assert answer["bad"][0].startswith("labels/1: 'a.jsonl#99999' was not drawn")


def test_the_adjudicator_is_given_what_is_open(client: TestClient) -> None:
    client.post("/v1/audits", json={"budget": 20, "name": "third"}).raise_for_status()
    item = client.get("/v1/audits/third/next", params={"annotator": "anna"}).json()["items"][0]
    record = item | answers(item["text"])
    other = record | {"annotator": "ben", "ai_agent": not record["ai_agent"]}
    other |= {"malevolent": False, "stance": "none", "behaviours": []}
    sent = client.post("/v1/audits/third/labels", json={"labels": [record, other]}).json()
    assert sent["bad"] == []
    asked = {"annotator": "adjudicator"}
    given = client.get("/v1/audits/third/next", params=asked).json()
    assert (given["items"][0]["id"], given["left"]) == (item["id"], 1)
    settled = record | {"annotator": "adjudicator"}
    client.post("/v1/audits/third/labels", json={"labels": [settled]}).raise_for_status()
    given = client.get("/v1/audits/third/next", params=asked).json()
    assert given == {"items": [], "total": 1, "answered": 1, "left": 0}


def test_whether_a_report_can_be_asked_for_is_known_without_asking(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    app = create_app(folder.url, refresh_seconds=0)
    with TestClient(app, base_url="http://localhost") as client:
        client.post("/v1/audits", json={"budget": 20, "name": "mine"}).raise_for_status()

        def reported() -> tuple[int, list[Any]]:
            (listed,) = client.get("/v1/audits").json()["audits"]
            status = client.get("/v1/audits/mine/report").status_code
            return status, [listed[name] for name in HOW_FAR]

        assert reported() == (409, [20, 0, False, True])
        item = client.get("/v1/audits/mine/next", params={"annotator": "ada"}).json()["items"][0]
        label = item | answers(item["text"])
        unsure = label | {"malevolent": "unsure", "stance": "none", "behaviours": []}
        for sent, status in ((unsure, 409), (label, 200)):
            kept = client.post("/v1/audits/mine/labels", json={"labels": [sent]}).json()
            assert kept["kept"] == 1, kept
            assert reported() == (status, [20, 1, status == 200, True])
        publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
        assert reported() == (409, [20, 1, True, False])


def test_an_audit_waits_until_the_catalogue_is_that_of_the_tags(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    app = create_app(folder.url, refresh_seconds=3600)
    with TestClient(app, base_url="http://localhost") as client:
        publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
        refused = client.post("/v1/audits", json={"budget": 20})
    assert refused.status_code == 409 and "again in some seconds" in refused.json()["detail"]
    app = create_app(folder.url, refresh_seconds=0)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.post("/v1/audits", json={"budget": 20}).status_code == 201


@pytest.mark.parametrize("route", ["next?annotator=a", "report"])
@pytest.mark.parametrize("name", ["absent", "..%2F..%2Fetc"])
def test_an_unknown_audit_is_not_found(client: TestClient, name: str, route: str) -> None:
    answer = client.get(f"/v1/audits/{name}/{route}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_wrong_wishes_are_problems(client: TestClient) -> None:
    wrong = ({"budget": 0}, {"label": "evil"}, {"double": 0.5}, {"name": "../x"}, {"after": ""})
    for wish in wrong:
        assert client.post("/v1/audits", json=wish).status_code == 422, wish
