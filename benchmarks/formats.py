"""How fast each format is read, alone and gated, beside datatrove's reading of JSON lines."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from corpora import make_formats
from datatrove.pipeline.readers import JsonlReader
from measure import alternate, seconds_of

from narrascope.pipelines.formats import read_part
from narrascope.pipelines.gated import GatedReader, ScanOptions
from narrascope.pipelines.meter import Meter
from narrascope.pipelines.parts import Part, list_corpus, plan_parts
from narrascope.pipelines.progress import Planned


def run_jsonl(source: Path) -> None:
    """Read every document of JSON lines with datatrove."""
    for _ in JsonlReader(str(source), compression="infer").run():
        pass


def formats(folder: Path, megabytes: float, rounds: int) -> dict[str, Any]:
    """Compare each format, read alone and gated too, and datatrove's reading of JSON lines."""
    options = ScanOptions(rate_gate=0.001, rate_screen=0.02)
    options.cascade().gate  # noqa: B018  # compiles it
    found = make_formats(folder)
    measures: dict[str, tuple[Callable[[], float], float]] = {}
    for name, source in found.items():
        parts = plan_parts(list_corpus(str(source)), "text")
        meter = Meter(str(folder / "metered"), Planned.of(parts))
        read = partial(read_all, parts, options)
        gate = partial(_exhaust, GatedReader(parts, options, meter))
        measures[f"{name}, read"] = (partial(seconds_of, read), megabytes)
        measures[f"{name}, read and gated"] = (partial(seconds_of, gate), megabytes)
    lines = found["jsonl.gz"]
    theirs = "jsonl.gz, read by datatrove"
    measures[theirs] = (partial(seconds_of, lambda: run_jsonl(lines)), megabytes)
    speeds = alternate(measures, rounds)
    ratios = {
        f"{name}_over_datatrove": round(speeds[name]["mb_s"] / speeds[theirs]["mb_s"], 2)
        for name in ("jsonl.gz, read", "jsonl.gz, read and gated")
    }
    return {**speeds, **ratios}


def read_all(parts: list[Part], options: ScanOptions) -> None:
    """Read every part's batches."""
    for part in parts:
        for _ in read_part(part, options.columns):
            pass


def _exhaust(reader: GatedReader) -> None:
    for _ in reader.run():
        pass
