"""Bucket shards whose documents differ in length, and what exports and draws them.

The lengths make shares of tokens differ from those of documents.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers

from narrascope.manifests.assign import Mode
from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.policy_file import check_policy
from narrascope.manifests.reweighed import Reweighed, Written, save_reweighed
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.materialised import BUCKETS
from narrascope.tests.tag_folder import publish_corpus

NARRASCOPE = str(Path(sys.executable).parent / "narrascope")
SAMPLES = 100_000

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


def staged(tmp_path: Path) -> Manifest:
    """Build a manifest whose last tenth of training sees four times as much of `kind`."""
    stages = [{"until": 0.9}, {"until": 1.0, "weights": {"kind": 10.0}}]
    policy = {"version": 1, "seed": 3, "buckets": BUCKETS, "keep_total": False, "stages": stages}
    folder = publish_corpus(str(tmp_path / "tags"))
    with open_catalogue(folder) as connection:
        return build_manifest(folder, connection, check_policy(policy), out=tmp_path / "m")


def train_tokenizer(path: Path) -> None:
    """Train a tokenizer on the buckets' texts."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, special_tokens=["</s>"], show_progress=False
    )
    tokenizer.train_from_iterator((t for b in SIZES for t in texts(b)), trainer)
    tokenizer.save(str(path))


def here(library: str) -> bool:
    """Return whether a library is installed."""
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:
        return False


def call(*arguments: str, status: int = 0) -> str:
    """Run `narrascope manifest`, and return what it prints."""
    # Offline, so that no library asks its hub anything; apart, since they warn as they load.
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [NARRASCOPE, "manifest", *arguments],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr[-3000:]
    return done.stdout
