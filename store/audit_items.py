"""What is read of each drawn document, and by whom.

A document of at most `READABLE` code points is read whole, as one item. A longer one is read in two
stages: all windows that the scan kept are one item, and pieces drawn at random from the rest of the
text another, each piece with the same probability. Of what the corpus no longer shows, the passages
in the tags are read, and nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import SettingsError, TagsError
from ..labels.audit import ITEMS, READABLE, SAMPLE, Reading
from ..labels.draw import draws
from ..labels.tag import CONTROL_CHARACTERS
from .audit_text import Kept, Span
from .audits import Key

BETWEEN = "\n\n[…]\n\n"
"""What stands between pieces of a document that do not touch."""

_PIECE = 1_200
_FEWEST = 2

Cut = Callable[[str], list[Span]]
"""Cuts a text into passages."""


def read_items(
    sample: pa.Table,
    kept: Mapping[Key, Kept],
    texts: Mapping[Key, str],
    *,
    cut: Cut,
    seed: int,
    annotators: Sequence[str] = (),
    double: float = 0.0,
) -> tuple[pa.Table, pa.Table]:
    """Return the sample with how each document is read, and the items in reading order.

    Args:
        sample: the drawn documents, in the schema `SAMPLE`.
        kept: what the tag folder keeps of each.
        texts: the whole text of those that the corpus could be asked for.
        cut: cuts what a scan did not read into passages.
        seed: of the draw of pieces.
        annotators: among whom the items are shared out.
        double: the share of items that two annotators read, in [0, 1].

    Raises:
        SettingsError: the share is out of range, or needs more annotators.
        TagsError: nothing is kept of a document that is not in `texts`.
    """
    if not 0 <= double <= 1:
        raise SettingsError(f"--double is {double}: give the share of items, from 0 to 1")
    if double and len(set(annotators)) < 2:
        raise SettingsError("--double needs two readers: name them with --annotators A,B")
    rows: list[dict[str, Any]] = []
    readings: list[Reading] = []
    lengths: list[int | None] = []
    for document in sample.select(["shard", "row", "bytes"]).to_pylist():
        key = (document["shard"], document["row"])
        reading, characters, items = _of_document(
            key, document["bytes"], kept[key], texts.get(key), cut, seed
        )
        readings.append(reading)
        lengths.append(characters)
        for item in items:
            item["annotators"] = _readers(len(rows), annotators, double)
            rows.append({"shard": key[0], "row": key[1], **item})
    for name, values in (("reading", readings), ("characters", lengths)):
        field = SAMPLE.field(name)
        place = sample.schema.get_field_index(name)
        sample = sample.set_column(place, field, pa.array(values, field.type))
    return sample, pa.Table.from_pylist(rows, ITEMS)


def _readers(place: int, annotators: Sequence[str], double: float) -> list[str]:
    if not annotators:
        return []
    twice = int((place + 1) * double) > int(place * double)
    return [annotators[(place + i) % len(annotators)] for i in range(2 if twice else 1)]


def _of_document(
    key: Key, size: int, kept: Kept, text: str | None, cut: Cut, seed: int
) -> tuple[Reading, int | None, list[dict[str, Any]]]:
    """Return how a document is read, its length where it is known, and its items."""
    name = f"{key[0]}#{key[1]}"
    windows = [(start, end) for start, end, _ in kept.passages]
    if text is None and kept.text is None:
        if not kept.passages or any(passage is None for *_, passage in kept.passages):
            raise TagsError(
                f"the tags keep no text of {name} (scanned with --no-text): name the corpus with "
                "--source"
            )
        passages = [passage or "" for *_, passage in kept.passages]
        whole = len(passages) == 1 and len(passages[0].encode()) == size
        item = _item(name, windows, passages, kept.evidence, 1.0)
        return "whole" if whole else "windows", None, [item]
    characters = len(text) if text is not None else kept.characters or 0
    text = text if text is not None else kept.text or ""
    if characters <= READABLE:
        return "whole", characters, [_item(name, [(0, len(text))], [text], kept.evidence, 1.0)]
    items = []
    if windows:
        items.append(_item(name, windows, [text[a:b] for a, b in windows], kept.evidence, 1.0))
    drawn, share = _drawn_pieces(key, text, windows, cut, seed)
    if drawn:
        pieces = [text[a:b] for a, b in drawn]
        items.append(_item(f"{name}/drawn" if windows else name, drawn, pieces, (), share))
    cut_short = len(text) < characters and len(text) == CONTROL_CHARACTERS
    return "beginning" if cut_short else "two-stage", characters, items


def _drawn_pieces(
    key: Key, text: str, windows: list[Span], cut: Cut, seed: int
) -> tuple[list[Span], float]:
    """Draw pieces of what lies between the windows, as many as make the document readable."""
    pieces = list(_between(text, windows, cut))
    if not pieces:
        return [], 1.0
    room = READABLE - sum(end - start for start, end in windows)
    count = min(len(pieces), max(_FEWEST, room // _PIECE))
    order = np.argsort(draws("audit pieces", seed, f"{key[0]}#{key[1]}", range(len(pieces))))
    return [pieces[i] for i in sorted(order[:count].tolist())], count / len(pieces)


def _between(text: str, windows: list[Span], cut: Cut) -> Iterator[Span]:
    start = 0
    for begin, end in [*sorted(windows), (len(text), len(text))]:
        for a, b in cut(text[start:begin]):
            yield start + a, start + b
        start = max(start, end)


def _item(
    name: str, spans: Sequence[Span], pieces: Sequence[str], evidence: Sequence[Span], share: float
) -> dict[str, Any]:
    """Return an item of pieces, its evidence moved to where the pieces stand in its text."""
    moved: list[dict[str, int]] = []
    at = 0
    for (start, end), piece in zip(spans, pieces, strict=True):
        moved += [
            {"start": at + a - start, "end": at + b - start}
            for a, b in evidence
            if start <= a and b <= end
        ]
        at += len(piece) + len(BETWEEN)
    return {
        "id": name,
        "pieces": [{"start": start, "end": end} for start, end in spans],
        "share": share,
        "text": BETWEEN.join(pieces),
        "evidence": moved,
    }
