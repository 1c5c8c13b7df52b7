"""A scan that is killed loses nothing, leaves no worker behind, and goes on where it stopped."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from narrascope.labels.tag import KINDS
from narrascope.pipelines.lease import scan_lease
from narrascope.tests.corpora import documents, write

SHARDS = 40
PATIENCE = 120.0


def command(source: Path, tags: Path) -> list[str]:
    scan = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert scan, "install the package first: make test does"
    return [scan, "scan", str(source), "--tags", str(tags), "--workers", "2"]


def published(tags: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(tags)): path.read_bytes()
        for kind in KINDS[:-1]
        for path in sorted((tags / kind).rglob("*.parquet"))
        if path.is_file()
    }


def receipts(tags: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in (tags / "receipts").rglob("0.parquet")}


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that other processes bring about, and fail where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {PATIENCE:.0f} s"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for shard in range(SHARDS):
        write(folder / f"{shard:03d}.parquet", documents(60))
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    tags = tmp_path_factory.mktemp("whole")
    subprocess.run(command(source, tags), check=True, capture_output=True)
    return published(tags)


def descendants(pid: int) -> list[int]:
    """Return the processes below one, nearest first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        children.setdefault(int(rest.split()[1]), []).append(int(name.split()[0]))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_scan_goes_on_where_it_stopped(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    scan = subprocess.Popen(command(source, tmp_path), stderr=subprocess.DEVNULL)
    until(lambda: len(receipts(tmp_path)) >= 3, "three receipts")
    scan.send_signal(signal.SIGKILL)
    scan.wait()
    with (tmp_path / ".workers").open() as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)  # free only once every worker is dead
    done = receipts(tmp_path)
    assert 3 <= len(done) < SHARDS
    subprocess.run(command(source, tmp_path), check=True, capture_output=True)
    assert published(tmp_path) == whole
    after = receipts(tmp_path)
    assert len(after) == SHARDS
    assert {path: after[path] for path in done} == done, "a part with a receipt was read again"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_is_noticed_and_the_scan_ends_whole(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    scan = subprocess.Popen(command(source, tmp_path), stderr=subprocess.DEVNULL)
    until(lambda: len(receipts(tmp_path)) >= 1, "a receipt")
    os.kill(descendants(scan.pid)[-1], signal.SIGKILL)
    assert scan.wait(PATIENCE) == 0
    assert published(tmp_path) == whole


def test_two_scans_do_not_share_a_tag_folder(source: Path, tmp_path: Path) -> None:
    with scan_lease(tmp_path):
        second = subprocess.run(command(source, tmp_path), capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stderr.startswith(f"narrascope: process {os.getpid()} is writing into")
    assert len(second.stderr.splitlines()) == 1
    assert not receipts(tmp_path)
