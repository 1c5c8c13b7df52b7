"""Trainers that no package index has, through checkouts that the environment names."""

import os
import shlex
import subprocess
from pathlib import Path

import numpy as np
import orjson
import pytest
import yaml

from narrascope.errors import ManifestError
from narrascope.manifests.export import export
from narrascope.manifests.manifest import Manifest
from narrascope.pipelines.tokenise import tokenise
from narrascope.tests.materialised import build
from narrascope.tests.trainers import SAMPLES, SIZES, spread, staged, train_tokenizer


def program(variable: str, what: str) -> list[str]:
    """Return the program that an environment variable names, or skip."""
    if variable not in os.environ:
        pytest.skip(f"{variable} does not name {what}: see docs/trainers.md")
    return shlex.split(os.environ[variable])


def run(*words: str, cwd: Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("stages", [1, 2])
def test_nanotron_draws_each_stage_as_planned(tmp_path: Path, stages: int) -> None:
    python = program("NARRASCOPE_NANOTRON", "a Python that can import nanotron")
    manifest = build(tmp_path) if stages == 1 else staged(tmp_path)
    spread(manifest, tmp_path / "out", words=22 if stages == 1 else 5)
    train_tokenizer(tmp_path / "tokenizer.json")
    out = tmp_path / "d"
    tokenise(manifest, out, tokenizer=tmp_path / "tokenizer.json", kind="ds")
    export(manifest, to="nanotron", out=out, steps=1000)
    reader = str(Path(__file__).with_name("nanotron_reader.py"))
    samples = SAMPLES if stages == 1 else 20_000
    told = run(*python, reader, str(out / "data_stages.yaml"), str(samples), cwd=tmp_path)
    found = orjson.loads(told.splitlines()[-1])
    numbers = [b["number"] for b in orjson.loads((out / "mixture.json").read_bytes())["buckets"]]
    assert len(found) == stages
    for place, stage in enumerate(found):
        planned = [n if stages == 1 else n[place] for n in numbers]
        assert sum(stage["drawn"]) == samples
        for key in ("drawn", "tokens"):
            shares = np.array(stage[key]) / sum(stage[key])
            assert shares == pytest.approx(np.array(planned), abs=0.01)


def test_nanotron_is_given_the_tokenizer_that_made_the_tokens(
    manifest: Manifest, tmp_path: Path
) -> None:
    spread(manifest, tmp_path / "out")
    tokenizer = tmp_path / "tokenizer.json"
    train_tokenizer(tokenizer)
    out = tmp_path / "d"
    record = tokenise(manifest, out, tokenizer=tokenizer, kind="ds")
    export(manifest, to="nanotron", out=out)
    stages = yaml.safe_load((out / "data_stages.yaml").read_text("utf-8"))["data_stages"]
    dataset = stages[0]["data"]["dataset"]
    folder = Path(dataset["tokenizer_name"])
    assert (folder / "tokenizer.json").read_bytes() == tokenizer.read_bytes()
    settings = orjson.loads((folder / "tokenizer_config.json").read_bytes())
    assert settings["eos_token"] == record.end
    assert (dataset["vocab_size"], dataset["token_size_in_bytes"]) == (600, 2)
    tokenizer.write_text("{}", "utf-8")
    export(manifest, to="nanotron", out=out)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ManifestError, match="is not the tokenizer that made these tokens: export"):
        export(manifest, to="nanotron", out=out)


def test_nanotron_s_reader_is_one_that_repeats_where_a_bucket_is_repeated(
    manifest: Manifest, tmp_path: Path
) -> None:
    for mode, repeats in (("buckets", True), ("realised", False)):
        spread(manifest, tmp_path / mode, mode)  # pyright: ignore[reportArgumentType]
        notes = export(manifest, to="nanotron", out=tmp_path / f"d-{mode}")
        stages = yaml.safe_load((tmp_path / f"d-{mode}" / "data_stages.yaml").read_text("utf-8"))
        dataset = stages["data_stages"][0]["data"]["dataset"]
        assert dataset.get("use_old_brrr_dataloader", False) == repeats
        assert any("more than once" in note for note in notes) == repeats


def test_nanotron_refuses_folders_that_it_takes_for_patterns(
    manifest: Manifest, tmp_path: Path
) -> None:
    spread(manifest, tmp_path / "out")
    with pytest.raises(ManifestError, match=r"for a pattern: choose a folder without"):
        export(manifest, to="nanotron", out=tmp_path / "d[1]")


@pytest.mark.slow
def test_weborganizer_s_script_selects_what_is_planned(manifest: Manifest, tmp_path: Path) -> None:
    script = program("NARRASCOPE_WEBORGANIZER", "a Python and its select_training_data.py")
    spread(manifest, tmp_path / "out", times=27)
    notes = export(manifest, to="weborganizer", out=tmp_path / "d")
    command = next(note for note in notes if note.startswith("run `"))[5:-1]
    run(*script, *shlex.split(command)[2:], cwd=tmp_path)
    sizes, seen = dict.fromkeys(SIZES, 0), dict.fromkeys(SIZES, 0)
    for path in sorted((tmp_path / "SELECTED" / "indices").iterdir()):
        rows = np.load(path)
        bucket = path.name.split("_")[0]
        sizes[bucket] += np.load(tmp_path / "d" / "tokens" / path.name)[rows].sum()
        seen[bucket] += len(rows)
    planned = orjson.loads((tmp_path / "d" / "mixture.json").read_bytes())["buckets"]
    for bucket in planned:
        name = bucket["name"]
        assert sizes[name] / sum(sizes.values()) == pytest.approx(bucket["number"], abs=0.01)
        assert seen[name] / bucket["documents"] == pytest.approx(bucket["passes"], abs=0.01)
    assert sum(seen.values()) == pytest.approx(99_900, rel=0.01)
