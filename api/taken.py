"""A job in a worker's hands: how far it is, how it ended, and whether it is still this worker's."""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from .schemas import Job

if TYPE_CHECKING:
    from .jobs import JobQueue


class Cancelled(Exception):  # noqa: N818 (it is no failure)
    """The job was cancelled while it was being done."""


class LeaseLost(Exception):  # noqa: N818 (another worker goes on)
    """The job is another worker's now."""


class Interrupted(Exception):  # noqa: N818 (another worker goes on)
    """The worker was asked to end while it did the job."""


class TakenJob:
    """A job in a worker's hands.

    Args:
        queue: the queue that it was taken from.
        job: the job, as it was then.
        lease: what tells this worker's hold from any other's.
        interrupted: whether the worker is to end.
    """

    def __init__(
        self, queue: "JobQueue", job: Job, lease: str, interrupted: Callable[[], bool]
    ) -> None:
        self._queue = queue
        self._lease = lease
        self._interrupted = interrupted
        self.job = job

    def report(self, done: int, total: int | None) -> None:
        """Say how far the work is, and renew the lease.

        Raises:
            Cancelled: the job was cancelled.
            Interrupted: the worker is to end.
            LeaseLost: the job is another worker's now.
        """
        if self._change("done = ?, total = ?", done, total)["cancelling"]:
            raise Cancelled
        if self._interrupted():
            raise Interrupted

    def renew(self) -> None:
        """Renew the lease.

        Raises:
            LeaseLost: the job is another worker's now.
        """
        self._change("lease = lease")

    def finish(self, result: dict[str, Any]) -> None:
        """Keep what came of the job."""
        self._end("done", result=orjson.dumps(result).decode())

    def fail(self, why: str, *, again: bool = False) -> None:
        """Give the job up, in a line; with `again` it is tried again, if it may be."""
        if again and self.job.attempts < self._queue.attempts:
            wait = self.job.attempts * self._queue.retry_seconds
            self._change("state = 'queued', error = ?, due = ?", why, self._queue.clock() + wait)
        else:
            self._end("failed", error=why)

    def stop(self) -> None:
        """Mark the job as cancelled."""
        self._end("cancelled")

    def put_back(self) -> None:
        """Leave the job to another worker at once."""
        self._change("state = 'queued'")

    def _end(self, state: str, *, result: str | None = None, error: str | None = None) -> None:
        self._change(
            "state = ?, finished = ?, result = ?, error = ?, cancelling = 0",
            state, self._queue.clock(), result, error,
        )  # fmt: skip

    def _change(self, what: str, *bound: Any) -> sqlite3.Row:
        until = self._queue.clock() + self._queue.lease_seconds
        with self._queue.state.writing() as connection:
            row = connection.execute(
                f"UPDATE jobs SET leased_until = ?, {what} "  # noqa: S608 (literals of this class)
                "WHERE id = ? AND lease = ? AND state = 'running' RETURNING cancelling",
                [until, *bound, self.job.id, self._lease],
            ).fetchone()
        if row is None:
            raise LeaseLost
        return row
