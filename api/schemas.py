"""What the service answers with, as OpenAPI describes it.

Documents have the columns of the tag rows; their models are made from the schema in `labels.tag`,
so that names and types are written once.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import pyarrow as pa
from pydantic import BaseModel, Field, create_model

from ..labels.tag import EVIDENCE, PASSAGE, TAGS
from ..labels.taxonomy import LABELS, Label

_TYPES: dict[pa.DataType, Any] = {
    pa.string(): str,
    pa.int64(): int,
    pa.float64(): float,
    pa.uint64(): str,
    pa.list_(pa.string()): list[str],
}
_DESCRIPTIONS = {
    "shard": "the file, relative to the corpus's root",
    "row": "zero-based ordinal in the file, counting every row",
    "text_hash": "xxh3_64 of the UTF-8 text, as 16 hexadecimal digits",
    "bytes": "UTF-8 length of the text",
    "gate_matches": "lexicon terms found in the text",
    "start": "first code point, counted in the document's text",
    "end": "the code point after the last",
    "behaviour": "null where the span names the agent itself",
    "text": "null where the scan kept no text",
}


def _description(name: str) -> str | None:
    if name in LABELS:
        return f"calibrated probability of {name}; null where the verdict did not run"
    for label in LABELS:
        described = {
            f"screen_{label}": f"the screen's score for {label}; null where it did not run",
            f"judge_{label}": f"what the judge alone says of {label}; null where it was not asked",
            f"{label}_max": f"highest passage probability of {label}",
            f"{label}_stance": "stance of that passage",
        }
        if name in described:
            return described[name]
    return _DESCRIPTIONS.get(name)


def _model(name: str, fields: Iterable[pa.Field], doc: str, **nested: Any) -> Any:
    """Return a model with a field for each Arrow field; `nested` gives types of its own."""
    made: dict[str, Any] = {}
    for field in fields:
        kind = nested.get(field.name) or _TYPES[field.type]
        made[field.name] = Annotated[
            kind | None if field.nullable else kind, Field(description=_description(field.name))
        ]
    return create_model(name, __doc__=doc, **made)


Evidence = _model("Evidence", EVIDENCE, "A span that speaks for a label.")
Passage = _model(
    "Passage", PASSAGE, "A window that the screen let by.", evidence=list[Evidence]
)  # fmt: skip
_Columns = _model(
    "Columns", (f for f in TAGS if f.name != "passages"), "The columns of a tag row."
)  # fmt: skip


class Document(_Columns):
    """A candidate document: a tag row, with its passages where they were asked for."""

    passages: list[Passage] | None = Field(  # type: ignore[valid-type]
        default=None, description="left out unless `passages=true`"
    )


Thresholds = Annotated[
    dict[Label, float], Field(description="by label, the probability from which it is flagged")
]


class OneDocument(Document):
    """A candidate document with its passages, and what flags it."""

    thresholds: Thresholds


class Share(BaseModel):
    """How much of the corpus, or of a group of it, carries a label."""

    by: str | None = Field(description="what the rows are grouped by; null for the whole corpus")
    group: str | None = Field(description="`all` for the whole; null where a document has none")
    label: str
    estimator: str
    unit: str
    share: float | None = Field(description="in [0, 1]; null where there is nothing to divide by")
    low: float | None = Field(description="end of the interval; null: only an audit has one")
    high: float | None = Field(description="end of the interval; null: only an audit has one")
    numerator: int | float
    denominator: int
    n_audited: int
    note: str = Field(description="what the figure takes in and leaves out")


class Prevalence(BaseModel):
    """Shares by label and group."""

    rows: list[Share]
    left_out: int = Field(description="rows beyond `limit` for their label")
    thresholds: Thresholds
    catalogue: str = Field(description="version of the catalogue that was read")


class Documents(BaseModel):
    """A page of documents, the highest score first."""

    documents: list[Document]
    total: int | None = Field(
        description="documents that the filters take, on all pages; null with `text`"
    )
    next: str | None = Field(description="`cursor` of the next page; null on the last")
    thresholds: Thresholds


class Scan(BaseModel):
    """What one scan read, added up over its parts."""

    root: str
    formats: list[str]
    options: dict[str, Any]
    taxonomy_digest: str
    lexicon_digest: str
    models_digest: str
    tagging_version: int
    narrascope_version: str
    seed: int
    shards: int
    parts: int
    partial_parts: int = Field(description="parts cut short by --limit")
    documents: int
    empty: int
    bytes: int
    tokens: int | None
    candidates: int = Field(description="documents in which the gate matched")
    escalated: int = Field(description="documents of which the screen let a window by")
    unreadable: int
    invalid_utf8: int
    started: str
    seconds: float = Field(description="seconds of work, added up over the parts")


class FailedPart(BaseModel):
    """A part of a shard that was set aside, or a whole shard."""

    shard: str
    first_row: int | None = Field(description="null where the whole shard could not be planned")
    end_row: int | None = Field(description="null where only reading the shard would tell")
    why: str | None
    retry: str | None


class Scans(BaseModel):
    """The scans that the tag folder holds, and the parts that it lacks."""

    scans: list[Scan]
    failed: list[FailedPart]


JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
JobKind = Literal["build", "audit", "reweigh"]


class Job(BaseModel):
    """A piece of long work."""

    id: str
    kind: JobKind
    arguments: dict[str, Any] = Field(description="what was asked for")
    state: JobState
    note: str = Field(description="what is going on, in a line")
    done: int = Field(description="parts (of an audit, documents) done, as of the last report")
    total: int | None = Field(description="of how many; null where that is not known")
    attempts: int = Field(description="how often it was begun")
    cancelling: bool = Field(description="it was cancelled, and its worker has yet to notice")
    result: dict[str, Any] | None = Field(description="with `location`, where there is one to read")
    error: str | None = Field(description="why it failed, in a line")
    asked_by: str = Field(description="the name of the key; empty without one")
    request_id: str = Field(description="the request that enqueued it")
    created: datetime
    started: datetime | None
    finished: datetime | None
