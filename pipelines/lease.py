"""Who may write to a local folder: one command at a time, and none while an old worker lives.

Both leases are advisory locks that the kernel drops when their holder dies, however it dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import TagsError

_held: list[int] = []


@contextmanager
def scan_lease(folder: Path) -> Iterator[Path]:
    """Hold a folder for one scan or reweighing; yields the file that its workers share.

    Waits for workers of a killed command to be gone, which the kernel brings about at once.

    Raises:
        TagsError: another command holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workers = folder / ".workers"
    scan = os.open(folder / ".scan", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(scan, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(scan, 32, 0).decode() or "unknown"
            raise TagsError(
                f"process {holder} is writing into {folder}: wait for it, or name another folder"
            ) from None
        os.truncate(scan, 0)
        os.pwrite(scan, str(os.getpid()).encode(), 0)
        orphans = os.open(workers, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(orphans, fcntl.LOCK_EX)
        os.close(orphans)
        yield workers
    finally:
        os.close(scan)


def share_lease(workers: Path) -> None:
    """Hold a share of the workers' lease until this process ends."""
    descriptor = os.open(workers, os.O_CREAT | os.O_RDWR, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held.append(descriptor)
