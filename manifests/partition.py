"""The partition: the buckets as they lie in the corpus, every document in exactly one.

A policy's buckets become pieces of a partition: what is taken down comes first, what makes up for
dropped documents before the rest, and where a constraint tells documents of one bucket apart, the
bucket is split. Trainers see pieces; a piece is called a bucket wherever that says enough.
"""

from functools import cached_property
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from ..store.where import Condition, parse_where
from .policy import Action, Policy

CHOSEN = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("piece", pa.string(), nullable=False),
    ]
)
"""Documents that pieces take by name."""


class Piece(BaseModel):
    """The documents that meet a condition or are listed, and that no earlier piece takes.

    `of` is the policy's bucket that it belongs to. `listed` says that documents are also taken by
    name. The last piece of a partition has no condition and takes what is left.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    of: str
    where: str | None = None
    listed: bool = False
    action: Action = "weigh"
    prefix: str | None = None
    before: Literal["document", "passage"] = "document"

    @cached_property
    def condition(self) -> Condition | None:
        """The condition, parsed."""
        return None if self.where is None else parse_where(self.where, max_characters=None)


class Partition(BaseModel):
    """Pieces in the order in which they take documents; `seed` moves the draw of copies."""

    model_config = ConfigDict(frozen=True)
    seed: int
    pieces: tuple[Piece, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The pieces' names in order: a piece's index is its place here."""
        return tuple(piece.name for piece in self.pieces)

    @property
    def origins(self) -> tuple[str, ...]:
        """For each piece the policy's bucket that it belongs to."""
        return tuple(piece.of for piece in self.pieces)


def pieces_of(policy: Policy) -> tuple[Piece, ...]:
    """Return a policy's buckets as pieces, one each, the rest last."""
    named = [
        Piece(
            name=bucket.name, of=bucket.name, action=bucket.action,
            where=None if bucket.at_random else bucket.where, listed=bool(bucket.at_random),
            prefix=bucket.prefix, before=bucket.before,
        )
        for bucket in policy.buckets
    ]  # fmt: skip
    return (*named, Piece(name=policy.rest.name, of=policy.rest.name))
