"""What `reweigh` wrote: the record `reweigh.json` beside the bucket folders, and the way to it.

A manifest remembers its newest materialisation in `reweighed.json`, so that `export` and `verify`
need only the manifest; another one is named with `--data`.
"""

import os
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ManifestError, one_line
from .assign import Match, Mode
from .manifest import Manifest

RECORD_FILE = "reweigh.json"
POINTER_FILE = "reweighed.json"

SPANS_COLUMN = "mask_spans"
"""The column, or key of a JSON line, of the spans to be masked: list<struct<start, end>>."""


class Written(BaseModel):
    """What one part gave to one bucket; there is one for each that got documents of the part.

    Copies of a document that is alone in its bucket stand in files of their own; those after the
    first have entries of their own, in which nothing is counted as matched.

    `matched` counts the part's documents that fall in the bucket. `documents`, `bytes` (of UTF-8
    text) and `tokens` count what was written, copies included. `path` is the shard file, relative
    to the folder, with `/`; null where nothing was written.
    """

    model_config = ConfigDict(frozen=True)
    shard: str
    first_row: int
    end_row: int
    bucket: str
    matched: int
    documents: int
    bytes: int
    tokens: int | None
    path: str | None


class Found(BaseModel):
    """What became of the documents that a manifest lists in one bucket, matched by doc_id or hash.

    `listed` counts those with different keys, `missing` those of them that the source no longer
    has. `again` counts documents of the source that share their key with an earlier one.
    """

    model_config = ConfigDict(frozen=True)
    bucket: str
    listed: int
    missing: int
    again: int


class Reweighed(BaseModel):
    """What `reweigh.json` says; it is written last, so its presence means that all is there.

    `not_in_manifest` are shards of the source that the manifest does not know, which were left out;
    `not_in_source` are shards of the manifest that the source did not have. `found` has an entry
    for each bucket with listed documents where they were matched by doc_id or text_hash, and
    `listed_again` counts listed documents that share their key with an earlier one. Where such a
    match met a text other than the one that was scanned, marks that refer to it were left out:
    `stale` counts these documents. `without_document` are lines that hold none, which were left
    out. `jobs` are those of Slurm that go on with the work: nothing is complete until they ended.
    """

    model_config = ConfigDict(frozen=True)
    manifest: str
    mode: Mode
    match: Match = "row"
    source: str
    text_column: str = "text"
    written: tuple[Written, ...]
    not_in_manifest: tuple[str, ...] = ()
    not_in_source: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    listed_again: int = 0
    stale: int = 0
    without_document: int = 0
    notes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = Field(default=(), exclude=True)
    folder: Path = Field(exclude=True)

    def remarks(self) -> list[str]:
        """Return what was left out or could not be told, one line each."""
        told = list(self.notes)
        if missing := sum(entry.missing for entry in self.found):
            told.append(
                f"{missing:,} of {sum(entry.listed for entry in self.found):,} listed documents "
                f"are not in the source by their {self.match}"
            )
        if again := sum(entry.again for entry in self.found):
            told.append(
                f"{again:,} documents of the source share their {self.match} with a listed "
                "document's first match, and went to its bucket too"
            )
        if self.listed_again:
            told.append(
                f"{self.listed_again:,} listed documents share their {self.match} with another: "
                "of their buckets the one that stands first counts"
            )
        if self.stale:
            told.append(
                f"{self.stale:,} documents hold another text than when they were scanned: their "
                "spans and passages are not marked"
            )
        if self.without_document:
            told.append(f"{self.without_document:,} lines hold no document and were left out")
        return told


def save_reweighed(record: Reweighed, manifest: Manifest) -> None:
    """Write `reweigh.json` into the record's folder and the manifest's pointer to it."""
    _write(record.folder / RECORD_FILE, record.model_dump(mode="json"))
    pointer = {"data": os.path.relpath(record.folder, manifest.folder), "mode": record.mode}
    _write(manifest.folder / POINTER_FILE, pointer)


def load_reweighed(manifest: Manifest, data: Path | None = None) -> Reweighed:
    """Read the record of a manifest's materialised shards.

    Args:
        manifest: the manifest.
        data: the folder that `reweigh` wrote; by default the newest one.

    Raises:
        ManifestError: nothing was reweighed, the record is missing or malformed, or it belongs to
            another manifest.
    """
    folder = data or _newest(manifest)
    path = folder / RECORD_FILE
    try:
        document = {**orjson.loads(path.read_bytes()), "folder": folder}
        record = Reweighed.model_validate(document)
    except (OSError, ValidationError, ValueError, TypeError) as error:
        raise ManifestError(
            f"{path} does not tell what was reweighed ({one_line(error)}): run `narrascope "
            f"reweigh {manifest.folder} --source SOURCE --out {folder}`, or name the folder with "
            "--data"
        ) from error
    if record.manifest != manifest.id:
        raise ManifestError(
            f"{folder} was reweighed by manifest {record.manifest}, not by {manifest.id}: name "
            "that manifest, or reweigh again"
        )
    return record


def _newest(manifest: Manifest) -> Path:
    path = manifest.folder / POINTER_FILE
    if not path.is_file():
        raise ManifestError(
            f"nothing was reweighed by {manifest.folder} yet: run `narrascope reweigh "
            f"{manifest.folder} --source SOURCE --out DIR` first, or name its folder with --data"
        )
    try:
        return Path(os.path.normpath(manifest.folder / orjson.loads(path.read_bytes())["data"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"{path} is damaged: name the folder with --data") from error


def _write(path: Path, document: object) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    aside.replace(path)
