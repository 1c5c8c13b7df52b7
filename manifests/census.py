"""How many documents, bytes and tokens fall in each piece of a partition, from the catalogue alone.

Documents with a tag row are counted one by one. The others are what the scan's exact counts by
source, domain, month and language hold beyond them; buckets that read nothing else of an untagged
document are counted exactly. A bucket that reads bytes or tokens takes an unknown part of what
would otherwise fall in a later one. That part is estimated from the control sample, separately for
each bucket in which documents would fall otherwise: each control row counts for one over its
inclusion probability (Horvitz and Thompson 1952), scaled to the exact total.
"""

from collections.abc import Sequence

import duckdb
import numpy as np

from ..errors import PolicyError, TagsError
from ..store.condition_columns import GROUP_COLUMNS
from .assign import first_match
from .partition import Piece
from .policy import Unit

Group = tuple[str | int | None, ...]


class Census:
    """Counts a catalogue by the pieces of a partition, which are called buckets here.

    All arrays are float64 of shape (buckets, 3): a row for each piece, with documents, bytes and
    tokens; tokens are NaN where part of the corpus has no token counts.

    Args:
        connection: an open catalogue; documents that pieces take by name are registered in it as
            `chosen`.
        pieces: the pieces of a partition.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece]) -> None:
        self._connection = connection
        self._pieces = pieces
        self._sized = frozenset(i for i, piece in enumerate(pieces) if _reads_size(piece))
        self.estimated_from = min(self._sized, default=None)
        self.has_tokens = self._query("SELECT count(*) = count(tokens) FROM domains", [])[0][0]

    def require(self, unit: Unit) -> None:
        """Refuse a unit in which this corpus was not counted.

        Raises:
            PolicyError: it is tokens, and part of the corpus has no token counts.
        """
        if unit == "tokens" and not self.has_tokens:
            raise PolicyError(
                "unit: tokens needs token counts, which part or all of this corpus was scanned "
                "without: use unit: bytes, or scan again with --token-column"
            )

    def estimated(self, index: int) -> bool:
        """Return whether the size of the bucket of this index rests on the control sample."""
        if self.estimated_from is None or index < self.estimated_from:
            return False
        condition = self._pieces[index].condition
        is_rest = index == len(self._pieces) - 1
        return is_rest or (condition is not None and condition.matches_untagged())

    def whole(self) -> np.ndarray:
        """Return the size of every bucket over the whole corpus."""
        return self.sizes(()).get((), np.zeros((len(self._pieces), 3)))

    def by(
        self, column: str, *, among: Sequence[str | None] | None = None
    ) -> dict[str | None, np.ndarray]:
        """Return the size of every bucket by the values of `source`, `domain`, `month` or
        `language`, or of those among some values.

        A value without control rows is divided as the whole corpus is.
        """
        if column not in GROUP_COLUMNS:
            raise ValueError(f"{column!r} is not counted for every document")
        found = self.sizes((column,), among)
        return {group[0]: sizes for group, sizes in found.items()}  # type: ignore[misc]

    def most_changed(
        self, column: str, weights: np.ndarray, unit: str, limit: int
    ) -> tuple[list[str | None], int]:
        """Return the values whose size the buckets' weights change most, and how many there are.

        Documents of which the control sample decides are ranked by where they fall otherwise.
        """
        cells, bound = self._cells((column,))
        rows = self._query(
            f"""WITH cells AS ({cells}), changed AS (
                SELECT {column} AS name, sum({unit[0]} * list_extract(?::DOUBLE[], bucket + 1)) AS c
                FROM cells GROUP BY 1)
            SELECT name, count(*) OVER () FROM changed
            ORDER BY abs(c) DESC, name NULLS LAST LIMIT ?""",  # noqa: S608
            [*bound, (weights - 1).tolist(), limit],
        )
        return [name for name, _ in rows], rows[0][1] if rows else 0

    def sizes(
        self, by: Sequence[str], among: Sequence[str | None] | None = None
    ) -> dict[Group, np.ndarray]:
        """Return the size of every bucket by the values of some columns.

        Columns are those of `by`, and genre, which is null in documents without a tag row.
        """
        control = self._control(())
        by_group = self._control(by)
        return {
            group: exact + self._divide(left, by_group.get(group), control)
            for group, (exact, left) in self.decided(by, among).items()
        }

    def decided(
        self, by: Sequence[str], among: Sequence[str | None] | None = None
    ) -> dict[Group, tuple[np.ndarray, np.ndarray]]:
        """Return by group the buckets' exact sizes, and what is left to divide.

        What is left stands in the row of the bucket in which it falls unless a bucket that reads
        bytes or tokens takes it.

        Args:
            by: columns that both tag rows and domain counts have, such as `shard, first_row`.
            among: only groups with one of these values in the first column.

        Raises:
            TagsError: the tag rows hold more than the scan's counts.
        """
        columns = "".join(f'"{column}", ' for column in by)
        cells, bound = self._cells(by)
        kept = "true"
        if among is not None:
            kept = f'"{by[0]}" IN (SELECT unnest(?::VARCHAR[])) OR ("{by[0]}" IS NULL AND ?)'
            bound = [*bound, [value for value in among if value is not None], None in among]
        rows = self._query(
            f"""WITH cells AS ({cells})
            SELECT {columns} tagged, bucket, sum(d), sum(b), coalesce(sum(t), 0) FROM cells
            WHERE {kept} GROUP BY ALL ORDER BY ALL""",  # noqa: S608 (identifiers from fixed lists)
            bound,
        )
        groups: dict[Group, tuple[np.ndarray, np.ndarray]] = {}
        for *group, is_tagged, bucket, documents, size, tokens in rows:
            if min(documents, size) < 0 or (self.has_tokens and tokens < 0):
                raise TagsError(
                    f"the tag rows of {tuple(group) or 'the corpus'} hold more than the scan "
                    "counted there: the tag folder is damaged; scan these shards again"
                )
            shape = (len(self._pieces), 3)
            exact, left = groups.setdefault(tuple(group), (np.zeros(shape), np.zeros(shape)))
            is_open = self.estimated_from is not None and bucket >= self.estimated_from
            target = left if is_open and not is_tagged else exact
            target[bucket] += (documents, size, tokens if self.has_tokens else np.nan)
        return groups

    def _cells(self, by: Sequence[str]) -> tuple[str, list]:
        """Return the SQL of what falls in which bucket, by tag row and by the scan's counts."""
        columns = "".join(f'"{column}", ' for column in by)
        untagged = _of_untagged(by)
        tagged, tagged_bound = first_match(self._pieces)
        fallback, bound = first_match(self._pieces, untagged=True, without=self._sized)
        cells = f"""SELECT {untagged} false AS tagged, {fallback} AS bucket, documents AS d,
                bytes AS b, tokens AS t FROM domains
            UNION ALL SELECT {untagged} false, {fallback}, -1, -bytes, -tokens FROM documents
            UNION ALL SELECT {columns} true, {tagged}, 1, bytes, tokens FROM documents"""  # noqa: S608
        return cells, [*bound, *bound, *tagged_bound]

    def _control(self, by: Sequence[str]) -> dict[Group, np.ndarray]:
        """Return by group what the control rows stand for: an array (otherwise in, in, size)."""
        if self.estimated_from is None:
            return {}
        columns = _of_untagged(by)
        fallback, fallback_bound = first_match(self._pieces, untagged=True, without=self._sized)
        rule, bound = first_match(self._pieces, untagged=True)
        rows = self._query(
            f"""SELECT {columns} {fallback} AS fallback, {rule} AS bucket,
                sum(1 / inclusion_probability), sum(bytes / inclusion_probability),
                coalesce(sum(tokens / inclusion_probability), 0)
            FROM control WHERE stratum = 'gate' GROUP BY ALL ORDER BY ALL""",  # noqa: S608
            [*fallback_bound, *bound],
        )
        count = len(self._pieces)
        groups: dict[Group, np.ndarray] = {}
        for *group, otherwise, bucket, documents, size, tokens in rows:
            drawn = groups.setdefault(tuple(group), np.zeros((count, count, 3)))
            drawn[otherwise, bucket] = (documents, size, tokens)
        return groups

    def _divide(
        self, left: np.ndarray, drawn: np.ndarray | None, whole: dict[Group, np.ndarray]
    ) -> np.ndarray:
        """Divide what is left as the group's control rows are, or else as the whole corpus's."""
        sizes = np.zeros_like(left)
        if self.estimated_from is None or not left[:, 0].any():
            return sizes
        if not whole:
            name = self._pieces[self.estimated_from].name
            raise PolicyError(
                f"bucket {name!r} reads bytes or tokens of documents without tags, which are "
                "estimated from the control sample, and this scan drew none: scan with "
                "--control-rate above 0, or add a condition on a label to the bucket"
            )
        for otherwise in np.flatnonzero(left[:, 0]):
            rows = whole[()][otherwise]
            if drawn is not None and drawn[otherwise].any():
                rows = drawn[otherwise]
            totals = rows.sum(axis=0)
            shares = np.divide(rows, totals, out=np.zeros_like(rows), where=totals > 0)
            shares[otherwise] += totals == 0
            sizes += left[otherwise] * shares
        return sizes

    def _query(self, sql: str, bound: list) -> list[tuple]:
        return self._connection.execute(sql, bound).fetchall()


def _of_untagged(by: Sequence[str]) -> str:
    """Return the columns as a document without a tag row has them."""
    return "".join(
        'NULL::VARCHAR AS "genre", ' if column == "genre" else f'"{column}", ' for column in by
    )


def _reads_size(piece: Piece) -> bool:
    """Return whether a piece may take untagged documents by their bytes or tokens."""
    if piece.condition is None or not piece.condition.matches_untagged():
        return False
    return bool(piece.condition.columns & {"bytes", "tokens"})
