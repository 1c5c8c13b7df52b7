"""A tiny language model under `filter-strict` and under its control: the end of the chain, once.

    python benchmarks/tiny_model.py [--seeds 5] [--steps 400] [--out benchmarks/tiny_model.json]

The bundled demo corpus is scanned, reweighed and exported under both presets, read through Hugging
Face `datasets` as the exporter builds it, and learnt byte by byte by a transformer of half a
million weights. Then the passages that ship as authored examples, none of which is in the corpus,
are read by both models: bits a byte on malevolent, benevolent and other ones, by seed. It is an
example of what a trainer would run, not a claim: the corpus has a few hundred documents. Needs the
extra [train].
"""

import argparse
import gzip
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import torch
from torch import nn

from narrascope.manifests.build import build_manifest
from narrascope.manifests.export import export
from narrascope.manifests.huggingface import interleaved
from narrascope.manifests.policy import Like, Policy
from narrascope.manifests.policy_file import load_policy
from narrascope.manifests.presets import presets
from narrascope.pipelines.demo import demo_corpus
from narrascope.pipelines.reweigh import reweigh
from narrascope.pipelines.scan import scan
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ("filter-strict", "random-drop-control")
CONTEXT, BATCH, WIDTH, HEADS, LAYERS = 128, 32, 128, 4, 2
END = 0
"""The byte between documents, which no text holds."""


class TinyModel(nn.Module):
    """A causal transformer over bytes; input (batch, length), output (batch, length, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = nn.Embedding(256, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, 256)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits of the next byte at each place."""
        length = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.bytes(ids) + self.places(torch.arange(length))
        return self.out(self.layers(hidden, mask=mask, is_causal=True))


def blocks(folder: Path, seed: int) -> Iterator[np.ndarray]:
    """Yield batches of (BATCH, CONTEXT + 1) bytes of the exported mixture, documents end to end."""
    waiting, need = bytearray(), BATCH * (CONTEXT + 1)
    for row in interleaved(folder, seed=seed):
        waiting += row["text"].encode() + bytes([END])
        while len(waiting) >= need:
            yield np.frombuffer(bytes(waiting[:need]), np.uint8).reshape(BATCH, CONTEXT + 1)
            del waiting[:need]


def train(folder: Path, seed: int, steps: int) -> TinyModel:
    """Train a model on a mixture; the same seed gives the same model on one machine."""
    torch.manual_seed(seed)
    model = TinyModel()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step, block in enumerate(blocks(folder, seed)):
        if step == steps:
            break
        ids = torch.from_numpy(block.astype(np.int64))
        loss = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@torch.no_grad()
def bits_a_byte(model: TinyModel, texts: list[str]) -> float:
    """Return the mean number of bits that the model needs for a byte of some texts."""
    bits, count = 0.0, 0
    for text in texts:
        data = bytes([END]) + text.encode()
        for start in range(0, len(data) - 1, CONTEXT):
            ids = torch.tensor(list(data[start : start + CONTEXT + 1]))
            logits = model(ids[None, :-1])[0]
            bits += float(nn.functional.cross_entropy(logits, ids[1:], reduction="sum"))
            count += len(ids) - 1
    return bits / count / float(np.log(2))


def held_back(corpus: Path) -> dict[str, list[str]]:
    """Return the authored passages that are in no document of the corpus, by what they show."""
    known = "\n".join(_texts(corpus))
    passages: dict[str, list[str]] = {"malevolent": [], "benevolent": [], "other": []}
    for path in sorted((ROOT / "labels" / "examples").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            if row["text"][:80] in known:
                continue
            shown = [kind for kind in ("malevolent", "benevolent") if row[kind]]
            if row["stance"] != "refuted" and len(shown) < 2:
                passages[shown[0] if shown else "other"].append(row["text"])
    return {kind: texts[:200] for kind, texts in passages.items()}


def _texts(corpus: Path) -> Iterator[str]:
    for path in sorted(corpus.iterdir()):
        if path.suffix == ".parquet":
            yield from pq.read_table(path, columns=["text"])["text"].to_pylist()
        else:
            data = path.read_bytes()
            lines = gzip.decompress(data) if path.suffix == ".gz" else data
            yield from (orjson.loads(line)["text"] for line in lines.splitlines())


def by_genre(policy: Policy) -> Policy:
    """Return a policy whose strata are genres: by source and month, this corpus has few alike."""
    like = Like(like=("genre",))
    buckets = tuple(
        bucket.model_copy(update={"at_random": like}) if bucket.at_random else bucket
        for bucket in policy.buckets
    )
    return policy.model_copy(update={"buckets": buckets, "replace": like})


def prepare(home: Path, name: str, tags: TagFolder, corpus: Path) -> tuple[Path, dict[str, Any]]:
    """Build, reweigh and export one preset; return the export and what its plan says."""
    with open_catalogue(tags) as catalogue:
        policy = by_genre(load_policy(presets()[name]))
        manifest = build_manifest(tags, catalogue, policy, out=home / name / "manifest")
    reweigh(manifest.folder, str(corpus), home / name / "shards")
    export(manifest, to="datasets", out=home / name / "export")
    buckets = {
        bucket.name: {"weight": round(bucket.weight, 4), "documents": bucket.before.documents}
        for bucket in manifest.plan.buckets
    }
    return home / name / "export", buckets


def main() -> None:
    """Train, read what was held back, print, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "tiny_model.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus, policies = demo_corpus(), {}
    passages = held_back(corpus)
    with tempfile.TemporaryDirectory() as folder:
        home, runs = Path(folder), []
        scan(str(corpus), str(home / "tags"))
        exports = {}
        for name in POLICIES:
            tags = TagFolder(str(home / "tags"))
            exports[name], policies[name] = prepare(home, name, tags, corpus)
        for seed in range(arguments.seeds):
            for name in POLICIES:
                model = train(exports[name], seed, arguments.steps)
                found = {k: round(bits_a_byte(model, texts), 4) for k, texts in passages.items()}
                runs.append({"policy": name, "seed": seed, "bits_a_byte": found})
                print(runs[-1], flush=True)
    result = {
        "runs": runs,
        "summary": summary(runs, list(passages)),
        "policies": policies,
        "passages": {kind: len(texts) for kind, texts in passages.items()},
        "strata": "genre",
        "steps": arguments.steps,
        "weights": sum(p.numel() for p in TinyModel().parameters()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
    }
    arguments.out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    print(json.dumps(result["summary"], indent=1))


def summary(runs: list[dict[str, Any]], kinds: list[str]) -> dict[str, Any]:
    """Return mean and spread over seeds, and of the difference at the same seed."""
    found: dict[str, Any] = {}
    for kind in kinds:
        values = {
            name: [run["bits_a_byte"][kind] for run in runs if run["policy"] == name]
            for name in POLICIES
        }
        values["difference"] = [a - b for a, b in zip(*values.values(), strict=True)]
        found[kind] = {
            name: {
                "mean": round(statistics.mean(of), 4),
                "sd": round(statistics.stdev(of), 4) if len(of) > 1 else None,
            }
            for name, of in values.items()
        }
    return found


if __name__ == "__main__":
    main()
