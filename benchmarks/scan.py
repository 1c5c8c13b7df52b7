"""How fast a scan is beside bare reading and datatrove's own steps, in one run on one core.

    python benchmarks/scan.py [--corpus ../shared/corpus/parquet] [--rounds 5] [--out scan.json]

Four figures alternate, on two corpora made of the shared Parquet shards: `web`, six sources in
which AI is as rare as on the web, and `dense`, all of them.

    bare     pyarrow reads the text column by batches: the least that any scan must do
    scan     `narrascope scan` as a user runs it, start-up and everything written
    filter   datatrove's ParquetReader and FastTextClassifierFilter, our screen on every document
    no-op    datatrove's ParquetReader alone

The corpora are repeated under other names until start-up is a small part of a scan; the peers read
one copy, their models already loaded. Beside these: what each stage of a scan takes, time against
corpus size and workers, and the formats.
"""

# The peers are measured in this process, pinned to one core; scans are processes of their own.

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from corpora import first_document, make_corpora, repeated
from datatrove.pipeline.filters import FastTextClassifierFilter
from datatrove.pipeline.readers import ParquetReader
from formats import formats, read_all
from measure import ROOT, alternate, machine, seconds_of

from narrascope.classifiers.meta import models_folder
from narrascope.pipelines.gated import GatedReader, ScanOptions
from narrascope.pipelines.meter import Meter
from narrascope.pipelines.parts import list_corpus, plan_parts
from narrascope.pipelines.progress import Planned
from narrascope.pipelines.stages import Evidence, Screen, Verdict

COPIES = {"web": 32, "dense": 2}
SIZES = (1, 4, 16)


def read_bare(source: Path) -> None:
    """Read the text column by batches."""
    for path in sorted(source.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["text"], use_threads=False):
            pc.sum(pc.binary_length(batch.column(0)))


def run_noop(source: Path) -> None:
    """Read every document with datatrove."""
    for _ in ParquetReader(str(source), doc_progress=False, file_progress=False).run():
        pass


def run_filter(fast_text: FastTextClassifierFilter, source: Path) -> None:
    """Screen every document with datatrove."""
    for _ in fast_text.run(ParquetReader(str(source)).run()):
        pass


def scan(source: Path, *, workers: int = 1) -> float:
    """Run the command line as a user would, and return its seconds."""
    # Else sources that no one ran before are compiled anew in each process.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = shutil.which("narrascope", path=str(Path(sys.executable).parent)) or "narrascope"
    with tempfile.TemporaryDirectory() as tags:
        arguments = [command, "scan", str(source), "--tags", tags, "--workers", str(workers)]
        run = partial(subprocess.run, arguments, env=environment, check=True, capture_output=True)
        return seconds_of(run)


def compare(folder: Path, name: str, megabytes: float, rounds: int) -> dict[str, Any]:
    """Compare a scan with bare reading and datatrove on one corpus."""
    one, many = repeated(folder, name, 1), repeated(folder, name, COPIES[name])
    # datatrove keeps a model by its path and never looks at it again: hence a path of its own.
    model = shutil.copy(models_folder(None) / "screen.bin", folder / f"{name}.bin")
    fast_text = FastTextClassifierFilter(
        str(model), keep_labels=[("ai_agent", 0.5)],
        newline_replacement=" ", save_labels_in_metadata=False,
    )  # fmt: skip
    run_filter(fast_text, one)  # loads the model
    first = first_document(folder, name)
    scan(first)  # leaves bytecode behind
    startup = scan(first)
    found = alternate(
        {
            "bare": (lambda: seconds_of(lambda: read_bare(many)), megabytes * COPIES[name]),
            "scan": (lambda: scan(many), megabytes * COPIES[name]),
            "filter": (lambda: seconds_of(lambda: run_filter(fast_text, one)), megabytes),
            "noop": (lambda: seconds_of(lambda: run_noop(one)), megabytes),
        },
        rounds,
    )
    speed = {key: value["mb_s"] for key, value in found.items()}
    return {
        "megabytes": round(megabytes, 1),
        "copies": COPIES[name],
        "startup_seconds": round(startup, 2),
        "startup_share": round(startup * speed["scan"] / (megabytes * COPIES[name]), 3),
        **found,
        "scan_over_bare": round(speed["scan"] / speed["bare"], 3),
        "scan_over_filter": round(speed["scan"] / speed["filter"], 2),
        "scan_over_noop": round(speed["scan"] / speed["noop"], 2),
    }


def stages(folder: Path, name: str, megabytes: float) -> dict[str, float]:
    """Return the milliseconds that each stage of a scan takes for a megabyte of corpus."""
    options = ScanOptions(rate_gate=0.001, rate_screen=0.02)
    cascade = options.cascade()
    cascade.score("The robot said that it would not be switched off.")  # loads every stage
    one = repeated(folder, name, 1)
    parts = plan_parts(list_corpus(str(one)), "text")
    found: dict[str, float] = {}

    def timed(stage: str, run: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = run()
        found[stage] = round((time.perf_counter() - began) * 1000 / megabytes, 3)
        return result

    meter = Meter(str(folder / "metered"), Planned.of(parts))
    timed("bare reading", lambda: read_bare(one))
    timed("reading", partial(read_all, parts, options))
    documents = timed(
        "reading, gate, counts", lambda: list(GatedReader(parts, options, meter).run())
    )
    for stage in (Screen(options), Evidence(options), Verdict(options)):
        documents = timed(stage.name.lower(), partial(list, stage.run(iter(documents))))
    return found


def growth(folder: Path, megabytes: float, rounds: int) -> list[dict[str, float]]:
    """Return a scan's seconds against the corpus's size and the workers."""
    rows = []
    for copies, workers in [(copies, 1) for copies in SIZES] + [(SIZES[-1], 2)]:
        source = repeated(folder, "web", copies)
        seconds = statistics.median(scan(source, workers=workers) for _ in range(rounds))
        size = megabytes * copies
        rows.append({"megabytes": round(size, 1), "workers": workers, "seconds": round(seconds, 2)})
    return rows


def off_line(rows: list[dict[str, float]]) -> float:
    """Return how far one worker's seconds lie at most from their straight line, as a share."""
    alone = [row for row in rows if row["workers"] == 1]
    sizes, seconds = ([row[key] for row in alone] for key in ("megabytes", "seconds"))
    slope, start = statistics.linear_regression(sizes, seconds)
    off = (abs(t / (start + slope * size) - 1) for size, t in zip(sizes, seconds, strict=True))
    return round(max(off), 3)


def table(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table that the documentation quotes."""
    yield "| corpus | bare | scan | filter | no-op | scan / bare | scan / filter | start-up |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in ("web", "dense"):
        found = result[name]
        speeds = " | ".join(f"{found[k]['mb_s']:,}" for k in ("bare", "scan", "filter", "noop"))
        yield (
            f"| {name} | {speeds} | **{found['scan_over_bare']}** | "
            f"**{found['scan_over_filter']}** | {found['startup_share']:.0%} |"
        )
    yield ""
    yield "| milliseconds a megabyte | web | dense |"
    yield "|---|---|---|"
    for stage, value in result["web"]["stages"].items():
        yield f"| {stage} | {value} | {result['dense']['stages'][stage]} |"
    yield ""
    yield "| format | MB/s |"
    yield "|---|---|"
    for name, found in result["formats"].items():
        if isinstance(found, dict):
            yield f"| {name} | {found['mb_s']} |"
    yield ""
    yield "| megabytes of web | workers | seconds |"
    yield "|---|---|---|"
    for row in result["growth"]:
        yield f"| {row['megabytes']:,} | {row['workers']} | {row['seconds']} |"
    yield ""
    yield f"One worker's seconds lie within {result['growth_off_line']:.1%} of a straight line."


def main() -> None:
    """Measure, print the tables, and write them down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT.parent / "shared" / "corpus" / "parquet"
    parser.add_argument("--corpus", type=Path, default=default)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "scan.json")
    arguments = parser.parse_args()
    cores = os.sched_getaffinity(0)
    result: dict[str, Any] = {"rounds": arguments.rounds, **machine(), "cores": len(cores)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sizes = make_corpora(arguments.corpus, folder)
        os.sched_setaffinity(0, {min(cores)})
        for name, megabytes in sizes.items():
            result[name] = compare(folder, name, megabytes, arguments.rounds)
            result[name]["stages"] = stages(folder, name, megabytes)
            print(name, json.dumps(result[name]), file=sys.stderr)
        result["formats"] = formats(folder, sizes["web"], arguments.rounds)
        os.sched_setaffinity(0, cores)
        result["growth"] = growth(folder, sizes["web"], arguments.rounds)
        result["growth_off_line"] = off_line(result["growth"])
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(table(result)))


if __name__ == "__main__":
    main()
