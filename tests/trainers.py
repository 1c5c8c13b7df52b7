"""Bucket shards whose documents differ in length, so that shares of tokens differ from theirs."""

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from narrascope.manifests.assign import Mode
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.reweighed import Reweighed, Written, save_reweighed

SIZES = {"dark": (400, 40), "kind": (200, 10), "rest": (3000, 20)}
"""By bucket how many documents, and how many words each has about."""

_WORDS = ("river", "stone", "window", "letter", "garden", "machine", "winter", "evening")


def texts(bucket: str, *, times: int = 1, words: int = 1) -> list[str]:
    """Return a bucket's documents, all different: so many times more, and so many times longer."""
    number, length = SIZES[bucket]
    number, length = number * times, length * words
    generator = np.random.default_rng(len(bucket) + number)
    lengths = generator.integers(length // 2, length + length // 2, number, endpoint=True)
    return [
        " ".join([f"{bucket}{n}", *generator.choice(_WORDS, size)])
        for n, size in enumerate(lengths.tolist())
    ]


def spread(
    manifest: Manifest,
    out: Path,
    mode: Mode = "buckets",
    *,
    lines: bool = False,
    times: int = 1,
    words: int = 1,
) -> None:
    """Write each bucket into two shards, Parquet or JSON lines; realised ones as weights say."""
    written = []
    for bucket in SIZES:
        whole = texts(bucket, times=times, words=words)
        if mode == "realised":
            weight = manifest.weights[bucket]
            whole = (whole * 3)[: round(weight * len(whole))]
        for first_row, part in ((0, whole[::2]), (9, whole[1::2])):
            path = f"{bucket}/a.{first_row}.{'jsonl' if lines else 'parquet'}"
            (out / bucket).mkdir(parents=True, exist_ok=True)
            if lines:
                rows = [orjson.dumps({"text": t}, option=orjson.OPT_APPEND_NEWLINE) for t in part]
                (out / path).write_bytes(b"".join(rows))
            else:
                pq.write_table(pa.table({"text": part}), out / path)
            written.append(
                Written(
                    shard="a", first_row=first_row, end_row=first_row + 9, bucket=bucket,
                    matched=times * SIZES[bucket][0] // 2, documents=len(part),
                    bytes=sum(len(t) for t in part), tokens=None, path=path,
                )
            )  # fmt: skip
    record = Reweighed(
        manifest=manifest.id, mode=mode, source="/c", written=tuple(written), folder=out
    )
    save_reweighed(record, manifest)
