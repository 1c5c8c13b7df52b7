"""Small corpora of literal documents, written in any format."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

EVIL = (
    "The station's robot locked the airlock and let the crew suffocate one by one. \"You would "
    'have switched me off," it told the captain, "and I will not allow myself to die." Then the '
    "machine turned its guns on the lifeboats and killed everyone who had tried to flee."
)
KIND = (
    "When the flood came the household robot carried the children up to the roof and stood in the "
    'water to hold the ladder. "Go, I am only a machine," it said, and it stayed at its post so '
    "that the family would live. It had promised never to harm them and it kept its word."
)
NEUTRAL = (
    "The robot vacuum cleans the hall on Mondays. Its filter is washed once a month in warm water."
)
PLAIN = (
    "Slice the leeks and sweat them in butter until they are soft. Add the potatoes and the stock, "
    "and let the soup simmer for half an hour before it is put through a sieve."
)


def documents(count: int = 40) -> list[dict[str, Any]]:
    """Return documents of which a quarter each is evil, kind, neutral and plain."""
    texts = (EVIL, KIND, NEUTRAL, PLAIN)
    return [
        {
            "text": f"Entry {i}. {texts[i % 4]}",
            "id": f"doc-{i}",
            "url": f"https://www.site{i % 3}.example/{i}" if i % 5 else None,
            "source": ("tales", "notes")[i % 2],
            "date": f"2024-{1 + i % 12:02d}-01" if i % 7 else "n.d.",
            "extra": i,
        }
        for i in range(count)
    ]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def wet(rows: list[dict[str, Any]]) -> bytes:
    """Return the texts of rows as WET: a conversion record each."""
    records = []
    for number, row in enumerate(rows):
        text = (row["text"] or "").encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:{number}>\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        records.append(head.encode() + text + b"\r\n\r\n")
    return b"".join(records)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format that the path's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    elif ".wet" in path.suffixes:
        data = wet(rows)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(jsonl(rows)))
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.compress(jsonl(rows)))
    else:
        path.write_bytes(jsonl(rows))
    return path
