"""Scores that a listing's highest documents reach, told from the aggregates before rows are read.

Sorting whole rows of twenty million documents to show the first twenty takes most of a listing's
time. How many documents reach a score is known beforehand, so only the few above some floor are
sorted, and all of them where a filter leaves too few of those.
"""

from collections.abc import Iterator, Sequence

import duckdb

from ..labels.taxonomy import PORTRAYALS, Label
from .aggregates import BINS

_SPARE = 4
"""How many times the documents wanted should be above the floor, if the filter takes no heed of
scores."""


def floors(
    connection: duckdb.DuckDBPyConnection,
    label: Label | None,
    *,
    wanted: int,
    share: float,
    highest: float | None,
) -> Iterator[str]:
    """Yield a condition that the highest documents should meet, and then one that all do.

    Args:
        connection: a catalogue.
        label: whose probability is the score; by default it is the highest of the portrayals'.
        wanted: how many documents are listed.
        share: what share of the documents the filter takes, in [0, 1].
        highest: only scores up to this are listed.
    """
    labels = (label,) if label else PORTRAYALS
    top = BINS if highest is None else round(highest * BINS)
    found = connection.execute(
        "SELECT max(bin) FROM (SELECT bin, sum(documents) OVER (PARTITION BY label ORDER BY "
        "bin DESC) AS above FROM cells WHERE grouping = 'all' AND list_contains(?, label) AND "
        "bin <= ?) WHERE above * ? >= ?",
        [list(labels), top, share, wanted * _SPARE],
    ).fetchall()
    if (lowest := found[0][0]) is not None:
        # Half a bin lower: whatever is rounded into the bin is above.
        yield at_least(labels, f"{(lowest - 0.5) / BINS}")
    yield "true"


def at_least(labels: Sequence[Label], score: str = "?") -> str:
    """Return the SQL of some label's probability reaching a score of 0 or more.

    Twice as fast as to compare the highest of them, since DuckDB compares column by column.
    """
    return "(" + " OR ".join(f"{label} >= {score}" for label in labels) + ")"
