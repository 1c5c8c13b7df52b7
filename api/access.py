"""Who may ask what: keys, scopes, and how often one caller may ask."""

import math
import time
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request, Security, params
from fastapi.security import HTTPBearer, SecurityScopes
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from .keys import SCOPES, Keys, Scope
from .problems import problem

OPEN_PATHS = ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/favicon.ico")
"""What needs no key, besides the page's files under `/static/`: it tells nothing of the corpus."""

_UNCOUNTED = ("/healthz", "/readyz")
_REALM = 'Bearer realm="narrascope"'


class Protection(BaseModel):
    """How a service is guarded."""

    model_config = ConfigDict(frozen=True)
    require_keys: bool = Field(default=False, description="refuse requests without a valid key")
    rate_limit: str | None = Field(
        default=None, description="requests of one key, else one address, such as 600/minute"
    )
    body_limit: int = Field(default=1_000_000, description="bytes that a body may have")
    body_seconds: float = Field(default=30.0, description="seconds in which a body must arrive")
    origins: tuple[str, ...] = Field(default=(), description="other sites whose pages may ask")
    withhold_text: bool = Field(
        default=False, description="show passages only to keys with the scope `text`"
    )


UNGUARDED = Protection()
"""What is enough on the loopback."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who makes a request: the id and name of a key, both empty without one, and its scopes."""

    id: str = ""
    name: str = ""
    scopes: frozenset[str] = frozenset()

    def may(self, scope: str) -> bool:
        """Return whether this caller has a scope."""
        return scope in self.scopes or "admin" in self.scopes


ANYONE = Caller(scopes=frozenset(SCOPES))
"""Who asks without a key where none is needed: someone on this machine."""


class Access:
    """Finds out who asks, and refuses who has no key where one is needed, or asks too often.

    Args:
        app: what answers requests.
        keys: the keys there are. One that is sent is checked even where none is needed.
        protection: whether one is needed, and how often a caller may ask.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, protection: Protection) -> None:
        self._app = app
        self._keys = keys
        self._required = protection.require_keys
        self._limit = _limit(protection)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        header = request.headers.get("authorization")
        caller = await self._caller(header)
        if wait := self._wait(caller, request):
            refusal = problem(
                request, 429, f"more than {self._limit} requests: ask again in {wait} s",
                headers={"Retry-After": str(wait)},
            )  # fmt: skip
        elif caller is None and (header is not None or not _is_open(scope["path"])):
            refusal = _no_key(request, header)
        else:
            scope["caller"] = caller or Caller()
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)

    async def _caller(self, header: str | None) -> Caller | None:
        if header is None:
            return None if self._required else ANYONE
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            return None
        key = await run_in_threadpool(self._keys.find, token.strip())
        return key and Caller(id=key.id, name=key.name, scopes=key.scopes)

    def _wait(self, caller: Caller | None, request: Request) -> int:
        """Return in how many seconds the caller may ask again; 0 is now."""
        if self._limit is None:
            return 0
        address = request.client.host if request.client else ""
        who = f"key {caller.id}" if caller and caller.id else f"address {address}"
        if self._limiter.hit(self._limit, who):
            return 0
        reset = self._limiter.get_window_stats(self._limit, who).reset_time
        return max(1, math.ceil(reset - time.time()))


def _limit(protection: Protection) -> RateLimitItem | None:
    return parse(protection.rate_limit) if protection.rate_limit else None


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def _no_key(request: Request, header: str | None) -> ASGIApp:
    if header is None:
        why, challenge = "this service needs a key", _REALM
    else:
        why, challenge = "this key is not valid here", f'{_REALM}, error="invalid_token"'
    detail = (
        f"{why}: send `Authorization: Bearer KEY`; who runs the service makes keys with "
        "`narrascope keys make`"
    )
    return problem(request, 401, detail, headers={"WWW-Authenticate": challenge})


_bearer = HTTPBearer(auto_error=False, description="a key made with `narrascope keys make`")


def caller_of(request: Request) -> Caller:
    """Return who makes a request."""
    return cast(Caller, request.scope["caller"])


CallerOf = Annotated[Caller, Depends(caller_of)]


def _allowed(
    asked: SecurityScopes, caller: CallerOf, _: Annotated[object, Depends(_bearer)]
) -> None:
    for scope in asked.scopes:
        require(caller, scope)


def require(caller: Caller, scope: str) -> None:
    """Refuse a caller who lacks a scope.

    Raises:
        HTTPException: 403, naming the scope.
    """
    if not caller.may(scope):
        raise HTTPException(
            403,
            f"this needs a key with the scope {scope!r}: ask who runs the service for one",
            {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
        )


def needs(scope: Scope) -> params.Security:
    """Return the dependency of a route that only callers with a scope may use."""
    return Security(_allowed, scopes=[scope])
