"""Documents that a piece takes by name: what is taken down, and what makes up for what is dropped.

Replacement follows Deep Ignorance (O'Brien et al. 2025, arXiv 2508.06601, section 3): documents
that were removed made room for others which had been escalated and approved, so that subjects keep
their share. Here they are of the same stratum, were read to a verdict, fall in the rest, and reach
the threshold of neither malevolent nor self_preserving.
"""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..labels.draw import draws
from .assign import first_match
from .partition import Piece
from .policy import Alike, Unit
from .takedown import values_of

TAKEN_DOWN = "takedown"
"""The name of the piece that holds what is taken down."""

CHOSEN = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("piece", pa.string(), nullable=False),
    ]
)

_KEYS = {
    "document": "shard || '#' || \"row\"",
    "doc_id": "doc_id",
    "text_hash": "printf('%016x', text_hash)",
}
_SIZES = {"documents": "1", "bytes": "bytes", "tokens": "coalesce(tokens, 0)"}


def taken_down(
    connection: duckdb.DuckDBPyConnection, takedown: pa.Table
) -> tuple[Piece | None, pa.Table, int]:
    """Return the piece of what is taken down, its documents by name, and how many were not found.

    An entry that is not found among the tagged documents may be an untagged one, which only
    reweighing can tell. A domain takes all its documents, tagged or not.
    """
    if not takedown.num_rows:
        return None, CHOSEN.empty_table(), 0
    domains = values_of(takedown, "domain")
    where = None
    if domains:
        where = f"domain in ({', '.join(_quoted(domain) for domain in domains)})"
    connection.register("takedown", takedown)
    try:
        matched = " UNION ALL ".join(
            f'SELECT shard, "row", kind, value FROM documents JOIN takedown ON value = {key} '  # noqa: S608 (fixed list)
            f"WHERE kind = '{kind}'"
            for kind, key in _KEYS.items()
        )
        found = connection.sql(
            f'SELECT DISTINCT shard, "row", ? AS piece FROM ({matched}) ORDER BY ALL',  # noqa: S608
            params=[TAKEN_DOWN],
        ).to_arrow_table()
        missed = connection.execute(
            f"SELECT count(*) FROM takedown WHERE kind <> 'domain' AND (kind, value) NOT IN "  # noqa: S608
            f"(SELECT (kind, value) FROM ({matched}))"
        ).fetchall()[0][0]
    finally:
        connection.unregister("takedown")
    piece = Piece(name=TAKEN_DOWN, of=TAKEN_DOWN, where=where, listed=True, action="drop")
    return piece, found.cast(CHOSEN), missed


def replacements(
    connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], *, name: str,
    like: Sequence[Alike], unit: Unit, seed: int, limits: Mapping[str, float],
) -> tuple[pa.Table, float, float]:  # fmt: skip
    """Choose documents that make up for what is dropped.

    Within each stratum, documents that passed are taken in the order of their hash until they hold
    as much as was dropped there, to half a document.

    Args:
        connection: an open catalogue, with `chosen` registered.
        pieces: the partition without replacements.
        name: what the piece of the replacements is called.
        like: the columns of a stratum; a null is a value of its own.
        unit: in what they are to hold as much.
        seed: the policy's seed.
        limits: by label, the threshold.

    Returns:
        The documents in the schema `CHOSEN`, and how much of the tagged documents that are dropped
        they make up for: size dropped, size replaced.
    """
    rule, bound = first_match(pieces)
    strata, size = ", ".join(f'"{column}"' for column in like), _SIZES[unit]
    dropped = [i for i, piece in enumerate(pieces) if piece.action == "drop"]
    rows = connection.sql(
        f"""WITH placed AS (SELECT *, {rule} AS b FROM documents),
            gone AS (SELECT {strata}, sum({size}) AS wanted FROM placed
                WHERE list_contains(?::INT[], b) GROUP BY ALL),
            numbered AS (SELECT *, row_number() OVER (ORDER BY {strata}) AS stratum FROM gone)
        SELECT p.shard, p."row", {size.replace("bytes", "p.bytes").replace("tokens", "p.tokens")}
            AS size, stratum, wanted
        FROM numbered AS n LEFT JOIN placed AS p
        ON {" AND ".join(f'n."{c}" IS NOT DISTINCT FROM p."{c}"' for c in like)}
            AND p.b = ? AND p.genre IS NOT NULL AND p.malevolent < ? AND p.self_preserving < ?
        ORDER BY p.shard, p."row" """,  # noqa: S608 (identifiers from fixed lists)
        params=[*bound, dropped, len(pieces) - 1, limits["malevolent"], limits["self_preserving"]],
    ).to_arrow_table()
    stratum = rows["stratum"].to_numpy()
    _, first = np.unique(stratum, return_index=True)
    wanted = float(rows["wanted"].to_numpy()[first].astype(float).sum())
    rows = rows.filter(pc.is_valid(rows["shard"]))  # type: ignore[attr-defined]
    if not rows.num_rows:
        return CHOSEN.empty_table(), wanted, 0.0
    taken = _until_made_up(rows, seed)
    made_up = float(rows["size"].to_numpy()[taken].sum())
    found = rows.filter(pa.array(taken)).select(["shard", "row"])
    names = pa.array([name] * found.num_rows, pa.string())
    return found.append_column("piece", names).cast(CHOSEN), wanted, made_up


def _until_made_up(rows: pa.Table, seed: int) -> np.ndarray:
    """Return which rows are taken: in each stratum by hash, until they hold what is wanted."""
    shards = rows["shard"].combine_chunks().dictionary_encode()
    codes, numbers = shards.indices.to_numpy(), rows["row"].to_numpy()
    order = np.empty(rows.num_rows, dtype=np.uint64)
    for code, shard in enumerate(shards.dictionary.to_pylist()):
        here = codes == code
        order[here] = draws("replace", seed, shard, numbers[here])
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


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
