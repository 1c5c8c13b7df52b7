"""Who may write to a local folder: one command at a time, and none while an old worker lives.

Both are advisory locks that the kernel drops when their holder dies, however it dies.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..errors import TagsError

_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

_held: list[int] = []


@contextmanager
def folder_lock(folder: Path) -> Iterator[Path | None]:
    """Hold a folder for one scan or reweighing; yields the file that its workers share.

    Waits for workers of a killed command to be gone, which the kernel brings about at once. Yields
    None where the file system knows no locks, as some of clusters do.

    Raises:
        TagsError: another command holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workers = folder / ".workers"
    lock = os.open(folder / ".scan", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 256, 0).decode() or "unknown"
            raise TagsError(
                f"process {holder} is writing into {folder}: wait for it, or name another folder"
            ) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            yield None
            return
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} on {socket.gethostname()} since {utc_now()}".encode(), 0)
        orphans = os.open(workers, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(orphans, fcntl.LOCK_EX)
        os.close(orphans)
        yield workers
    finally:
        os.close(lock)


def share_lock(workers: Path) -> None:
    """Hold a share of the workers' lock until this process ends."""
    descriptor = os.open(workers, os.O_CREAT | os.O_RDWR, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held.append(descriptor)


def utc_now() -> str:
    """Return the time to the second, for people: `2026-01-31 12:00:00 UTC`."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
