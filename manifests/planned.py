"""What a plan says: sizes before and after, by bucket and by group."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from .policy import UNITS, Unit

By = Literal["label", "genre", "source", "month"]


class Size(BaseModel):
    """A number of documents, bytes and tokens; `tokens` is null where the corpus has none."""

    model_config = ConfigDict(frozen=True)
    documents: float
    bytes: float
    tokens: float | None

    def of(self, unit: Unit) -> float:
        """Return the size in a unit, 0 where it is not known."""
        return getattr(self, unit) or 0.0


class PlannedBucket(BaseModel):
    """A bucket's size before and after; `weight` is how often each document is to be seen."""

    model_config = ConfigDict(frozen=True)
    name: str
    where: str | None
    action: Literal["weigh", "drop"]
    weight: float
    estimated: bool
    before: Size
    after: Size


class PlannedGroup(BaseModel):
    """A label's, genre's, source's or month's size before and after.

    Of labels, documents at or over the threshold are counted, those that refute the portrayal
    apart, with `stance` refuted. Of genres, only documents with a tag row are known.
    """

    model_config = ConfigDict(frozen=True)
    by: By
    group: str | None
    stance: Literal["refuted"] | None = None
    estimated: bool
    before: Size
    after: Size


class Plan(BaseModel):
    """What a policy does to a corpus, by bucket, label, genre, source and month."""

    model_config = ConfigDict(frozen=True)
    unit: Unit
    thresholds: dict[str, float]
    before: Size
    after: Size
    buckets: tuple[PlannedBucket, ...]
    groups: tuple[PlannedGroup, ...]
    notes: tuple[str, ...]

    @property
    def weights(self) -> tuple[float, ...]:
        """How often a document of each bucket is to be seen, `rest` last."""
        return tuple(bucket.weight for bucket in self.buckets)

    def rows(self) -> list[dict[str, Any]]:
        """Return flat rows for a table or JSON, the whole corpus first.

        Keys: `by, group, stance, weight, estimated`, then `<unit>_before` and `<unit>_after` for
        documents, bytes and tokens, then `share_before` and `share_after` of the corpus in the
        plan's unit.
        """
        rows = [self._row("corpus", "all", self.before, self.after)]
        rows += [
            self._row("bucket", b.name, b.before, b.after, weight=b.weight, estimated=b.estimated)
            for b in self.buckets
        ]
        rows += [
            self._row(g.by, g.group, g.before, g.after, stance=g.stance, estimated=g.estimated)
            for g in self.groups
        ]
        return rows

    def _row(
        self, by: str, group: str | None, before: Size, after: Size, *,
        stance: str | None = None, weight: float | None = None, estimated: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        sizes = {
            f"{unit}_{when}": _tidy(getattr(size, unit))
            for unit in UNITS
            for when, size in (("before", before), ("after", after))
        }
        return {
            "by": by, "group": group, "stance": stance, "weight": weight, "estimated": estimated,
            **sizes,
            "share_before": _share(before, self.before, self.unit),
            "share_after": _share(after, self.after, self.unit),
        }  # fmt: skip


def _share(part: Size, whole: Size, unit: Unit) -> float | None:
    return part.of(unit) / whole.of(unit) if whole.of(unit) else None


def _tidy(size: float | None) -> float | int | None:
    if size is None:
        return None
    return int(size) if size == int(size) else round(size, 1)
