"""Audits in a tag folder: where they lie, of which tags they are, and what is kept of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from pydantic import ValidationError

from ..errors import TagsError, one_line
from ..labels.audit import ITEMS, LABELLED, SAMPLE, Design
from .folder import TagFolder
from .receipts import require_receipts

Key = tuple[str, int]
"""A document: its shard and row."""

_UNLIKE = ("started", "seconds", "narrascope_version")
"""Columns of a receipt that may differ where the tags are the same."""


def tags_digest(folder: TagFolder) -> str:
    """Return a digest over the receipts: which parts there are, of what, tagged by what.

    Raises:
        TagsError: the folder is missing, holds no finished part, or has a torn receipt.
    """
    receipts = require_receipts(folder).drop_columns(_UNLIKE)
    return xxhash.xxh3_64_hexdigest(orjson.dumps(receipts.to_pylist()))


@dataclass(frozen=True)
class Audit:
    """One audit of a tag folder; its tables are read when they are first asked for."""

    folder: TagFolder
    design: Design

    def path(self, *names: str) -> str:
        """Return the path of one of its files."""
        return self.folder.path("audits", self.design.name, *names)

    @cached_property
    def sample(self) -> pa.Table:
        """The drawn documents, in the schema `SAMPLE`."""
        return _read(self.folder, self.path("sample.parquet"), SAMPLE)

    @cached_property
    def items(self) -> pa.Table:
        """What readers are given, in the schema `ITEMS`."""
        return _read(self.folder, self.path("items.parquet"), ITEMS)

    def imports(self) -> list[pa.Table]:
        """Return what each import brought, the earliest first, in the schema `LABELLED`."""
        root = self.path("labels")
        if not self.folder.filesystem.exists(root):
            return []
        paths = sorted(p for p in self.folder.filesystem.find(root) if p.endswith(".parquet"))
        return [_read(self.folder, path, LABELLED) for path in paths]

    def keep_labels(self, labels: pa.Table) -> bool:
        """Keep an import beside those before it; False where the same was imported before."""
        data = _parquet(labels, LABELLED)
        digest = xxhash.xxh3_64_hexdigest(data)
        root, kept = self.path("labels"), []
        if self.folder.filesystem.exists(root):
            kept = sorted(self.folder.filesystem.find(root))
        if any(path.endswith(f"-{digest}.parquet") for path in kept):
            return False
        self.folder.write(self.path("labels", f"{len(kept):05d}-{digest}.parquet"), data)
        return True


def audit_names(folder: TagFolder) -> list[str]:
    """Return the names of the audits in a tag folder, sorted."""
    root = folder.path("audits")
    if not folder.filesystem.exists(root):
        return []
    found = (path.rsplit("/", 2) for path in folder.filesystem.find(root))
    return sorted(name for _, name, file in found if file == "design.json")


def read_audit(folder: TagFolder, name: str) -> Audit:
    """Return an audit by its name.

    Raises:
        TagsError: there is none of that name, or its design cannot be read.
    """
    known = audit_names(folder)
    if name not in known:
        choices = f"choose from {', '.join(known)}" if known else "it has none"
        raise TagsError(
            f"no audit {name[:80]!r} in {folder.url}: {choices}; draw one with "
            f"`narrascope audit sample --tags {folder.url} --out FILE`"
        )
    path = folder.path("audits", name, "design.json")
    try:
        design = Design.model_validate_json(folder.filesystem.cat_file(path))
    except (OSError, ValidationError) as error:
        raise TagsError(
            f"{path} cannot be read ({one_line(error)}): restore it from a copy, or remove "
            f"audits/{name} and draw the audit again with the same --seed"
        ) from error
    return Audit(folder, design)


def read_audits(folder: TagFolder) -> Iterator[Audit]:
    """Yield all audits of a tag folder, by name."""
    return (read_audit(folder, name) for name in audit_names(folder))


def keep_audit(folder: TagFolder, design: Design, sample: pa.Table, items: pa.Table) -> Audit:
    """Keep a new audit in a tag folder; its design is written last.

    Raises:
        TagsError: the folder cannot be written.
    """
    audit = Audit(folder, design)
    data = orjson.dumps(design.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    with writing(folder):
        folder.write(audit.path("sample.parquet"), _parquet(sample, SAMPLE))
        folder.write(audit.path("items.parquet"), _parquet(items, ITEMS))
        folder.write(audit.path("design.json"), data + b"\n")
    return audit


@contextmanager
def writing(folder: TagFolder) -> Iterator[None]:
    """Say what to do where audits cannot be written.

    Raises:
        TagsError: the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise TagsError(
            f"{folder.url} cannot be written ({one_line(error)}): audits are kept in the tag "
            "folder; copy it to where it can be written"
        ) from error


def _parquet(table: pa.Table, schema: pa.Schema) -> bytes:
    sink = BytesIO()
    pq.write_table(table.cast(schema), sink, compression="zstd")
    return sink.getvalue()


def _read(folder: TagFolder, path: str, schema: pa.Schema) -> pa.Table:
    cure = "restore it from a copy, or remove it and import the labelling files again"
    return folder.read(path, schema, name=path, cure=cure)
