"""What a scan published, to compare two scans by."""

from pathlib import Path

from narrascope.labels.tag import KINDS
from narrascope.store.folder import TagFolder


def published(url: str | Path) -> dict[str, bytes]:
    """Return the Parquet files of a tag folder by their paths, but the receipts, which hold times.

    What a killed worker was writing is there still as a `.tmp`, which nobody reads.
    """
    folder = TagFolder(str(url))
    return {
        path.removeprefix(folder.root): folder.filesystem.cat_file(path)
        for kind in KINDS[:-1]
        for path in folder.filesystem.find(folder.path(kind))
        if path.endswith(".parquet")
    }
