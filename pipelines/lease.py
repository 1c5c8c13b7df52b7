"""Which scan holds a tag folder, on whatever machines it runs and whatever store the folder is in.

``TAGS/lease/<n>.json`` is the n-th time that a scan took the folder. The highest holds it: until it
says that it was released, until it has not been heard of for `EXPIRY` seconds (a process says so
every `BEAT`), or, once the scan was handed to Slurm, until Slurm no longer lists its jobs. Only one
scan can create a file that is not there yet, so only one takes over. On a local disk a lock of the
kernel's stands before all this, and a holder that died on this machine is known at once.

What is promised: two scans never both hold, where a file can be created only if it is absent (local
disks, NFS, S3, Google, Azure; fsspec's `pipe_file(mode="create")`), and clocks differ by less than
`EXPIRY`. Where a store cannot do that, both may begin if they begin in the same moment; then, as
when a holder that was taken for dead comes back, the one that is no longer the latest stops before
it publishes its next part (`require`). No store can make that check and the put one act: a part
that slips through is the same bytes if the scans are the same; if not, its receipt says so, and the
next scan refuses the folder.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import orjson

from ..errors import ScanError, SettingsError, TagsError
from ..store.folder import TagFolder
from ..store.location import reaching
from .locks import folder_lock, utc_now

EXPIRY = 300.0
"""Seconds after which a process that is not heard of is taken for dead."""

BEAT = 30.0
"""Seconds from one sign of life to the next."""

FOLDER = "lease"


@dataclass(slots=True)
class Lease:
    """One scan's hold of a tag folder; it travels with the scan's steps.

    `workers` is the file that local workers share a lock on, if any; `jobs` are the Slurm jobs that
    go on with the scan after the process that took the lease.
    """

    url: str
    number: int
    workers: Path | None = None
    jobs: list[str] = field(default_factory=list)
    token: str = field(default_factory=lambda: uuid4().hex)
    since: str = field(default_factory=utc_now)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    def require(self) -> None:
        """Make sure that no other scan has taken the folder over.

        Raises:
            ScanError: one has.
        """
        number, record = _latest(TagFolder(self.url))
        if (number, record.get("token")) != (self.number, self.token):
            raise ScanError(
                f"another command took {self.url} over: {_name(record)}; this one had not been "
                "heard of, and stops"
            )

    def release(self) -> None:
        """Let others take the folder."""
        self._write(released=True)

    def keep(self, ended: Event) -> None:
        """Give a sign of life now and then, until the end or until another scan has taken over."""
        while not ended.wait(BEAT):
            try:
                self.require()
                self._write()
            except ScanError:
                return
            except (OSError, SettingsError):  # the store is away for a moment
                continue

    def record(self, *, released: bool = False) -> dict[str, Any]:
        """Return what stands in the lease's file."""
        return {
            "token": self.token,
            "host": self.host,
            "pid": self.pid,
            "machine": _machine(),
            "since": self.since,
            "heard": time.time(),
            "jobs": self.jobs,
            "released": released,
        }

    def _write(self, *, released: bool = False) -> None:
        folder = TagFolder(self.url)
        data = orjson.dumps(self.record(released=released), option=orjson.OPT_INDENT_2)
        folder.write(_path(folder, self.number), data)


@contextmanager
def scan_lease(folder: TagFolder) -> Iterator[Lease]:
    """Hold a tag folder for one scan.

    It is released at the end, unless `jobs` go on with the scan: the last of them releases it.

    Raises:
        TagsError: another scan holds the folder.
    """
    lock = folder_lock(Path(folder.root)) if folder.is_local else nullcontext()
    with lock as workers:
        lease = _take(folder, workers)
        ended = Event()
        beats = Thread(target=lease.keep, args=(ended,), daemon=True)
        beats.start()
        try:
            yield lease
        finally:
            ended.set()
            beats.join()
            # A full disk is told of by what filled it; a lease that is not released expires.
            with nullcontext() if lease.jobs else suppress(OSError):
                lease._write(released=not lease.jobs)


def in_queue(jobs: list[str]) -> bool | None:
    """Return whether Slurm still lists any of some jobs; None where Slurm cannot be asked."""
    command = ["squeue", "--noheader", "--format=%A", f"--jobs={','.join(jobs)}"]
    try:
        asked = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode == 0:
        return bool(asked.stdout.strip())
    return False if "Invalid job id" in asked.stderr else None


def _take(folder: TagFolder, workers: Path | None) -> Lease:
    while True:
        number, record = _latest(folder)
        _refuse_if_held(folder, number, record, locked=workers is not None)
        lease = Lease(folder.url, number + 1, workers)
        created = folder.create(_path(folder, lease.number), orjson.dumps(lease.record()))
        with suppress(ScanError):
            if created:
                lease.require()
                break
    for older in _numbers(folder):
        if older < lease.number:
            with suppress(FileNotFoundError):
                folder.filesystem.rm_file(_path(folder, older))
    return lease


def _refuse_if_held(
    folder: TagFolder, number: int, record: dict[str, Any], *, locked: bool
) -> None:
    if record.get("released", True):
        return
    path = _path(folder, number)
    if jobs := record["jobs"]:
        if in_queue(jobs) is not False:
            raise TagsError(
                f"{folder.url} is held by {_name(record)}: wait for them (squeue "
                f"--jobs={','.join(jobs)}), or end them (scancel {' '.join(jobs)}) and run the "
                f"command again where Slurm can be asked; where it no longer can, remove {path}"
            )
    elif not (locked and record["machine"] == _machine()):
        silent = time.time() - record["heard"]
        if silent < EXPIRY:
            raise TagsError(
                f"{folder.url} is held by {_name(record)}, heard of {max(0.0, silent):.0f} s ago: "
                "wait for it, or name another --tags folder, or --out; if it is dead, run the "
                f"command again in {EXPIRY - silent:.0f} s, or remove {path}"
            )


def _name(record: dict[str, Any]) -> str:
    where = f"{record.get('host', 'an unknown host')} since {record.get('since', 'unknown')}"
    if jobs := record.get("jobs"):
        return f"Slurm jobs {', '.join(jobs)}, submitted on {where}"
    return f"process {record.get('pid', 'unknown')} on {where}"


def _latest(folder: TagFolder) -> tuple[int, dict[str, Any]]:
    """Return the highest lease, as (number, record); (0, {}) where there was none."""
    while numbers := _numbers(folder):
        number = max(numbers)
        with suppress(FileNotFoundError):  # a later one has just removed it
            return number, orjson.loads(folder.filesystem.cat_file(_path(folder, number)))
    return 0, {}


def _numbers(folder: TagFolder) -> list[int]:
    try:
        with reaching(folder.url, folder.filesystem):
            paths = folder.filesystem.ls(folder.path(FOLDER), detail=False)
    except FileNotFoundError:
        return []
    names = [str(path).rpartition("/")[2] for path in paths]
    return [int(n.removesuffix(".json")) for n in names if n.removesuffix(".json").isdigit()]


def _path(folder: TagFolder, number: int) -> str:
    return folder.path(FOLDER, f"{number}.json")


def _machine() -> str:
    """Return what tells this machine's kernel, and with it its locks, from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()
