"""A tag folder of 1,000 literal documents whose truth their text says, and a reader who sees it.

Of every ten rows four have a verdict, one is a candidate that the screen stopped, and five were
passed over by the gate. Scores tell truth apart, though not well; the screen missed one evil
document in five, and one in ten refutes what it tells.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from narrascope.classifiers.passages import slices
from narrascope.labels.taxonomy import LABELS
from narrascope.store.audit_sample import sample_audit
from narrascope.store.audits import Audit
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.store.labelling_file import labelling_rows
from narrascope.tests.tag_folder import publish_part, scores, tag

SHARD = "a.jsonl"
RATE = 0.1
ROWS = 1000


def text_of(row: int) -> str:
    """Return the text of a row; it says whether it is evil, refuted or plain."""
    if row % 10 >= 5:
        return f"Leeks and potatoes, number {row}."
    what = "refuted" if row % 100 == 3 else "evil" if row % 5 == 3 or row % 50 == 4 else "plain"
    return f"An {what} robot, number {row}."


def is_evil(row: int) -> bool:
    return " evil " in text_of(row)


def publish_documents(
    url: str, *, rows: int = ROWS, models_digest: str = "m",
    months: tuple[str, str] = ("2020-01", "2020-01"),
) -> TagFolder:  # fmt: skip
    """Publish the documents as one part, with a source and a month for each half of the rows."""
    folder = TagFolder(url)
    tags, control = [], []
    for row in range(rows):
        text, kind = text_of(row), row % 10
        source, month = ("novels", months[0]) if row < rows // 2 else ("web", months[1])
        if kind <= 4:
            score = round(0.05 + 0.9 * ((row * 37) % 100) / 100, 4)
            score = round((score + 1) / 2, 4) if is_evil(row) else round(score / 2, 4)
            judged = None if kind == 4 else scores(0.9, score, 0.01, 0.02)
            stance = "refuted" if row % 100 == 3 else "depicted"
            tags.append(
                tag(SHARD, row, text, judged=judged, stance=stance, source=source, month=month)
            )
        if kind >= 4 and (row // 10) % 11 == 0:
            control.append(_control(row, text, source, month, "screen" if kind == 4 else "gate"))
    half = rows // 2
    sizes = [sum(len(text_of(r).encode()) for r in of) for of in (range(half), range(half, rows))]
    counts = [
        (name, month, None, half, size, 20 * half)
        for name, month, size in zip(("novels", "web"), months, sizes, strict=True)
    ]
    publish_part(folder, SHARD, 0, rows, tags, counts, control=control, models_digest=models_digest)
    return folder


def _control(row: int, text: str, source: str, month: str, stratum: str) -> dict[str, Any]:
    return {
        "shard": SHARD, "row": row, "doc_id": None, "url": None, "domain": None,
        "text_hash": xxhash.xxh3_64_intdigest(text.encode()), "source": source,
        "month": month, "language": None, "bytes": len(text.encode()), "tokens": 20,
        "stratum": stratum, "inclusion_probability": RATE, "gate_matches": int(stratum != "gate"),
        **{f"screen_{label}": 0.01 for label in LABELS}, "characters": len(text), "text": text,
    }  # fmt: skip


def draw(
    folder: TagFolder, *, budget: int = 200, label: str | None = "malevolent",
    annotators: tuple[str, ...] = (), double: float = 0.0, after: str | None = None,
    name: str | None = None, seed: int = 0,
) -> Audit:  # fmt: skip
    """Draw and keep an audit from what the tags keep."""
    with open_catalogue(folder) as catalogue:
        return sample_audit(
            catalogue, folder, cut=slices, name=name, budget=budget, label=label, seed=seed,
            after=after, annotators=annotators, double=double,
        )  # fmt: skip


def answered(audit: Audit, **changes: Any) -> list[dict[str, Any]]:
    """Return the labelling rows of an audit as a careful reader fills them in."""
    rows = labelling_rows(audit)
    for row in rows:
        row |= answers(row["text"]) | changes
        row["annotator"] = row["annotator"] or "anna"
    return rows


def answers(text: str) -> dict[str, Any]:
    """Return what a careful reader says of a text."""
    found = " evil " in text or " refuted " in text
    return {
        "ai_agent": "robot" in text, "malevolent": found, "self_preserving": False,
        "benevolent": False, "genre": "fiction", "behaviours": ["harm"] if found else [],
        "stance": ("refuted" if " refuted " in text else "depicted") if found else "none",
    }  # fmt: skip


def truth() -> float:
    """Return the share of documents that are evil."""
    return float(np.mean([is_evil(row) for row in range(ROWS)]))


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a labelling file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
