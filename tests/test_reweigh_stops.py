"""A reweighing that is killed loses nothing, and goes on where it stopped to the same bytes."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from narrascope.pipelines.reweigh import reweigh
from narrascope.tests.corpora import documents, write
from narrascope.tests.processes import PATIENCE, until, workers
from narrascope.tests.reweighing import command, contents, with_manifest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc"),
]

SHARDS = 120


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest, and the documents that it knows again and again in many shards."""
    folder = with_manifest(tmp_path_factory.mktemp("place"))
    for shard in range(SHARDS):
        write(folder / "many" / f"{shard:03d}.jsonl.gz", documents(120)[shard % 7 :])
    return folder


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole")
    reweigh(
        place / "manifest", str(place / "many"), out, mode="realised", match="doc_id", workers=1
    )
    return contents(out)


def accounts(out: Path) -> dict[Path, int]:
    found = (out / ".reweigh" / "parts").rglob("0.json")
    return {path: path.stat().st_mtime_ns for path in found}


def begin(place: Path, out: Path, workers: int) -> subprocess.Popen:
    more = ("--mode", "realised", "--match", "doc_id", "--workers", str(workers))
    arguments = command(place / "manifest", place / "many", out, *more)
    return subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("after", [1, 20, 60])
def test_a_killed_reweighing_goes_on_where_it_stopped(
    place: Path, whole: dict[str, bytes], tmp_path: Path, after: int
) -> None:
    first = begin(place, tmp_path, 2)
    until(lambda: len(accounts(tmp_path)) >= after, f"{after} accounts")
    first.send_signal(signal.SIGKILL)
    first.wait()
    with (tmp_path / ".reweigh" / ".workers").open() as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)  # free only once every worker is dead
    done = accounts(tmp_path)
    assert after <= len(done) < SHARDS
    assert not (tmp_path / "reweigh.json").exists()
    assert begin(place, tmp_path, 2).wait(PATIENCE) == 0
    assert contents(tmp_path) == whole
    again = accounts(tmp_path)
    assert {path: again[path] for path in done} == done, "a part with an account was read again"


def test_a_killed_worker_is_noticed_and_the_reweighing_ends_whole(
    place: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    running = begin(place, tmp_path, 2)
    until(lambda: accounts(tmp_path), "an account")
    os.kill(workers(running.pid)[-1], signal.SIGKILL)
    assert running.wait(PATIENCE) == 0
    assert contents(tmp_path) == whole
