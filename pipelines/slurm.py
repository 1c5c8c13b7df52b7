"""A scan or reweighing on Slurm: an array of tasks, and a job after it that finishes the folder."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.logging import logger

from ..errors import ScanError
from ..store.folder import TagFolder
from .lease import Lease, in_queue

if TYPE_CHECKING:
    from .job_array import JobArray

MAX_TASKS = 1000
"""Tasks that a scan is cut into by default: what Slurm takes as one array unless told otherwise."""

POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """What a cluster needs to know of a scan or reweighing.

    Attributes:
        partition: where the jobs run.
        time: limit of a task, as `sbatch --time` takes it.
        memory: GB for a task, which has one core.
        tasks: how many the parts are divided among at most.
        workers: how many run at a time; all that the cluster lets run by default.
        setup: shell commands that prepare a job; by default it finds the programs of the
            environment that submits, which must lie on a disk that the nodes share.
        sbatch: more options of sbatch, such as account or constraint, without their dashes.
        logs: folder for everything that tells of the run; by default one of its own under `logs` in
            the folder that is held.
        wait: whether to stay until the jobs have ended.
    """

    partition: str
    time: str = "24:00:00"
    memory: int = 2
    tasks: int = MAX_TASKS
    workers: int | None = None
    setup: str | None = None
    sbatch: Mapping[str, str] = field(default_factory=dict)
    logs: str | None = None
    wait: bool = False

    def run(
        self, pipeline: list[PipelineStep], parts: int, lease: Lease, look: Callable[[], object],
        *, work: str = "scan", finish: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        """Submit a pipeline whose task r of n takes parts r, r + n, ….

        The jobs go on with the lease, and stand in it. The last, which runs whatever became of the
        others, calls `finish` and releases the folder.

        Args:
            pipeline: datatrove's steps.
            parts: how many parts there are, at least 1.
            lease: the hold of the folder that is written.
            look: called every few seconds while waiting.
            work: what is done, for the names of jobs and for messages.
            finish: can be pickled; what the last job calls.

        Raises:
            ScanError: this machine has no sbatch, or it refused the jobs.
        """
        if shutil.which("sbatch") is None:
            raise ScanError(
                "this machine has no sbatch: run the command where jobs of the cluster are "
                "submitted, or leave out --executor slurm to do it here"
            )
        logs = self.logs or f"{lease.url.rstrip('/')}/logs/{lease.number}"
        array = self._array(pipeline, min(parts, self.tasks), logs, f"{work}-{lease.number}")
        last = self._array(
            [Finish(lease, finish)], 1, f"{logs}/finish", f"finish-{lease.number}", depends=array
        )
        logger.disable("datatrove")  # its talk to the terminal; the tasks' logs go on
        try:
            last.launch_job()
        except (OSError, subprocess.CalledProcessError) as error:
            if array.submitted:
                subprocess.run(["scancel", *array.submitted], check=False)  # noqa: S603, S607
            raise ScanError(
                f"sbatch refused the {work} ({error}): what it said stands above; change "
                "--partition, --time, --memory or --sbatch accordingly"
            ) from error
        finally:
            logger.enable("datatrove")
        lease.jobs = array.submitted + last.submitted
        if self.wait:
            while in_queue(lease.jobs) is not False:
                look()
                time.sleep(POLL_SECONDS)
            lease.jobs = []

    def _array(
        self,
        pipeline: list[PipelineStep],
        tasks: int,
        logs: str,
        name: str,
        depends: "JobArray | None" = None,
    ) -> "JobArray":
        from .job_array import JobArray  # takes long, and only Slurm needs it

        local = TagFolder(logs).is_local
        return JobArray(
            pipeline=pipeline,  # pyright: ignore[reportArgumentType]
            tasks=tasks,
            time=self.time,
            partition=self.partition,
            mem_per_cpu_gb=self.memory,
            workers=self.workers or -1,
            job_name=f"narrascope-{name}",
            qos="",
            env_command=self.setup or _environment(),
            sbatch_args=dict(self.sbatch),
            logging_dir=logs,
            # Slurm itself can write nowhere else than to a disk.
            slurm_logs_folder=f"{logs}/slurm" if local else str(Path("slurm_logs", name).resolve()),
            depends=depends,
            run_on_dependency_fail=True,
            requeue_signals=None,
        )


class Finish(PipelineStep):
    """Finishes what is done, and releases the folder."""

    name = "Finish"
    type = "Writer"

    def __init__(self, lease: Lease, finish: Callable[[], object] | None) -> None:
        super().__init__()
        self.lease = lease
        self.finish = finish

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Finish the work."""
        self.lease.require()
        try:
            if self.finish is not None:
                self.finish()
        finally:
            self.lease.release()
        yield from ()


def _environment() -> str:
    programs = Path(sys.executable).parent
    # One core a task: libraries that would start a thread for each core of the node are told so.
    return f"export PATH={shlex.quote(str(programs))}{os.pathsep}$PATH OMP_NUM_THREADS=1"
