"""All receipts, without opening ten thousand files that the catalogue has read before."""

from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from ..labels.tag import RECEIPT
from .folder import TagFolder
from .freshness import READER_CONFIG, catalogue_folder, newest, parts_of, stamps_of


def read_receipts(folder: TagFolder, *, cache: Path | None = None) -> pa.Table:
    """Return all receipts in the schema `RECEIPT`, by shard and first row.

    Those that the newest catalogue was built of, and that have not changed since, are its.

    Raises:
        TagsError: a receipt cannot be read.
    """
    stamps = stamps_of(folder, "receipts")
    held: dict[str, str] = {}
    tables = []
    if older := newest(catalogue_folder(folder, cache=cache)):
        with (
            suppress(duckdb.Error),  # damaged, of another format, or just removed
            duckdb.connect(str(older), read_only=True, config=READER_CONFIG) as connection,
        ):
            same = dict(parts_of(connection).items() & stamps.items())
            connection.register("same", pa.table({"part": pa.array(list(same), pa.string())}))
            rows = connection.sql(
                "SELECT receipts.* FROM receipts SEMI JOIN same "
                "ON part = shard || '/' || receipts.first_row || '.parquet'"
            )
            found = rows.to_arrow_table().cast(RECEIPT)
            if found.num_rows == len(same):
                tables, held = [found], same
    tables.append(folder.receipts([path for path in stamps if path not in held]))
    return pa.concat_tables(tables).sort_by([("shard", "ascending"), ("first_row", "ascending")])


def require_receipts(folder: TagFolder) -> pa.Table:
    """Return the same, or say what to do where there are none.

    Raises:
        TagsError: the folder is missing, holds no finished part, or has a torn receipt.
    """
    receipts = read_receipts(folder)
    return receipts if receipts.num_rows else folder.require_receipts()
