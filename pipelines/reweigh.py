"""Reweighing: a manifest and its source in, a folder of bucket shards out.

::

    OUT/<bucket>/<shard>.<first row>.parquet    what a trainer reads
    OUT/.parts/<shard>/<first row>.json         a part's account, written when its shards are there
    OUT/reweigh.json                            the sum of all accounts, written last
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import xxhash
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..errors import ManifestError, ScanError
from ..manifests.assign import Assignment, Match, Mode
from ..manifests.manifest import Manifest, load_manifest
from ..manifests.reweighed import Reweighed, Written, save_reweighed
from .batches import Columns
from .counts import domains, months
from .formats import read_part
from .local import run_parts
from .locks import folder_lock
from .parts import Part, list_corpus, plan_parts, source_root
from .routing import router

PARTS_FOLDER = ".parts"


@dataclass(frozen=True, slots=True)
class ReweighOptions:
    """What a reweighing was asked for; a folder it went to takes no other."""

    manifest: str
    mode: Mode
    match: Match
    columns: Columns


def reweigh(
    manifest: Path,
    source: str,
    out: Path,
    *,
    root: str | None = None,
    mode: Mode = "buckets",
    match: Match = "row",
    workers: int = 1,
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
        workers: processes; what is written does not depend on it.
        progress: called with (finished parts, all pending parts).

    Returns:
        What was written, as `reweigh.json` says it.

    Raises:
        ManifestError: the manifest is incomplete, `out` holds another reweighing, or a shard was
            rewritten since its scan.
        SourceError: there is nothing to read.
        ScanError: workers kept dying, or the disk is full.
    """
    loaded = load_manifest(manifest)
    corpus = list_corpus(source, root=root or _root_above(loaded, source))
    columns = Columns(**loaded.columns)
    parts = plan_parts(corpus, columns.text)
    if corpus.torn:
        name, reason = next(iter(corpus.torn.items()))
        raise ManifestError(
            f"{name} cannot be read ({reason}): mend it or give a SOURCE without it"
        )
    strangers, unseen = _match_shards(loaded, parts) if match == "row" else ([], [])
    parts = [part for part in parts if part.shard.name not in strangers]
    options = ReweighOptions(loaded.id, mode, match, columns)
    with folder_lock(out) as lease:
        _claim(out, options)
        pending = [part for part in parts if not _account(out, part).is_file()]
        assignment = loaded.assignment()
        if pending:
            run_parts(
                lambda parts: [Reweigher(parts, assignment, options, out)],
                pending,
                workers=workers,
                logging_dir=str(out / PARTS_FOLDER / "logs"),
                lease=lease,
                settled=lambda: {part.key for part in pending if _account(out, part).is_file()},
                set_aside=_refuse,
                progress=lambda done: progress(done, len(pending)),
            )
        record = Reweighed(
            manifest=loaded.id,
            mode=mode,
            match=match,
            source=corpus.root,
            text_column=columns.text,
            written=tuple(
                Written.model_validate(entry)
                for part in parts
                for entry in orjson.loads(_account(out, part).read_bytes())
            ),
            not_in_manifest=tuple(strangers),
            not_in_source=tuple(unseen),
            folder=out,
        )
        save_reweighed(record, loaded)
    return record


class Reweigher(PipelineStep):
    """Routes each part's rows to bucket shards; a part's account is written when all are there.

    Task r of n takes parts r, r + n, ….
    """

    name = "Reweigher"
    type = "Writer"

    def __init__(
        self, parts: list[Part], assignment: Assignment, options: ReweighOptions, out: Path
    ) -> None:
        super().__init__()
        self.parts = parts
        self.assignment = assignment
        self.options = options
        self.out = out

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Write this task's parts."""
        for part in self.parts[rank::world_size]:
            account = self._write(part)
            path = _account(self.out, part)
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(".tmp")
            aside.write_bytes(orjson.dumps(account))
            aside.replace(path)
        yield from ()

    def _write(self, part: Part) -> list[dict[str, Any]]:
        documents, end_row = read_documents(part, self.options)
        shard, first_row = part.key
        buckets = self.assignment.buckets(
            documents, shard=shard, first_row=first_row, end_row=end_row, match=self.options.match
        )
        rows = documents["row"].to_numpy()
        copies = self.assignment.copies(
            rows, buckets, shard=shard, first_row=first_row, mode=self.options.mode
        )
        names = self.assignment.partition.names
        with router(part, self.out, names) as routes:
            for copy in range(int(copies.max(initial=0))):
                route = np.full(end_row - first_row, -1, dtype=np.int64)
                taken = copies > copy
                route[rows[taken] - first_row] = buckets[taken]
                routes.write(route)
            places = routes.publish()
        sizes = documents["bytes"].to_numpy()
        written = [
            Written(
                shard=shard,
                first_row=first_row,
                end_row=end_row,
                bucket=name,
                matched=int(here.sum()),
                documents=int(copies[here].sum()),
                bytes=int((sizes * copies)[here].sum()),
                tokens=_tokens(documents, copies * here),
                path=places[name].relative_to(self.out).as_posix() if name in places else None,
            )
            for index, name in enumerate(names)
            if (here := buckets == index).any()
        ]
        return [entry.model_dump(mode="json") for entry in written]


def read_documents(part: Part, options: ReweighOptions) -> tuple[pa.Table, int]:
    """Read what places a part's documents: a row each, without their text.

    Returns the columns `row, doc_id, source, domain, month, language, bytes, tokens`, and
    `text_hash` where documents are matched by it; and the row after the part's last.
    """
    tables, end_row = [], part.first_row
    for batch in read_part(part, options.columns):
        table = batch.table
        table = table.append_column("month", months(table["date"]))
        table = table.append_column("domain", domains(table["url"]))
        if options.match == "text_hash":
            texts = table["text"].cast(pa.large_binary()).to_pylist()
            hashes = [_text_hash(text or b"") for text in texts]
            table = table.append_column("text_hash", pa.array(hashes, pa.uint64()))
        tables.append(pa.table(table.drop_columns(["text", "html", "date", "url"])))
        end_row = batch.end_row
    return pa.concat_tables(tables), end_row


def _text_hash(text: bytes) -> int:
    # As the scan hashes: of the text with invalid UTF-8 replaced.
    return xxhash.xxh3_64_intdigest(text.decode("utf-8", errors="replace").encode())


def _tokens(documents: pa.Table, copies: np.ndarray) -> int | None:
    tokens = documents["tokens"]
    if tokens.null_count == len(tokens):
        return None
    return int((tokens.fill_null(0).to_numpy() * copies).sum())


def _root_above(manifest: Manifest, source: str) -> str | None:
    folder = source_root(source)
    inside = folder == manifest.root or folder.startswith(manifest.root.rstrip("/") + "/")
    return manifest.root if inside else None


def _match_shards(manifest: Manifest, parts: list[Part]) -> tuple[list[str], list[str]]:
    """Return the shards that only the source and only the manifest knows; refuse rewritten ones."""
    known = {row["shard"]: row["input_digest"] for row in manifest.read_shards().to_pylist()}
    shards = {part.shard.name: part.shard for part in parts}
    if not (shared := shards.keys() & known.keys()):
        raise ManifestError(
            f"no shard of the source is in the manifest, whose shards are named from "
            f"{manifest.root}: give its source or a --root, or match by doc_id or text_hash"
        )
    for name in sorted(shared):
        if shards[name].digest != known[name]:
            raise ManifestError(
                f"{name} was rewritten since its scan: scan it again and build the manifest anew, "
                "or use --match doc_id or text_hash"
            )
    return sorted(shards.keys() - known.keys()), sorted(known.keys() - shards.keys())


def _claim(out: Path, options: ReweighOptions) -> None:
    path = out / PARTS_FOLDER / "options.json"
    data = orjson.dumps(options, option=orjson.OPT_INDENT_2)
    if path.is_file() and path.read_bytes() != data:
        raise ManifestError(
            f"{out} holds a reweighing by another manifest, mode or match: give another --out, or "
            "remove it"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _refuse(part: Part, reason: str) -> None:
    raise ScanError(
        f"rows {part.first_row} and on of {part.shard.name} could not be reweighed: {reason}; what "
        "was written stands: run the same command again where there is more memory"
    )


def _account(out: Path, part: Part) -> Path:
    return out / PARTS_FOLDER / part.shard.name / f"{part.first_row}.json"
