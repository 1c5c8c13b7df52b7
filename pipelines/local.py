"""A local executor that outlives its workers, and whose workers do not outlive it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path

import pyarrow as pa
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import PipelineStats

from ..errors import ScanError, one_line
from .lease import share_lease

_POOLS = 5


class WatchedExecutor(LocalPipelineExecutor):
    """datatrove's local executor with a pool that notices when a worker is killed.

    The pool of the base class waits for ever for a worker that was killed. Here the pool breaks,
    and its unfinished tasks go to a new one; what a task had published is not read again by a later
    scan, and publishing a part twice writes the same bytes.
    """

    def finished(self, lease: Path | None) -> Iterator[int]:
        """Run all tasks and yield the rank of each as it ends.

        Args:
            lease: a file that every worker holds a shared lock on while it lives.

        Raises:
            ScanError: several pools in a row lost a worker, or a task failed as a whole.
        """
        left = set(range(self.tasks))
        for _ in range(_POOLS):
            pool = ProcessPoolExecutor(
                max_workers=min(self.workers, len(left)),
                mp_context=get_context(self.start_method),
                initializer=_begin_worker,
                initargs=(lease, self._workers_log()),
            )
            try:
                futures = {pool.submit(self._run_quietly, rank): rank for rank in sorted(left)}
                for future in as_completed(futures):
                    future.result()
                    left.discard(futures[future])
                    yield futures[future]
                return
            except BrokenProcessPool:
                continue
            except Exception as error:
                raise ScanError(
                    f"a task stopped ({one_line(error)}); its log is in {self.logging_dir.path}: "
                    "mend that, and run the same command again, which goes on where this stopped"
                ) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        raise ScanError(
            f"workers were killed {_POOLS} times, most likely for want of memory: {len(left)} of "
            f"{self.tasks} tasks are unfinished; use fewer --workers and run the same command again"
        )

    def _run_quietly(self, rank: int) -> PipelineStats:
        return self._run_for_rank(rank, local_rank=1)

    def _workers_log(self) -> Path:
        if not self.logging_dir.is_local():
            return Path(os.devnull)  # each task's log is beside the tags
        log = Path(self.logging_dir.path) / "workers.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return log


def run_parts(
    pipeline: list[PipelineStep | Callable],
    parts: int,
    *,
    workers: int,
    logging_dir: str,
    lease: Path | None,
    progress: Callable[[int, int], None],
    tasks: int | None = None,
) -> None:
    """Run a pipeline whose task r of n takes parts r, r + n, …, and tell of parts as they end.

    Args:
        pipeline: datatrove's steps.
        parts: how many parts there are, at least 1.
        workers: processes.
        logging_dir: where datatrove's logs go.
        lease: a file that every worker holds a shared lock on while it lives.
        progress: called with (finished parts, all parts).
        tasks: n; by default small tasks, which balance the load.

    Raises:
        ScanError: workers kept dying, or a task failed as a whole.
    """
    tasks = tasks or min(parts, 16 * workers)
    executor = WatchedExecutor(
        pipeline=pipeline,
        tasks=tasks,
        workers=min(workers, tasks),
        logging_dir=logging_dir,
        skip_completed=False,
    )
    finished = 0
    progress(0, parts)
    for rank in executor.finished(lease):
        finished += len(range(rank, parts, tasks))
        progress(finished, parts)


def _begin_worker(lease: Path | None, log: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if lease is not None:
        share_lease(lease)
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
