"""The worker: takes jobs from the queue and does them, one at a time."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from ..errors import NarrascopeError
from .jobs import JobQueue
from .logs import account
from .schemas import JobKind
from .taken import Cancelled, Interrupted, LeaseLost, TakenJob

Executor = Callable[[TakenJob], dict[str, Any]]
"""Does a job and returns what came of it; may be begun again after it was killed at any point."""

POLL_SECONDS = 1.0


def work(
    queue: JobQueue,
    executors: Mapping[JobKind, Executor],
    *,
    once: bool = False,
    stopping: threading.Event | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> int:
    """Do jobs until asked to stop; a job in hand is then left to another, or done where short.

    Args:
        queue: where jobs are taken from.
        executors: what does each kind of job.
        once: do what is due now, and return.
        stopping: set, from another thread or a signal's handler, to ask it to stop.
        poll_seconds: how long to wait where nothing is due.

    Returns:
        How many jobs were taken.
    """
    taken, stopping = 0, stopping or threading.Event()
    while not stopping.is_set():
        if (job := queue.take(stopping.is_set)) is not None:
            taken += 1
            _do(job, executors, queue.lease_seconds)
        elif once:
            break
        else:
            stopping.wait(poll_seconds)
    return taken


def _do(taken: TakenJob, executors: Mapping[JobKind, Executor], lease_seconds: float) -> None:
    """Do a job and tell the queue what came of it."""
    job = taken.job
    log = structlog.get_logger().bind(job=job.id, kind=job.kind, request_id=job.request_id)
    log.info("begun", attempt=job.attempts)
    started = time.monotonic()
    try:
        _attempt(taken, executors, lease_seconds, log)
    except LeaseLost:
        log.warning("left to another worker", why="its lease ran out")
        return
    log.info("ended", seconds=round(time.monotonic() - started, 1))


def _attempt(
    taken: TakenJob, executors: Mapping[JobKind, Executor], lease_seconds: float, log: Any
) -> None:
    try:
        with _kept_alive(taken, lease_seconds):
            result = executors[taken.job.kind](taken)
    except LeaseLost:
        raise
    except Cancelled:
        taken.stop()
    except Interrupted:
        log.warning("left to another worker", why="asked to stop")
        taken.put_back()
    except NarrascopeError as error:  # of the input: it would fail again
        log.warning("refused", why=str(error))
        taken.fail(str(error))
    except Exception as error:
        told = account(error)
        log.error("failed", **told)
        why = ": ".join(told[part] for part in ("error", "why") if part in told)
        taken.fail(f"{why}; the worker's log says where", again=True)
    else:
        taken.finish(result)


@contextmanager
def _kept_alive(taken: TakenJob, lease_seconds: float) -> Iterator[None]:
    """Renew a job's lease in the background until the end."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(lease_seconds / 3):
            try:
                taken.renew()
            except LeaseLost:
                return
            except sqlite3.OperationalError:  # the disk is busy or away for a moment
                continue

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
