"""What a tag folder keeps of drawn documents: passages of a verdict, text of control rows."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import TagsError, one_line
from .audits import Key
from .folder import TagFolder
from .receipts import require_receipts

Span = tuple[int, int]


@dataclass(frozen=True)
class Kept:
    """What is kept of one document; offsets are code points into its text.

    `passages` are the windows that the screen let by, `evidence` the spans in them. `text` is the
    control row's, null where the document is in no control sample, and `characters` how long the
    document is.
    """

    passages: tuple[tuple[int, int, str | None], ...] = ()
    evidence: tuple[Span, ...] = ()
    text: str | None = None
    characters: int | None = None


def kept_texts(
    folder: TagFolder,
    keys: Iterable[Key],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Key, Kept]:
    """Return what a tag folder keeps of each of these documents, reading each part once.

    Args:
        folder: the tag folder.
        keys: shard and row of the documents.
        progress: told before each part of how many of all documents the texts are read.

    Raises:
        TagsError: a part cannot be read.
    """
    parts: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    first_rows: defaultdict[str, list[int]] = defaultdict(list)
    for receipt in require_receipts(folder).select(["shard", "first_row"]).to_pylist():
        first_rows[receipt["shard"]].append(receipt["first_row"])
    for shard in first_rows.values():
        shard.sort()
    for shard, row in keys:
        first = first_rows[shard]
        parts[shard, first[bisect_right(first, row) - 1]].append(row)
    found: dict[Key, Kept] = {}
    total = sum(map(len, parts.values()))
    for (shard, first_row), rows in sorted(parts.items()):
        progress(len(found), total)
        part = (folder, shard, first_row, rows)
        control = _rows("control", *part, ["row", "text", "characters"])
        tags = _rows("tags", *part, ["row", "passages"])
        for row in rows:
            passages = tags.get(row, {}).get("passages", [])
            found[shard, row] = Kept(
                passages=tuple((p["start"], p["end"], p["text"]) for p in passages),
                evidence=tuple(
                    sorted({(s["start"], s["end"]) for p in passages for s in p["evidence"]})
                ),
                text=control.get(row, {}).get("text"),
                characters=control.get(row, {}).get("characters"),
            )
    return found


def _rows(
    kind: str, folder: TagFolder, shard: str, first_row: int, rows: list[int], columns: list[str]
) -> dict[int, dict[str, Any]]:
    path = folder.part_path(kind, shard, first_row)
    try:
        with folder.filesystem.open(path, "rb") as file:
            table = pq.read_table(file, columns=columns, filters=[("row", "in", rows)])
    except (pa.ArrowException, OSError) as error:
        raise TagsError(
            f"{path} cannot be read ({one_line(error)}): remove the receipt of "
            "that name under receipts/ and run the scan again, which reads only that part anew"
        ) from error
    return {row["row"]: row for row in table.to_pylist()}
