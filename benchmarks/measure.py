"""What every benchmark of speed needs: a clock, measures that take turns, the machine's name."""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def seconds_of(run: Callable[[], object]) -> float:
    """Return the wall-clock seconds that a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def alternate(
    measures: dict[str, tuple[Callable[[], float], float]], rounds: int
) -> dict[str, dict[str, float]]:
    """Measure each in turn, so often, and return medians and spread in MB/s.

    Takes for each measure a call that returns seconds, and the megabytes that it reads.
    """
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, (measure, _) in measures.items():
            seconds[name].append(measure())
    return {
        name: {
            "mb_s": round(megabytes / statistics.median(seconds[name]), 1),
            "slowest": round(megabytes / max(seconds[name]), 1),
            "fastest": round(megabytes / min(seconds[name]), 1),
        }
        for name, (_, megabytes) in measures.items()
    }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on and with."""
    return {
        "processor": processor(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("datatrove", "pyarrow", "hyperscan")},
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.strip(),
    }  # fmt: skip


def processor() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
