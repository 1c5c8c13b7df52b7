"""The plan: what a policy would do to the corpus, before anything is written.

It is computed from the catalogue, never from a draw: sizes after are expected sizes.
"""

from collections.abc import Mapping
from typing import Literal

import duckdb
import numpy as np

from ..errors import PolicyError
from ..labels.taxonomy import LABELS, PORTRAYALS
from ..store.prevalence import DEFAULT_THRESHOLD
from .assign import first_match
from .census import Census
from .planned import By, Plan, PlannedBucket, PlannedGroup, Size
from .policy import UNITS, Policy


def plan(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    thresholds: Mapping[str, float] | None = None,
) -> Plan:
    """Return what a policy would do to the corpus that a catalogue describes.

    Args:
        connection: an open catalogue.
        policy: the policy.
        thresholds: by label, the probability from which a document is counted as flagged;
            buckets follow their own conditions.

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
    groups = _by_label(connection, policy, weights, limits, has_tokens=census.has_tokens)
    groups += _by_genre(connection, policy, weights, has_tokens=census.has_tokens)
    for by in ("source", "month"):
        groups += [
            _group(by, value, sizes, weights, estimated=census.estimated_from is not None)
            for value, sizes in census.by(by).items()
        ]
    return Plan(
        unit=policy.unit,
        thresholds=limits,
        before=_size(before.sum(axis=0)),
        after=_size(weights @ before),
        buckets=tuple(
            PlannedBucket(
                name=name,
                where=policy.buckets[i].where if i < len(policy.buckets) else None,
                action=policy.buckets[i].action if i < len(policy.buckets) else "weigh",
                weight=float(weights[i]),
                estimated=census.estimated(i),
                before=_size(before[i]),
                after=_size(weights[i] * before[i]),
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


def _by_label(
    connection: duckdb.DuckDBPyConnection, policy: Policy, weights: np.ndarray,
    thresholds: Mapping[str, float], *, has_tokens: bool,
) -> list[PlannedGroup]:  # fmt: skip
    groups = []
    for label in LABELS:
        refuted = f"{label}_stance IS NOT DISTINCT FROM 'refuted'"
        apart = refuted if label in PORTRAYALS else "false"
        sizes = _tagged(connection, policy, apart, f"{label} >= ?", [thresholds[label]])
        for value in (False, True) if label in PORTRAYALS else (False,):
            counts = sizes.get(value, np.zeros((len(weights), 3)))
            counts[:, 2] = counts[:, 2] if has_tokens else np.nan
            stance = "refuted" if value else None
            groups.append(_group("label", label, counts, weights, stance=stance))
    return groups


def _by_genre(
    connection: duckdb.DuckDBPyConnection, policy: Policy, weights: np.ndarray, *, has_tokens: bool
) -> list[PlannedGroup]:
    groups = []
    for genre, counts in _tagged(connection, policy, "genre", "genre IS NOT NULL", []).items():
        counts[:, 2] = counts[:, 2] if has_tokens else np.nan
        groups.append(_group("genre", str(genre), counts, weights))
    return groups


def _tagged(
    connection: duckdb.DuckDBPyConnection, policy: Policy, group: str, where: str, bound: list
) -> dict[str | bool, np.ndarray]:
    """Return by group the buckets' sizes among the documents with a tag row."""
    rule, rule_bound = first_match(policy.buckets)
    rows = connection.execute(
        f"""SELECT {group} AS g, {rule} AS bucket, count(*), sum(bytes), coalesce(sum(tokens), 0)
        FROM documents WHERE {where} GROUP BY ALL ORDER BY ALL""",  # noqa: S608
        [*rule_bound, *bound],
    ).fetchall()
    groups: dict[str | bool, np.ndarray] = {}
    for value, bucket, *sizes in rows:
        groups.setdefault(value, np.zeros((len(policy.names), 3)))[bucket] = sizes
    return groups


def _group(
    by: By, group: str | None, sizes: np.ndarray, weights: np.ndarray, *,
    stance: Literal["refuted"] | None = None, estimated: bool = False,
) -> PlannedGroup:  # fmt: skip
    return PlannedGroup(
        by=by, group=group, stance=stance, estimated=estimated,
        before=_size(sizes.sum(axis=0)), after=_size(weights @ sizes),
    )  # fmt: skip


def _size(counts: np.ndarray) -> Size:
    documents, size, tokens = (float(count) for count in counts)
    return Size(documents=documents, bytes=size, tokens=None if np.isnan(tokens) else tokens)
