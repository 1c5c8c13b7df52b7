"""A scan or reweighing on Ray: the same tasks as actors of a cluster, watched from here."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datatrove.pipeline.base import PipelineStep
from datatrove.utils.logging import logger

from ..errors import SettingsError
from .lease import Lease

if TYPE_CHECKING:
    from datatrove.executor import RayPipelineExecutor

POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """What a Ray cluster needs to know of a scan or reweighing.

    The cluster is the one that `RAY_ADDRESS` names, or that runs on this machine, or else one that
    is started here and ended with the work.

    Attributes:
        memory: GB to reserve for a task, which has one core.
        tasks: how many the parts are divided among at most.
        workers: how many run at a time; all that the cluster has room for by default.
        logs: folder for everything that tells of the run; by default one of its own under `logs` in
            the folder that is held.
    """

    memory: int = 2
    tasks: int = 1000
    workers: int | None = None
    logs: str | None = None

    def run(
        self, pipeline: list[PipelineStep], parts: int, lease: Lease, look: Callable[[], object],
        *, work: str = "scan", finish: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        """Run a pipeline whose task r of n takes parts r, r + n, …, to its end.

        A task that fails is told of in the logs only; its parts are without a receipt.

        Args:
            pipeline: datatrove's steps.
            parts: how many parts there are, at least 1.
            lease: the hold of the folder that is written.
            look: called every few seconds.
            work: not asked here.
            finish: not called here, since the caller goes on once this returns.

        Raises:
            SettingsError: Ray is not installed.
        """
        try:
            import ray
        except ImportError:
            raise SettingsError(
                "--executor ray needs Ray: install narrascope[ray], the same on every node"
            ) from None
        started_here = not ray.is_initialized()
        if started_here:
            ray.init(log_to_driver=False, logging_level=logging.WARNING)
        try:
            with ThreadPoolExecutor(1) as thread:
                running = thread.submit(self._executor(pipeline, parts, lease).run)
                while not running.done():
                    look()
                    time.sleep(POLL_SECONDS)
                running.result()
        finally:
            if started_here:
                ray.shutdown()

    def _executor(
        self, pipeline: list[PipelineStep], parts: int, lease: Lease
    ) -> "RayPipelineExecutor":
        from datatrove.executor import RayPipelineExecutor

        logger.disable("datatrove")  # its talk to the terminal; the tasks' logs go on
        return RayPipelineExecutor(
            pipeline=pipeline,  # pyright: ignore[reportArgumentType]
            tasks=min(parts, self.tasks),
            workers=self.workers or -1,
            mem_per_cpu_gb=self.memory,
            logging_dir=self.logs or f"{lease.url.rstrip('/')}/logs/{lease.number}",
        )
