"""The queue of long work, in the service's state: enqueued by routes, done by `narrascope worker`.

A worker takes a job for a lease and renews it while it works. A lease that runs out, because its
worker was killed or lost its disk, lets another worker take the job over; what the first may still
bring is refused. A job is tried a few times; what is wrong with its input is not tried again.
"""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson

from .schemas import JOB_STATES, Job, JobKind, JobState
from .state import State
from .taken import TakenJob

LEASE_SECONDS = 60.0
"""How long a worker may be silent before its job is another's."""

ATTEMPTS = 3
"""How often a job is tried."""

KEPT = 1000
"""How many finished jobs are remembered."""


class JobQueue:
    """The jobs in a service's state.

    Args:
        state: where they are kept.
        lease_seconds: how long a worker may be silent before its job is another's.
        attempts: how often a job is tried.
        retry_seconds: how long after its first attempt the second is due, and so on in proportion.
        clock: the time, in seconds since 1970; workers on several machines need clocks that differ
            by less than the lease.
    """

    def __init__(
        self, state: State, *, lease_seconds: float = LEASE_SECONDS, attempts: int = ATTEMPTS,
        retry_seconds: float = 10.0, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.state = state
        self.lease_seconds = lease_seconds
        self.attempts = attempts
        self.retry_seconds = retry_seconds
        self.clock = clock

    def add(
        self, kind: JobKind, arguments: dict[str, Any], *, identity: str, asked_by: str = "",
        request_id: str = "",
    ) -> Job:  # fmt: skip
        """Enqueue a job, or return the unfinished one of the same kind and identity."""
        digest = _digest(kind, identity)
        with self.state.writing() as connection:
            there = connection.execute(
                "SELECT * FROM jobs WHERE digest = ? AND state IN ('queued', 'running')", [digest]
            ).fetchone()
            if there is not None:
                return self._job(there)
            _forget(connection)
            row = connection.execute(
                "INSERT INTO jobs (id, kind, arguments, digest, state, due, asked_by, request_id, "
                "created) VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?) RETURNING *",
                [
                    uuid4().hex, kind, orjson.dumps(arguments).decode(), digest, self.clock(),
                    asked_by, request_id, self.clock(),
                ],
            ).fetchone()  # fmt: skip
        return self._job(row)

    def get(self, id: str) -> Job | None:
        """Return a job, or None where there is none of this id."""
        rows = self.state.read("SELECT * FROM jobs WHERE id = ?", id)
        return self._job(rows[0]) if rows else None

    def last(self, kind: JobKind, identity: str) -> Job | None:
        """Return the newest job of a kind and identity, or None."""
        rows = self.state.read(
            "SELECT * FROM jobs WHERE digest = ? ORDER BY created DESC, rowid DESC LIMIT 1",
            _digest(kind, identity),
        )
        return self._job(rows[0]) if rows else None

    def all(self, *, state: JobState | None = None, limit: int = 100) -> list[Job]:
        """Return jobs, the newest first, in one state or any."""
        rows = self.state.read(
            "SELECT * FROM jobs WHERE ? IS NULL OR state = ? "
            "ORDER BY created DESC, rowid DESC LIMIT ?",
            state, state, limit,
        )  # fmt: skip
        return [self._job(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        rows = self.state.read("SELECT state, count(*) AS n FROM jobs GROUP BY state")
        return dict.fromkeys(JOB_STATES, 0) | {row["state"]: row["n"] for row in rows}

    def cancel(self, id: str) -> Job | None:
        """Cancel a job: at once if no worker has it, else when its worker next says how far it is.

        Returns None where there is no such job, and the job as it was where it is finished.
        """
        now = self.clock()
        with self.state.writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ? AND "
                "(state = 'queued' OR (state = 'running' AND leased_until < ?))",
                [now, id, now],
            )
            connection.execute(
                "UPDATE jobs SET cancelling = 1 WHERE id = ? AND state = 'running'", [id]
            )
        return self.get(id)

    def take(self, interrupted: Callable[[], bool] = lambda: False) -> TakenJob | None:
        """Take the next job that is due, or that a worker was lost over; None where there is none.

        `interrupted` says whether the worker is to end. A job whose worker was lost at its last
        attempt has failed, and is not taken.
        """
        now = self.clock()
        lease = uuid4().hex
        with self.state.writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ? WHERE cancelling "
                "AND (state = 'queued' OR (state = 'running' AND leased_until < ?))",
                [now, now],
            )
            connection.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = ? "
                "WHERE state = 'running' AND leased_until < ? AND attempts >= ?",
                [now, _lost(self.attempts), now, self.attempts],
            )
            row = connection.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease = ?, "
                "leased_until = ?, started = coalesce(started, ?), done = 0, total = NULL "
                "WHERE id = (SELECT id FROM jobs WHERE (state = 'queued' AND due <= ?) OR "
                "(state = 'running' AND leased_until < ?) ORDER BY created, rowid LIMIT 1) "
                "RETURNING *",
                [lease, now + self.lease_seconds, now, now, now],
            ).fetchone()
        return TakenJob(self, self._job(row), lease, interrupted) if row is not None else None

    def _job(self, row: sqlite3.Row) -> Job:
        return Job(
            id=row["id"], kind=row["kind"], arguments=orjson.loads(row["arguments"]),
            state=row["state"], note=self._note(row), done=row["done"], total=row["total"],
            attempts=row["attempts"], cancelling=bool(row["cancelling"]),
            result=orjson.loads(row["result"]) if row["result"] else None, error=row["error"],
            asked_by=row["asked_by"], request_id=row["request_id"],
            created=datetime.fromtimestamp(row["created"], UTC), started=_time(row["started"]),
            finished=_time(row["finished"]),
        )  # fmt: skip

    def _note(self, row: sqlite3.Row) -> str:
        if row["state"] == "queued":
            again = f" to try again: {row['error']}" if row["error"] else ""
            return f"waits for a `narrascope worker`{again}"
        if row["state"] != "running":
            return row["error"] or row["state"]
        if row["leased_until"] < self.clock():
            return "its worker has not been heard of; the next `narrascope worker` takes it over"
        if row["cancelling"]:
            return "cancelled; its worker stops when it next says how far it is"
        return "a worker is at it"


def _forget(connection: sqlite3.Connection) -> None:
    """Remove the oldest finished jobs beyond those that are kept."""
    connection.execute(
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished IS NOT NULL "
        "ORDER BY finished DESC LIMIT -1 OFFSET ?)",
        [KEPT],
    )


def _digest(kind: str, identity: str) -> str:
    return sha256(f"{kind}\0{identity}".encode()).hexdigest()


def _lost(attempts: int) -> str:
    return (
        f"its worker was lost {attempts} times, most likely for want of memory: ask for it again "
        "where there is more"
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
