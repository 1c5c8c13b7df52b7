"""Exact denominators by column operations: months, registered domains, and totals of a part."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions at import, where no type checker sees them.

import pyarrow as pa
import pyarrow.compute as pc

from ..labels.domains import registered_domain
from ..labels.tag import DOMAINS, TOTALS

_MONTH = r"^\s*(?P<year>\d{4})[-/](?P<month>0[1-9]|1[0-2])(?:$|[^0-9])"
_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>[^/?#:]+)"
_GROUPS = ["domain", "source", "month", "language"]


def months(dates: pa.Array) -> pa.Array:
    """Return the month `YYYY-MM` of each date that begins with year and month, else null."""
    parsed = pc.extract_regex(dates, _MONTH)
    year, month = parsed.field("year"), parsed.field("month")
    joined = pc.binary_join_element_wise(year, month, "-")
    return pc.if_else(pc.is_valid(parsed), joined, pa.scalar(None, pa.string()))


def domains(urls: pa.Array) -> pa.Array:
    """Return the registered domain of each URL, parsed once a host; null where there is none."""
    parsed = pc.extract_regex(urls, _HOST)
    hosts = pc.if_else(pc.is_valid(parsed), parsed.field("host"), pa.scalar(None, pa.string()))
    encoded = hosts.dictionary_encode()
    names = pa.array([registered_domain(host) for host in encoded.dictionary.to_pylist()], "string")
    return names.take(encoded.indices)


class Totals:
    """Sums documents, bytes and tokens of a part by domain, source, month and language."""

    def __init__(self) -> None:
        self._sums: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch that has the columns domain, source, month, language, bytes and tokens."""
        size = batch.num_rows
        empty = pc.equal(batch.column("bytes"), 0).cast(pa.int64())
        table = pa.table(
            {name: batch.column(name) for name in [*_GROUPS, "bytes", "tokens"]}
            | {"documents": pa.repeat(1, size), "empty": empty}
        )
        self._sums.append(_sum(table))

    def tables(self, shard: str, first_row: int) -> tuple[pa.Table, pa.Table]:
        """Return the part's `totals` and `domains`, sorted, in the schemas of the tag folder."""
        empty = DOMAINS.empty_table().drop_columns(["shard", "first_row"])
        table = pa.concat_tables([empty, *self._sums], promote_options="permissive")
        by_domain = _sum(table)
        return tuple(  # pyright: ignore[reportReturnType]
            _sum(by_domain, keys)
            .sort_by([(key, "ascending") for key in keys])
            .append_column("shard", pa.repeat(shard, count))
            .append_column("first_row", pa.repeat(first_row, count))
            .select(schema.names)
            .cast(schema)
            for keys, schema in ((_GROUPS[1:], TOTALS), (_GROUPS, DOMAINS))
            for count in [_sum(by_domain, keys).num_rows]
        )


def _sum(table: pa.Table, keys: list[str] = _GROUPS) -> pa.Table:
    values = ["documents", "empty", "bytes", "tokens"]
    grouped = table.group_by(keys, use_threads=False).aggregate([(v, "sum") for v in values])
    return grouped.rename_columns([n.removesuffix("_sum") for n in grouped.column_names])
