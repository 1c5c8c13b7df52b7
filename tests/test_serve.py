"""Several server processes over one tag folder, as `narrascope serve --workers` runs them."""

import socket
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from narrascope.tests.processes import PATIENCE, until
from narrascope.tests.served import answers, free_port, narrascope
from narrascope.tests.tag_folder import publish_corpus

Served = tuple[subprocess.Popen[bytes], int]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Two server processes: their parent, and the port."""
    tags, port = publish_corpus(str(tmp_path / "tags")).url, free_port()
    command = narrascope("serve", "--tags", tags, "--port", str(port), "--workers", "2")
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}/readyz"
        until(lambda: server.poll() is not None or answers(base), "the service")
        yield server, port
    finally:
        server.terminate()
        server.wait(PATIENCE)


def test_an_answer_does_not_wait_for_acknowledgements(served: Served) -> None:
    # The kernel holds them back for some 40 ms, once a connection has been quiet for a while.
    with httpx.Client(base_url=f"http://127.0.0.1:{served[1]}") as client:
        seconds = [client.get("/v1/taxonomy").elapsed.total_seconds() for _ in range(41)]
    assert statistics.median(seconds) < 0.03


def test_server_processes_end_with_their_parent_and_free_the_port(served: Served) -> None:
    server, port = served

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    assert listens()
    server.kill()
    server.wait()
    until(lambda: not listens(), "the end of the server processes")
