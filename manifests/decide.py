"""The decision: which pieces the corpus falls into, and how often each is to be seen."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from ..errors import PolicyError
from .census import Census
from .chosen import at_random, replacements
from .partition import Partition, Piece, pieces_of
from .planned import Bound
from .policy import UNITS, Policy
from .takedown import absent_domains, taken_down
from .weights import is_rest, over_training, scale_rest, stage_weights, stated_weights

_NAMED = 10
"""How many domains of the takedown list are named that no document has."""

_SMALL_STRATA = ": their strata are too small for a control, name fewer columns in `like`"


@dataclass(frozen=True)
class Decision:
    """What a policy comes to on a corpus.

    Args:
        partition: the pieces.
        chosen: documents that pieces take by name, in the schema `partition.CHOSEN`.
        census: the pieces' census.
        sizes: each piece's documents, bytes and tokens before, of shape (pieces, 3).
        by_stage: weights of shape (stages, pieces).
        weights: how often a document of each piece is seen over the whole training.
        touched: which pieces belong to a named bucket whose weight is not 1.
        bounds: what became of each constraint.
        divergence: the Kullback-Leibler divergence of the mix from the original, in nats, where
            constraints found the weights.
        unfound: entries of the takedown list that are no tagged document.
        notes: for the user, one line each.
    """

    partition: Partition
    chosen: pa.Table
    census: Census
    sizes: np.ndarray
    by_stage: np.ndarray
    weights: np.ndarray
    touched: np.ndarray
    bounds: tuple[Bound, ...]
    divergence: float | None
    unfound: int
    notes: tuple[str, ...]


def decide(
    connection: duckdb.DuckDBPyConnection, policy: Policy, *, takedown: pa.Table,
    limits: Mapping[str, float],
) -> Decision:  # fmt: skip
    """Decide a policy on the corpus that a catalogue describes.

    Args:
        connection: an open catalogue; the documents that pieces take by name are registered in it
            as `chosen`.
        policy: the policy.
        takedown: the takedown list.
        limits: by label, the threshold, which replacements must not reach.

    Raises:
        PolicyError: the policy counts tokens and the corpus has none; its named buckets outgrow
            the corpus; a bucket needs a control sample that the scan did not draw; or constraints
            and replacements are asked for together.
        TagsError: the tag folder's counts contradict each other.
    """
    if policy.replace and policy.constraints:
        raise PolicyError(
            "replace and constraints cannot be asked for together, since constraints already find "
            "what makes up for what goes: leave one of them out"
        )
    removed, chosen, unfound = taken_down(connection, takedown)
    connection.register("chosen", chosen)
    pieces = pieces_of(policy)
    if removed:
        if removed.name in policy.names:
            raise PolicyError(
                f"a bucket is named {removed.name!r}, as what is taken down: name it otherwise"
            )
        pieces = (removed, *pieces)
    notes = []
    if unfound:
        notes.append(
            f"{unfound:,} entries of the takedown list are no tagged document: reweighing leaves "
            "them out where the source holds them, so counts by bucket are known then"
        )
    if absent := absent_domains(connection, takedown):
        named = ", ".join(absent[:_NAMED]) + (", …" if len(absent) > _NAMED else "")
        notes.append(
            f"{len(absent):,} domains of the takedown list are of no document: {named}; write "
            "registered domains, such as example.org for www.example.org"
        )
    for bucket in policy.buckets:
        if bucket.at_random:
            drawn, meeting = at_random(connection, policy, pieces, bucket)
            notes.append(
                f"{meeting:,} of the {drawn.num_rows:,} documents of {bucket.name} drawn at random "
                "meet its condition" + (_SMALL_STRATA if 2 * meeting > drawn.num_rows else "")
            )
            chosen = pa.concat_tables([chosen, drawn])
            connection.register("chosen", chosen)
    if policy.replace:
        pieces, chosen, said = _replace(connection, policy, pieces, chosen, limits)
        notes.append(said)
    bounds, divergence = (), None
    if policy.constraints:
        # Imported where it is needed: the solver takes seconds to import.
        from .constrain import solve

        solved = solve(connection, policy, pieces)
        pieces, bounds, divergence = solved.pieces, solved.bounds, solved.divergence
        census = Census(connection, pieces)
        sizes, weights = census.whole(), solved.weights
        notes += solved.notes
    else:
        census = Census(connection, pieces)
        sizes = census.whole()
        weights = stated_weights(policy, pieces)
    census.require(policy.unit)
    in_unit = sizes[:, UNITS.index(policy.unit)]
    if not policy.constraints and not policy.stages:
        weights, said = scale_rest(policy, in_unit, weights, is_rest(policy, pieces))
        notes += said
    by_stage, said = stage_weights(policy, in_unit, weights, pieces)
    notes += said
    weights = over_training(policy, by_stage)
    notes += _over_repeated(policy, pieces, weights)
    if estimated := [p.name for i, p in enumerate(pieces) if census.estimated(i)]:
        notes.append(f"estimated from the control sample: {', '.join(estimated)}")
    if not census.has_tokens:
        notes.append("tokens are not known for every document, so none are shown")
    named = np.array([piece.of != policy.rest.name for piece in pieces])
    return Decision(
        partition=Partition(seed=policy.seed, pieces=pieces), chosen=chosen, census=census,
        sizes=sizes, by_stage=by_stage, weights=weights, touched=named & (weights != 1),
        bounds=bounds, divergence=divergence, unfound=unfound, notes=tuple(notes),
    )  # fmt: skip


def _replace(
    connection: duckdb.DuckDBPyConnection, policy: Policy, pieces: tuple[Piece, ...],
    chosen: pa.Table, limits: Mapping[str, float],
) -> tuple[tuple[Piece, ...], pa.Table, str]:  # fmt: skip
    """Put a piece of replacements before the rest."""
    assert policy.replace is not None
    taken = {piece.name for piece in pieces}
    name = next(
        name
        for name in (f"{policy.rest.name}-again", *(f"again-{n}" for n in range(len(taken) + 1)))
        if name not in taken
    )
    found, wanted, made_up = replacements(connection, policy, pieces, name=name, limits=limits)
    chosen = pa.concat_tables([chosen, found])
    connection.register("chosen", chosen)
    piece = Piece(name=name, of=policy.rest.name, listed=True)
    like = ", ".join(policy.replace.like)
    said = (
        f"{found.num_rows:,} documents alike in {like} are seen once more; they make up for "
        f"{made_up / wanted if wanted else 1:.1%} of the {wanted:,.0f} {policy.unit} of tagged "
        "documents that are dropped"
    )
    return (*pieces[:-1], piece, pieces[-1]), chosen, said


def _over_repeated(policy: Policy, pieces: tuple[Piece, ...], weights: np.ndarray) -> list[str]:
    most = {bucket.name: bucket.max_repetition for bucket in policy.buckets}
    return [
        f"{piece.name} is seen {weight:.4g} times over the whole training, over its "
        f"max_repetition {most[piece.of]:g}: a stage gives it more"
        for piece, weight in zip(pieces, weights, strict=True)
        if (cap := most.get(piece.of)) is not None and weight > cap * (1 + 1e-9)
    ]
