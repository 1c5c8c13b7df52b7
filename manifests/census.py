"""How many documents, bytes and tokens fall in each bucket, from the catalogue alone.

Documents with a tag row are counted one by one. The others are what the scan's exact counts by
source, domain, month and language hold beyond them; buckets that read nothing else of an untagged
document are counted exactly. Where a bucket reads bytes or tokens, the documents that it and the
buckets after it share are divided as the control sample is: each control row counts for one over
its inclusion probability (Horvitz and Thompson 1952), scaled to the exact total.
"""

from collections.abc import Sequence

import duckdb
import numpy as np

from ..errors import PolicyError, TagsError
from ..store.condition import GROUP_COLUMNS
from .assign import first_match
from .policy import Policy

Group = tuple[str | int | None, ...]
UNDECIDED = -1


class Census:
    """Counts a catalogue by a policy's buckets.

    All arrays are float64 of shape (buckets, 3): a row for each of `policy.names`, with documents,
    bytes and tokens; tokens are NaN where part of the corpus has no token counts.

    Args:
        connection: an open catalogue.
        policy: the policy whose buckets are counted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
        self._connection = connection
        self._buckets = policy.buckets
        self._names = policy.names
        self.estimated_from = _first_estimated(policy)
        self.has_tokens = self._query("SELECT count(*) = count(tokens) FROM domains", [])[0][0]

    def estimated(self, index: int) -> bool:
        """Return whether the size of the bucket of this index rests on the control sample."""
        if self.estimated_from is None or index < self.estimated_from:
            return False
        is_rest = index == len(self._buckets)
        return is_rest or self._buckets[index].condition.matches_untagged()

    def whole(self) -> np.ndarray:
        """Return the size of every bucket over the whole corpus."""
        decided = self.decided(())
        counts, left = decided.get((), (np.zeros((len(self._names), 3)), np.zeros(3)))
        return counts + self._divide(left, (), self._control(()))

    def by(self, column: str) -> dict[str | None, np.ndarray]:
        """Return the size of every bucket by the values of `source`, `domain`, `month` or
        `language`.

        A value without control rows is divided as the whole corpus is.
        """
        if column not in GROUP_COLUMNS:
            raise ValueError(f"{column!r} is not counted for every document")
        control = self._control((column,)) | self._control(())
        return {
            group[0]: counts + self._divide(left, group, control)  # type: ignore[misc]
            for group, (counts, left) in self.decided((column,)).items()
        }

    def decided(self, by: Sequence[str]) -> dict[Group, tuple[np.ndarray, np.ndarray]]:
        """Return by group the buckets' exact sizes, and the size of what is left undecided.

        Args:
            by: columns that both tag rows and domain counts have, such as `shard, first_row`.

        Raises:
            TagsError: the tag rows hold more than the scan's counts.
        """
        columns = "".join(f'"{column}", ' for column in by)
        tagged, tagged_bound = first_match(self._buckets, otherwise=len(self._buckets))
        kept = self._buckets[: self.estimated_from]
        otherwise = len(self._buckets) if self.estimated_from is None else UNDECIDED
        rule, bound = first_match(kept, otherwise=otherwise, untagged=True)
        rows = self._query(
            f"""WITH cells AS (
                SELECT {columns} false AS tagged, {rule} AS bucket, documents AS d, bytes AS b,
                    tokens AS t FROM domains
                UNION ALL SELECT {columns} false, {rule}, -1, -bytes, -tokens FROM documents
                UNION ALL SELECT {columns} true, {tagged}, 1, bytes, tokens FROM documents)
            SELECT {columns} bucket, sum(d), sum(b), coalesce(sum(t), 0) FROM cells
            GROUP BY {columns} tagged, bucket ORDER BY ALL""",  # noqa: S608 (identifiers from fixed lists)
            [*bound, *bound, *tagged_bound],
        )
        groups: dict[Group, tuple[np.ndarray, np.ndarray]] = {}
        for *group, bucket, documents, size, tokens in rows:
            if min(documents, size) < 0 or (self.has_tokens and tokens < 0):
                raise TagsError(
                    f"the tag rows of {tuple(group) or 'the corpus'} hold more than the scan "
                    "counted there: the tag folder is damaged; scan these shards again"
                )
            empty = (np.zeros((len(self._names), 3)), np.zeros(3))
            counts, left = groups.setdefault(tuple(group), empty)
            target = left if bucket == UNDECIDED else counts[bucket]
            target += (documents, size, tokens if self.has_tokens else np.nan)
        return groups

    def _control(self, by: Sequence[str]) -> dict[Group, np.ndarray]:
        """Return by group what the control rows stand for in the buckets that share the rest."""
        if self.estimated_from is None:
            return {}
        columns = "".join(f'"{column}", ' for column in by)
        rule, bound = first_match(self._buckets, otherwise=len(self._buckets), untagged=True)
        rows = self._query(
            f"""SELECT {columns} {rule} AS bucket, sum(1 / inclusion_probability),
                sum(bytes / inclusion_probability),
                coalesce(sum(tokens / inclusion_probability), 0)
            FROM control WHERE stratum = 'gate' GROUP BY ALL ORDER BY ALL""",  # noqa: S608
            bound,
        )
        groups: dict[Group, np.ndarray] = {}
        for *group, bucket, documents, size, tokens in rows:
            if bucket >= self.estimated_from:
                drawn = groups.setdefault(tuple(group), np.zeros((len(self._names), 3)))
                drawn[bucket] = (documents, size, tokens)
        return groups

    def _divide(
        self, left: np.ndarray, group: Group, control: dict[Group, np.ndarray]
    ) -> np.ndarray:
        """Divide what is undecided as the control rows of the group are."""
        sizes = np.zeros((len(self._names), 3))
        if self.estimated_from is None or left[0] == 0:
            return sizes
        drawn = control.get(group, control.get(()))
        if drawn is None:
            name = self._names[self.estimated_from]
            raise PolicyError(
                f"bucket {name!r} reads bytes or tokens of documents without tags, which are "
                "estimated from the control sample, and it holds none of them: scan with "
                "--control-rate above 0, or add a condition on a label to the bucket"
            )
        totals = drawn.sum(axis=0)
        shares = np.divide(drawn, totals, out=np.zeros_like(drawn), where=totals > 0)
        shares[-1] += totals == 0
        return left * shares

    def _query(self, sql: str, bound: list) -> list[tuple]:
        return self._connection.execute(sql, bound).fetchall()


def _first_estimated(policy: Policy) -> int | None:
    """Return the first bucket that may take untagged documents by their bytes or tokens."""
    for index, bucket in enumerate(policy.buckets):
        condition = bucket.condition
        if condition.matches_untagged() and condition.columns & {"bytes", "tokens"}:
            return index
    return None
