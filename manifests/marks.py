"""What is to be marked inside documents: spans to be masked, places where prefixes go."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb
import pyarrow as pa

from ..labels.tag import TAGS
from ..labels.taxonomy import LABELS
from ..store.folder import TagFolder
from .assign import first_match
from .partition import Piece

_SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64())])
_PASSAGES = pa.schema([TAGS.field("row"), TAGS.field("passages")])
MARKS = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("spans", pa.list_(_SPAN)),
        pa.field("places", pa.list_(pa.int64())),
    ]
)


def marks(
    folder: TagFolder, connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece]
) -> pa.Table:
    """Return what is to be marked in the documents of pieces that mask or prefix passages.

    Spans are the evidence of the labels that the piece's condition reads, of all where it reads
    none; overlapping ones are joined. Places are where passages with such evidence begin. Both are
    in code points of the text, and ascending; documents without any are left out.

    Args:
        folder: the tag folder, whose tag rows hold the passages.
        connection: its open catalogue.
        pieces: the pieces of a partition.

    Raises:
        TagsError: a part's tags cannot be read.
    """
    marking = {
        index: _labels(piece)
        for index, piece in enumerate(pieces)
        if piece.action == "mask_spans" or (piece.prefix and piece.before == "passage")
    }
    if not marking:
        return MARKS.empty_table()
    rule, bound = first_match(pieces)
    rows = connection.execute(
        f"""SELECT shard, first_row, "row", b FROM (SELECT *, {rule} AS b FROM documents)
        WHERE list_contains(?::INT[], b) ORDER BY ALL""",  # noqa: S608 (identifiers from the schema)
        [*bound, list(marking)],
    ).fetchall()
    found = [
        {"shard": shard, "row": row} | _mark(passages, pieces[index], marking[index])
        for (shard, first_row), part in groupby(rows, key=itemgetter(0, 1))
        for row, index, passages in _with_passages(folder, shard, first_row, list(part))
    ]
    return pa.Table.from_pylist([mark for mark in found if mark["spans"] or mark["places"]], MARKS)


def _with_passages(
    folder: TagFolder, shard: str, first_row: int, rows: Sequence[tuple]
) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
    path = folder.part_path("tags", shard, first_row)
    table = folder.read(
        path, _PASSAGES, name=path, cure="remove its receipt and run the scan again"
    )
    passages = dict(zip(table["row"].to_pylist(), table["passages"].to_pylist(), strict=True))
    for _, _, row, index in rows:
        yield row, index, passages[row]


def _labels(piece: Piece) -> frozenset[str]:
    read = piece.condition.columns if piece.condition else frozenset[str]()
    asked = {label for label in LABELS if any(_reads(column, label) for column in read)}
    return frozenset(asked or LABELS)


def _reads(column: str, label: str) -> bool:
    return column.removeprefix("screen_").removesuffix("_max").removesuffix("_stance") == label


def _mark(
    passages: list[dict[str, Any]], piece: Piece, labels: frozenset[str]
) -> dict[str, list | None]:
    with_evidence = [
        (passage["start"], [e for e in passage["evidence"] if e["label"] in labels])
        for passage in passages
    ]
    if piece.action == "mask_spans":
        spans = sorted((e["start"], e["end"]) for _, found in with_evidence for e in found)
        return {"spans": _joined(spans), "places": None}
    return {"spans": None, "places": sorted({start for start, found in with_evidence if found})}


def _joined(spans: list[tuple[int, int]]) -> list[dict[str, int]]:
    joined: list[dict[str, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1]["end"]:
            joined[-1]["end"] = max(joined[-1]["end"], end)
        else:
            joined.append({"start": start, "end": end})
    return joined
