"""Parts run on this machine: a killed worker costs a part, and a part that kills is set aside."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from ..errors import ScanError
from .parts import Part
from .pool import SCANNING, LostWorkerError, WatchedExecutor

_FRUITLESS = 5
"""How many pools in a row may lose a worker without a part being finished."""

_ALONE = 2
"""How often a part may lose its worker while nothing else is read, before it is set aside."""

Key = tuple[str, int]
"""A part's name: (shard, first row)."""


def run_parts(
    steps: Callable[[list[Part]], list[PipelineStep]],
    parts: list[Part],
    *,
    workers: int,
    logging_dir: str,
    lease: Path | None,
    settled: Callable[[], set[Key]],
    set_aside: Callable[[Part, str], None],
    progress: Callable[[int], None],
    in_order: bool = False,
    preloaded: Sequence[str] = SCANNING,
) -> None:
    """Run a pipeline over some parts; a worker that is killed costs only the part it had in hand.

    After such a loss the parts that were in hand are left to the end, and read there one at a time.
    One that loses its worker there too is set aside.

    Args:
        steps: datatrove's steps for some parts, whose task r of n takes parts r, r + n, … in order.
        parts: what is to be run, at least one.
        workers: processes.
        logging_dir: where datatrove's logs go.
        lease: a file that every worker holds a shared lock on while it lives.
        settled: returns the parts that are done or set aside; asked after a loss.
        set_aside: called with a part that kills its worker, and the reason.
        progress: called every second with the number of parts whose task has ended.
        in_order: read all parts in one task, and do not go on after a loss.
        preloaded: modules that every worker begins with.

    Raises:
        ScanError: workers kept dying before any part was finished, or a task failed as a whole.
    """
    done = 0

    def lost(left: list[Part], tasks: int, workers: int) -> list[int] | None:
        nonlocal done
        executor = WatchedExecutor(
            pipeline=steps(left),
            tasks=tasks,
            workers=min(workers, tasks),
            logging_dir=logging_dir,
            preloaded=preloaded,
        )
        try:
            for ranks in executor.ended(lease):
                done += sum(len(range(rank, len(left), tasks)) for rank in ranks)
                progress(done)
        except LostWorkerError as error:
            return error.ranks
        return None

    left, suspects, fruitless = list(parts), list[Part](), 0
    while left:
        tasks = 1 if in_order else min(len(left), 16 * workers)
        ranks = lost(left, tasks, workers)
        if ranks is None:
            break
        there = settled()
        in_hand = [
            next((part for part in left[rank::tasks] if part.key not in there), None)
            for rank in ranks
        ]
        fruitless = 0 if any(part.key in there for part in left) else fruitless + 1
        if in_order or fruitless == _FRUITLESS:
            raise ScanError(_dying(len(left), fruitless))
        suspects += filter(None, in_hand)
        left = [part for part in left if part.key not in there and part not in in_hand]
        done = len(parts) - len(left) - len(suspects)
    _run_alone(suspects, lost, settled, set_aside)


def _run_alone(
    suspects: list[Part],
    lost: Callable[[list[Part], int, int], list[int] | None],
    settled: Callable[[], set[Key]],
    set_aside: Callable[[Part, str], None],
) -> None:
    losses: Counter[Key] = Counter()
    idle = 0
    while suspects:
        ranks = lost(suspects, len(suspects), 1)
        if ranks is None:
            return
        there = settled()
        for part in (suspects[rank] for rank in ranks):
            losses[part.key] += 1
            if losses[part.key] == _ALONE and part.key not in there:
                set_aside(
                    part,
                    f"the process that read it was killed {_ALONE} times while nothing else was "
                    "read, most likely for want of memory",
                )
        idle = idle + 1 if not ranks else 0
        if idle == _FRUITLESS:
            raise ScanError(_dying(len(suspects), idle))
        suspects = [
            part for part in suspects if part.key not in there and losses[part.key] < _ALONE
        ]


def _dying(parts: int, times: int) -> str:
    return (
        f"workers were killed {max(times, 1)} times, most likely for want of memory: {parts} parts "
        "are unfinished; use fewer --workers and run the same command again, which goes on where "
        "this stopped"
    )
