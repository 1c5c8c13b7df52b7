"""The plan: what a policy would do to the corpus, before anything is written.

It is computed from the catalogue, never from a draw: sizes after are expected sizes.
"""

from collections.abc import Collection, Mapping

import duckdb
import numpy as np

from ..errors import PolicyError
from ..labels.taxonomy import LABELS
from ..store.prevalence import DEFAULT_THRESHOLD
from .census import Census
from .collateral import BREAKDOWNS, Collateral, size_of
from .planned import Plan, PlannedBucket
from .policy import UNITS, Policy

_KEPT = ("label", "genre", "source", "month")


def plan(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    thresholds: Mapping[str, float] | None = None,
    by: Collection[str] = _KEPT,
) -> Plan:
    """Return what a policy would do to the corpus that a catalogue describes.

    Args:
        connection: an open catalogue.
        policy: the policy.
        thresholds: by label, the probability from which a document is counted as flagged;
            buckets follow their own conditions.
        by: what to break it down by besides buckets; of domains, those that change most.

    Raises:
        PolicyError: the policy counts tokens and the corpus has none; its named buckets outgrow
            the corpus; or a bucket needs a control sample that the scan did not draw.
        TagsError: the tag folder's counts contradict each other.
    """
    census = Census(connection, policy)
    if policy.unit == "tokens" and not census.has_tokens:
        raise PolicyError(
            "unit: tokens needs token counts, which part or all of this corpus was scanned "
            "without: use unit: bytes, or scan again with --token-column"
        )
    before = census.whole()
    weights, notes = _solve(policy, before[:, UNITS.index(policy.unit)])
    if estimated := [n for i, n in enumerate(policy.names) if census.estimated(i)]:
        notes.append(f"estimated from the control sample: {', '.join(estimated)}")
    if not census.has_tokens:
        notes.append("tokens are not known for every document, so none are shown")
    limits = {label: (thresholds or {}).get(label, DEFAULT_THRESHOLD) for label in LABELS}
    report = Collateral(connection, policy, census, weights, limits)
    groups = report.labels() if "label" in by else []
    for breakdown in BREAKDOWNS:
        if breakdown in by:
            groups += report.groups(breakdown, notes)
    unlabelled = before - report.labelled()
    return Plan(
        unit=policy.unit,
        thresholds=limits,
        before=size_of(before.sum(axis=0)),
        after=size_of(weights @ before),
        buckets=tuple(
            PlannedBucket(
                name=name,
                where=policy.buckets[i].where if i < len(policy.buckets) else None,
                action=policy.buckets[i].action if i < len(policy.buckets) else "weigh",
                weight=float(weights[i]),
                estimated=census.estimated(i),
                before=size_of(before[i]),
                after=size_of(weights[i] * before[i]),
                unlabelled=size_of(unlabelled[i]),
            )
            for i, name in enumerate(policy.names)
        ),
        groups=tuple(groups),
        notes=tuple(notes),
    )


def _solve(policy: Policy, sizes: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the weight of every bucket, the rest's scaled so that the corpus keeps its size."""
    named = np.array([bucket.factor for bucket in policy.buckets])
    if not policy.keep_total:
        return np.append(named, policy.rest.weight), []
    total, taken, rest = sizes.sum(), float(named @ sizes[:-1]), sizes[-1]
    # Sums of floats: an excess in the last digits is none.
    if taken > total * (1 + 1e-9):
        raise PolicyError(
            f"the named buckets alone come to {taken:,.0f} {policy.unit}, over the corpus's "
            f"{total:,.0f}: lower their weights or set keep_total: false"
        )
    # Nine decimals, so that sums of floats do not turn a weight of 1 into a little less.
    needed = round(max(0.0, (total - taken) / rest), 9) if rest else 1.0
    weight = min(needed, policy.rest.max_repetition)
    after = taken + weight * rest
    notes = []
    if after < total * (1 - 1e-9):
        why = (
            f"{policy.rest.name} would need weight {needed:.4g}, over its max_repetition "
            f"{policy.rest.max_repetition:g}"
            if rest
            else f"{policy.rest.name} is empty"
        )
        notes.append(f"the corpus shrinks by {1 - after / total:.4%} of its {policy.unit}: {why}")
    return np.append(named, weight), notes
