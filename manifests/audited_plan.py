"""Audited shares before and after a policy, where readers have labelled an audit of the tags.

A policy multiplies what falls in each piece by its weight. So the audited share after it is the sum
over pieces of weight times the audited share of the corpus that is positive and in the piece, over
how much the corpus grows; limits are combined by MOVER (Zou & Donner 2008). The weights are known,
so they add nothing to the width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb
import numpy as np

from ..errors import TagsError
from ..labels.taxonomy import LABELS, Label
from ..store.audit_pool import current_audits
from ..store.audit_question import ask
from ..store.audited import LEVEL, estimate_yes
from ..store.audits import Audit
from ..store.condition import Node, Verity, joined
from ..store.contrasts import combine
from ..store.estimate import Estimate
from ..store.folder import TagFolder
from ..store.where import Condition
from .decide import Decision
from .planned import Audited
from .policy import UNITS, Unit

_MOST_WEIGHTS = 20
"""With more different weights than this, pieces are too small for what audits can say of them."""


def audited_changes(
    folder: TagFolder, connection: duckdb.DuckDBPyConnection, decided: Decision, unit: Unit
) -> tuple[tuple[Audited, ...], str | None]:
    """Return each label's audited share before and after, and why there are none or None.

    Labels of which nothing was read are left out.
    """
    try:
        audits = current_audits(folder)
    except TagsError:
        return (), None
    groups = _by_weight(decided)
    if decided.chosen.num_rows or decided.unfound:
        return (), "no audited shares: some documents are chosen by name"
    if len(groups) > _MOST_WEIGHTS:
        return (), f"no audited shares: {len(groups)} different weights are too many for an audit"
    column = UNITS.index(unit)
    growth = float(decided.weights @ decided.sizes[:, column] / decided.sizes[:, column].sum())
    found = []
    for label in LABELS:
        try:
            found.append(_change(connection, audits, label, unit, groups, growth))
        except TagsError:
            continue
    return tuple(found), None


def _change(
    connection: duckdb.DuckDBPyConnection, audits: Sequence[Audit], label: Label, unit: Unit,
    groups: Mapping[float, Condition], growth: float,
) -> Audited:  # fmt: skip
    before = _share(connection, audits, label, unit, None)
    parts = [
        _of_corpus(_share(connection, audits, label, unit, where), before.denominator)
        for where in groups.values()
    ]
    after = combine(parts, np.array(list(groups)) / growth)
    return Audited(
        label=label,
        before=(before.share, before.low, before.high),
        after=(after.value, max(after.low, 0.0), min(after.high, 1.0)),
        n_audited=before.n_audited,
        note=before.note,
    )


def _share(
    connection: duckdb.DuckDBPyConnection, audits: Sequence[Audit], label: Label, unit: Unit,
    where: Condition | None,
) -> Estimate:  # fmt: skip
    asked = ask(connection, audits, label, unit=unit, where=where)
    return estimate_yes(asked, label, asked.answers(label), LEVEL)


def _of_corpus(estimate: Estimate, size: float) -> Estimate:
    """Return a share of a part of the corpus as a share of it all, `size` being the corpus's."""
    part = estimate.denominator / size if size else 0.0
    return replace(
        estimate, share=estimate.share * part, low=estimate.low * part, high=estimate.high * part
    )


def _by_weight(decided: Decision) -> dict[float, Condition]:
    """Return for each weight above 0 a condition that exactly the pieces with it meet."""
    nodes: dict[float, list[Node]] = {}
    earlier: list[Node] = []
    for piece, weight in zip(decided.partition.pieces, decided.weights.tolist(), strict=True):
        own = [piece.condition.node] if piece.condition else []
        terms = [*own, *(Verity(node, negated=True) for node in earlier)]
        earlier += own
        if weight:
            nodes.setdefault(weight, []).append(joined("and", terms))
    return {weight: Condition(joined("or", of)) for weight, of in nodes.items()}
