"""A scan's own steps run in this process, task by task: what needs no worker takes no second."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from narrascope.pipelines.gated import ScanOptions
from narrascope.pipelines.lease import scan_lease
from narrascope.pipelines.meter import Meter
from narrascope.pipelines.parts import list_corpus, plan_parts
from narrascope.pipelines.progress import Planned, begin_progress
from narrascope.pipelines.publish import provenance
from narrascope.pipelines.scan import steps
from narrascope.store.folder import TagFolder

OPTIONS = ScanOptions(seed=3, rate_gate=0.5, rate_screen=0.5)
DIGESTS = {
    "taxonomy_digest": "t", "lexicon_digest": "l", "models_digest": "m", "tagging_version": 1,
    "narrascope_version": "0",
}  # fmt: skip


def scan_inline(
    source: Path, tags: Path, *, tasks: int = 1, order: Sequence[int] | None = None
) -> TagFolder:
    """Scan a source as so many tasks, one after another, its parts in some order."""
    folder = TagFolder(str(tags))
    corpus = list_corpus(str(source))
    parts = plan_parts(corpus, "text")
    if order is not None:
        parts = [parts[index] for index in order]
    planned = Planned.of(parts)
    begin_progress(folder, planned)
    shared = provenance(corpus.root, OPTIONS, DIGESTS)
    with scan_lease(folder) as lease:
        for rank in range(tasks):
            data = None
            meter = Meter(folder.url, planned)
            for step in steps(parts, folder.url, OPTIONS, shared, meter, lease):
                data = step(data, rank, tasks)
            deque(data or (), maxlen=0)
    return folder
