"""A small server that speaks the chat-completions protocol on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Any]
"""A status, and the answer's content (200) or the error's text."""


@dataclass
class Heard:
    """What the server was asked: bodies and authorisation, in order."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorisation: list[str | None] = field(default_factory=list)

    def passages(self) -> list[str]:
        return [body["messages"][1]["content"] for body in self.bodies]


@contextmanager
def chat_server(reply: Callable[[str, int], Reply]) -> Iterator[tuple[str, Heard]]:
    """Serve until the block ends; `reply` gets a passage and how often it was asked before."""
    heard, seen, lock = Heard(), {}, threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            passage = body["messages"][1]["content"]
            with lock:
                heard.bodies.append(body)
                heard.authorisation.append(self.headers.get("Authorization"))
                before = seen.get(passage, 0)
                seen[passage] = before + 1
            status, content = reply(passage, before)
            if self.path != "/v1/chat/completions":
                status, content = 404, f"no route {self.path}"
            answer = {"choices": [{"message": {"role": "assistant", "content": content}}]}
            data = json.dumps(answer).encode() if status == 200 else str(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
