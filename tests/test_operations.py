"""For whoever runs the service: is it alive, is it ready, what does it do, which request was it."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from narrascope.api.app import create_app
from narrascope.api.jobs import JobQueue
from narrascope.api.schemas import JOB_STATES
from narrascope.api.state import State
from narrascope.tests.tag_folder import publish_corpus, publish_part


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    app = create_app(publish_corpus(str(tmp_path)).url, refresh_seconds=0)
    return TestClient(app, base_url="http://localhost")


def metrics(client: TestClient) -> dict[tuple[str, str], float]:
    """Return each sample by its name and the values of its labels."""
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }


def test_metrics_tell_jobs_by_state_the_catalogue_and_latency_by_route(
    client: TestClient, tmp_path: Path
) -> None:
    queue = JobQueue(State(tmp_path / "service.sqlite"))
    for name in "abc":
        queue.add("build", {}, identity=name)
    queue.take()
    version = client.get("/v1/prevalence").json()["catalogue"]
    found = metrics(client)
    states = {state: found["narrascope_jobs", state] for state in JOB_STATES}
    assert states == {"queued": 2, "running": 1, "done": 0, "failed": 0, "cancelled": 0}
    assert found["narrascope_catalogue_info", version] == 1
    assert found["narrascope_request_seconds_count", "/v1/prevalence"] == 1


def test_probes_read_the_catalogue_that_is_open_and_never_build_one(
    client: TestClient, tmp_path: Path
) -> None:
    before = client.get("/healthz").json()["catalogue"]
    folder = client.app.state.service.folder  # type: ignore[attr-defined]
    publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
    for probe in ("/healthz", "/readyz"):
        assert client.get(probe).json()["catalogue"] == before
    assert client.get("/v1/prevalence").json()["catalogue"] != before


def test_a_service_that_has_lost_its_state_lives_but_is_not_ready(
    client: TestClient, tmp_path: Path
) -> None:
    assert client.get("/readyz").json()["status"] == "ready"
    (tmp_path / "service.sqlite").write_bytes(b"torn" * 1000)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "not ready" in answer.json()["detail"]
    assert client.get("/healthz").status_code == 200


def test_a_request_is_known_by_its_id_in_the_answer_the_log_and_its_job(
    client: TestClient,
) -> None:
    headers = {"x-request-id": "mine-1", "prefer": "respond-async"}
    policy = {"version": 1, "buckets": [{"name": "a", "where": "bytes > 1", "weight": 2.0}]}
    with capture_logs() as logs:
        asked = client.post("/v1/manifests", json={"policy": policy}, headers=headers)
        wrong = client.get("/v1/jobs/x", headers={"x-request-id": "mine-2"})
    assert asked.headers["x-request-id"] == asked.json()["request_id"] == "mine-1"
    assert wrong.headers["x-request-id"] == wrong.json()["request_id"] == "mine-2"
    assert [entry["request_id"] for entry in logs] == ["mine-1", "mine-2"]
    for strange in ("a b", "a\tb", "x" * 65, "é", json.dumps({})):
        given = client.get("/healthz", headers={"x-request-id": strange.encode()})
        assert given.headers["x-request-id"] != strange
        assert len(given.headers["x-request-id"]) == 32
