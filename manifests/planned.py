"""What a plan says: sizes before and after, by bucket and by group."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from .policy import Action, Unit

By = Literal["label", "stance", "genre", "source", "month", "domain"]
"""What a plan can be broken down by; buckets are always shown."""


class Size(BaseModel):
    """A number of documents, bytes and tokens; `tokens` is null where the corpus has none."""

    model_config = ConfigDict(frozen=True)
    documents: float
    bytes: float
    tokens: float | None

    def less(self, other: "Size") -> "Size":
        """Return how much more this is, which may be negative."""
        unknown = self.tokens is None or other.tokens is None
        return Size(
            documents=self.documents - other.documents,
            bytes=self.bytes - other.bytes,
            tokens=None if unknown else (self.tokens or 0) - (other.tokens or 0),
        )

    def of(self, unit: Unit) -> float:
        """Return the size in a unit, 0 where it is not known."""
        return getattr(self, unit) or 0.0


class PlannedBucket(BaseModel):
    """A bucket's size before and after; `weight` is how often each document is to be seen.

    `of` is the policy's bucket that it is a piece of, mostly itself. `unlabelled` is the part of
    it, before, that reaches the threshold of no portrayal.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    of: str
    where: str | None
    action: Action
    weight: float
    estimated: bool
    before: Size
    after: Size
    unlabelled: Size


class PlannedStage(BaseModel):
    """A stretch of training that ends at `until`, its weights in the order of the buckets.

    `after` is the corpus as one pass at these weights sees it.
    """

    model_config = ConfigDict(frozen=True)
    until: float
    weights: tuple[float, ...]
    after: Size


class Bound(BaseModel):
    """What became of one bound of a constraint.

    `constraint` says it in words, `group` which group of a change it is about. `before` and `after`
    are the bounded share, ratio or relative change. `price` is by how many nats the divergence from
    the original mix would fall for each unit by which the limit gave way, 0 where it does not bind.
    `missed_by` is how far `value_after` is beyond the limit where constraints cannot all be met.
    """

    model_config = ConfigDict(frozen=True)
    constraint: str
    group: str | None = None
    limit: float
    value_before: float | None
    value_after: float | None
    binds: bool
    price: float
    missed_by: float = 0.0


class Audited(BaseModel):
    """A label's audited share of the corpus before and after, with limits that hold at 95 %.

    Shares are of the corpus in the plan's unit; the interval of each is its own.
    """

    model_config = ConfigDict(frozen=True)
    label: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    n_audited: int
    note: str


class PlannedGroup(BaseModel):
    """A label's, stance's, genre's, source's, month's or domain's size before and after.

    Of labels, documents at or over the threshold are counted, those that refute the portrayal
    apart, with `stance` refuted; of stances, the documents whose portrayal has that stance. Of
    genres, only documents with a tag row are known. `touched` is what falls in named buckets whose
    weight is not 1, and `unlabelled` the part of that which reaches the threshold of no portrayal:
    both before.
    """

    model_config = ConfigDict(frozen=True)
    by: By
    group: str | None
    stance: str | None = None
    estimated: bool
    before: Size
    after: Size
    touched: Size
    unlabelled: Size


class Plan(BaseModel):
    """What a policy does to a corpus, by bucket, and by label, genre, source, month and domain.

    Groups of a breakdown stand in the order of their change in the plan's unit, the biggest losers
    and winners first; labels in that of the taxonomy.
    """

    model_config = ConfigDict(frozen=True)
    unit: Unit
    thresholds: dict[str, float]
    before: Size
    after: Size
    buckets: tuple[PlannedBucket, ...]
    stages: tuple[PlannedStage, ...] = ()
    constraints: tuple[Bound, ...] = ()
    divergence: float | None = None
    audited: tuple[Audited, ...] = ()
    groups: tuple[PlannedGroup, ...]
    notes: tuple[str, ...]

    @property
    def weights(self) -> tuple[float, ...]:
        """How often a document of each bucket is to be seen over the whole training."""
        return tuple(bucket.weight for bucket in self.buckets)
