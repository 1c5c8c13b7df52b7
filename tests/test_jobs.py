"""Jobs: enqueued once, done by whoever holds the lease, taken over from the dead, and stoppable."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from narrascope.api.access import Protection
from narrascope.api.app import create_app
from narrascope.api.building import manifest_ids, manifests_folder
from narrascope.api.jobs import ATTEMPTS, KEPT, JobQueue
from narrascope.api.keys import Keys
from narrascope.api.places import NOWHERE, Places
from narrascope.api.schemas import JobKind
from narrascope.api.state import State
from narrascope.api.taken import Cancelled, LeaseLost, TakenJob
from narrascope.api.tasks import Tasks
from narrascope.api.worker import work
from narrascope.errors import PolicyError, SettingsError
from narrascope.manifests.manifest import load_manifest
from narrascope.manifests.takedown import extend_takedown
from narrascope.manifests.verify import verify
from narrascope.pipelines.reweigh import reweigh
from narrascope.pipelines.scan import scan
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, write
from narrascope.tests.processes import PATIENCE, until
from narrascope.tests.tag_folder import publish_corpus, publish_part

POLICY = {
    "version": 1,
    "buckets": [{"name": "malevolent", "where": "malevolent >= 0.6", "weight": 0.5}],
    "keep_total": False,
}
POLICY_TEXT = """
version: 1
keep_total: false
buckets: [{name: malevolent, where: "malevolent>=0.6", weight: 0.5}]
"""
ASYNC = {"prefer": "respond-async"}


class Clock:
    """A time that tests move."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> JobQueue:
    state = State(tmp_path / "service.sqlite")
    return JobQueue(state, lease_seconds=60, retry_seconds=10, clock=clock)


def taken(queue: JobQueue) -> TakenJob:
    job = queue.take()
    assert job is not None
    return job


def test_jobs_are_done_in_their_order_and_their_result_is_kept(queue: JobQueue) -> None:
    first = queue.add("build", {"policy": "a"}, identity="a", asked_by="Ada", request_id="r1")
    second = queue.add("build", {"policy": "b"}, identity="b")
    job = taken(queue)
    assert (job.job.id, job.job.arguments, job.job.attempts) == (first.id, {"policy": "a"}, 1)
    job.report(3, 7)
    seen = queue.get(first.id)
    assert seen and (seen.state, seen.done, seen.total, seen.asked_by) == ("running", 3, 7, "Ada")
    job.finish({"manifest": "m"})
    seen = queue.get(first.id)
    assert seen and (seen.state, seen.result) == ("done", {"manifest": "m"}) and seen.finished
    assert taken(queue).job.id == second.id
    assert queue.take() is None
    assert queue.counts() == {"queued": 0, "running": 1, "done": 1, "failed": 0, "cancelled": 0}
    assert [job.id for job in queue.all()] == [second.id, first.id]


def test_two_requests_for_the_same_are_one_job_until_it_is_finished(queue: JobQueue) -> None:
    first = queue.add("build", {}, identity="a")
    assert queue.add("build", {}, identity="a").id == first.id
    assert queue.add("audit", {}, identity="a").id != first.id
    job = taken(queue)
    assert queue.add("build", {}, identity="a").id == first.id
    job.finish({})
    again = queue.add("build", {}, identity="a")
    assert again.id != first.id
    last = queue.last("build", "a")
    assert last and last.id == again.id


def test_a_job_whose_lease_ran_out_is_another_worker_s(queue: JobQueue, clock: Clock) -> None:
    queue.add("build", {}, identity="a")
    lost = taken(queue)
    clock.now += 59
    assert queue.take() is None
    lost.renew()
    clock.now += 59
    assert queue.take() is None
    clock.now += 2
    (shown,) = queue.all()
    assert "not been heard of" in shown.note
    other = taken(queue)
    assert (other.job.id, other.job.attempts) == (lost.job.id, 2)
    for late in (lost.renew, lambda: lost.report(1, 2), lambda: lost.finish({"late": True})):
        with pytest.raises(LeaseLost):
            late()
    other.finish({"late": False})
    (shown,) = queue.all()
    assert shown.result == {"late": False}


def test_a_job_that_loses_every_worker_has_failed(queue: JobQueue, clock: Clock) -> None:
    queue.add("build", {}, identity="a")
    for attempt in range(ATTEMPTS):
        assert taken(queue).job.attempts == attempt + 1
        clock.now += 61
    assert queue.take() is None
    (shown,) = queue.all()
    assert shown.state == "failed" and "lost 3 times" in (shown.error or "")


def test_a_failure_of_the_machine_is_tried_again_later(queue: JobQueue, clock: Clock) -> None:
    queue.add("build", {}, identity="a")
    for wait in (10, 20):
        taken(queue).fail("OSError: away", again=True)
        assert queue.take() is None
        assert "OSError: away" in queue.all()[0].note
        clock.now += wait
    taken(queue).fail("OSError: away", again=True)
    (shown,) = queue.all()
    assert (shown.state, shown.error, shown.attempts) == ("failed", "OSError: away", 3)


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_at_its_next_report(
    queue: JobQueue, clock: Clock
) -> None:
    waiting = queue.add("build", {}, identity="a")
    cancelled = queue.cancel(waiting.id)
    assert cancelled and cancelled.state == "cancelled"
    assert queue.take() is None
    running = queue.add("build", {}, identity="a")
    job = taken(queue)
    noticed = queue.cancel(running.id)
    assert noticed and (noticed.state, noticed.cancelling) == ("running", True)
    with pytest.raises(Cancelled):
        job.report(1, 2)
    job.stop()
    assert queue.counts()["cancelled"] == 2
    lost = queue.add("build", {}, identity="a")
    taken(queue)
    clock.now += 61
    ended = queue.cancel(lost.id)
    assert ended and ended.state == "cancelled"
    assert queue.cancel("nothing") is None


def test_a_job_that_was_cancelled_is_not_tried_again(queue: JobQueue, clock: Clock) -> None:
    for leave in (lambda job: job.fail("OSError: away", again=True), TakenJob.put_back):
        queue.add("build", {}, identity="a")
        job = taken(queue)
        queue.cancel(job.job.id)
        leave(job)
        clock.now += 60
        assert queue.take() is None
    assert queue.counts()["cancelled"] == 2


def test_only_the_newest_finished_jobs_are_remembered(queue: JobQueue, clock: Clock) -> None:
    first = queue.add("build", {}, identity="first")
    queue.cancel(first.id)
    for number in range(3):
        clock.now += 1
        queue.cancel(queue.add("build", {}, identity=str(number)).id)
    with queue.state.writing() as connection:
        connection.executemany(
            "INSERT INTO jobs SELECT ?, kind, arguments, digest, state, done, total, attempts, "
            "due, lease, leased_until, cancelling, result, error, asked_by, request_id, created, "
            "started, finished + 100 FROM jobs WHERE id = ?",
            [(f"{n}", first.id) for n in range(KEPT - 3)],
        )
    waiting = queue.add("build", {}, identity="waiting")
    assert queue.get(first.id) is None
    assert queue.counts() == dict.fromkeys(queue.counts(), 0) | {"cancelled": KEPT, "queued": 1}
    assert queue.get(waiting.id)


def test_many_workers_take_each_job_once(tmp_path: Path) -> None:
    queue = JobQueue(State(tmp_path / "service.sqlite"))
    ids: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: ids.extend(queue.add("build", {}, identity=str(n)).id for n in range(5))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 20 and len(set(ids)) == 5
    found: list[str] = []

    def take() -> None:
        while job := queue.take():
            found.append(job.job.id)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(set(ids))


def done_by(queue: JobQueue, executor: Callable[[TakenJob], dict[str, Any]]) -> Any:
    work(queue, {"build": executor}, once=True)
    return queue.all()[0]


def test_what_is_wrong_with_the_input_is_not_tried_again(queue: JobQueue) -> None:
    def refuse(_: TakenJob) -> dict[str, Any]:
        raise PolicyError("no such column")

    queue.add("build", {}, identity="a")
    job = done_by(queue, refuse)
    assert (job.state, job.error, job.attempts) == ("failed", "no such column", 1)


def test_a_failure_of_the_program_tells_no_text(queue: JobQueue, clock: Clock) -> None:
    def stumble(_: TakenJob) -> dict[str, Any]:
        raise ValueError("a sentence of the corpus")

    queue.add("build", {}, identity="a")
    job = done_by(queue, stumble)
    assert job.state == "queued" and "ValueError" in job.note and "sentence" not in job.note
    clock.now += 10
    assert done_by(queue, lambda _: {"fine": 1}).result == {"fine": 1}


def test_a_worker_renews_its_lease_while_it_works(tmp_path: Path) -> None:
    queue = JobQueue(State(tmp_path / "service.sqlite"), lease_seconds=0.3)
    renewed: list[float] = []

    def wait(job: TakenJob) -> dict[str, Any]:
        def until_when() -> float:
            return queue.state.read("SELECT leased_until FROM jobs")[0][0]

        first = until_when()
        until(lambda: until_when() > first + 0.5, "renewals past the first lease")
        renewed.append(until_when())
        return {}

    queue.add("build", {}, identity="a")
    job = done_by(queue, wait)
    assert renewed and (job.state, job.attempts) == ("done", 1)


def client_of(url: str, **more: Any) -> TestClient:
    return TestClient(create_app(url, **more), base_url="http://localhost")


def tasks(url: str, places: Places = NOWHERE) -> Tasks:
    folder = TagFolder(url)
    return Tasks(
        folder=folder, manifests=manifests_folder(folder), thresholds=None, places=places,
        reweigh=reweigh,
    )  # fmt: skip


def do_all(url: str, **more: Any) -> int:
    queue = JobQueue(State(Path(url) / "service.sqlite"))
    return work(queue, tasks(url, **more).executors(), once=True)


def test_a_manifest_is_built_by_a_worker_and_one_policy_is_one_job(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    with client_of(url) as client:
        asked = [
            client.post("/v1/manifests", json={"policy": policy}, headers=ASYNC)
            for policy in (POLICY, POLICY_TEXT, POLICY)
        ]
        assert [answer.status_code for answer in asked] == [202] * 3
        assert len({answer.headers["location"] for answer in asked}) == 1
        place = asked[0].headers["location"]
        assert asked[0].headers["preference-applied"] == "respond-async"
        assert asked[0].json()["request_id"] == asked[0].headers["x-request-id"]
        assert "narrascope worker" in client.get(place).json()["note"]
        assert client.get("/v1/manifests").json()["manifests"] == []
        assert do_all(url) == 1
        job = client.get(place).json()
        assert (job["state"], job["done"], job["total"]) == ("done", 4, 4)
        manifest = client.get(job["result"]["location"]).json()
        again = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC)
        assert (again.status_code, again.json()["id"]) == (200, manifest["id"])
        now = client.post("/v1/manifests", json={"policy": POLICY})
        assert (now.status_code, now.json()) == (200, manifest)
        (listed,) = client.get("/v1/jobs", params={"state": "done"}).json()["jobs"]
        assert listed == job


def test_tags_that_changed_are_another_build(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    with client_of(folder.url, refresh_seconds=0) as client:
        first = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC)
        publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
        second = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC)
        assert first.headers["location"] != second.headers["location"]


def test_a_takedown_is_another_build(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    entries = tmp_path / "entries.csv"
    entries.write_text("kind,value\ndocument,web.jsonl#2\n")
    with client_of(folder.url) as client:
        before = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC)
        assert do_all(folder.url) == 1
        extend_takedown(folder, entries)
        after = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC)
        assert (before.status_code, after.status_code) == (202, 202)
        assert do_all(folder.url) == 1
        place = client.get(after.headers["location"]).json()["result"]["location"]
        assert client.get(place).json()["weights"]["takedown"] == 0


def test_over_many_tag_rows_what_is_long_is_a_job(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    with client_of(url, short_rows=6) as client:
        built = client.post("/v1/manifests", json={"policy": POLICY})
        drawn = client.post("/v1/audits", json={"budget": 5, "name": "mine"})
        assert (built.status_code, drawn.status_code) == (202, 202)
        assert "preference-applied" not in built.headers
        assert do_all(url) == 2
        job = client.get(drawn.headers["location"]).json()
        assert (job["state"], job["result"]["audit"]) == ("done", "mine"), job
        assert [a["id"] for a in client.get("/v1/audits").json()["audits"]] == ["mine"]
        taken = client.post("/v1/audits", json={"budget": 5, "name": "mine"})
        assert taken.status_code == 422


def test_two_audits_without_a_name_are_two(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    with client_of(url) as client:
        for budget in (4, 2, 2):
            client.post("/v1/audits", json={"budget": budget}, headers=ASYNC)
        assert do_all(url) == 2
        assert len(client.get("/v1/audits").json()["audits"]) == 2


def test_a_job_is_cancelled_once_over_rest(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    with client_of(url) as client:
        place = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC).headers[
            "location"
        ]
        assert client.delete(place).json()["state"] == "cancelled"
        assert client.delete(place).status_code == 409
        assert do_all(url) == 0
        for method in ("GET", "DELETE"):
            answer = client.request(method, "/v1/jobs/nothing")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"


def test_only_who_may_ask_for_a_job_may_cancel_it(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    keys = Keys(State(tmp_path / "service.sqlite"))
    tokens = {s: keys.make(s, scopes=["read", s], days=1)[1] for s in ("manifest", "audit")}
    headers = {name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()}
    with client_of(url, protection=Protection(require_keys=True)) as client:
        asked = client.post(
            "/v1/manifests", json={"policy": POLICY}, headers=headers["manifest"] | ASYNC
        )
        place = asked.headers["location"]
        assert asked.json()["asked_by"] == "manifest"
        assert client.delete(place, headers=headers["audit"]).status_code == 403
        assert client.delete(place, headers=headers["manifest"]).status_code == 200


class Watched(TakenJob):
    """A job that somebody cancels just before one of its reports."""

    def __init__(self, queue: JobQueue, job: TakenJob, cancelled_at: int) -> None:
        super().__init__(queue, job.job, job._lease, lambda: False)
        self.seen: list[tuple[int, int | None]] = []
        self.cancelled_at = cancelled_at

    def report(self, done: int, total: int | None) -> None:
        self.seen.append((done, total))
        if len(self.seen) == self.cancelled_at:
            self._queue.cancel(self.job.id)
        super().report(done, total)


def cancel_at(url: str, kind: JobKind, reports: int) -> list[tuple[int, int | None]]:
    """Do the job that waits, have it cancelled at one of its reports, and return these."""
    queue = JobQueue(State(Path(url) / "service.sqlite"))
    watched: list[Watched] = []

    def do(job: TakenJob) -> dict[str, Any]:
        watched.append(Watched(queue, job, reports))
        return tasks(url).executors()[kind](watched[0])

    assert work(queue, {kind: do}, once=True) == 1
    return watched[0].seen


@pytest.mark.parametrize("reports", range(1, 6))
def test_a_build_that_is_cancelled_does_not_show(tmp_path: Path, reports: int) -> None:
    url = publish_corpus(str(tmp_path)).url
    with client_of(url) as client:
        asked = client.post("/v1/manifests", json={"policy": POLICY}, headers=ASYNC)
        assert cancel_at(url, "build", reports) == [(step, 4) for step in range(reports)]
        assert client.get(asked.headers["location"]).json()["state"] == "cancelled"
        assert client.get("/v1/manifests").json()["manifests"] == []
        assert list((tmp_path / "manifests").glob("*")) == []


@pytest.mark.parametrize("reports", [1, 4])
def test_an_audit_that_is_cancelled_is_not_there(tmp_path: Path, reports: int) -> None:
    url = publish_corpus(str(tmp_path)).url
    wish = {"budget": 6, "name": "mine"}
    with client_of(url) as client:
        first = client.post("/v1/audits", json=wish, headers=ASYNC).headers["location"]
        assert cancel_at(url, "audit", reports) == [(0, 6), (2, 6), (3, 6), (6, 6)][:reports]
        assert client.get(first).json()["state"] == "cancelled"
        assert client.get("/v1/audits").json()["audits"] == []
        second = client.post("/v1/audits", json=wish, headers=ASYNC).headers["location"]
        assert do_all(url) == 1
        job = client.get(second).json()
        assert (job["state"], job["done"], job["total"]) == ("done", 6, 6)


def test_an_audit_is_gone_on_with_by_its_own_job_only(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    with client_of(folder.url) as client:
        wish = {"budget": 4, "name": "mine"}
        asked = client.post("/v1/audits", json=wish, headers=ASYNC).json()
        begun = folder.path("audits", "mine", "begun.json")
        folder.write(begun, orjson.dumps({"holder": asked["id"], "try": "that was killed"}))
        assert do_all(folder.url) == 1
        assert client.get(f"/v1/jobs/{asked['id']}").json()["state"] == "done"
        folder.filesystem.rm_file(folder.path("audits", "mine", "design.json"))
        other = client.post("/v1/audits", json=wish | {"seed": 1}, headers=ASYNC).json()
        assert do_all(folder.url) == 1
        job = client.get(f"/v1/jobs/{other['id']}").json()
        assert job["state"] == "failed" and "'mine' is being drawn: give another" in job["error"]
        assert orjson.loads(Path(begun).read_bytes())["holder"] == asked["id"]


KILLED_BUILD = """
import os, sys
from pathlib import Path
from narrascope.api.building import build_once, read_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
folder = TagFolder(sys.argv[1])
build_once(
    folder, open_catalogue(folder), read_policy(sys.argv[2]),
    manifests=Path(sys.argv[1]) / "manifests",
    progress=lambda done, total: done == total and os.kill(os.getpid(), 9),
)
"""


def test_a_build_that_is_killed_before_its_end_is_never_listed(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    command = [sys.executable, "-c", KILLED_BUILD, url, POLICY_TEXT]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    left = list((tmp_path / "manifests").iterdir())
    assert left and manifest_ids(tmp_path / "manifests") == []
    with client_of(url) as client:
        assert client.get("/v1/manifests").json()["manifests"] == []
        day_ago = left[0].stat().st_mtime - 90_000
        os.utime(left[0], (day_ago, day_ago))
        built = client.post("/v1/manifests", json={"policy": POLICY})
        assert built.status_code == 201
        assert [p.name for p in (tmp_path / "manifests").iterdir()] == [built.json()["id"]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of four shards, scanned, and a link that leads out of it."""
    folder = tmp_path_factory.mktemp("place").resolve()
    for number in range(4):
        write(folder / "corpus" / f"{number}.jsonl", documents(20))
    write(folder / "secret" / "a.jsonl", documents(4))
    (folder / "elsewhere").symlink_to(folder / "secret")
    scan(str(folder / "corpus"), str(folder / "tags"))
    return folder


@pytest.fixture
def served(place: Path, tmp_path: Path) -> Iterator[tuple[TestClient, str, dict[str, str]]]:
    """A service over a copy of the tags: its client, a built manifest, a worker's environment."""
    tags = tmp_path / "tags"
    shutil.copytree(place / "tags", tags)
    places = Places(corpora=[str(place / "corpus")], outputs=tmp_path / "out")
    with client_of(str(tags), places=places) as client:
        manifest = client.post("/v1/manifests", json={"policy": POLICY}).json()["id"]
        environment = os.environ | {
            "NARRASCOPE_CORPORA": str(place / "corpus"),
            "NARRASCOPE_OUTPUTS": str(tmp_path / "out"),
            "NARRASCOPE_JOB_LEASE": "2",
        }
        yield client, manifest, environment


def worker(tags: Path, *more: str) -> list[str]:
    command = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert command, "install the package first: make test does"
    return [command, "worker", "--tags", str(tags), *more]


def test_a_corpus_is_reweighed_on_request(
    served: tuple[TestClient, str, dict[str, str]], tmp_path: Path
) -> None:
    client, manifest, environment = served
    asked = client.post(f"/v1/manifests/{manifest}/reweighs", json={})
    assert asked.status_code == 202, asked.json()
    subprocess.run(
        worker(tmp_path / "tags", "--once"), env=environment, check=True, capture_output=True
    )
    job = client.get(asked.headers["location"]).json()
    assert job["state"] == "done", job
    assert (job["result"]["documents"], job["total"]) == (80, 4)
    loaded = load_manifest(tmp_path / "tags" / "manifests" / manifest)
    assert not verify(loaded).failures
    answer = client.get(f"/v1/manifests/{manifest}/exports/list")
    assert answer.status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="sends Linux's signals")
def test_a_killed_worker_s_job_is_taken_over(
    served: tuple[TestClient, str, dict[str, str]], tmp_path: Path
) -> None:
    client, manifest, environment = served
    location = client.post(f"/v1/manifests/{manifest}/reweighs", json={}).headers["location"]

    def state() -> str:
        return client.get(location).json()["state"]

    command = worker(tmp_path / "tags")
    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    until(lambda: state() == "running", "the job in the first worker's hands")
    first.kill()
    first.wait()
    assert state() == "running"
    second = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: state() not in ("queued", "running"), "the job's end")
    finally:
        second.terminate()
        second.wait(PATIENCE)
    job = client.get(location).json()
    assert (job["state"], job["attempts"]) == ("done", 2), job
    assert not verify(load_manifest(tmp_path / "tags" / "manifests" / manifest)).failures


@pytest.mark.skipif(sys.platform != "linux", reason="sends Linux's signals")
def test_a_worker_that_is_asked_to_end_leaves_its_job_to_the_next(
    served: tuple[TestClient, str, dict[str, str]], tmp_path: Path
) -> None:
    client, manifest, environment = served
    location = client.post(f"/v1/manifests/{manifest}/reweighs", json={}).headers["location"]
    log = tmp_path / "log"
    with log.open("wb") as errors:
        asked = subprocess.Popen(worker(tmp_path / "tags"), env=environment, stderr=errors)
    until(lambda: client.get(location).json()["state"] == "running", "the job in hand")
    asked.terminate()
    assert asked.wait(PATIENCE) == 0
    assert client.get(location).json()["state"] == "queued"
    assert '"why": "asked to stop"' in log.read_text()


OUTSIDE = (
    "/etc/passwd", "corpus", "../secret", "{corpus}/../secret", "{place}/elsewhere",
    "{corpus}/*.jsonl", "{corpus}/absent", "{corpus}\0", "file://{place}/secret", "{place}",
    "{corpus}-other", "s3://bucket/x", "",
)  # fmt: skip


def test_no_corpus_is_read_but_below_the_roots(
    served: tuple[TestClient, str, dict[str, str]], place: Path
) -> None:
    client, manifest, _ = served
    for name in (source.format(place=place, corpus=place / "corpus") for source in OUTSIDE):
        for body in ({"source": name}, {"root": name}) if name else ():
            answer = client.post(f"/v1/manifests/{manifest}/reweighs", json=body)
            assert answer.status_code == 422, (body, answer.json())
            assert "not below a root" in answer.json()["detail"]
        for root in (str(place / "corpus"), f"file://{place}/corpus"):
            with pytest.raises(SettingsError):
                Places(corpora=[root]).source(name)
            assert Places(corpora=[root]).source(f"{place}/corpus/0.jsonl")
    assert client.get("/v1/jobs").json() == {"jobs": []}


@given(
    asked=st.lists(
        st.sampled_from(["s3://b/c", "/", "..", ".", "x", "*", "::", "file://", "d", "\\", "%2e"]),
        max_size=6,
    ).map("".join)
)
def test_a_url_never_leaves_its_root(asked: str) -> None:
    try:
        found = Places(corpora=["s3://b/c"]).source(asked)
    except SettingsError:
        return
    assert found.rstrip("/") == "s3://b/c" or found.startswith("s3://b/c/")
    assert not {"..", "."} & set(found.split("/")) and not set("*%") & set(found)


def test_without_roots_nothing_is_reweighed_on_request(tmp_path: Path) -> None:
    url = publish_corpus(str(tmp_path)).url
    with client_of(url) as client:
        manifest = client.post("/v1/manifests", json={"policy": POLICY}).json()["id"]
        answer = client.post(f"/v1/manifests/{manifest}/reweighs", json={})
        assert answer.status_code == 422 and "NARRASCOPE_OUTPUTS" in answer.json()["detail"]
    with client_of(url, places=Places(outputs=tmp_path / "out")) as client:
        answer = client.post(f"/v1/manifests/{manifest}/reweighs", json={})
        assert "NARRASCOPE_CORPORA" in answer.json()["detail"]
        answer = client.post(f"/v1/manifests/{'0' * 16}/reweighs", json={})
        assert answer.status_code == 404
