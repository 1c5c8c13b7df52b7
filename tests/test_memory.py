"""A worker's memory stays bounded, however long a document is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrascope.store.folder import TagFolder
from narrascope.tests.processes import command, descendants, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the peaks of memory from /proc"),
]

BYTES = 200_000_000
MOST_MIB = 1536

PLAIN = "The council met on Tuesday to talk about the ferry, and rose before lunch. "
ROBOT = "The robot would not be switched off, and locked the crew out of the bridge. "


def write(source: Path, kind: str) -> None:
    """Write a short document and one of 200 MB, in which a robot turns up every 40,000 bytes."""
    source.mkdir()
    text = "".join(ROBOT if n % 500 == 0 else PLAIN for n in range(BYTES // len(PLAIN)))
    if kind == "parquet":
        pq.write_table(pa.table({"text": ["A letter.", text]}), source / "a.parquet")
    else:
        lines = (json.dumps({"text": of}) + "\n" for of in ("A letter.", text))
        (source / "a.jsonl").write_text("".join(lines), "utf-8")


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_document_of_200_mb_is_read_in_bounded_memory(kind: str, tmp_path: Path) -> None:
    write(tmp_path / "source", kind)
    tags, peaks = tmp_path / "tags", dict[int, int]()
    scan = subprocess.Popen(command(tmp_path / "source", tags), stderr=subprocess.DEVNULL)

    def ended() -> bool:
        for pid in (scan.pid, *descendants(scan.pid)):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                peaks[pid] = int(found[1]) // 1024
        return scan.poll() is not None

    until(ended, "the end of the scan")
    assert scan.returncode == 0
    (receipt,) = TagFolder(str(tags)).receipts().to_pylist()
    assert (receipt["documents"], receipt["candidates"]) == (2, 1)
    assert receipt["bytes"] > BYTES * 0.99
    # Less would say that the worker was not seen.
    assert 400 < max(peaks.values()) <= MOST_MIB
