"""Weights: how often documents of each piece are seen, by stage and over the whole training."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import PolicyError
from .partition import Piece
from .policy import Policy

_REPLACED = 2.0
"""A document that makes up for a dropped one is seen once more."""


def stated_weights(policy: Policy, pieces: Sequence[Piece]) -> np.ndarray:
    """Return each piece's weight as the policy states it, the rest's before it is scaled."""
    factors = {bucket.name: bucket.factor for bucket in policy.buckets}
    factors[policy.rest.name] = policy.rest.weight
    return np.array(
        [
            0.0 if piece.action == "drop"
            else _REPLACED if piece.listed and piece.of == policy.rest.name
            else factors[piece.of]
            for piece in pieces
        ]
    )  # fmt: skip


def is_rest(policy: Policy, pieces: Sequence[Piece]) -> np.ndarray:
    """Return which pieces belong to the rest and follow its weight."""
    return np.array([piece.of == policy.rest.name and not piece.listed for piece in pieces])


def scale_rest(
    policy: Policy, sizes: np.ndarray, weights: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Scale the rest's pieces alike so that the corpus keeps its size, as far as they may repeat.

    Args:
        policy: the policy; without `keep_total` weights stay as they are.
        sizes: each piece's size in the policy's unit.
        weights: each piece's weight.
        rest: which pieces are scaled.

    Returns:
        The weights, and a note where the corpus shrinks all the same.

    Raises:
        PolicyError: the other pieces alone outgrow the corpus.
    """
    if not policy.keep_total:
        return weights, []
    total, taken = sizes.sum(), float(weights[~rest] @ sizes[~rest])
    # Sums of floats: an excess in the last digits is none.
    if taken > total * (1 + 1e-9):
        raise PolicyError(
            f"the named buckets alone come to {taken:,.0f} {policy.unit}, over the corpus's "
            f"{total:,.0f}: lower their weights or set keep_total: false"
        )
    left = float(weights[rest] @ sizes[rest])
    filled = rest & (sizes > 0)
    highest = weights[filled].max(initial=0.0)
    # Nine decimals, so that sums of floats do not turn a weight of 1 into a little less.
    needed = round(max(0.0, (total - taken) / left), 9) if left else 1.0
    factor = min(needed, policy.rest.max_repetition / highest) if highest else 1.0
    scaled = np.where(rest, weights * factor, weights)
    after = float(scaled @ sizes)
    if after >= total * (1 - 1e-9):
        return scaled, []
    why = (
        f"{policy.rest.name} would need weight {needed * highest:.4g}, over its max_repetition "
        f"{policy.rest.max_repetition:g}"
        if left
        else f"{policy.rest.name} is empty"
    )
    return scaled, [f"the corpus shrinks by {1 - after / total:.4%} of its {policy.unit}: {why}"]


def stage_weights(
    policy: Policy, sizes: np.ndarray, weights: np.ndarray, pieces: Sequence[Piece]
) -> tuple[np.ndarray, list[str]]:
    """Return the weights in each stage: an array of shape (stages, pieces), and notes.

    A stage's own weights stand for those of the named buckets, all pieces of them; the rest is
    scaled anew. A policy without stages has one.

    Raises:
        PolicyError: in a stage, the named buckets alone outgrow the corpus.
    """
    rest = is_rest(policy, pieces)
    rows, notes = [], []
    begins = 0.0
    for stage in policy.stages:
        name = f"from {begins:g} to {stage.until:g} of the training"
        try:
            row, said = scale_rest(policy, sizes, _override(weights, stage.weights, pieces), rest)
        except PolicyError as error:
            raise PolicyError(f"{name}, {error}") from error
        rows.append(row)
        notes += [f"{name}, {note}" for note in said]
        begins = stage.until
    return (np.stack(rows) if rows else weights[None, :]), notes


def over_training(policy: Policy, by_stage: np.ndarray) -> np.ndarray:
    """Return how often documents of each piece are seen over all stages, each by its length."""
    if not policy.stages:
        return by_stage[0]
    return np.round(np.diff([0.0, *(stage.until for stage in policy.stages)]) @ by_stage, 9)


def _override(
    weights: np.ndarray, given: Mapping[str, float], pieces: Sequence[Piece]
) -> np.ndarray:
    return np.array(
        [
            weight if piece.listed and piece.of not in given else given.get(piece.of, weight)
            for weight, piece in zip(weights, pieces, strict=True)
        ]
    )
