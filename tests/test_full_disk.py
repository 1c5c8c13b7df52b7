"""A disk that fills up while a scan writes: one line, and later the same command goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.errors import ScanError
from narrascope.pipelines.scan import scan
from narrascope.tests.corpora import documents, write
from narrascope.tests.published import published

SHARDS = 16


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=384k", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs a mount, which is refused here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_ends_the_scan_and_room_lets_it_go_on(small_disk: Path, tmp_path: Path) -> None:
    source, tags = tmp_path / "corpus", small_disk / "tags"
    for shard in range(SHARDS):
        write(source / f"{shard:02d}.jsonl", documents(4))
    with pytest.raises(ScanError, match="there is no room to write"):
        scan(str(source), str(tags), workers=2)
    done = len(list((tags / "receipts").rglob("0.parquet")))
    assert 0 < done < SHARDS
    assert not list(tags.rglob("*.tmp"))

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    report = scan(str(source), str(tags), workers=2)
    assert (report.parts, report.done_before) == (SHARDS - done, done)
    scan(str(source), str(tmp_path / "whole"), workers=2)
    assert published(tags) == published(tmp_path / "whole")
