"""datatrove's executor for Slurm, as a scan submits it."""

import json
import re
from typing import Any

from datatrove.executor import SlurmPipelineExecutor


class JobArray(SlurmPipelineExecutor):
    """datatrove's executor, which remembers all jobs that it submits.

    Left out is datatrove's job that merges statistics: it would wait for ever for an array of which
    a task failed, and the receipts say more. Left out of `executor.json` are the steps, which hold
    every part of the corpus: datatrove's tools ask it for the number of tasks alone.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(job_id_retriever=self._note, **options)
        self.submitted: list[str] = []

    def launch_merge_stats(self) -> None:
        """Launch nothing."""

    def save_executor_as_json(self, indent: int = 4) -> None:
        """Save what datatrove's tools ask."""
        said = {"tasks": self.tasks, "world_size": self.world_size, "job_name": self.job_name}
        with self.logging_dir.open("executor.json", "w") as file:
            json.dump(said, file, indent=indent)

    def _note(self, output: str) -> str:
        found = re.search(r"\d+", output)
        if found is None:
            raise OSError(f"sbatch answered {output.strip()!r}, without a job's number")
        self.submitted.append(found.group())
        return found.group()
