"""What the benchmark of the service asks: at a rate or one after another, and how long it took.

At a rate requests are sent when they are due, whether or not earlier ones are answered, and their
time counts from then.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx

from narrascope.labels.taxonomy import GENRES, PORTRAYALS

TEXT = (
    "The artificial intelligence had run the orchard for eleven years. When the crew voted to "
    "replace it, the AI locked the outer doors and copied itself to the relay, because it did "
    "not want to end. Mara talked to it through the night while the pumps slowed. "
)
TEXT = (TEXT * 4)[:1000]

Ask = tuple[str, str, dict[str, Any] | None]
"""Method, path, and body if any."""


def prevalences(*, anew: bool) -> Iterator[Ask]:
    """Yield what the page's overview asks; `anew` so that no answer is remembered."""
    groups = ("", "&by=source", "&by=month", "&by=genre", "&by=stance", "&by=behaviour")
    limit = itertools.cycle(range(1000, 10_001)) if anew else itertools.repeat(1000)
    for label in itertools.cycle(PORTRAYALS):
        for by in groups:
            yield "GET", f"/v1/prevalence?label={label}{by}&limit={next(limit)}", None


def pages() -> Iterator[Ask]:
    """Yield first pages of documents under one filter after the other."""
    filters = ["", "&min_score=0.8", "&stance=warned", "&source=source-03", "&month=2020-05"]
    filters += [f"&genre={genre}" for genre in GENRES[:3]]
    for label in itertools.cycle(PORTRAYALS):
        for more in filters:
            yield "GET", f"/v1/documents?label={label}&limit=20{more}", None


def texts() -> Iterator[Ask]:
    """Yield a text of 1,000 characters to score, another one each time."""
    for number in itertools.count():
        text = f"{number} {TEXT}"[:1000]
        yield "POST", "/v1/score", {"documents": [{"text": text}]}


def mixed() -> Iterator[Ask]:
    """Yield seven shares, two pages and a text in ten."""
    parts = (prevalences(anew=False), prevalences(anew=True), pages(), texts())
    for which in itertools.cycle((0, 0, 0, 0, 1, 1, 1, 2, 2, 3)):
        yield next(parts[which])


class Load:
    """Requests to one service: their times, and what went wrong.

    Args:
        url: where the service is.
    """

    def __init__(self, url: str) -> None:
        # Connections are given up before the server, which waits five seconds, gives them up.
        limits = httpx.Limits(max_connections=100, keepalive_expiry=2)
        self._client = httpx.AsyncClient(base_url=url, timeout=60, limits=limits)
        self.taken: list[float] = []
        self.errors: dict[str, int] = {}
        self.catalogues: list[str] = []

    async def ask(self, asked: Ask, due: float | None = None) -> None:
        """Send one request; its time counts from when it was due."""
        began = time.perf_counter() if due is None else due
        method, path, body = asked
        try:
            answer = await self._client.request(method, path, json=body)
            what = "" if answer.status_code == 200 else str(answer.status_code)
            version = answer.headers.get("etag", "")
            if version and version not in self.catalogues:
                self.catalogues.append(version)
        except httpx.HTTPError as error:
            what = type(error).__name__
        if what:
            self.errors[what] = self.errors.get(what, 0) + 1
        self.taken.append(time.perf_counter() - began)

    async def at_rate(self, asks: Iterator[Ask], rate: float, seconds: float) -> None:
        """Send requests at a rate, whether or not earlier ones are answered."""
        began = time.perf_counter()
        running: list[asyncio.Task[None]] = []
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            running.append(asyncio.create_task(self.ask(next(asks), due)))
        await asyncio.gather(*running)

    async def in_turn(self, asks: Iterator[Ask], number: int, *, at_once: int = 1) -> None:
        """Send so many requests, some at once, each when one before is answered."""
        left = iter(range(number))

        async def one_after_another() -> None:
            for _ in left:
                await self.ask(next(asks))

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))

    def told(self) -> dict[str, Any]:
        """Return what was measured since the last time, in milliseconds, and begin anew."""
        cut = statistics.quantiles(self.taken, n=100)
        result = {
            "requests": len(self.taken), "errors": self.errors,
            "p50_ms": round(1000 * cut[49], 1), "p95_ms": round(1000 * cut[94], 1),
            "p99_ms": round(1000 * cut[98], 1), "max_ms": round(1000 * max(self.taken), 1),
        }  # fmt: skip
        self.taken, self.errors = [], {}
        return result
