"""Passages of listed documents, read from the tag files, and the search in their evidence."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import TagsError, one_line
from .folder import TagFolder

LOOKED_AT = 1000
"""How many documents one search looks at, at most."""

PARTS_READ = 20
"""How many tag files one search reads, at most."""


def add_passages(folder: TagFolder, documents: Sequence[dict[str, Any]]) -> None:
    """Give each document its `passages`, reading each part once; `first_row` names its part.

    Raises:
        TagsError: a tag file cannot be read.
    """
    parts: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for document in documents:
        parts[document["shard"], document["first_row"]].append(document)
    for (shard, first_row), wanted in parts.items():
        path = folder.part_path("tags", shard, first_row)
        rows = [document["row"] for document in wanted]
        try:
            with folder.filesystem.open(path, "rb") as file:
                table = pq.read_table(
                    file, columns=["row", "passages"], filters=[("row", "in", rows)]
                )
        except (pa.ArrowException, OSError) as error:
            raise TagsError(
                f"{path} cannot be read ({one_line(error)}): remove the receipt of "
                "that name under receipts/ and run the scan again, which reads only that part anew"
            ) from error
        found = dict(zip(table["row"].to_pylist(), table["passages"].to_pylist(), strict=True))
        for document in wanted:
            document["passages"] = found.get(document["row"], [])


def search_evidence(
    folder: TagFolder, documents: Sequence[dict[str, Any]], text: str, *, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the first documents with a span of evidence that holds `text`, whatever its case.

    It ends with the `limit`-th that is found, or before the document that would need one more tag
    file than `PARTS_READ`.

    Args:
        folder: the tag folder.
        documents: in their order; those looked at get their `passages`.
        text: what a span is to hold.
        limit: how many documents are wanted.

    Returns:
        The documents, and how many were looked at.

    Raises:
        TagsError: a tag file cannot be read.
    """
    sought, found = text.casefold(), []
    parts: set[tuple[str, int]] = set()
    for looked_at, document in enumerate(documents):
        part = document["shard"], document["first_row"]
        if part not in parts:
            if len(parts) == PARTS_READ:
                return found, looked_at
            parts.add(part)
            same = [d for d in documents[looked_at:] if (d["shard"], d["first_row"]) == part]
            add_passages(folder, same)
        if any(sought in span.casefold() for span in _spans(document["passages"])):
            found.append(document)
            if len(found) == limit:
                return found, looked_at + 1
    return found, len(documents)


def _spans(passages: list[dict[str, Any]]) -> list[str]:
    """Return the texts of the evidence; none of a passage whose text was not kept."""
    return [
        passage["text"][span["start"] - passage["start"] : span["end"] - passage["start"]]
        for passage in passages
        if passage["text"]
        for span in passage["evidence"]
    ]
