"""Documents drawn for being like others: in place of what is dropped, or instead of it.

Replacement follows Deep Ignorance (O'Brien et al. 2025, arXiv 2508.06601, section 3): documents
that were removed made room for others which had been escalated and approved, so that subjects keep
their share.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..labels.draw import draws
from .assign import first_match
from .partition import CHOSEN, Piece
from .policy import Alike, Bucket, Policy, Unit

_SIZES = {"documents": "1", "bytes": "bytes", "tokens": "coalesce(tokens, 0)"}


def replacements(
    connection: duckdb.DuckDBPyConnection, policy: Policy, pieces: Sequence[Piece], *, name: str,
    limits: Mapping[str, float],
) -> tuple[pa.Table, float, float]:  # fmt: skip
    """Choose documents that make up for what is dropped.

    They are of the same stratum, were read to a verdict, fall in the rest, and reach the threshold
    of neither malevolent nor self_preserving.

    Args:
        connection: an open catalogue, with `chosen` registered.
        policy: the policy, with `replace`.
        pieces: the partition without replacements.
        name: what the piece of the replacements is called.
        limits: by label, the threshold.

    Returns:
        The documents in the schema `CHOSEN`, and how much of the tagged documents that are dropped
        they make up for: size dropped, size replaced.
    """
    assert policy.replace is not None
    dropped = [index for index, piece in enumerate(pieces) if piece.action == "drop"]
    passed = "b = ? AND genre IS NOT NULL AND malevolent < ? AND self_preserving < ?"
    return _draw_alike(
        connection, pieces, name=name, like=policy.replace.like, unit=policy.unit,
        purpose="replace", seed=policy.seed,
        wanted=("list_contains(?::INT[], b)", [dropped]),
        among=(passed, [len(pieces) - 1, limits["malevolent"], limits["self_preserving"]]),
    )  # fmt: skip


def at_random(
    connection: duckdb.DuckDBPyConnection, policy: Policy, pieces: Sequence[Piece], bucket: Bucket
) -> tuple[pa.Table, int]:
    """Choose, instead of the documents that meet a bucket's condition, as much of their strata.

    They are drawn among all documents that were read to a verdict and that no earlier piece takes,
    those that meet the condition among them. The arguments are those of `replacements`.

    Returns:
        The documents in the schema `CHOSEN`, and how many of them meet the condition.
    """
    assert bucket.at_random is not None
    index = next(n for n, piece in enumerate(pieces) if piece.name == bucket.name)
    condition, bound = bucket.condition.sql()
    found, _, _ = _draw_alike(
        connection, pieces, name=bucket.name, like=bucket.at_random.like, unit=policy.unit,
        purpose=f"at random {bucket.name}", seed=policy.seed,
        wanted=(f"b >= ? AND genre IS NOT NULL AND ({condition})", [index, *bound]),
        among=("b >= ? AND genre IS NOT NULL", [index]),
    )  # fmt: skip
    connection.register("drawn", found)
    meeting = connection.execute(
        f"SELECT count(*) FROM documents WHERE ({condition}) "  # noqa: S608 (literals are bound)
        'AND (shard, "row") IN (SELECT (shard, "row") FROM drawn)',
        bound,
    ).fetchall()[0][0]
    connection.unregister("drawn")
    return found, meeting


def _draw_alike(
    connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], *, name: str,
    like: Sequence[Alike], unit: Unit, purpose: str, seed: int, wanted: tuple[str, list[Any]],
    among: tuple[str, list[Any]],
) -> tuple[pa.Table, float, float]:  # fmt: skip
    """Draw in each stratum, in the order of a hash, until as much as is wanted is drawn.

    `wanted` and `among` are SQL with its parameters over rows of `documents` with their piece `b`.
    A stratum gives what is wanted to half a document, or all that it has.
    """
    rule, bound = first_match(pieces)
    strata = ", ".join(f'"{column}"' for column in like)
    same = " AND ".join(f'n."{column}" IS NOT DISTINCT FROM p."{column}"' for column in like)
    rows = connection.sql(
        f"""WITH placed AS (SELECT *, {rule} AS b, {_SIZES[unit]} AS size FROM documents),
            gone AS (SELECT {strata}, sum(size) AS wanted FROM placed
                WHERE {wanted[0]} GROUP BY ALL),
            numbered AS (SELECT *, row_number() OVER (ORDER BY {strata}) AS stratum FROM gone)
        SELECT p.shard, p."row", p.size, stratum, wanted
        FROM numbered AS n LEFT JOIN (SELECT * FROM placed WHERE {among[0]}) AS p ON {same}
        ORDER BY p.shard, p."row" """,  # noqa: S608 (identifiers from fixed lists)
        params=[*bound, *wanted[1], *among[1]],
    ).to_arrow_table()
    _, first = np.unique(rows["stratum"].to_numpy(), return_index=True)
    asked = float(rows["wanted"].to_numpy()[first].astype(float).sum())
    rows = rows.filter(pc.is_valid(rows["shard"]))  # type: ignore[attr-defined]
    if not rows.num_rows:
        return CHOSEN.empty_table(), asked, 0.0
    taken = _until_enough(rows, purpose, seed)
    drawn = float(rows["size"].to_numpy()[taken].sum())
    found = rows.filter(pa.array(taken)).select(["shard", "row"])
    names = pa.array([name] * found.num_rows, pa.string())
    return found.append_column("piece", names).cast(CHOSEN), asked, drawn


def _until_enough(rows: pa.Table, purpose: str, seed: int) -> np.ndarray:
    """Return which rows are drawn: in each stratum by hash, until they hold what is wanted."""
    shards = rows["shard"].combine_chunks().dictionary_encode()
    codes, numbers = shards.indices.to_numpy(), rows["row"].to_numpy()
    order = np.empty(rows.num_rows, dtype=np.uint64)
    for code, shard in enumerate(shards.dictionary.to_pylist()):
        here = codes == code
        order[here] = draws(purpose, seed, shard, numbers[here])
    stratum = rows["stratum"].to_numpy()
    by_hash = np.lexsort((numbers, codes, order, stratum))
    size = rows["size"].to_numpy().astype(float)[by_hash]
    running = np.cumsum(size)
    begins = np.r_[True, np.diff(stratum[by_hash]) != 0]
    # The sum before the stratum's first row, carried over its rows.
    before = np.maximum.accumulate(np.where(begins, running - size, 0.0))
    wanted = rows["wanted"].to_numpy().astype(float)[by_hash]
    taken = np.zeros(rows.num_rows, dtype=bool)
    taken[by_hash] = running - before - size / 2 <= wanted
    return taken
