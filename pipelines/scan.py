"""The scan: a corpus in, a tag folder out."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from datatrove.pipeline.base import PipelineStep

from .. import __version__
from ..classifiers.meta import model_digests, use_judge
from ..errors import ScanError, SettingsError
from ..labels.tag import TAGGING_VERSION
from ..store.catalogue import open_catalogue
from ..store.folder import TagFolder
from ..store.receipts import read_receipts
from ..store.scans import name_of_failed
from .batches import Columns
from .gated import GatedReader, ScanOptions
from .lease import Lease, scan_lease
from .local import run_parts
from .meter import Meter
from .parts import Corpus, Format, Part, expected_documents, list_corpus, plan_parts
from .progress import Planned, Progress, begin_progress, publish_progress, read_progress
from .publish import TagPublisher, account, part_account, provenance
from .raycluster import RayCluster
from .resume import Pending, pending_parts
from .slurm import Slurm
from .stages import Evidence, Screen, Verdict

CONTROL_ROWS = 2000
"""Documents that the control sample aims at in each stratum."""

STOPPED_SHARE = 0.05
"""Share of documents that are expected to match the gate and be stopped by the screen."""


_COUNTED = (
    "documents", "empty", "bytes", "candidates", "escalated", "invalid_utf8", "unreadable",
)  # fmt: skip


@dataclass(slots=True)
class ScanReport:
    """What a scan did, and what the tag folder holds now.

    `parts` were read now and `done_before` earlier; `failed` has every listed shard that is missing
    from the tags, or parts of it, with the reason; the counts are of all parts that are done.
    `jobs` are those of Slurm that go on with the scan.
    """

    parts: int = 0
    done_before: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    rewritten: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)


def scan(
    source: str,
    tags: str,
    *,
    root: str | None = None,
    format: Format | None = None,
    columns: Columns | None = None,
    models: Path | None = None,
    judge: bool = False,
    workers: int = 1,
    executor: Slurm | RayCluster | None = None,
    control_rate: float | None = None,
    seed: int = 0,
    keep_text: bool = True,
    limit: int | None = None,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> ScanReport:
    """Scan a corpus into a tag folder, going on where an earlier scan of it stopped.

    Args:
        source: a file, folder, glob or fsspec URL.
        tags: the tag folder, a local path or fsspec URL.
        root: what shard names are relative to; see `list_corpus`.
        format: reads every file as this format.
        columns: names of the corpus's columns.
        models: folder of trained models; by default the shipped ones.
        judge: whether the judge reads what the verdict leaves undecided; it makes a scan many times
            slower.
        workers: processes on this machine; the tags do not depend on it.
        executor: a cluster that runs the scan instead of this machine.
        control_rate: inclusion probability of both control strata, in [0, 1]; by default such that
            each has some 2,000 documents.
        seed: of the control draw.
        keep_text: whether passages keep their text.
        limit: rows to read in all; such a scan is marked partial and never counts as done.
        retry_failed: reads parts again that were set aside.
        progress: called about once a second with how far the scan has come.

    Raises:
        SettingsError: the control rate is no probability, or a cluster is to read a limit.
        SourceError: there is nothing to read.
        TagsError: the folder was written by other models or options, or another scan holds it.
        ScanError: workers kept dying, or the disk is full.
    """
    if control_rate is not None and not 0 <= control_rate <= 1:
        raise SettingsError(f"--control-rate is {control_rate}: give a probability from 0 to 1")
    if limit is not None and executor is not None:
        raise SettingsError(
            "--limit is of rows in all, and a cluster's tasks do not know of each other: try a "
            "corpus out with --executor local"
        )
    columns = columns or Columns()
    judge = use_judge(models, wanted=judge)
    corpus = list_corpus(source, root=root, format=format, apart=tags)
    parts = plan_parts(corpus, columns.text)
    options = _with_rates(
        ScanOptions(columns, keep_text, seed, limit=limit, models=models, judge=judge),
        control_rate,
        expected_documents(parts),
    )
    shared = provenance(
        corpus.root,
        options,
        {
            **model_digests(models, judge=judge),
            "tagging_version": TAGGING_VERSION,
            "narrascope_version": __version__,
        },
    )
    folder = TagFolder(tags)
    began = time.monotonic()
    with scan_lease(folder) as lease:
        pending = pending_parts(folder, corpus, parts, shared, retry_failed=retry_failed)
        for shard in corpus.shards:
            if shard.name in corpus.torn:
                folder.set_aside(shard.name, account(shard, corpus.torn[shard.name]))
        if pending.parts:
            _run(
                pending.parts, folder, options, shared, workers=workers, executor=executor,
                lease=lease, progress=progress,
            )  # fmt: skip
        if not lease.jobs and folder.receipt_paths():
            open_catalogue(folder).close()
        report = _report(folder, corpus, pending)
        report.jobs = lease.jobs
    report.seconds = time.monotonic() - began
    return report


def _run(
    parts: list[Part], folder: TagFolder, options: ScanOptions, shared: dict[str, object], *,
    workers: int, executor: Slurm | RayCluster | None, lease: Lease,
    progress: Callable[[Progress], None],
) -> None:  # fmt: skip
    planned = Planned.of(parts)
    meter = Meter(folder.url, planned)
    begin_progress(folder, planned)

    def set_aside(part: Part, reason: str) -> None:
        folder.set_aside(part.shard.name, part_account(part, reason))
        meter.begin_task(len(parts))
        meter.fail_part(part)
        meter.end_task()

    def pipeline(parts: list[Part]) -> list[PipelineStep]:
        return steps(parts, folder.url, options, shared, meter, lease)

    def look(_: int = 0) -> None:
        progress(read_progress(folder, planned))

    try:
        if executor is not None:
            finish = partial(build_catalogue, folder.url)
            executor.run(pipeline(parts), len(parts), lease, look, finish=finish)
            if not lease.jobs:
                _require_settled(parts, folder)
            return
        run_parts(
            pipeline,
            parts,
            workers=workers,
            logging_dir=f"{folder.url.rstrip('/')}/logs",
            lease=lease.workers,
            settled=folder.settled,
            set_aside=set_aside,
            progress=look,
            in_order=options.limit is not None,  # a limit is of rows in all
        )
    finally:
        if not lease.jobs:
            ended = read_progress(folder, planned)
            ended.is_stopped = True
            with suppress(OSError):  # a full disk is told of by what filled it
                publish_progress(folder, ended)


def build_catalogue(tags: str) -> None:
    """Build the catalogue of what is done in a tag folder."""
    open_catalogue(TagFolder(tags)).close()


def _require_settled(parts: list[Part], folder: TagFolder) -> None:
    there = folder.settled()
    if left := [part for part in parts if part.key not in there]:
        raise ScanError(
            f"{len(left)} of {len(parts)} parts are unfinished, {left[0].shard.name} first: the "
            f"logs in {folder.url}/logs say what stopped their tasks; the same command again goes "
            "on with them"
        )


def steps(
    parts: list[Part], tags: str, options: ScanOptions, shared: dict[str, object], meter: Meter,
    lease: Lease,
) -> list[PipelineStep]:  # fmt: skip
    """Return the scan as datatrove runs it: gated reader, screen, evidence, verdict, publisher."""
    return [
        GatedReader(parts, options, meter),
        Screen(options),
        Evidence(options),
        Verdict(options),
        TagPublisher(tags, options, shared, meter, lease),
    ]


def _report(folder: TagFolder, corpus: Corpus, pending: Pending) -> ScanReport:
    listed = {shard.name for shard in corpus.shards}
    receipts = read_receipts(folder)
    return ScanReport(
        parts=len(pending.parts),
        done_before=pending.done,
        counts={"parts": receipts.num_rows}
        | {name: sum(receipts[name].to_pylist()) for name in _COUNTED},
        rewritten=pending.rewritten,
        skipped=corpus.skipped,
        failed={f["shard"]: _why(f) for f in folder.failures() if f["shard"] in listed},
    )


def _why(failure: dict[str, Any]) -> str:
    parts = failure["parts"]
    if len(parts) < 2 and not (parts and parts[0]["first_row"]):
        return failure["reason"]
    return "; ".join(
        f"{name_of_failed('the part', part['first_row'], part['end_row'])}: {part['reason']}"
        for part in parts
    )


def _with_rates(options: ScanOptions, rate: float | None, documents: float) -> ScanOptions:
    if rate is not None:
        return replace(options, rate_gate=rate, rate_screen=rate)
    documents = max(documents, 1.0)
    return replace(
        options,
        rate_gate=min(1.0, CONTROL_ROWS / documents),
        rate_screen=min(1.0, CONTROL_ROWS / (documents * STOPPED_SHARE)),
    )
