"""A scan that is killed loses nothing, leaves no worker behind, and goes on where it stopped."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from narrascope.pipelines.lease import scan_lease
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, write
from narrascope.tests.processes import (
    PATIENCE,
    command,
    descendants,
    receipts,
    until,
    workers,
)
from narrascope.tests.published import published

SHARDS = 40


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


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_scan_goes_on_where_it_stopped(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    scan = subprocess.Popen(command(source, tmp_path), stderr=subprocess.DEVNULL)
    until(lambda: len(receipts(tmp_path)) >= 3, "three receipts")
    below = descendants(scan.pid)
    assert workers(scan.pid)
    scan.send_signal(signal.SIGKILL)
    scan.wait()
    with (tmp_path / ".workers").open() as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)  # free only once every worker is dead
    until(lambda: not any(map(is_running, below)), "the end of the fork server")
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
    os.kill(workers(scan.pid)[-1], signal.SIGKILL)
    assert scan.wait(PATIENCE) == 0
    assert published(tmp_path) == whole


def test_what_lies_in_the_current_folder_is_not_taken_for_a_library(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "orjson").mkdir()
    (tmp_path / "orjson" / "__init__.py").touch()
    subprocess.run(command(source, tmp_path), cwd=tmp_path, check=True, capture_output=True)
    assert published(tmp_path) == whole


def test_two_scans_do_not_share_a_tag_folder(source: Path, tmp_path: Path) -> None:
    with scan_lease(TagFolder(str(tmp_path))):
        second = subprocess.run(command(source, tmp_path), capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stderr.startswith(f"narrascope: process {os.getpid()} on ")
    assert len(second.stderr.splitlines()) == 1
    assert not receipts(tmp_path)
