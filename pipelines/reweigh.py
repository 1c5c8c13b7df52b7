"""Reweighing: a manifest and its source in, a folder of bucket shards out.

::

    OUT/<bucket>/<shard>.<first row>.parquet    what a trainer reads
    OUT/.reweigh/                               what each part came to, logs, who holds the folder
    OUT/reweigh.json                            the sum of all accounts, written last
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from datatrove.pipeline.base import PipelineStep

from ..errors import ManifestError, ScanError
from ..manifests.assign import Assignment, Match, Mode
from ..manifests.manifest import Manifest, load_manifest
from ..manifests.reweighed import Found, Reweighed, save_reweighed
from ..store.folder import TagFolder
from .accounts import FOLDER, Account, is_done, read_account
from .applicable import check_takedown, match_shards, refuse_warc, root_above
from .batches import Columns
from .lease import Lease, scan_lease
from .listed import read_listed
from .local import run_parts
from .materialise import Materialise, ReweighOptions
from .parts import Part, list_corpus, plan_parts
from .raycluster import RayCluster
from .slurm import Slurm


def reweigh(
    manifest: Path,
    source: str,
    out: Path,
    *,
    root: str | None = None,
    mode: Mode = "buckets",
    match: Match = "row",
    workers: int = 1,
    executor: Slurm | RayCluster | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Reweighed:
    """Write the bucket shards of a manifest, going on where an earlier call stopped.

    Args:
        manifest: a manifest's folder.
        source: the corpus that the manifest was made of, or some of its shards.
        out: where bucket shards go.
        root: what shard names are relative to; by default the manifest's root where the source
            lies in it.
        mode: `buckets` writes each document once, `realised` applies drops and copies.
        match: by what a document is found in the manifest.
        workers: processes on this machine; what is written does not depend on it.
        executor: a cluster that does the work instead of this machine.
        progress: called with (finished parts, all pending parts).

    Returns:
        What was written, as `reweigh.json` says it; only `jobs` where Slurm goes on with it.

    Raises:
        ManifestError: the manifest is incomplete or older than the standing takedown list, `out`
            holds another reweighing or tags or lies in the source, a shard was rewritten since its
            scan, or cannot be written.
        SourceError: there is nothing to read.
        TagsError: another command holds `out`.
        ScanError: workers kept dying, the disk is full, or tasks of a cluster failed.
    """
    out = out.resolve()
    _require_apart(out, source)
    loaded = load_manifest(manifest.resolve())
    notes = check_takedown(loaded)
    corpus = list_corpus(source, root=root or root_above(loaded, source))
    columns = Columns(**loaded.columns)
    parts = plan_parts(corpus, columns.text)
    for name, reason in corpus.torn.items():
        raise ManifestError(
            f"{name} cannot be read ({reason}): mend it or give a SOURCE without it"
        )
    refuse_warc(parts)
    strangers, unseen = match_shards(loaded, parts) if match == "row" else ([], [])
    work = Reweighing(
        loaded,
        out,
        ReweighOptions(loaded.id, mode, match, columns),
        corpus.root,
        tuple(part for part in parts if part.shard.name not in strangers),
        not_in_manifest=tuple(strangers),
        not_in_source=tuple(unseen),
        notes=notes,
    )
    with scan_lease(TagFolder(str(out / FOLDER))) as lease:
        _claim(out, work.options)
        pending = [part for part in work.parts if not is_done(out, part)]
        if pending:
            _remove_leavings(out, loaded.partition.names)
            work.run(pending, lease, workers=workers, executor=executor, progress=progress)
        if lease.jobs:
            return work.record([], jobs=tuple(lease.jobs))
        return work.finish()


def _require_apart(out: Path, source: str) -> None:
    """Make sure that what is written is not taken for the corpus, or for tags, ever after."""
    if Path(source).is_dir() and out.is_relative_to(Path(source).resolve()):
        raise ManifestError(
            f"{out} lies in the source, whose next scan would count each document again: name an "
            "--out beside it"
        )
    if (out / "receipts").is_dir():
        raise ManifestError(f"{out} is a tag folder: name an --out of its own")


@dataclass(frozen=True, slots=True)
class Reweighing:
    """One reweighing; it travels to whatever machine finishes it."""

    manifest: Manifest
    out: Path
    options: ReweighOptions
    root: str
    parts: tuple[Part, ...]
    not_in_manifest: tuple[str, ...]
    not_in_source: tuple[str, ...]
    notes: tuple[str, ...]

    def run(
        self, pending: list[Part], lease: Lease, *, workers: int,
        executor: Slurm | RayCluster | None, progress: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        """Write the parts that are not done, here or on a cluster."""
        assignment = self.manifest.assignment()

        def steps(parts: list[Part]) -> list[PipelineStep]:
            return [Materialise(parts, assignment, self.options, self.out, lease)]

        def done() -> set[tuple[str, int]]:
            return {part.key for part in pending if is_done(self.out, part)}

        if executor is not None:
            executor.run(
                steps(pending), len(pending), lease, lambda: progress(len(done()), len(pending)),
                work="reweighing", finish=self.finish,
            )  # fmt: skip
            return
        run_parts(
            steps,
            pending,
            workers=workers,
            logging_dir=f"{lease.url}/logs",
            lease=lease.workers,
            settled=done,
            set_aside=_refuse,
            progress=lambda count: progress(count, len(pending)),
            preloaded=[__name__],
        )

    def finish(self) -> Reweighed:
        """Add up all accounts and write `reweigh.json`.

        Raises:
            ScanError: parts are unfinished.
        """
        accounts = {part: read_account(self.out, part) for part in self.parts}
        if left := [part for part, account in accounts.items() if account is None]:
            raise ScanError(
                f"{len(left)} of {len(accounts)} parts are unfinished, {left[0].shard.name} first: "
                f"the logs in {self.out / FOLDER}/logs say what stopped their tasks; the same "
                "command again goes on with them"
            )
        record = self.record([account for account in accounts.values() if account is not None])
        save_reweighed(record, self.manifest)
        return record

    def record(self, accounts: list[Account], jobs: tuple[str, ...] = ()) -> Reweighed:
        """Return the sum of some parts' accounts."""
        found, again = (), 0
        if self.options.match != "row" and not jobs:
            found, again = _found(self.manifest.assignment(), self.options.match, accounts)
        return Reweighed(
            manifest=self.manifest.id,
            mode=self.options.mode,
            match=self.options.match,
            source=self.root,
            text_column=self.options.columns.text,
            written=tuple(entry for account in accounts for entry in account.written),
            not_in_manifest=self.not_in_manifest,
            not_in_source=self.not_in_source,
            found=found,
            listed_again=again,
            stale=sum(account.stale for account in accounts),
            without_document=sum(account.without_document for account in accounts),
            notes=self.notes,
            jobs=jobs,
            folder=self.out,
        )


def _found(
    assignment: Assignment, match: Match, accounts: list[Account]
) -> tuple[tuple[Found, ...], int]:
    """Return what became of the listed documents of each bucket, and how many share their key."""
    listed = read_listed(assignment, match)
    times = np.zeros(len(listed), dtype=np.int64)
    for account in accounts:
        times[list(account.found)] += np.fromiter(account.found.values(), np.int64)
    size = len(assignment.partition.names)
    missing = np.bincount(listed.buckets[times == 0], minlength=size) + listed.without_key
    known = np.bincount(listed.buckets, minlength=size) + listed.without_key
    again = np.bincount(listed.buckets, weights=(times - 1).clip(min=0), minlength=size)
    return tuple(
        Found(bucket=name, listed=known[i], missing=missing[i], again=int(again[i]))
        for i, name in enumerate(assignment.partition.names)
        if known[i]
    ), listed.repeated


def _claim(out: Path, options: ReweighOptions) -> None:
    path = out / FOLDER / "options.json"
    data = orjson.dumps(options, option=orjson.OPT_INDENT_2)
    if path.is_file() and path.read_bytes() != data:
        raise ManifestError(
            f"{out} holds a reweighing by another manifest, mode or match: give another --out, or "
            "remove it"
        )
    path.write_bytes(data)


def _remove_leavings(out: Path, buckets: tuple[str, ...]) -> None:
    """Remove what a command that was killed had not finished."""
    for bucket in buckets:
        for aside in (out / bucket).rglob(".*.tmp"):
            aside.unlink(missing_ok=True)


def _refuse(part: Part, reason: str) -> None:
    raise ScanError(
        f"rows {part.first_row} and on of {part.shard.name} could not be reweighed: {reason}; what "
        "was written stands: run the same command again where there is more memory"
    )
