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
from narrascope.tests.processes import PATIENCE, command, until, workers
from narrascope.tests.published import published

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc"),
]

KILLS = 5


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for shard in range(72):
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
    log = tmp_path / "stderr"
    with log.open("wb") as errors:
        scan = subprocess.Popen(command(source, tmp_path / "tags"), stderr=errors)
    kills = 0
    while kills < KILLS and scan.poll() is None:
        until(lambda: workers(scan.pid) or scan.poll() is not None, "a worker")
        time.sleep(chance.uniform(0, 2))
        if alive := workers(scan.pid):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(alive), signal.SIGKILL)
                kills += 1
    status = scan.wait(PATIENCE)
    assert kills == KILLS, "the scan ended before its workers could be killed"
    if status:
        told = log.read_text()
        assert status == 1
        assert "set aside: " in told or "were killed 5 times" in told, told
        again = command(source, tmp_path / "tags", "--retry-failed")
        subprocess.run(again, check=True, capture_output=True, timeout=PATIENCE)
    assert published(tmp_path / "tags") == whole
