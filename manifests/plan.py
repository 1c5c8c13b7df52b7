"""The plan: what a policy would do to the corpus, before anything is written.

It is computed from the catalogue, never from a draw: sizes after are expected sizes.
"""

from collections.abc import Collection, Mapping

import duckdb

from ..labels.taxonomy import LABELS
from ..store.folder import TagFolder
from ..store.prevalence import DEFAULT_THRESHOLD
from .audited_plan import audited_changes
from .collateral import BREAKDOWNS, Collateral, size_of
from .decide import Decision, decide
from .planned import Plan, PlannedBucket, PlannedStage
from .policy import Policy
from .takedown import TAKEDOWN, read_takedown

_KEPT = ("label", "stance", "genre", "source", "month")


def plan(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    folder: TagFolder | None = None,
    thresholds: Mapping[str, float] | None = None,
    by: Collection[str] = _KEPT,
) -> Plan:
    """Return what a policy would do to the corpus that a catalogue describes.

    Args:
        connection: an open catalogue.
        policy: the policy.
        folder: its tag folder, for what is taken down and for audits; without it there are none.
        thresholds: by label, the probability from which a document is counted as flagged;
            buckets follow their own conditions.
        by: what to break it down by besides buckets; of domains, those that change most.

    Raises:
        PolicyError, TagsError: as for `decide`.
        ManifestError: the takedown list is damaged.
    """
    # Of its own: tables are registered in it, whatever else the caller's connection is at.
    connection = connection.cursor()
    limits = thresholds_of(thresholds)
    entries = TAKEDOWN.empty_table() if folder is None else read_takedown(folder)
    decided = decide(connection, policy, takedown=entries, limits=limits)
    return plan_of(connection, policy, decided, folder=folder, limits=limits, by=by)


def thresholds_of(given: Mapping[str, float] | None) -> dict[str, float]:
    """Return a threshold for every label: the given one, or the default."""
    return {label: (given or {}).get(label, DEFAULT_THRESHOLD) for label in LABELS}


def plan_of(
    connection: duckdb.DuckDBPyConnection, policy: Policy, decided: Decision, *,
    folder: TagFolder | None, limits: Mapping[str, float], by: Collection[str] = _KEPT,
) -> Plan:  # fmt: skip
    """Return the plan of a decision; the arguments are those of `plan` and `decide`."""
    notes = list(decided.notes)
    pieces, weights, before = decided.partition.pieces, decided.weights, decided.sizes
    report = Collateral(
        connection, pieces, decided.census, weights=weights, touched=decided.touched,
        unit=policy.unit, limits=limits,
    )  # fmt: skip
    groups = report.labels() if "label" in by else []
    groups += report.stances() if "stance" in by else []
    for breakdown in BREAKDOWNS:
        if breakdown in by:
            groups += report.groups(breakdown, notes)
    unlabelled = before - report.labelled()
    audited, why_not = (), None
    if folder is not None:
        audited, why_not = audited_changes(folder, connection, decided, policy.unit)
    notes += [why_not] if why_not else []
    return Plan(
        unit=policy.unit,
        thresholds=dict(limits),
        before=size_of(before.sum(axis=0)),
        after=size_of(weights @ before),
        buckets=tuple(
            PlannedBucket(
                name=piece.name,
                of=piece.of,
                where=piece.where,
                action=piece.action,
                weight=float(weights[i]),
                estimated=decided.census.estimated(i),
                before=size_of(before[i]),
                after=size_of(weights[i] * before[i]),
                unlabelled=size_of(unlabelled[i]),
            )
            for i, piece in enumerate(pieces)
        ),
        stages=tuple(
            PlannedStage(until=stage.until, weights=tuple(map(float, row)),
                         after=size_of(row @ before))
            for stage, row in zip(policy.stages, decided.by_stage, strict=True)
        ) if policy.stages else (),
        constraints=decided.bounds,
        divergence=decided.divergence,
        audited=audited,
        groups=tuple(groups),
        notes=tuple(notes),
    )  # fmt: skip
