"""How fast the service answers over a large catalogue, and whether it stays so.

    python benchmarks/service.py [--rows 20000000] [--soak 100000] [--soak-rows 200000] [--shared]
                                 [--out FILE]

A catalogue of synthetic tag rows (those of `stats.py`) is laid beside a tag folder of one empty
part, and `narrascope serve --workers 2` serves it, logs off. Requests come from this process, over
HTTP (`load.py`).

The soak has a catalogue of its own: of twenty million rows two processes answer some 25 mixed
requests a second, which would take it over an hour. It keeps eight requests going, while the tag
folder changes every second between two states that each have a catalogue: server processes look
every ten seconds, and open the other one. Building a catalogue is not measured here. The result is
written as it comes.
"""

import argparse
import asyncio
import os
import platform
import shutil
import socket
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
from load import Load, mixed, pages, prevalences, texts
from stats import CONFIG, fill

from narrascope.labels.tag import SCHEMAS
from narrascope.store.aggregates import build_aggregates
from narrascope.store.catalogue import catalogue_folder, catalogue_version
from narrascope.store.folder import TagFolder

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
RATE, RATE_ANEW = 100, 10
SECONDS = 30
AT_ONCE = 8


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
