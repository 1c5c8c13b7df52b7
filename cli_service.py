"""The command line's verbs of the service: serving, and the long work that it leaves to workers."""

import signal
import threading
from typing import Annotated

import typer

from . import terminal
from .cli_manifest import Tags, current_thresholds
from .settings import read_settings


def serve(
    tags: Tags,
    host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Server processes.")] = 1,
    require_keys: Annotated[
        bool, typer.Option("--require-keys", help="Ask for keys on the loopback too.")
    ] = False,
) -> None:
    """Serve the REST API and the page over a tag folder."""
    from .api.access import Protection
    from .api.places import Places
    from .api.serve import serve as run

    settings = read_settings()
    protection = Protection(
        require_keys=require_keys or settings.require_keys, rate_limit=settings.rate_limit,
        body_limit=settings.body_limit, origins=settings.origins,
        withhold_text=settings.withhold_text,
    )  # fmt: skip
    run(
        tags, host=host or settings.host, port=settings.port if port is None else port,
        workers=workers, models=settings.models, judge=settings.judge,
        log_level=settings.log_level, state=settings.state, protection=protection,
        places=Places(corpora=settings.corpora, outputs=settings.outputs),
    )  # fmt: skip


def worker(
    tags: Tags,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    processes: Annotated[int, typer.Option(min=1, help="Processes that reweigh.")] = 1,
) -> None:
    """Do the long work that the service was asked for, until told to stop."""
    from .api.building import manifests_folder
    from .api.jobs import JobQueue
    from .api.logs import configure_logs
    from .api.places import Places
    from .api.state import State, state_path
    from .api.tasks import Tasks
    from .api.worker import work
    from .pipelines.reweigh import reweigh
    from .store.folder import TagFolder

    settings = read_settings()
    configure_logs(settings.log_level)
    folder = TagFolder(tags)
    state = State(state_path(folder, given=settings.state))
    tasks = Tasks(
        folder=folder, manifests=manifests_folder(folder), thresholds=current_thresholds(),
        places=Places(corpora=settings.corpora, outputs=settings.outputs), reweigh=reweigh,
        processes=processes,
    )  # fmt: skip
    queue = JobQueue(state, lease_seconds=settings.job_lease)
    stopping = threading.Event()

    def stop(number: int, _: object) -> None:
        stopping.set()
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    taken = work(queue, tasks.executors(), once=once, stopping=stopping)
    terminal.say([f"{taken} jobs taken"])
