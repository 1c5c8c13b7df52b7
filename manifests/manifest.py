"""A manifest: a folder that says which bucket takes each document, and how often it is seen.

::

    manifest.json       what was decided and from what; written last: the folder is complete
    documents.parquet   the tagged documents that the rule for untagged ones would place elsewhere
    shards.parquet      every part of every shard, with what each bucket takes of it
    takedown.parquet    what no corpus may contain, tagged or not
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ManifestError
from .assign import DOCUMENTS_FILE, Assignment
from .partition import Partition
from .planned import Plan
from .policy import Policy
from .takedown import TAKEDOWN_FILE, load_takedown

MANIFEST_FILE = "manifest.json"
SHARDS_FILE = "shards.parquet"

_SPAN = pa.struct(
    [
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
    ]
)

DOCUMENTS = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("doc_id", pa.string()),
        pa.field("text_hash", pa.uint64(), nullable=False),
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("spans", pa.list_(_SPAN)),
        pa.field("places", pa.list_(pa.int64())),
    ]
)
"""Rows of `documents.parquet`, sorted by shard and row.

`spans` are to be masked where the bucket's action is mask_spans, `places` are where prefixes go
before passages; both in code points of the text, ascending, and null elsewhere.
"""

_TAKEN = pa.struct(
    [
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("documents", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("tokens", pa.int64()),
    ]
)

SHARDS = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("end_row", pa.int64(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("input_digest", pa.string(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64()),
        pa.field("buckets", pa.list_(_TAKEN), nullable=False),
    ]
)
"""Rows of `shards.parquet`, sorted by shard and first row.

`buckets` has an entry for each of the partition's, in their order; its counts are null where they
are known only once the source has been read.
"""


class Tagging(BaseModel):
    """What made the tags that a manifest was built from."""

    model_config = ConfigDict(frozen=True)
    taxonomy_digest: str
    lexicon_digest: str
    models_digest: str
    tagging_version: int


class Manifest(BaseModel):
    """What `manifest.json` says; `folder` is where it was read.

    `root` and `columns` are how the corpus was read when it was scanned. `policy` is what was asked
    for, `partition` and `weights` are what it came to: weights by bucket over the whole training,
    and in each stage those of `plan.stages`.
    """

    model_config = ConfigDict(frozen=True)
    format: Literal[2] = 2
    id: str
    created: datetime
    narrascope_version: str
    tags: str
    root: str
    columns: dict[str, Any]
    policy: Policy
    policy_digest: str
    partition: Partition
    takedown_digest: str
    receipts_digest: str
    tagging: Tagging
    seed: int
    thresholds: dict[str, float]
    weights: dict[str, float]
    plan: Plan
    parts: int
    listed_documents: int
    notes: tuple[str, ...]
    folder: Path = Field(exclude=True)

    def assignment(self) -> Assignment:
        """Return what places the documents of any part in their buckets."""
        weights = tuple(self.weights[name] for name in self.partition.names)
        kinds = set(self.read_takedown()["kind"].to_pylist())
        columns = {"document": "row", "doc_id": "doc_id", "text_hash": "text_hash"}
        taken_down_by = frozenset(columns[kind] for kind in kinds & columns.keys())
        return Assignment(self.folder, self.partition, weights, taken_down_by)

    def read_takedown(self) -> pa.Table:
        """Read `takedown.parquet` in the schema `takedown.TAKEDOWN`.

        Raises:
            ManifestError: it is missing or torn.
        """
        return load_takedown(self.folder)

    def read_shards(self) -> pa.Table:
        """Read `shards.parquet` in the schema `SHARDS`.

        Raises:
            ManifestError: it is missing or torn.
        """
        return _read(self.folder / SHARDS_FILE, SHARDS)

    def read_documents(self) -> pa.Table:
        """Read `documents.parquet` in the schema `DOCUMENTS`.

        Raises:
            ManifestError: it is missing or torn.
        """
        return _read(self.folder / DOCUMENTS_FILE, DOCUMENTS)


def load_manifest(folder: Path) -> Manifest:
    """Read a manifest, which must be complete.

    Raises:
        ManifestError: the folder holds no finished manifest, or one of another version.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        why = "is incomplete" if folder.is_dir() else "does not exist"
        raise ManifestError(
            f"the manifest {folder} {why}: build it with `narrascope manifest build POLICY.yaml "
            "--tags DIR --out M`"
        )
    for name in (DOCUMENTS_FILE, SHARDS_FILE, TAKEDOWN_FILE):
        if not (folder / name).is_file():
            raise ManifestError(f"the manifest {folder} has lost its {name}: build it again")
    try:
        return Manifest.model_validate({**orjson.loads(path.read_bytes()), "folder": folder})
    except (ValidationError, ValueError, TypeError) as error:
        raise ManifestError(
            f"{path} is no manifest of this version ({str(error).splitlines()[0]}): build it again"
        ) from error


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(path, schema=schema)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(
            f"{path} cannot be read ({' '.join(str(error).split())}): build the manifest again"
        ) from error
