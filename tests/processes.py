"""Scans as processes of their own, to be watched and killed from outside."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 300.0


def command(source: Path, tags: Path, *more: str) -> list[str]:
    """Return the command of a scan with two workers."""
    scan = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert scan, "install the package first: make test does"
    return [scan, "scan", str(source), "--tags", str(tags), "--workers", "2", *more]


def receipts(tags: Path) -> dict[Path, int]:
    """Return when each receipt of a whole shard was written."""
    return {p: p.stat().st_mtime_ns for p in (tags / "receipts").rglob("0.parquet")}


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that other processes bring about, and fail where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {PATIENCE:.0f} s"
        time.sleep(0.01)


def descendants(pid: int) -> dict[int, int]:
    """Return the processes below one, nearest first, each with its parent."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if state != "Z":
            children.setdefault(int(parent), []).append(int(name.split()[0]))
    found = dict.fromkeys(children.get(pid, []), pid)
    for child in list(found):
        found |= dict.fromkeys(children.get(child, []), child)
    return found


def workers(pid: int) -> list[int]:
    """Return the workers of a scan: what its fork server has forked."""
    return sorted(child for child, parent in descendants(pid).items() if parent != pid)
