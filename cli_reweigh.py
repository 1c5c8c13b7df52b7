"""The command line's verb that writes bucket shards."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import tables, terminal
from .cli_cluster import (
    Executor,
    Logs,
    Memory,
    Partition,
    Sbatch,
    Setup,
    Tasks,
    Time,
    Wait,
    Where,
    Workers,
    cluster,
)


class Mode(StrEnum):
    """What reweighing writes."""

    buckets = "buckets"
    realised = "realised"


class Match(StrEnum):
    """What a manifest's rows are recognised by."""

    row = "row"
    doc_id = "doc_id"
    text_hash = "text_hash"


def reweigh(
    manifest: Annotated[Path, typer.Argument(help="Manifest folder.")],
    source: Annotated[str, typer.Option(help="The corpus: file, folder, glob or fsspec URL.")],
    out: Annotated[Path, typer.Option(help="Where bucket shards go.")],
    root: Annotated[str | None, typer.Option(help="What shard names are relative to.")] = None,
    mode: Annotated[
        Mode, typer.Option(help="Each document once, or drops and copies applied.")
    ] = Mode.buckets,
    match: Annotated[Match, typer.Option(help="What documents are recognised by.")] = Match.row,
    workers: Workers = None,
    executor: Where = Executor.local,
    partition: Partition = None,
    time: Time = None,
    memory: Memory = None,
    tasks: Tasks = None,
    setup: Setup = None,
    sbatch: Sbatch = None,
    logs: Logs = None,
    wait: Wait = False,
) -> None:
    """Write the bucket shards of a manifest; the same command again goes on where it stopped."""
    from .pipelines.reweigh import reweigh as run

    where = cluster(
        executor, workers, partition=partition, time=time, memory=memory, tasks=tasks, setup=setup,
        sbatch=sbatch, logs=logs, wait=wait,
    )  # fmt: skip
    with terminal.progress("reweighing") as progress:
        record = run(
            manifest, source, out, root=root, mode=mode.value, match=match.value,
            workers=workers or 1, executor=where, progress=progress,
        )  # fmt: skip
    tables.print_reweighed(record)
