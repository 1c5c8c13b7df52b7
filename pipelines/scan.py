"""The scan: a corpus in, a tag folder out."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from .. import __version__
from ..classifiers.meta import model_digests, use_judge
from ..errors import SettingsError
from ..labels.tag import TAGGING_VERSION
from ..store.catalogue import open_catalogue
from ..store.folder import TagFolder
from .batches import Columns
from .gated import GatedReader, ScanOptions
from .lease import scan_lease
from .local import run_parts
from .parts import Corpus, Format, Part, expected_documents, list_corpus, plan_parts
from .publish import TagPublisher, account, provenance
from .resume import Pending, pending_parts
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
    from the tags, with the reason; the counts are of all parts that are done.
    """

    parts: int = 0
    done_before: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    rewritten: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)


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
    control_rate: float | None = None,
    seed: int = 0,
    keep_text: bool = True,
    limit: int | None = None,
    retry_failed: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
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
        workers: processes; the tags do not depend on it.
        control_rate: inclusion probability of both control strata, in [0, 1]; by default such that
            each has some 2,000 documents.
        seed: of the control draw.
        keep_text: whether passages keep their text.
        limit: rows to read in all; such a scan is marked partial and never counts as done.
        retry_failed: reads shards again that were set aside.
        progress: called with (finished parts, all pending parts).

    Raises:
        SourceError: there is nothing to read.
        TagsError: the folder was written by other models or options, or another scan holds it.
        ScanError: workers kept dying, or the disk is full.
    """
    if control_rate is not None and not 0 <= control_rate <= 1:
        raise SettingsError(f"--control-rate is {control_rate}: give a probability from 0 to 1")
    columns = columns or Columns()
    judge = use_judge(models, wanted=judge)
    corpus = list_corpus(source, root=root, format=format)
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
    with scan_lease(Path(folder.root)) if folder.is_local else nullcontext() as lease:
        pending = pending_parts(folder, corpus, parts, shared, retry_failed=retry_failed)
        for shard in corpus.shards:
            if shard.name in corpus.torn:
                folder.set_aside(shard.name, account(shard, corpus.torn[shard.name]))
        if pending.parts:
            run_parts(
                steps(pending.parts, folder.url, options, shared),
                len(pending.parts),
                workers=workers,
                logging_dir=f"{folder.url.rstrip('/')}/logs",
                lease=lease,
                progress=progress,
                tasks=None if limit is None else 1,  # a limit is of rows in all
            )
        report = _report(folder, corpus, pending)
        if report.counts["parts"]:
            open_catalogue(folder).close()
    report.seconds = time.monotonic() - began
    return report


def steps(
    parts: list[Part], tags: str, options: ScanOptions, shared: dict[str, object]
) -> list[PipelineStep]:
    """Return the scan as datatrove runs it: gated reader, screen, evidence, verdict, publisher."""
    return [
        GatedReader(parts, options),
        Screen(options),
        Evidence(options),
        Verdict(options),
        TagPublisher(tags, options, shared),
    ]


def _report(folder: TagFolder, corpus: Corpus, pending: Pending) -> ScanReport:
    listed = {shard.name for shard in corpus.shards}
    receipts = folder.receipts()
    return ScanReport(
        parts=len(pending.parts),
        done_before=pending.done,
        counts={"parts": receipts.num_rows}
        | {name: sum(receipts[name].to_pylist()) for name in _COUNTED},
        rewritten=pending.rewritten,
        skipped=corpus.skipped,
        failed={f["shard"]: f["reason"] for f in folder.failures() if f["shard"] in listed},
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
