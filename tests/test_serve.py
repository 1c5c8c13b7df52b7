"""Several server processes over one tag folder, as `narrascope serve --workers` runs them."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from uvicorn.supervisors import Multiprocess

from narrascope.api.serve import serve
from narrascope.tests.processes import PATIENCE, until
from narrascope.tests.served import answers, free_port, listening, narrascope
from narrascope.tests.tag_folder import publish_corpus

Served = tuple[subprocess.Popen[bytes], int]
POLICY = {
    "version": 1,
    "buckets": [{"name": "malevolent", "where": "malevolent >= 0.6", "weight": 0.5}],
    "keep_total": False,
}


@contextmanager
def serving(tags: Path) -> Iterator[Served]:
    """Run two server processes: their parent, and the port."""
    url, port = publish_corpus(str(tags)).url, free_port()
    command = narrascope("serve", "--tags", url, "--port", str(port), "--workers", "2")
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}/readyz"
        until(lambda: server.poll() is not None or answers(base), "the service")
        yield server, port
    finally:
        server.terminate()
        server.wait(PATIENCE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Servers that no test ends."""
    with serving(tmp_path_factory.mktemp("tags")) as found:
        yield found


def test_an_answer_of_several_processes_does_not_wait_for_acknowledgements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[socket.socket] = []
    monkeypatch.setattr(Multiprocess, "run", lambda self: shared.extend(self.sockets))
    monkeypatch.setattr("os.environ", {**os.environ})  # `serve` tells its processes by it
    serve(
        publish_corpus(str(tmp_path / "tags")).url, host="127.0.0.1", port=0, workers=2,
        models=None, judge=False, log_level="warning",
    )  # fmt: skip
    (listener,) = shared
    listener.listen()
    with listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_what_one_server_process_made_every_one_shows(served: Served) -> None:
    base = f"http://127.0.0.1:{served[1]}/v1"
    manifest = httpx.post(f"{base}/manifests", json={"policy": POLICY}).json()["id"]
    httpx.post(f"{base}/audits", json={"budget": 4, "name": "mine"}).raise_for_status()
    # Each request makes a connection of its own, which either process may take.
    for _ in range(20):
        manifests = httpx.get(f"{base}/manifests").json()["manifests"]
        audits = httpx.get(f"{base}/audits").json()["audits"]
        assert [found["id"] for found in (*manifests, *audits)] == [manifest, "mine"]


def test_servers_end_with_their_parent_free_the_port_and_leave_their_jobs(tmp_path: Path) -> None:
    tags = str(tmp_path / "tags")
    with serving(tmp_path / "tags") as (server, port):
        asked = httpx.post(
            f"http://127.0.0.1:{port}/v1/manifests", json={"policy": POLICY},
            headers={"prefer": "respond-async"},
        )  # fmt: skip

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        assert listens()
        server.kill()
        server.wait()
        until(lambda: not listens(), "the end of the server processes")
    with listening(tags) as again:
        base = f"http://127.0.0.1:{again}"
        assert httpx.get(base + asked.headers["location"]).json()["state"] == "queued"
        assert httpx.get(f"{base}/v1/manifests").json()["manifests"] == []
        command = narrascope("worker", "--tags", tags, "--once")
        subprocess.run(command, check=True, capture_output=True)
        job = httpx.get(base + asked.headers["location"]).json()
        assert job["state"] == "done", job
        (listed,) = httpx.get(f"{base}/v1/manifests").json()["manifests"]
        assert listed["id"] == job["result"]["manifest"]
