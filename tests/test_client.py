"""The client, against a real server: all that it returns is what the service says."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.api.access import Protection
from narrascope.api.building import manifests_folder
from narrascope.api.client import Client, ServiceProblem
from narrascope.api.jobs import JobQueue
from narrascope.api.keys import Keys
from narrascope.api.places import NOWHERE
from narrascope.api.state import State
from narrascope.api.tasks import Tasks
from narrascope.api.worker import work
from narrascope.errors import SettingsError
from narrascope.labels.taxonomy import LABELS
from narrascope.pipelines.reweigh import reweigh
from narrascope.store.folder import TagFolder
from narrascope.tests.served import listening
from narrascope.tests.tag_folder import NOVELS, PLEA, TALK, publish_corpus

POLICY = {"version": 1, "buckets": [{"name": "a", "where": "malevolent >= 0.6", "weight": 0.5}]}


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_corpus(str(tmp_path_factory.mktemp("client"))).url


@pytest.fixture(scope="module")
def client(tags: str) -> Iterator[Client]:
    """A client with a key of every scope but audits'."""
    scopes = ["read", "score", "manifest", "admin"]
    _, key = Keys(State(Path(tags) / "service.sqlite")).make("tester", scopes=scopes, days=1)
    protection = Protection(require_keys=True)
    with (
        listening(tags, protection=protection, short_rows=0) as port,
        Client(f"http://127.0.0.1:{port}", key=key) as client,
    ):
        yield client


def test_shares_as_rows_a_table_and_a_data_frame(client: Client) -> None:
    shares = client.prevalence(by="source", label="malevolent")
    assert [(row["group"], row["numerator"]) for row in shares] == [
        ("novels", 1), ("web", 1), (None, 0),
    ]  # fmt: skip
    assert shares.to_arrow().num_rows == 3
    pytest.importorskip("pandas", reason="needs the extra [dev]")
    assert list(shares.to_pandas()["denominator"]) == [12, 7, 1]


def test_documents_are_gone_through_over_pages(client: Client) -> None:
    documents = client.documents(label="malevolent", page=2)
    assert len({(d["shard"], d["row"]) for d in documents}) == 7
    table = documents.to_arrow()
    assert table.num_rows == 7 and "passages" not in table.column_names
    first = next(iter(client.documents(label="self_preserving", passages=True)))
    assert first["passages"][0]["text"] == PLEA
    assert client.document(NOVELS, 1)["passages"] == first["passages"]
    assert list(client.documents(source="none such")) == []


def test_texts_are_scored_many_at_a_time(client: Client) -> None:
    results = list(client.score([TALK, "The kettle is on."] * 51))
    assert len(results) == 102
    assert results[1]["stage"] == "gate" and results[100] == results[0]
    assert list(client.score([])) == []


def test_taxonomy_and_a_plan(client: Client) -> None:
    assert tuple(label.name for label in client.taxonomy().labels) == LABELS
    plan = client.plan(POLICY)
    assert [bucket.name for bucket in plan.buckets] == ["a", "rest"]


def test_a_manifest_is_waited_for_where_a_worker_builds_it(client: Client, tags: str) -> None:
    folder = TagFolder(tags)
    tasks = Tasks(
        folder=folder, manifests=manifests_folder(folder), thresholds=None, places=NOWHERE,
        reweigh=reweigh,
    )  # fmt: skip
    queue = JobQueue(State(Path(tags) / "service.sqlite"))
    stopping = threading.Event()
    worker = threading.Thread(
        target=work, args=(queue, tasks.executors()), kwargs={"stopping": stopping}
    )
    worker.start()
    try:
        manifest = client.build(POLICY)
    finally:
        stopping.set()
        worker.join()
    assert client.manifest(manifest["id"]) == manifest
    assert [found["id"] for found in client.manifests()] == [manifest["id"]]
    (job,) = client.jobs()
    assert client.job(job.id) == job and job.state == "done"
    for refused, status in (
        (lambda: client.reweigh(manifest["id"]), 422),
        (lambda: client.export(manifest["id"], "list"), 409),
        (lambda: client.cancel(job.id), 409),
    ):
        with pytest.raises(ServiceProblem) as problem:
            refused()
        assert problem.value.status == status


def test_a_job_that_is_cancelled_or_not_done_in_time_says_so(client: Client) -> None:
    policy = POLICY | {"seed": 5}
    with pytest.raises(TimeoutError, match="waits for a `narrascope worker`"):
        client.build(policy, seconds=0)
    job = client.cancel(client.jobs()[0].id)
    with pytest.raises(ServiceProblem, match="cancelled"):
        client.wait(job)


def test_a_refusal_is_the_service_s_own_line(client: Client) -> None:
    with pytest.raises(ServiceProblem, match="line 1") as problem:
        list(client.documents(where="malevolent >"))
    assert problem.value.status == 422 and len(problem.value.request_id) == 32
    with (
        Client(str(client._http.base_url), key="wrong") as stranger,
        pytest.raises(ServiceProblem, match="narrascope keys make") as problem,
    ):
        stranger.taxonomy()
    assert problem.value.status == 401


def test_a_service_that_is_not_there_is_told_in_a_line() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(SettingsError, match="narrascope serve"),
    ):
        client.taxonomy()
