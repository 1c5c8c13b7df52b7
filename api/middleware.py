"""What every request passes through: its id, its limits, its headers, its log line and count."""

import re
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import anyio
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Caller, Protection
from .logs import account
from .metrics import Metrics
from .problems import problem, unexpected

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Names a request, guards it, answers its failures, and counts and logs it.

    Args:
        app: what answers requests.
        metrics: where they are counted.
        hosts: names under which the service may be addressed, without ports. Refusing others
            keeps a web page from reaching a service on the loopback by way of its own DNS name.
        protection: how large and how slow a body may be, and which other sites may ask.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, hosts: Sequence[str], protection: Protection
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(hosts)
        self._protection = protection
        self._log = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = scope["request_id"]
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        request = Request(scope)
        try:
            if refusal := self._refusal(request):
                await problem(request, *refusal)(scope, receive, send_with_headers)
            else:
                await self._app(scope, self._limited(receive), send_with_headers)
        except Exception as error:
            self._log.error(
                "failed", request_id=scope["request_id"], path=scope["path"], **account(error)
            )
            if status:
                raise
            await unexpected(request)(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.observe(scope["method"], _route(scope), status, seconds)
            self._log.info(
                "request", method=scope["method"], path=scope["path"], status=status,
                ms=round(seconds * 1000, 1), request_id=scope["request_id"],
                key=scope.get("caller", Caller()).id or None,
            )  # fmt: skip

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        host = _without_port(request.headers.get("host", ""))
        if "*" not in self._hosts and host not in self._hosts:
            return 421, f"this service does not answer as {host[:100]!r}: use its own address"
        site = request.headers.get("sec-fetch-site", "none")
        own = site in ("none", "same-origin")
        own = own or request.headers.get("origin") in self._protection.origins
        # A link is followed; but what a page loads in its own behalf it could measure, unread.
        followed = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
        if not own and not followed:
            return 403, "another site's page may not ask here: use the service's own page"
        coding = request.headers.get("content-encoding", "identity")
        if coding != "identity":
            return 415, f"content coding {coding[:40]!r}: send the body as it is"
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._protection.body_limit:
            return 413, self._too_large()
        return None

    def _too_large(self) -> str:
        return f"the body is over {self._protection.body_limit:,} bytes: send less at a time"

    def _limited(self, receive: Receive) -> Receive:
        """Stop a body that is longer than it said, or did not say, or that is slow to come."""
        taken, whole = 0, False
        until = anyio.current_time() + self._protection.body_seconds

        async def receive_limited() -> Message:
            nonlocal taken, whole
            if whole:  # what comes now is only the news that the client has gone
                return await receive()
            message: Message | None = None
            with anyio.CancelScope(deadline=until):
                message = await receive()
            if message is None:
                raise HTTPException(
                    408, f"the body took over {self._protection.body_seconds:g} s: send it at once"
                )
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > self._protection.body_limit:
                raise HTTPException(413, self._too_large())
            return message

        return receive_limited


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0]


def _route(scope: dict[str, Any] | Scope) -> str:
    """Return the route's pattern: a path would make a metric for every document."""
    return getattr(scope.get("route"), "path", "") or "unmatched"
