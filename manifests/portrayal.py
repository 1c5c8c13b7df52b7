"""The scores and evidence of a part's tag rows, for documents of its bucket shards."""

from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
import xxhash

from ..labels.taxonomy import LABELS
from ..store.folder import TagFolder
from .mixture import Ingredient
from .texts import Text


@dataclass(frozen=True)
class Portrayal:
    """What the models say of a document.

    `scores` has a probability for each label. `evidence` are (label, start, end, score) in code
    points of the text; empty where a prefix has moved them.
    """

    scores: dict[str, float]
    evidence: tuple[tuple[str, int, int, float], ...]


class Portrayals:
    """Looks documents of one part up by the hash of their text; most have no tag row."""

    def __init__(self, tags: str, shard: str, first_row: int) -> None:
        folder = TagFolder(tags)
        path = folder.part_path("tags", shard, first_row)
        self._rows: dict[int, dict[str, Any]] = {}
        if folder.filesystem.exists(path):
            with folder.filesystem.open(path, "rb") as file:
                table = pq.read_table(file, columns=["text_hash", *LABELS, "passages"])
            self._rows = {row["text_hash"]: row for row in table.to_pylist()}

    def of(self, document: Text, ingredient: Ingredient) -> Portrayal | None:
        """Return what the models say of a document, null where they did not read it."""
        text = document.text
        original = text.replace(ingredient.prefix, "") if ingredient.prefix else text
        row = self._rows.get(xxhash.xxh3_64_intdigest(original.encode()))
        if row is None or row[LABELS[0]] is None:
            return None
        evidence = tuple(
            (found["label"], found["start"], found["end"], passage[found["label"]])
            for passage in row["passages"]
            for found in passage["evidence"] or ()
            if original == text and passage[found["label"]] is not None
        )
        return Portrayal({label: row[label] for label in LABELS}, evidence)
