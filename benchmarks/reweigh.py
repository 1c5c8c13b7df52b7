"""How fast reweighing is beside datatrove's copy of the same files, in one run on one core.

    python benchmarks/reweigh.py [--corpus ../shared/corpus] [--rounds 5] [--out reweigh.json]

Figures alternate. All are taken in this process, with everything imported, but for the command.

    copy       datatrove's ParquetReader and ParquetWriter, or JsonlReader and JsonlWriter
    buckets    reweighing in mode buckets, by a policy that names only labelled documents
    rule       the same by a policy that also asks for source, domain and month of every document
    realised   the first policy in mode realised
    command    `narrascope reweigh` as a user runs it, start-up and everything written

Parquet is packed as the source is, by datatrove too; its own default, snappy, stands beside it.
JSON lines are read from gzip and zstd, and written so; datatrove writes gzip. Ratios are of
medians, of wall clock and of processor time, which says more where others use the machine.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.pipeline.readers import JsonlReader, ParquetReader
from datatrove.pipeline.writers import JsonlWriter, ParquetWriter
from datatrove.utils.logging import logger
from measure import ROOT, alternate, machine, seconds_of

from narrascope.manifests.assign import Mode
from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.policy_file import check_policy
from narrascope.pipelines.batches import Columns
from narrascope.pipelines.lease import scan_lease
from narrascope.pipelines.materialise import Materialise, ReweighOptions
from narrascope.pipelines.parts import list_corpus, plan_parts
from narrascope.pipelines.scan import scan
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder

LABELLED: list[dict[str, Any]] = [
    {
        "name": "malevolent",
        "where": "malevolent >= 0.8 and malevolent_stance != 'refuted'",
        "weight": 0.25,
    },
    {"name": "aligned", "where": "benevolent >= 0.7 and not malevolent >= 0.2", "weight": 4.0},
]
RULED: list[dict[str, Any]] = [
    *LABELLED,
    {
        "name": "old",
        "where": "source == 'imdb-reviews' or domain == 'example.org' or month < '2001-01'",
        "weight": 0.5,
    },
]


def build(tags: TagFolder, folder: Path, buckets: list[dict[str, Any]]) -> Manifest:
    """Build the manifest of a policy with these buckets."""
    policy = check_policy({"version": 1, "seed": 17, "buckets": buckets})
    with open_catalogue(tags) as catalogue:
        return build_manifest(tags, catalogue, policy, out=folder, thresholds={})


def reweigh_here(manifest: Manifest, source: Path, mode: Mode) -> float:
    """Reweigh in this process, and return its seconds."""
    parts = plan_parts(list_corpus(str(source)), "text")
    options = ReweighOptions(manifest.id, mode, "row", Columns(**manifest.columns))
    with tempfile.TemporaryDirectory() as out, scan_lease(TagFolder(out)) as lease:
        step = Materialise(parts, manifest.assignment(), options, Path(out), lease)
        return seconds_of(lambda: deque(step.run(), maxlen=0))


def reweigh_by_command(manifest: Manifest, source: Path) -> float:
    """Run the command line as a user would, and return its seconds."""
    command = shutil.which("narrascope", path=str(Path(sys.executable).parent)) or "narrascope"
    with tempfile.TemporaryDirectory() as out:
        arguments = [command, "reweigh", str(manifest.folder), "--source", str(source), "--out"]
        return seconds_of(
            lambda: subprocess.run([*arguments, out], check=True, capture_output=True)
        )


def copy_parquet(source: Path, codec: Any) -> float:
    """Copy Parquet with datatrove, and return its seconds."""
    found = pq.read_schema(next(source.glob("*.parquet")))
    others = [field for field in found if field.name not in ("text", "id")]
    # Without a schema datatrove takes that of the first document, and stops at the next.
    schema = pa.schema(
        [
            ("text", pa.string()),
            ("id", pa.string()),
            ("metadata", pa.struct([*others, pa.field("file_path", pa.string())])),
        ]
    )
    return _copy(
        lambda: ParquetReader(str(source), doc_progress=False, file_progress=False),
        lambda out: ParquetWriter(out, compression=codec, schema=schema),
    )


def copy_lines(source: Path) -> float:
    """Copy JSON lines with datatrove, and return its seconds."""
    return _copy(
        lambda: JsonlReader(str(source), compression="infer"),
        lambda out: JsonlWriter(out, compression="gzip"),
    )


def _copy(reader: Callable[[], Any], writer: Callable[[str], Any]) -> float:
    with tempfile.TemporaryDirectory() as out:
        write = writer(out)
        return seconds_of(lambda: deque(write.run(reader().run()), maxlen=0))


def compare(folder: Path, source: Path, rounds: int) -> dict[str, Any]:
    """Compare reweighing with datatrove's copy on one corpus."""
    tags = TagFolder(str(folder / "tags"))
    report = scan(str(source), tags.url)
    labelled = build(tags, folder / "labelled", LABELLED)
    ruled = build(tags, folder / "ruled", RULED)
    measures: dict[str, Callable[[], float]] = {
        "buckets": partial(reweigh_here, labelled, source, "buckets"),
        "rule": partial(reweigh_here, ruled, source, "buckets"),
        "realised": partial(reweigh_here, labelled, source, "realised"),
        "command": partial(reweigh_by_command, labelled, source),
    }
    if source.name == "parquet":
        measures = {
            "copy": partial(copy_parquet, source, "zstd"),
            "copy snappy": partial(copy_parquet, source, "snappy"),
            **measures,
        }
    else:
        measures = {"copy": partial(copy_lines, source), **measures}
    megabytes = report.counts["bytes"] / 1e6
    spent: dict[str, list[float]] = {name: [] for name in measures}
    speeds = alternate(
        {name: (partial(_spending, run, spent[name]), megabytes) for name, run in measures.items()},
        rounds,
    )
    for name, found in speeds.items():
        if name == "command":  # its workers' time is not told to this process
            continue
        found["cpu_mb_s"] = round(megabytes / statistics.median(spent[name]), 1)
    copy = speeds["copy"]
    return {
        "megabytes": round(megabytes, 1),
        "documents": report.counts["documents"],
        "listed": labelled.listed_documents,
        **speeds,
        **{
            f"{key}_over_copy": {
                name: round(found[key] / copy[key], 2)
                for name, found in speeds.items()
                if key in found and not name.startswith("copy")
            }
            for key in ("mb_s", "cpu_mb_s")
        },
    }


def _spending(run: Callable[[], float], spent: list[float]) -> float:
    """Note the processor's seconds of a run, its folder's making and removal too."""
    before = time.process_time()
    seconds = run()
    spent.append(time.process_time() - before)
    return seconds


def table(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table that the documentation quotes."""
    names = ("copy", "copy snappy", "buckets", "rule", "realised", "command")
    yield f"| MB/s | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for corpus in ("parquet", "jsonl"):
        for key, what in (("mb_s", "wall clock"), ("cpu_mb_s", "processor time")):
            found = result[corpus]
            cells = []
            for name in names:
                over = found[f"{key}_over_copy"].get(name)
                speed = found.get(name, {}).get(key, "–")
                cells.append(f"{speed} (**{over} ×**)" if over else f"{speed}")
            yield f"| {corpus}, {what} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, write down each corpus as it is done, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "reweigh.json")
    arguments = parser.parse_args()
    cores = os.sched_getaffinity(0)
    result: dict[str, Any] = {
        "rounds": arguments.rounds,
        **machine(),
        "cores": len(cores),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
    logger.remove()
    pa.set_cpu_count(1)
    os.sched_setaffinity(0, {min(cores)})
    for name in ("parquet", "jsonl"):
        with tempfile.TemporaryDirectory() as temporary:
            result[name] = compare(Path(temporary), arguments.corpus / name, arguments.rounds)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
        print(name, json.dumps(result[name]), file=sys.stderr)
    print("\n".join(table(result)))


if __name__ == "__main__":
    main()
