"""How fast a scan is beside bare reading of the same text, in one run on one core.

    python benchmarks/scan.py [SOURCE] [--rounds 3] [--out benchmarks/scan.json]

Two figures alternate: pyarrow reading of the text column by batches, which is the least that any
scan must do, and `narrascope scan` complete, with start-up and everything written. SOURCE is a
folder of Parquet with a `text` column; by default the shared corpus beside the checkout.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]


def read_bare(files: list[Path]) -> int:
    """Read the text column by batches, and return the bytes of text."""
    size = 0
    for path in files:
        for batch in pq.ParquetFile(path).iter_batches(columns=["text"], use_threads=False):
            size += pc.sum(pc.binary_length(batch.column(0))).as_py() or 0
    return size


def scan(source: Path, tags: Path) -> None:
    """Run the command line as a user would."""
    command = shutil.which("narrascope", path=str(Path(sys.executable).parent)) or "narrascope"
    arguments = [command, "scan", str(source), "--tags", str(tags)]
    subprocess.run(arguments, check=True, capture_output=True)


def main() -> None:
    """Measure, print a table, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT.parent / "shared" / "corpus" / "parquet"
    parser.add_argument("source", nargs="?", type=Path, default=default)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "scan.json")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    files = sorted(arguments.source.rglob("*.parquet"))
    size = read_bare(files)
    bare, whole = [], []
    for _ in range(arguments.rounds):
        began = time.perf_counter()
        read_bare(files)
        bare.append(time.perf_counter() - began)
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            scan(arguments.source, Path(folder) / "tags")
            whole.append(time.perf_counter() - began)
    result = {
        "megabytes": round(size / 1e6, 1),
        "files": len(files),
        "rounds": arguments.rounds,
        "bare_mb_s": round(size / 1e6 / statistics.median(bare), 1),
        "scan_mb_s": round(size / 1e6 / statistics.median(whole), 1),
        "scan_over_bare": round(statistics.median(bare) / statistics.median(whole), 4),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.strip(),
    }  # fmt: skip
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    for name, value in result.items():
        print(f"{name:16} {value}")


if __name__ == "__main__":
    main()
