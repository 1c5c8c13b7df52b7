"""The service on a free port of the loopback: in this process, or as its own command."""

import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from narrascope.api.app import create_app
from narrascope.api.heads import PromptHeads
from narrascope.tests.processes import until


@contextmanager
def listening(url: str, *, http: type[PromptHeads] = PromptHeads, **more: Any) -> Iterator[int]:
    """Serve a tag folder, and yield the port."""
    app = create_app(url, **more)
    server = uvicorn.Server(uvicorn.Config(app, http=http, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, "the server")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def narrascope(*arguments: str) -> list[str]:
    """Return the command line with some arguments."""
    command = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert command, "install the package first: make test does"
    return [command, *arguments]


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    """Return whether a service answers at an address."""
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
