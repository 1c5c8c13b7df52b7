"""A plan as flat rows, for a table, JSON or CSV."""

from collections.abc import Iterator
from typing import Any

from .planned import Plan, PlannedBucket, PlannedGroup, Size
from .policy import UNITS, Unit

_NOTHING = Size(documents=0, bytes=0, tokens=0)


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """Return a row for the whole corpus, each bucket, group, stage, bound and audited share.

    Rows of the corpus, buckets and groups have `by, group, stance, weight, estimated`;
    `<unit>_before`, `<unit>_after` and `<unit>_change` for documents, bytes and tokens;
    `relative_change`, `share_before` and `share_after` of the corpus in the plan's unit;
    `<unit>_touched` and `<unit>_unlabelled`, null for the whole corpus. Others have `by, group` and
    the fields of their model: by `stage` a bucket's `weight` `until` its end, by `constraint` a
    `Bound`, by `audited` a label's shares before and after with their limits.
    """
    rows = [_row(plan, "corpus", "all", plan.before, plan.after)]
    rows += [_bucket(plan, bucket) for bucket in plan.buckets]
    rows += _stages(plan)
    for bound in plan.constraints:
        said = {k: v for k, v in bound.model_dump().items() if k not in ("constraint", "group")}
        of = f" ({bound.group})" if bound.group is not None else ""
        rows.append({"by": "constraint", "group": bound.constraint + of, **said})
    rows += [_group(plan, group) for group in plan.groups]
    for found in plan.audited:
        shares = {
            f"{name}_{when}": value
            for when, values in (("before", found.before), ("after", found.after))
            for name, value in zip(("share", "low", "high"), values, strict=True)
        }
        more = {"n_audited": found.n_audited, "note": found.note}
        rows.append({"by": "audited", "group": found.label, **shares, **more})
    return rows


def _bucket(plan: Plan, bucket: PlannedBucket) -> dict[str, Any]:
    touched = bucket.weight != 1 and bucket.of != plan.buckets[-1].of
    return _row(
        plan, "bucket", bucket.name, bucket.before, bucket.after,
        bucket.before if touched else _NOTHING, bucket.unlabelled if touched else _NOTHING,
        weight=bucket.weight, estimated=bucket.estimated,
    )  # fmt: skip


def _group(plan: Plan, group: PlannedGroup) -> dict[str, Any]:
    return _row(
        plan, group.by, group.group, group.before, group.after, group.touched, group.unlabelled,
        stance=group.stance, estimated=group.estimated,
    )  # fmt: skip


def _stages(plan: Plan) -> Iterator[dict[str, Any]]:
    for stage in plan.stages:
        for bucket, weight in zip(plan.buckets, stage.weights, strict=True):
            yield {"by": "stage", "group": bucket.name, "until": stage.until, "weight": weight}


def _row(
    plan: Plan, by: str, group: str | None, before: Size, after: Size, touched: Size | None = None,
    unlabelled: Size | None = None, *, stance: str | None = None, weight: float | None = None,
    estimated: bool = False,
) -> dict[str, Any]:  # fmt: skip
    sizes = {
        f"{unit}_{name}": None if size is None else _tidy(getattr(size, unit))
        for unit in UNITS
        for name, size in (
            ("before", before), ("after", after), ("change", after.less(before)),
            ("touched", touched), ("unlabelled", unlabelled),
        )
    }  # fmt: skip
    size = before.of(plan.unit)
    return {
        "by": by, "group": group, "stance": stance, "weight": weight, "estimated": estimated,
        **sizes,
        "relative_change": (after.of(plan.unit) - size) / size if size else None,
        "share_before": _share(before, plan.before, plan.unit),
        "share_after": _share(after, plan.after, plan.unit),
    }  # fmt: skip


def _share(part: Size, whole: Size, unit: Unit) -> float | None:
    return part.of(unit) / whole.of(unit) if whole.of(unit) else None


def _tidy(size: float | None) -> float | int | None:
    if size is None:
        return None
    return int(size) if size == int(size) else round(size, 1)
