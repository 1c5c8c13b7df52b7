"""Arrow schemas of the tag folder: the only place where its column names are written.

A tag folder holds five kinds of Parquet file, one of each for every part of the corpus::

    tags/<shard>/<first_row>.parquet       a row per candidate document
    control/<shard>/<first_row>.parquet    rows drawn whatever they say, with their text
    totals/<shard>/<first_row>.parquet     exact counts by source, month and language
    domains/<shard>/<first_row>.parquet    the same by registered domain
    receipts/<shard>/<first_row>.parquet   one row, written last: the part is done

Scores are probabilities in [0, 1], rounded to four decimals and kept as float64, so that a
threshold such as 0.7 compares exactly with what is stored. A null score means that its stage did
not run. Offsets are Unicode code points, half-open, into the document's text as stored.
"""

import pyarrow as pa

from .taxonomy import LABELS

TAGGING_VERSION = 2
"""Raised only when the same text and models could get other tags."""

KINDS = ("tags", "control", "totals", "domains", "receipts")
"""Folders of a tag folder, in the order in which a part's files are published."""


def _scores(prefix: str = "", suffix: str = "") -> list[pa.Field]:
    return [pa.field(f"{prefix}{label}{suffix}", pa.float64()) for label in LABELS]


DOCUMENT_FIELDS = [
    pa.field("shard", pa.string(), nullable=False),
    pa.field("row", pa.int64(), nullable=False),
    pa.field("doc_id", pa.string()),
    pa.field("text_hash", pa.uint64(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("domain", pa.string()),
    pa.field("source", pa.string()),
    pa.field("month", pa.string()),
    pa.field("language", pa.string()),
    pa.field("bytes", pa.int64(), nullable=False),
    pa.field("tokens", pa.int64()),
]
"""What identifies a document and what groups it; shared by tags and control rows."""

EVIDENCE = pa.struct(
    [
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("behaviour", pa.string()),
    ]
)
"""A span that speaks for a label; `behaviour` is null where the span names the agent itself."""

PASSAGE = pa.struct(
    [
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("text", pa.string()),
        *_scores("screen_"),
        *_scores("judge_"),
        *_scores(),
        pa.field("stance", pa.string(), nullable=False),
        pa.field("evidence", pa.list_(EVIDENCE), nullable=False),
    ]
)
"""A window that the screen let by; `text` is null in a scan with `--no-text`.
`judge_<label>` is what the judge alone says, null where it was not asked."""

TAGS = pa.schema(
    [
        *DOCUMENT_FIELDS,
        pa.field("gate_matches", pa.int64(), nullable=False),
        *_scores("screen_"),
        *(
            field
            for label in LABELS
            for field in (
                pa.field(label, pa.float64()),
                pa.field(f"{label}_max", pa.float64()),
                pa.field(f"{label}_stance", pa.string()),
            )
        ),
        pa.field("genre", pa.string()),
        pa.field("behaviours", pa.list_(pa.string()), nullable=False),
        pa.field("passages", pa.list_(PASSAGE), nullable=False),
    ]
)

CONTROL_CHARACTERS = 20_000
"""How much of a control row's text is kept, in code points."""

CONTROL = pa.schema(
    [
        *DOCUMENT_FIELDS,
        pa.field("stratum", pa.string(), nullable=False),
        pa.field("inclusion_probability", pa.float64(), nullable=False),
        pa.field("gate_matches", pa.int64(), nullable=False),
        *_scores("screen_"),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""`stratum` is `gate` (no match) or `screen` (matched, and every window stopped by the screen)."""

_COUNTS = [
    pa.field("documents", pa.int64(), nullable=False),
    pa.field("empty", pa.int64(), nullable=False),
    pa.field("bytes", pa.int64(), nullable=False),
    pa.field("tokens", pa.int64()),
]

TOTALS = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("month", pa.string()),
        pa.field("language", pa.string()),
        *_COUNTS,
    ]
)

DOMAINS = pa.schema([*list(TOTALS)[:2], pa.field("domain", pa.string()), *list(TOTALS)[2:]])
"""`totals` once more, split by registered domain; summing it over domains gives `totals`."""

RECEIPT = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("end_row", pa.int64(), nullable=False),
        pa.field("partial", pa.bool_(), nullable=False),
        pa.field("root", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("input_digest", pa.string(), nullable=False),
        pa.field("options", pa.string(), nullable=False),
        pa.field("taxonomy_digest", pa.string(), nullable=False),
        pa.field("lexicon_digest", pa.string(), nullable=False),
        pa.field("models_digest", pa.string(), nullable=False),
        pa.field("tagging_version", pa.int64(), nullable=False),
        pa.field("narrascope_version", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("control_rate_gate", pa.float64(), nullable=False),
        pa.field("control_rate_screen", pa.float64(), nullable=False),
        *_COUNTS,
        pa.field("invalid_utf8", pa.int64(), nullable=False),
        pa.field("unreadable", pa.int64(), nullable=False),
        pa.field("unreadable_rows", pa.list_(pa.int64()), nullable=False),
        pa.field("candidates", pa.int64(), nullable=False),
        pa.field("escalated", pa.int64(), nullable=False),
        pa.field("started", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)
"""One row a part. `rows` of the file are `end_row - first_row` = documents + unreadable."""

SCHEMAS = {
    "tags": TAGS, "control": CONTROL, "totals": TOTALS, "domains": DOMAINS, "receipts": RECEIPT,
}  # fmt: skip
