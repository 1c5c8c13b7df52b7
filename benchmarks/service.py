"""How fast the service answers over a large catalogue, and whether it stays so.

    python benchmarks/service.py [--rows 20000000] [--soak 100000] [--soak-rows 200000] [--shared]
                                 [--out FILE]

A catalogue of synthetic tag rows (those of `stats.py`) is laid beside a tag folder of one empty
part, and `narrascope serve --workers 2` serves it, logs off. Requests come from this process, over
HTTP. At a rate they are sent when they are due, whether or not earlier ones are answered, and their
time counts from then.

The soak has a catalogue of its own: of twenty million rows two processes answer some 25 mixed
requests a second, which would take it over an hour. It keeps eight requests going, while the tag
folder changes every second between two states that each have a catalogue: server processes look
every ten seconds, and open the other one. Building a catalogue is not measured here. The result is
written as it comes.
"""

import argparse
import asyncio
import itertools
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import httpx
import orjson
from stats import CONFIG, fill

from narrascope.labels.tag import SCHEMAS
from narrascope.labels.taxonomy import GENRES, PORTRAYALS
from narrascope.store.aggregates import build_aggregates
from narrascope.store.catalogue import catalogue_folder, catalogue_version
from narrascope.store.folder import TagFolder

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
RATE, RATE_ANEW = 100, 10
SECONDS = 30
AT_ONCE = 8
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


def lay(folder: Path, rows: int) -> None:
    """Make a tag folder with two states, as `swap` does, each with a catalogue of `rows` rows."""
    tags = TagFolder(str(folder))
    for kind, schema in SCHEMAS.items():
        tags.publish(kind, "empty.parquet", 0, schema.empty_table())
    tags.write(tags.path("failed", "gone.jsonl.json"), b'{"shard": "gone.jsonl"}')
    home = catalogue_folder(tags)
    home.mkdir()
    versions = [catalogue_version(tags)]
    swap(folder)
    versions.append(catalogue_version(tags))
    first, second = (home / f"{version}.duckdb" for version in versions)
    with duckdb.connect(str(first), config=CONFIG) as connection:
        fill(connection, rows)
        connection.execute("CREATE TABLE control AS SELECT shard, row FROM documents LIMIT 0")
        build_aggregates(connection)
        connection.execute("CREATE TABLE meta (version VARCHAR, url VARCHAR)")
        connection.execute("INSERT INTO meta VALUES (?, ?)", [versions[0], tags.url])
    shutil.copy(first, second)
    with duckdb.connect(str(second), config=CONFIG) as connection:
        connection.execute("UPDATE meta SET version = ?", [versions[1]])


def swap(folder: Path) -> None:
    """Bring a tag folder into its other state: with an account of a failed shard, or without."""
    here, aside = folder / "failed", folder / "failed.aside"
    here.rename(aside) if here.exists() else aside.rename(here)


@contextmanager
def serving(tags: Path) -> Iterator[tuple[str, int]]:
    """Serve a tag folder; yield its address and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("narrascope")), "serve", "--tags", str(tags)]
    command += ["--port", str(port), "--workers", str(WORKERS)]
    quiet = os.environ | {"NARRASCOPE_LOG_LEVEL": "error"}
    with subprocess.Popen(command, env=quiet) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            while server.poll() is None:
                try:
                    httpx.get(f"{url}/readyz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            yield url, server.pid
        finally:
            server.terminate()


@contextmanager
def served(rows: int, keep: Callable[..., None]) -> Iterator[tuple[Path, str, int]]:
    """Lay a catalogue and serve it: the tag folder, the address, and the parent process."""
    with tempfile.TemporaryDirectory() as folder:
        tags = Path(folder) / "tags"
        began = time.perf_counter()
        lay(tags, rows)
        keep(laid_in_s=round(time.perf_counter() - began, 1))
        with serving(tags) as (url, parent):
            yield tags, url, parent


def resident_mb(parent: int) -> list[float]:
    """Return the resident memory of each server process, in MB."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = []
    for child in children:
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            pages = int(Path(f"/proc/{child}/statm").read_text().split()[1])
            found.append(round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1))
    return found


async def swapping(folder: Path) -> None:
    """Change the tag folder every second."""
    while True:
        swap(folder)
        await asyncio.sleep(1)


async def soak(url: str, number: int, parent: int, swaps: Awaitable[None]) -> dict[str, Any]:
    """Send many requests while the catalogue is swapped; memory is read ten times among them."""
    load = await warmed(url)
    load.catalogues = []
    asks, began = mixed(), time.perf_counter()
    swapper = asyncio.ensure_future(swaps)
    memory = [resident_mb(parent)]
    for _ in range(10):
        await load.in_turn(asks, number // 10, at_once=AT_ONCE)
        memory.append(resident_mb(parent))
    swapper.cancel()
    seconds = time.perf_counter() - began
    told = {"seconds": round(seconds), "requests_per_s": round(number / seconds, 1)}
    return load.told() | told | {"catalogues_seen": len(load.catalogues), "resident_mb": memory}


async def warmed(url: str) -> Load:
    """Return a load after models and files were read once."""
    load = Load(url)
    for asks in (texts(), pages(), prevalences(anew=False)):
        await load.in_turn(asks, 40, at_once=AT_ONCE)
    load.told()
    return load


async def measure(url: str, keep: Callable[..., None]) -> None:
    """Measure one route after the other, and keep each."""
    load = await warmed(url)
    answer = httpx.post(f"{url}/v1/score", json=next(texts())[2], timeout=60)
    scored = answer.json()["results"][0]
    keep(score_stage=scored["stage"])
    for name, anew, rate in (("prevalence", False, RATE), ("prevalence_anew", True, RATE_ANEW)):
        await load.at_rate(prevalences(anew=anew), rate, SECONDS)
        keep(**{name: load.told() | {"rate_per_s": rate}})
    for name, asks in (("documents", pages()), ("score", texts())):
        await load.in_turn(asks, 200)
        keep(**{name: load.told()})


def main() -> None:
    """Measure, print, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--soak", type=int, default=100_000, help="requests of the soak")
    parser.add_argument("--soak-rows", type=int, default=200_000)
    parser.add_argument("--shared", action="store_true", help="note that the machine was shared")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "service.json")
    arguments = parser.parse_args()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    result: dict[str, Any] = {
        "rows": arguments.rows, "server_processes": WORKERS, "commit": commit,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores"
        + (", shared with other work meanwhile" if arguments.shared else ""),
        "python": platform.python_version(), "duckdb": duckdb.__version__,
    }  # fmt: skip

    def keep(**measured: Any) -> None:
        result.update(measured)
        print(measured, flush=True)
        arguments.out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")

    with served(arguments.rows, keep) as (_, url, _):
        asyncio.run(measure(url, keep))
    with served(arguments.soak_rows, lambda **_: None) as (tags, url, parent):
        told = asyncio.run(soak(url, arguments.soak, parent, swapping(tags)))
        keep(soak=told | {"rows": arguments.soak_rows})


if __name__ == "__main__":
    main()
