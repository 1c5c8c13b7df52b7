"""Each trainer reads what is exported to it, and draws the buckets in the planned shares."""

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import orjson
import pytest
import yaml
import zstandard

from narrascope.errors import ManifestError
from narrascope.manifests.drawn import Drawn
from narrascope.manifests.export import EXPORTERS, SAMPLERS, export
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.sample import sample
from narrascope.tests.materialised import BUCKETS, build, materialise
from narrascope.tests.trainers import (
    NARRASCOPE,
    SAMPLES,
    SIZES,
    call,
    here,
    spread,
    staged,
    train_tokenizer,
)


def check_drawn(manifest: Manifest, trainer: str, unit: str) -> None:
    """Draw through the trainer, and compare with what the policy and the documents come to."""
    folder = str(manifest.folder)
    out = call(
        "verify", folder, "--trainer", trainer, "--samples", str(SAMPLES), "--format", "json"
    )
    rows = {row["bucket"]: row for row in json.loads(out)}
    assert sum(row["drawn"] for row in rows.values()) > 0.9 * SAMPLES
    for row in rows.values():
        assert row["unit"] == unit
        assert row["share"] == pytest.approx(row["planned_share"], abs=0.01)
        assert row["size_share"] == pytest.approx(row["planned_size_share"], abs=0.01)
    if unit == "bytes":
        seen = {b: manifest.weights[b] * number for b, (number, _) in SIZES.items()}
        for bucket, row in rows.items():
            wanted = seen[bucket] / sum(seen.values())
            assert row["share"] == pytest.approx(wanted, abs=0.01)


LIBRARIES = {
    "datasets": "datasets",
    "streaming": "streaming",
    "energon": "megatron.energon",
    "data-juicer": "data_juicer",
}
TOKEN_LIBRARIES = {"megatron": "megatron.core", "olmo-core": "olmo_core"}


@pytest.mark.slow
@pytest.mark.parametrize("trainer", LIBRARIES)
def test_documents_are_drawn_as_planned(manifest: Manifest, tmp_path: Path, trainer: str) -> None:
    if not here(LIBRARIES[trainer]):
        pytest.skip(f"{LIBRARIES[trainer]} is not installed: see docs/trainers.md")
    spread(manifest, tmp_path / "out", times=27)
    call("export", str(manifest.folder), "--to", trainer, "--out", str(tmp_path / "d"))
    check_drawn(manifest, trainer, "bytes")


@pytest.mark.slow
@pytest.mark.parametrize("trainer", TOKEN_LIBRARIES)
def test_tokens_are_drawn_as_planned(manifest: Manifest, tmp_path: Path, trainer: str) -> None:
    if not here(TOKEN_LIBRARIES[trainer]):
        pytest.skip(f"{TOKEN_LIBRARIES[trainer]} is not installed: see docs/trainers.md")
    spread(manifest, tmp_path / "out", words=22)
    train_tokenizer(tmp_path / "tokenizer.json")
    arguments = ("--tokenize", str(tmp_path / "tokenizer.json"), "--workers", "2")
    folder = str(manifest.folder)
    call("export", folder, "--to", trainer, "--out", str(tmp_path / "d"), *arguments)
    check_drawn(manifest, trainer, "tokens")


@pytest.mark.slow
def test_dolma_s_mixer_reads_documents_and_attributes(manifest: Manifest, tmp_path: Path) -> None:
    if shutil.which("dolma") is None:
        pytest.skip("no program `dolma` on PATH: it needs an environment of its own")
    spread(manifest, tmp_path / "out", "realised", times=27)
    call("export", str(manifest.folder), "--to", "dolma", "--out", str(tmp_path / "d"))
    check_drawn(manifest, "dolma", "bytes")


def examples() -> dict[str, str]:
    """Return the export of each example of the documentation, by trainer."""
    page = Path(__file__).resolve().parents[1] / "docs" / "trainers.md"
    lines = re.findall(r"^\$ narrascope (manifest export M .*)$", page.read_text("utf-8"), re.M)
    return {line.split()[4]: line for line in lines if "TRAINER" not in line}


def test_each_trainer_has_an_example() -> None:
    assert examples().keys() == EXPORTERS.keys()


@pytest.mark.parametrize("trainer", examples())
def test_the_example_works_as_pasted(manifest: Manifest, tmp_path: Path, trainer: str) -> None:
    if trainer == "streaming" and not here("streaming"):
        pytest.skip("streaming is not installed: see docs/trainers.md")
    spread(manifest, tmp_path / "REALISED", "realised")
    spread(manifest, tmp_path / "OUT")
    train_tokenizer(tmp_path / "tokenizer.json")
    manifest.folder.rename(tmp_path / "M")
    done = subprocess.run(
        [NARRASCOPE, *examples()[trainer].split()],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (told,) = (tmp_path / "D").glob("*/mixture.json")
    assert orjson.loads(told.read_bytes())["trainer"] == trainer


def test_a_share_that_is_off_is_told(manifest: Manifest, tmp_path: Path) -> None:
    def biased(mixture: object, folder: Path, samples: int) -> Drawn:
        return Drawn(np.arange(samples) % 3, np.ones(samples, np.int64), "bytes")

    spread(manifest, tmp_path / "out")
    export(manifest, to="datasets", out=tmp_path / "d")
    SAMPLERS["datasets"], kept = biased, SAMPLERS["datasets"]
    try:
        found = sample(manifest, trainer="datasets", samples=3000)
    finally:
        SAMPLERS["datasets"] = kept
    assert "datasets draws dark: share of samples 0.3333, 0.0541 planned" in found.failures


def test_sampling_needs_a_trainer_that_draws_and_an_export(
    manifest: Manifest, tmp_path: Path
) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    with pytest.raises(ManifestError, match="'weborganizer' has no library that draws: choose"):
        sample(manifest, trainer="weborganizer", samples=10)
    with pytest.raises(ManifestError, match=r"nothing was exported to 'streaming' yet: run"):
        sample(manifest, trainer="streaming", samples=10)


def test_document_shares_are_of_documents_and_shares_of_what_they_hold(
    manifest: Manifest, tmp_path: Path
) -> None:
    spread(manifest, tmp_path / "out")
    export(manifest, to="datasets", out=tmp_path / "d")
    told = orjson.loads((tmp_path / "d" / "mixture.json").read_bytes())
    assert told["trainer_draws"] == "document"
    numbers = [bucket["number"] for bucket in told["buckets"]]
    assert numbers == pytest.approx([200 / 3700, 500 / 3700, 3000 / 3700])
    config = orjson.loads((tmp_path / "d" / "datasets.json").read_bytes())
    assert config["probabilities"] == numbers
    # `dark` has the longest documents, so its part of the bytes is larger than of the documents.
    assert told["buckets"][0]["share"] > 1.5 * numbers[0]


def test_nanotron_s_stages_start_where_the_ones_before_end(tmp_path: Path) -> None:
    manifest = staged(tmp_path)
    spread(manifest, tmp_path / "out")
    with pytest.raises(ManifestError, match="say with --steps how many"):
        export(manifest, to="nanotron", out=tmp_path / "d")
    with pytest.raises(ManifestError, match="3 steps are too few for stages that end at"):
        export(manifest, to="nanotron", out=tmp_path / "d", steps=3)
    export(manifest, to="nanotron", out=tmp_path / "d", steps=1000)
    stages = yaml.safe_load((tmp_path / "d" / "data_stages.yaml").read_text("utf-8"))
    first, last = stages["data_stages"]
    assert (first["start_training_step"], last["start_training_step"]) == (1, 901)
    assert first["name"] != last["name"]
    datasets = [stage["data"]["dataset"] for stage in (first, last)]
    for dataset in datasets:
        assert len(dataset["dataset_folder"]) == len(dataset["dataset_weights"]) == 3
        assert sum(dataset["dataset_weights"]) == pytest.approx(1)
    assert datasets[1]["dataset_weights"][1] > 2 * datasets[0]["dataset_weights"][1]


@pytest.mark.parametrize(
    ("trainer", "files"),
    [
        ("megatron", ["data_args.stage1.txt", "data_args.stage2.txt"]),
        ("olmo-core", ["source_mixture.stage1.yaml", "source_mixture.stage2.yaml"]),
        ("energon", ["metadataset.stage1.yaml", "metadataset.stage2.yaml"]),
    ],
)
def test_stages_have_a_file_each(tmp_path: Path, trainer: str, files: list[str]) -> None:
    manifest = staged(tmp_path)
    spread(manifest, tmp_path / "out")
    export(manifest, to=trainer, out=tmp_path / "d")
    first, last = ((tmp_path / "d" / name).read_text("utf-8") for name in files)
    assert first != last


def test_olmo_core_s_sources_may_repeat_as_often_as_the_policy_says(
    manifest: Manifest, tmp_path: Path
) -> None:
    spread(manifest, tmp_path / "out")
    export(manifest, to="olmo-core", out=tmp_path / "d")
    found = yaml.safe_load((tmp_path / "d" / "source_mixture.yaml").read_text("utf-8"))["sources"]
    assert [source["source_name"] for source in found] == ["dark", "kind", "rest"]
    assert sum(source["target_ratio"] for source in found) == pytest.approx(1)
    repetitions = [source["max_repetition_ratio"] for source in found]
    assert repetitions == pytest.approx([1, 2.5, 1], abs=0.01)
    assert all(number >= 1 for number in repetitions)


def test_data_juicer_s_weights_come_with_the_number_that_they_need(
    manifest: Manifest, tmp_path: Path
) -> None:
    spread(manifest, tmp_path / "out")
    export(manifest, to="data-juicer", out=tmp_path / "d")
    recipe = yaml.safe_load((tmp_path / "d" / "data_juicer.yaml").read_text("utf-8"))
    assert recipe["dataset"]["max_sample_num"] == 3700
    assert [c["weight"] for c in recipe["dataset"]["configs"]] == pytest.approx(
        [200 / 3700, 500 / 3700, 3000 / 3700]
    )
    assert all(Path(c["path"]).is_dir() for c in recipe["dataset"]["configs"])


def test_data_juicer_refuses_a_bucket_of_two_formats(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    record = orjson.loads((tmp_path / "out" / "reweigh.json").read_bytes())
    entry = next(e for e in record["written"] if e["bucket"] == "rest" and e["path"])
    entry["path"] = "rest/other.jsonl"
    (tmp_path / "out" / "rest" / "other.jsonl").write_bytes(b'{"text": "x"}\n')
    (tmp_path / "out" / "reweigh.json").write_bytes(orjson.dumps(record))
    with pytest.raises(ManifestError, match="bucket 'rest' has shards of Parquet and of JSON"):
        export(manifest, to="data-juicer", out=tmp_path / "d")


@pytest.mark.parametrize("trainer", sorted(set(EXPORTERS) - {"list", "datasets", "dolma"}))
def test_a_weight_of_zero_is_refused(tmp_path: Path, trainer: str) -> None:
    manifest = build(tmp_path, [BUCKETS[0] | {"weight": 0.0}])
    materialise(manifest, tmp_path / "out", "buckets")
    with pytest.raises(ManifestError, match=r"bucket 'dark' has weight 0, .* `action: drop`"):
        export(manifest, to=trainer, out=tmp_path / "d")


def test_a_bucket_without_text_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    record = orjson.loads((tmp_path / "out" / "reweigh.json").read_bytes())
    for entry in record["written"]:
        entry["bytes"] *= entry["bucket"] != "dark"
    (tmp_path / "out" / "reweigh.json").write_bytes(orjson.dumps(record))
    with pytest.raises(ManifestError, match=r"'dark' holds no bytes, which Megatron-LM does not"):
        export(manifest, to="megatron", out=tmp_path / "d")


@pytest.mark.parametrize("trainer", ["nanotron", "olmo-core"])
def test_without_tokens_the_command_that_makes_them_is_named(
    manifest: Manifest, tmp_path: Path, trainer: str
) -> None:
    spread(manifest, tmp_path / "out")
    train_tokenizer(tmp_path / "tokenizer.json")
    notes = export(manifest, to=trainer, out=tmp_path / "d")
    (command,) = (note for note in notes if note.startswith("no tokens yet: run `narrascope "))
    words = command.split("`")[1].replace("TOKENIZER_FILE", str(tmp_path / "tokenizer.json"))
    call(*words.split()[2:])
    assert (tmp_path / "d" / "tokens" / "tokens.json").is_file()


def test_dolma_refuses_weights_that_its_mixer_would_lose(
    manifest: Manifest, tmp_path: Path
) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    with pytest.raises(ManifestError, match=r"has no weights, .* --mode realised"):
        export(manifest, to="dolma", out=tmp_path / "d")
    materialise(manifest, tmp_path / "realised", "realised")
    with pytest.raises(ManifestError, match="by the folder `documents`"):
        export(manifest, to="dolma", out=tmp_path / "documents" / "d")


def test_dolma_s_attributes_stand_line_by_line_beside_the_documents(
    manifest: Manifest, tmp_path: Path
) -> None:
    materialise(manifest, tmp_path / "out", "realised")
    export(manifest, to="dolma", out=tmp_path / "d")
    pairs = sorted((tmp_path / "d" / "documents").rglob("*.gz"))
    assert pairs
    for path in pairs:
        beside = Path(str(path).replace("/documents/", "/attributes/narrascope/"))
        ids = [
            [orjson.loads(line)["id"] for line in gzip.decompress(found.read_bytes()).splitlines()]
            for found in (path, beside)
        ]
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == len(ids[0])


def test_weborganizer_s_arrays_are_aligned_with_its_documents(
    manifest: Manifest, tmp_path: Path
) -> None:
    spread(manifest, tmp_path / "out")
    notes = export(manifest, to="weborganizer", out=tmp_path / "d")
    names = sorted(path.name for path in (tmp_path / "d" / "documents").iterdir())
    assert len(names) == 6
    sizes = np.zeros(3)
    for name in names:
        packed = (tmp_path / "d" / "documents" / name).read_bytes()
        lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines()
        array = name.replace(".jsonl.zst", ".npy")
        tokens = np.load(tmp_path / "d" / "tokens" / array)
        domains = np.load(tmp_path / "d" / "domains_narrascope" / array)
        assert tokens.tolist() == [len(orjson.loads(line)["text"]) for line in lines]
        assert len(set(domains.tolist())) == 1
        assert len(np.load(tmp_path / "d" / "scores_malevolent" / array)) == len(lines)
        sizes[domains[0]] += tokens.sum()
    distribution = orjson.loads((tmp_path / "d" / "ref_distribution.json").read_bytes())
    seen = sizes * [0.5, 2.5, 1.0]
    assert [entry["weight"] for entry in distribution] == pytest.approx(seen / seen.sum())
    assert f"--num_tokens {round(seen.sum())}" in notes[0]


def test_energon_s_metadataset_names_splits_and_lines(manifest: Manifest, tmp_path: Path) -> None:
    spread(manifest, tmp_path / "out")
    notes = export(manifest, to="energon", out=tmp_path / "d")
    for name, kind, key, wanted in (
        ("metadataset.yaml", "blend", "weight", [200 / 3700, 500 / 3700, 3000 / 3700]),
        ("metadataset_epochized.yaml", "blend_epochized", "repetitions", [0.5, 2.5, 1.0]),
    ):
        found = yaml.safe_load((tmp_path / "d" / name).read_text("utf-8"))
        assert found["__class__"] == "MetadatasetV2"
        parts = found["splits"]["train"][kind]
        assert [part[key] for part in parts] == pytest.approx(wanted)
        for part, (number, _) in zip(parts, SIZES.values(), strict=True):
            lines = (tmp_path / "d" / part["path"]).read_bytes().splitlines()
            assert len(lines) == number
    indexed = here("megatron.energon")
    assert any("energon prepare" in note for note in notes) != indexed


def test_streaming_needs_its_library_to_write_shards(manifest: Manifest, tmp_path: Path) -> None:
    if here("streaming"):
        pytest.skip("streaming is installed")
    materialise(manifest, tmp_path / "out", "buckets")
    with pytest.raises(ManifestError, match=r"install mosaicml-streaming, as docs/trainers"):
        export(manifest, to="streaming", out=tmp_path / "d")
