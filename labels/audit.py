"""An audit at rest: what was drawn of a tag folder, what of it is read, and what readers said.

An audit lies in the tag folder that it was drawn from::

    audits/<name>/begun.json              who draws it, created first: the name is taken
    audits/<name>/sample.parquet          a row per drawn document
    audits/<name>/items.parquet           a row per text that a reader is given at once
    audits/<name>/design.json             strata, seed and digests, written last: the audit exists
    audits/<name>/labels/<number>-<digest>.parquet   what one import brought

A document that is too long to read is two items: what the scan kept of it, and pieces drawn from
the rest, each with the probability `share`. Labels name an item and an annotator; a null answer
means that the annotator was unsure.
"""

from typing import Annotated, Any, Literal, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic import model_validator as validator

from .tag import DOCUMENT_FIELDS
from .taxonomy import LABELS, PORTRAYALS, Behaviour, Genre, Label, Stance

ADJUDICATOR = "adjudicator"
"""The annotator whose record settles what others differ on."""

READABLE = 6_000
"""Code points up to which a document is read whole."""

Reading = Literal["whole", "two-stage", "windows", "beginning"]
"""How much of a document is read: all; what the scan kept and drawn pieces of the rest; what the
scan kept alone, where the corpus is out of reach; or pieces of its first 20,000 characters."""

AuditName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]

SAMPLE = pa.schema(
    [
        *DOCUMENT_FIELDS,
        pa.field("stratum", pa.string(), nullable=False),
        pa.field("inclusion_probability", pa.float64(), nullable=False),
        *(pa.field(label, pa.float64()) for label in LABELS),
        *(pa.field(f"{label}_stance", pa.string()) for label in LABELS),
        pa.field("reading", pa.string(), nullable=False),
        pa.field("characters", pa.int64()),
    ]
)
"""`<label>` and its stance are the model's, null where it gave no verdict; `characters` is null
where only the tag folder was read."""

_SPAN = pa.struct(
    [
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
    ]
)

ITEMS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("pieces", pa.list_(_SPAN), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("evidence", pa.list_(_SPAN), nullable=False),
        pa.field("annotators", pa.list_(pa.string()), nullable=False),
    ]
)
"""In the order in which items are read, which is random. `share` is the probability with which
each piece of this part of the document was drawn; `evidence` counts from the item's own text."""

LABELLED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("annotator", pa.string(), nullable=False),
        *(pa.field(label, pa.bool_()) for label in LABELS),
        pa.field("stance", pa.string()),
        pa.field("genre", pa.string()),
        pa.field("behaviours", pa.list_(pa.string()), nullable=False),
        pa.field("model", pa.string()),
        pa.field("prompt", pa.string()),
    ]
)
"""`model` and `prompt` (the digest of the instructions) are null where a person read."""


class Stratum(BaseModel):
    """Documents among which an audit draws with one probability.

    `low` and `high` bound the score, half-open; they are null outside the verdict. `drawable` is
    how many of the stratum's documents could be drawn: the control sample's, outside the verdict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    low: float | None = None
    high: float | None = None
    documents: int = Field(ge=0)
    bytes: int = Field(ge=0)
    tokens: int | None = None
    drawable: int = Field(ge=0)
    drawn: int = Field(ge=0)


class Design(BaseModel):
    """How an audit was drawn.

    `label` is whose score made the strata, null for the highest of the three portrayals; `after`
    is the audit that this one goes on from, in the same strata. `text` says where the texts came
    from; from the tags alone, a candidate is read only as far as its scan kept it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[1] = 1
    name: AuditName
    after: AuditName | None = None
    tags_digest: str
    taxonomy_digest: str
    label: Label | None
    seed: int
    budget: int = Field(ge=1)
    text: Literal["corpus", "tags"]
    readable: int = READABLE
    strata: tuple[Stratum, ...]


_WORDS = {
    "true": True, "1": True, "yes": True, "false": False, "0": False, "no": False,
    "unsure": None, "?": None,
}  # fmt: skip


class LabelRecord(BaseModel):
    """What one annotator answered of one item, as a labelling file brings it.

    The four answers are true, false or "unsure" (null here); `stance` and `genre` may be left
    empty. Fields beyond these are ignored, so that a labelling file can be handed back whole.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    audit: AuditName
    taxonomy: str
    id: str
    annotator: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    ai_agent: bool | None
    malevolent: bool | None
    self_preserving: bool | None
    benevolent: bool | None
    stance: Stance | None = None
    genre: Genre | None = None
    behaviours: tuple[Behaviour, ...] = ()
    model: str | None = None
    prompt: str | None = None

    @field_validator(*LABELS, mode="before")
    @classmethod
    def _answer(cls, value: Any) -> Any:
        word = str(value).strip().lower()
        if word not in _WORDS:
            raise ValueError(f"{value!r} is no answer: write true, false or unsure")
        return _WORDS[word]

    @field_validator("stance", "genre", "model", "prompt", mode="before")
    @classmethod
    def _left_empty(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("behaviours", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(filter(None, value.replace(",", " ").split()))
        return value or ()

    @validator(mode="after")
    def _agree(self) -> Self:
        portrayed = [label for label in PORTRAYALS if getattr(self, label)]
        if portrayed and self.ai_agent is False:
            raise ValueError(
                f"{portrayed[0]} is true where ai_agent is false; set ai_agent to true"
            )
        if portrayed and self.stance in (None, "none"):
            raise ValueError(
                f"{portrayed[0]} is true and stance is {self.stance or 'empty'}: write depicted, "
                "warned, refuted or endorsed"
            )
        settled = all(getattr(self, label) is False for label in PORTRAYALS)
        if settled and self.stance not in (None, "none"):
            raise ValueError(
                f"stance is {self.stance} where no portrayal is true: write none, or leave it empty"
            )
        return self


def unanswered(record: dict[str, Any]) -> bool:
    """Whether a record of a labelling file has no answer yet."""
    return all(record.get(label) in (None, "") for label in LABELS)
