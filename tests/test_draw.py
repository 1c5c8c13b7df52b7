"""Fractional weights become whole copies without bias, whatever the order."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from narrascope.manifests.draw import copies

ROWS = st.lists(st.integers(0, 10_000), unique=True, max_size=60)
WEIGHTS = st.one_of(st.floats(0, 6), st.sampled_from([0.0, 0.25, 0.5, 1.0, 1 / 3, 2.0, 4.1]))


def draw(
    rows: list[int], weight: float, *, seed: int = 17, shard: str = "a", bucket: str = "dark"
) -> np.ndarray:
    return copies(
        np.array(rows, dtype=np.int64),
        weight=weight, seed=seed, shard=shard, first_row=0, bucket=bucket,
    )  # fmt: skip


@given(ROWS, WEIGHTS, st.integers(0, 5))
def test_the_realised_count_is_within_one_document_of_the_plan(
    rows: list[int], weight: float, seed: int
) -> None:
    assert abs(draw(rows, weight, seed=seed).sum() - len(rows) * weight) < 1


@given(ROWS, WEIGHTS)
def test_every_document_is_seen_the_weight_rounded_down_or_up(
    rows: list[int], weight: float
) -> None:
    seen = draw(rows, weight)
    assert set(seen) <= {math.floor(weight), math.floor(weight) + 1}
    if weight == math.floor(weight):
        assert set(seen) <= {weight}


@given(ROWS, WEIGHTS, WEIGHTS)
def test_more_weight_never_takes_a_copy_away(rows: list[int], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert (draw(rows, low) <= draw(rows, high)).all()


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), WEIGHTS)
def test_the_order_of_the_rows_does_not_matter(
    orders: tuple[list[int], list[int]], weight: float
) -> None:
    one, other = orders
    assert dict(zip(one, draw(one, weight), strict=True)) == dict(
        zip(other, draw(other, weight), strict=True)
    )


def test_rounding_is_not_biased_over_many_parts() -> None:
    parts = 2000
    total = sum(draw([1, 2, 3], 0.4, shard=f"part-{n}").sum() for n in range(parts))
    # Each part gives 1 or 2 of the expected 1.2: the standard deviation of the sum is 17.9.
    assert abs(total - 1.2 * parts) < 4 * 17.9


def test_every_document_has_the_same_chance() -> None:
    seen = sum(draw([1, 2, 3, 4], 0.5, shard=f"part-{n}") for n in range(2000))
    assert np.abs(seen - 1000).max() < 4 * 22.4


def test_seed_and_shard_change_the_draw() -> None:
    rows = list(range(100))
    first = draw(rows, 0.5)
    assert (first != draw(rows, 0.5, seed=18)).any()
    assert (first != draw(rows, 0.5, shard="b")).any()
