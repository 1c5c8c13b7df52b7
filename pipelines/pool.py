"""Tasks as datatrove's local executor runs them, on a pool that notices when a worker is killed."""

import errno
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.context import BaseContext
from pathlib import Path

import pyarrow as pa
from datatrove.pipeline.base import PipelineStep
from fsspec.implementations.local import LocalFileSystem

from ..errors import NarrascopeError, ScanError, one_line
from ..store.location import locate
from .locks import share_lock

_TICK = 1.0
_EXECUTOR = "datatrove.executor"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SCANNING = (
    "narrascope.pipelines.scan",
    "narrascope.classifiers.evidence",
    "narrascope.classifiers.verdict",
    "tldextract",
)
"""What a scan's workers need: imported once, in the fork server, it is most of their start."""


class LostWorkerError(Exception):
    """A worker was killed, and the pool with it; `ranks` are the tasks that were being run."""

    def __init__(self, ranks: list[int]) -> None:
        super().__init__(ranks)
        self.ranks = ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedExecutor:
    """Runs datatrove's tasks on this machine, in a pool that notices when a worker is killed.

    The pool of datatrove's own local executor waits for ever for a worker that was killed. Here the
    pool breaks, and whoever runs it learns which tasks were in hand.

    Attributes:
        pipeline: datatrove's steps; every task has its own copy of them.
        tasks: how many tasks there are.
        workers: processes, no more than tasks.
        logging_dir: path or fsspec URL of the folder for datatrove's logs.
        preloaded: modules that every worker begins with.
    """

    pipeline: Sequence[PipelineStep]
    tasks: int
    workers: int
    logging_dir: str
    preloaded: Sequence[str] = SCANNING

    def ended(self, lease: Path | None) -> Iterator[list[int]]:
        """Run all tasks; yield the ranks that ended since the last time, at least every second.

        Args:
            lease: a file that every worker holds a shared lock on while it lives.

        Raises:
            LostWorkerError: a worker was killed.
            ScanError: a task failed as a whole, unless it said in one line why.
        """
        pool = ProcessPoolExecutor(
            max_workers=self.workers,
            mp_context=self._context(),
            initializer=_begin_worker,
            initargs=(lease, self._workers_log(), dict(os.environ)),
        )
        waiting = deque(range(self.tasks))
        running: dict[Future[None], int] = {}

        def fill() -> None:  # with no more than are run, so that what a killed worker had is known
            while waiting and len(running) < self.workers:
                rank = waiting.popleft()
                running[self._submit(pool, rank)] = rank

        try:
            fill()
            while running:
                done, _ = wait(running, timeout=_TICK, return_when=FIRST_COMPLETED)
                if not done:
                    _look_at_all_workers(pool)
                for future in done:
                    future.result()
                ended = [running.pop(future) for future in done]
                fill()  # before whoever asked makes the workers wait
                yield ended
        except BrokenProcessPool as error:
            raise LostWorkerError(list(running.values())) from error
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise self._stopped(error) from error
            raise ScanError(
                f"there is no room to write {error.filename or 'to the disk'} ({error.strerror}): "
                "free some, and run the same command again, which goes on where this stopped"
            ) from error
        except NarrascopeError:
            raise
        except Exception as error:
            raise self._stopped(error) from error
        finally:
            workers = list((pool._processes or {}).values()) if waiting or running else []
            pool.shutdown(wait=not workers, cancel_futures=True)
            for worker in workers:
                worker.kill()

    def _submit(self, pool: ProcessPoolExecutor, rank: int) -> "Future[None]":
        try:
            return pool.submit(self._run_quietly, rank)
        except (BrokenPipeError, EOFError) as error:  # killed before it was told what to do
            raise BrokenProcessPool(one_line(error)) from error

    def _stopped(self, error: Exception) -> ScanError:
        return ScanError(
            f"a task stopped ({one_line(error)}); its log is in {self.logging_dir}: "
            "mend that, and run the same command again, which goes on where this stopped"
        )

    def _context(self) -> BaseContext:
        # Workers are what runs side by side; and a fork server must have no threads of its own.
        for library in ("OMP", "OPENBLAS", "MKL"):
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")
        # Else workers would import what lies in the current folder and bears a library's name.
        os.environ.setdefault("PYTHONSAFEPATH", "1")
        context = get_context("forkserver")
        context.set_forkserver_preload([_EXECUTOR, *self.preloaded])
        return context

    def _run_quietly(self, rank: int) -> None:
        from datatrove.executor import LocalPipelineExecutor  # which the parent starts without

        executor = LocalPipelineExecutor(
            pipeline=list(self.pipeline),
            tasks=self.tasks,
            logging_dir=self.logging_dir,
            skip_completed=False,
        )
        # Without a result: a worker that is killed while it sends one would leave half of it.
        executor._run_for_rank(rank, local_rank=1)

    def _workers_log(self) -> Path:
        filesystem, path = locate(self.logging_dir)
        if not isinstance(filesystem, LocalFileSystem):
            return Path(os.devnull)  # each task's log is beside the tags
        log = Path(path) / "workers.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return log


def _look_at_all_workers(pool: ProcessPoolExecutor) -> None:
    # A pool waits for its workers and for news. It does not wait for a worker that began after it
    # last had any: if that one is killed, with the lock of the queue in its hands, no news comes.
    with pool._shutdown_lock:
        pool._executor_manager_thread_wakeup.wakeup()


def _begin_worker(lease: Path | None, log: Path, environment: dict[str, str]) -> None:
    # A fork server keeps the environment that it began with: another scan's, in a process of many.
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if lease is not None:
        share_lock(lease)
    # datatrove prints a traceback of what fails to standard error besides its log; the parent says
    # it in one line instead.
    os.dup2(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644), 2)
    pa.set_cpu_count(1)


def _end_with_parent() -> None:
    # The fork server outlives a killed parent as long as its workers do, so that neither a closed
    # pipe to it nor the kernel's parent-death signal tells them; the parent's own sentinel does.
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
