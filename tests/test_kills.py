"""Workers killed at random moments: the scan notices, goes on, and loses nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from narrascope.tests.corpora import documents, write
from narrascope.tests.processes import PATIENCE, command, receipts, until, workers
from narrascope.tests.published import published

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc"),
]

SHARDS = 72
KILLS = 5


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for shard in range(SHARDS):
        write(folder / f"{shard:03d}.jsonl.gz", documents(16))
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    tags = tmp_path_factory.mktemp("whole")
    subprocess.run(command(source, tags), check=True, capture_output=True)
    return published(tags)


@pytest.mark.parametrize("seed", range(4))
def test_five_kills_at_random_moments_change_no_tag(
    seed: int, source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    chance = random.Random(seed)
    tags = tmp_path / "tags"
    log = tmp_path / "stderr"
    with log.open("wb") as errors:
        scan = subprocess.Popen(command(source, tags), stderr=errors)
    # Moments are told in shards done, not in seconds: the quicker machine has as many of them.
    for done in sorted(chance.sample(range(SHARDS // 2), KILLS)):
        until(lambda done=done: len(receipts(tags)) >= done, f"shard {done}")
        time.sleep(chance.uniform(0, 0.1))
        kill_one(scan, chance)
    status = scan.wait(PATIENCE)
    if status:
        told = log.read_text()
        assert status == 1
        assert "set aside: " in told or "were killed 5 times" in told, told
        again = command(source, tags, "--retry-failed")
        subprocess.run(again, check=True, capture_output=True, timeout=PATIENCE)
    assert published(tags) == whole


def kill_one(scan: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill a worker of a scan, and where it ended by itself meanwhile, another."""
    killed = False
    while not killed:
        until(lambda: workers(scan.pid) or scan.poll() is not None, "a worker")
        assert scan.poll() is None, "the scan ended before its workers could be killed"
        with suppress(ProcessLookupError, IndexError):
            os.kill(chance.choice(workers(scan.pid)), signal.SIGKILL)
            killed = True
