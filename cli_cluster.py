"""The options of `scan` and `reweigh` that say where their tasks run."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import SettingsError

if TYPE_CHECKING:
    from .pipelines.raycluster import RayCluster
    from .pipelines.slurm import Slurm


class Executor(StrEnum):
    """Where tasks run."""

    local = "local"
    slurm = "slurm"
    ray = "ray"


Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes, 1 if left out; on a cluster, tasks at a time."),
]
Where = Annotated[Executor, typer.Option(help="Where tasks run.")]
Partition = Annotated[str | None, typer.Option(help="Slurm: where the jobs run.")]
Time = Annotated[
    str | None,
    typer.Option(help="Slurm: limit of a task, such as 12:00:00; a day if left out."),
]
Memory = Annotated[
    int | None, typer.Option(min=1, help="Slurm, Ray: GB for a task; 2 if left out.")
]
Tasks = Annotated[
    int | None,
    typer.Option(min=1, help="Slurm, Ray: tasks to divide the parts among; 1000 if left out."),
]
Setup = Annotated[
    str | None,
    typer.Option(help="Slurm: shell commands that prepare a job; else it uses this environment."),
]
Sbatch = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Slurm: an option of sbatch; may be repeated."),
]
Logs = Annotated[
    str | None,
    typer.Option(help="Slurm, Ray: folder for logs; one with what is written if left out."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Slurm: stay until the jobs have ended.")]


def cluster(executor: Executor, workers: int | None, **options: Any) -> "Slurm | RayCluster | None":
    """Return the cluster that the options describe, or None for this machine.

    Raises:
        SettingsError: an option says nothing to this executor, or one that it needs is missing.
    """
    given = {name: value for name, value in options.items() if value not in (None, False, [])}
    known = {
        Executor.local: (),
        Executor.ray: ("memory", "tasks", "logs"),
        Executor.slurm: tuple(options),
    }[executor]
    if strangers := [f"--{name}" for name in given if name not in known]:
        raise SettingsError(
            f"--executor {executor} takes no {', '.join(strangers)}: leave out what is not its own"
        )
    if executor is Executor.local:
        return None
    if executor is Executor.ray:
        from .pipelines.raycluster import RayCluster

        return RayCluster(workers=workers, **given)
    if "partition" not in given:
        raise SettingsError("--executor slurm needs a --partition: sinfo lists them")
    from .pipelines.slurm import Slurm

    pairs = [option.removeprefix("--").partition("=") for option in given.pop("sbatch", [])]
    return Slurm(workers=workers, sbatch={name: value for name, _, value in pairs}, **given)
