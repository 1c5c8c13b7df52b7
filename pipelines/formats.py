"""Which reader takes which format."""

from collections.abc import Iterator

from .batches import Batch, Columns
from .jsonl import read_jsonl
from .parquet import read_parquet
from .parts import Part
from .warc import read_warc

_READERS = {"parquet": read_parquet, "jsonl": read_jsonl, "warc": read_warc}


def read_part(part: Part, columns: Columns) -> Iterator[Batch]:
    """Read a part's rows in order, as batches in the schema `BATCH`.

    Raises:
        SourceError: a column is missing, or the file is not of its format. Torn files raise
            whatever their library does.
    """
    return _READERS[part.shard.format](part, columns)
