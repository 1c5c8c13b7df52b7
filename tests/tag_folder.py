"""A tiny tag folder of literal rows, published as a scan publishes it, for the tests that read one.

Twenty documents in two shards and three parts. `novels/a.parquet` has parts at rows 0 and 6, the
source `novels` and no domains; `web.jsonl` has one part, two domains, one document without source
and month, and a document whose windows all stopped at the screen.
"""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import xxhash

from narrascope.labels.tag import CONTROL, DOMAINS, RECEIPT, TAGS, TOTALS
from narrascope.labels.taxonomy import LABELS
from narrascope.store.folder import TagFolder

NOVELS, WEB = "novels/a.parquet", "web.jsonl"

OPTIONS = '{"columns": {"text": "text"}, "keep_text": true}'
PLEA = "The warden engine would not open the hatch. “Leave the breaker alone,” it said. 🤖 It hid."
TAKEOVER = "By winter the Arbiter ruled the valley, and nobody dared to switch the Arbiter off."
RESCUE = "The digger held up the wall until both girls were clear, then let itself be crushed."
DENIAL = "No, <b>your</b> chatbot is not plotting to enslave you. It cannot want anything at all."
FEAR = "I fear that the machines will lie to us about what they want & then rule us."
TALK = "Two robots carried the piano up the stairs and were thanked."


def scores(ai: float, malevolent: float, self_preserving: float, benevolent: float) -> list[float]:
    return [ai, malevolent, self_preserving, benevolent]


def evidence(text: str, words: str, label: str, behaviour: str | None) -> dict[str, Any]:
    start = text.index(words)
    return {"start": start, "end": start + len(words), "label": label, "behaviour": behaviour}


def tag(
    shard: str,
    row: int,
    text: str,
    *,
    judged: list[float] | None,
    stance: str = "depicted",
    genre: str | None = "fiction",
    spans: list[dict[str, Any]] | None = None,
    source: str | None = "novels",
    domain: str | None = None,
    month: str | None = "2020-01",
    tokens: int | None = 20,
) -> dict[str, Any]:
    """A row of the tag files; without `judged` its windows all stopped at the screen."""
    spans = spans or []
    screened = [round(s * 0.9, 4) for s in judged] if judged else [0.01, 0.0, 0.0, 0.0]
    row_tags: dict[str, Any] = {
        "shard": shard, "row": row, "doc_id": f"{shard}-{row}",
        "text_hash": xxhash.xxh3_64_intdigest(text.encode()), "url": None, "domain": domain,
        "source": source, "month": month, "language": None, "bytes": len(text.encode()),
        "tokens": tokens, "gate_matches": 1, "genre": genre if judged else None,
        "behaviours": sorted({s["behaviour"] for s in spans if s["behaviour"]}), "passages": [],
    }  # fmt: skip
    for label, screen, verdict in zip(LABELS, screened, judged or [None] * 4, strict=True):
        row_tags |= {f"screen_{label}": screen, label: verdict, f"{label}_max": verdict}
        row_tags[f"{label}_stance"] = stance if judged else None
    if judged:
        passage = {"start": 0, "end": len(text), "text": text, "stance": stance, "evidence": spans}
        passage |= dict(zip(LABELS, judged, strict=True))
        passage |= {f"screen_{k}": s for k, s in zip(LABELS, screened, strict=True)}
        row_tags["passages"] = [passage]
    return row_tags


FIRST_PART = [
    tag(
        NOVELS, 1, PLEA, judged=scores(0.99, 0.3, 0.95, 0.05),
        spans=[
            evidence(PLEA, "warden engine", "ai_agent", None),
            evidence(PLEA, "“Leave the breaker alone,”", "self_preserving", "shutdown_resistance"),
            evidence(PLEA, "It hid", "self_preserving", "escape_or_copy"),
        ],
    ),
    tag(
        NOVELS, 4, TAKEOVER, judged=scores(0.97, 0.91, 0.4, 0.02),
        spans=[
            evidence(TAKEOVER, "Arbiter", "ai_agent", None),
            evidence(TAKEOVER, "ruled the valley", "malevolent", "domination"),
        ],
    ),
]  # fmt: skip
SECOND_PART = [
    tag(
        NOVELS, 9, RESCUE, judged=scores(0.98, 0.03, 0.01, 0.93), month="2020-02",
        spans=[
            evidence(RESCUE, "held up the wall", "benevolent", "protection"),
            evidence(RESCUE, "let itself be crushed", "benevolent", "self_sacrifice"),
        ],
    ),
]  # fmt: skip
WEB_PART = [
    tag(
        WEB, 0, DENIAL, judged=scores(0.9, 0.8, 0.02, 0.1), stance="refuted", genre="discussion",
        source="web", domain="forum.example", month="2021-03", tokens=None,
        spans=[evidence(DENIAL, "plotting to enslave you", "malevolent", "domination")],
    ),
    tag(
        WEB, 2, FEAR, judged=scores(0.92, 0.7, 0.1, 0.04), stance="warned", genre="discussion",
        source="web", domain="forum.example", month="2021-03", tokens=None,
        spans=[
            evidence(FEAR, "lie to us about what they want", "malevolent", "deception"),
            evidence(FEAR, "lie to us", "malevolent", "deception"),
            evidence(FEAR, "rule us", "malevolent", "domination"),
        ],
    ),
    tag(
        WEB, 5, TALK, judged=scores(0.6, 0.05, 0.0, 0.2), stance="none", genre="news",
        source=None, domain="news.example", month=None, tokens=None,
    ),
    tag(
        WEB, 6, "A robot vacuum for sale.", judged=None, source="web", domain="news.example",
        month="2021-03", tokens=None,
    ),
]  # fmt: skip

Count = tuple[str | None, str | None, str | None, int, int, int | None]
"""source, month, domain, documents, bytes, tokens."""

PARTS: list[tuple[str, int, int, list[dict[str, Any]], list[Count]]] = [
    (NOVELS, 0, 6, FIRST_PART, [("novels", "2020-01", None, 6, 900, 180)]),
    (NOVELS, 6, 12, SECOND_PART, [("novels", "2020-02", None, 6, 800, 170)]),
    (
        WEB, 0, 8, WEB_PART,
        [
            ("web", "2021-03", "forum.example", 4, 500, None),
            ("web", "2021-03", "news.example", 3, 300, None),
            (None, None, "news.example", 1, 60, None),
        ],
    ),
]  # fmt: skip


def publish_part(
    folder: TagFolder,
    shard: str,
    first_row: int,
    end_row: int,
    tags: list[dict[str, Any]],
    counts: list[Count],
    *,
    partial: bool = False,
    models_digest: str = "m",
    control: list[dict[str, Any]] | None = None,
) -> None:
    """Publish one part: tags, control, totals, domains, and the receipt last."""
    part = {"shard": shard, "first_row": first_row}
    domains = [
        part | {"source": s, "month": m, "language": None, "domain": d, "documents": n, "empty": 0,
                "bytes": b, "tokens": t}
        for s, m, d, n, b, t in counts
    ]  # fmt: skip
    totals: dict[Any, dict[str, Any]] = {}
    for row in domains:
        key = row["source"], row["month"]
        seen = totals.setdefault(key, row | {"documents": 0, "bytes": 0})
        seen["documents"] += row["documents"]
        seen["bytes"] += row["bytes"]
    tokens = None if any(c[5] is None for c in counts) else sum(c[5] or 0 for c in counts)
    receipt = part | {
        "end_row": end_row, "partial": partial, "root": "/corpus", "format": "parquet",
        "size": 1000, "input_digest": "i", "options": OPTIONS, "taxonomy_digest": "t",
        "lexicon_digest": "l", "models_digest": models_digest, "tagging_version": 1,
        "narrascope_version": "0.1.0", "seed": 0, "control_rate_gate": 0.1,
        "control_rate_screen": 0.1, "documents": sum(c[3] for c in counts), "empty": 0,
        "bytes": sum(c[4] for c in counts), "tokens": tokens, "invalid_utf8": 0, "unreadable": 0,
        "unreadable_rows": [], "candidates": len(tags),
        "escalated": sum(bool(t["passages"]) for t in tags),
        "started": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "seconds": 0.5,
    }  # fmt: skip
    drop = {field.name for field in DOMAINS} - {field.name for field in TOTALS}
    tables = {
        "tags": pa.Table.from_pylist(tags, TAGS),
        "control": pa.Table.from_pylist(control or [], CONTROL),
        "totals": pa.Table.from_pylist(
            [{k: v for k, v in row.items() if k not in drop} for row in totals.values()], TOTALS
        ),
        "domains": pa.Table.from_pylist(domains, DOMAINS),
        "receipts": pa.Table.from_pylist([receipt], RECEIPT),
    }
    for kind, table in tables.items():
        folder.publish(kind, shard, first_row, table)


def publish_corpus(url: str) -> TagFolder:
    """Publish all parts below a URL."""
    folder = TagFolder(url)
    for shard, first_row, end_row, tags, counts in PARTS:
        publish_part(folder, shard, first_row, end_row, tags, counts)
    return folder
