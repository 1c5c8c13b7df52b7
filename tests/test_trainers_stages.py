"""Each trainer that has a configuration for a stage, or another one, draws by it as by the first.

The file of a stage stands in for the one that `verify` draws by, and what comes is compared with
the shares of that stage.
"""

import json
import shutil
from pathlib import Path

import orjson
import pytest

from narrascope.manifests.manifest import Manifest
from narrascope.tests.materialised import build
from narrascope.tests.trainers import SIZES, call, here, spread, staged, train_tokenizer

LIBRARIES = {
    "megatron": "megatron.core",
    "olmo-core": "olmo_core",
    "energon": "megatron.energon",
    "streaming": "streaming",
    "datasets": "datasets",
}
FILES = {
    "megatron": ("data_args.stage{}.txt", "data_args.txt"),
    "olmo-core": ("source_mixture.stage{}.yaml", "source_mixture.yaml"),
    "energon": ("metadataset.stage{}.yaml", "metadataset.yaml"),
}
DOCUMENTS = {"streaming": "streams.json", "datasets": "datasets.json"}


def drawn(manifest: Manifest, trainer: str, samples: int, status: int = 0) -> dict[str, dict]:
    arguments = ("--trainer", trainer, "--samples", str(samples), "--format", "json")
    rows = json.loads(call("verify", str(manifest.folder), *arguments, status=status))
    return {row["bucket"]: row for row in rows}


def put_in_place(folder: Path, trainer: str, stage: int) -> None:
    if trainer in FILES:
        source, target = FILES[trainer]
        shutil.copyfile(folder / source.format(stage + 1), folder / target)
    else:
        path = folder / DOCUMENTS[trainer]
        document = orjson.loads(path.read_bytes())
        path.write_bytes(orjson.dumps(document | document["stages"][stage]))


@pytest.mark.slow
@pytest.mark.parametrize("trainer", LIBRARIES)
def test_each_stage_is_drawn_as_planned(tmp_path: Path, trainer: str) -> None:
    if not here(LIBRARIES[trainer]):
        pytest.skip(f"{LIBRARIES[trainer]} is not installed: see docs/trainers.md")
    manifest = staged(tmp_path)
    tokens = trainer in ("megatron", "olmo-core")
    spread(manifest, tmp_path / "out", words=5 if tokens else 1, times=1 if tokens else 5)
    train_tokenizer(tmp_path / "tokenizer.json")
    tokenize = ("--tokenize", str(tmp_path / "tokenizer.json")) if tokens else ()
    folder = tmp_path / "d"
    call("export", str(manifest.folder), "--to", trainer, "--out", str(folder), *tokenize)
    told = orjson.loads((folder / "mixture.json").read_bytes())
    shares = "shares" if tokens else "document_shares"
    for stage in range(2):
        put_in_place(folder, trainer, stage)
        # A stage is far from the shares of the whole, so `verify` says that it fails.
        found = drawn(manifest, trainer, 20_000, status=1)
        for bucket in told["buckets"]:
            wanted = bucket[shares][stage]
            assert found[bucket["name"]]["share"] == pytest.approx(wanted, abs=0.01)


@pytest.mark.slow
def test_energon_s_epoch_sees_each_document_its_passes(tmp_path: Path) -> None:
    if not here("megatron.energon"):
        pytest.skip("megatron.energon is not installed: see docs/trainers.md")
    manifest = build(tmp_path)
    spread(manifest, tmp_path / "out", times=3)
    folder = tmp_path / "d"
    call("export", str(manifest.folder), "--to", "energon", "--out", str(folder))
    shutil.copyfile(folder / "metadataset_epochized.yaml", folder / "metadataset.yaml")
    wanted = {b: round(3 * n * manifest.weights[b]) for b, (n, _) in SIZES.items()}
    # An epoch's length: with one document more or fewer of a bucket there would be others missing.
    found = drawn(manifest, "energon", sum(wanted.values()))
    assert {bucket: row["drawn"] for bucket, row in found.items()} == wanted
