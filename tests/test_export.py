"""An export applies each weight once, and says what its numbers mean."""

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrascope.errors import ManifestError
from narrascope.manifests.assign import Mode
from narrascope.manifests.export import EXPORTERS, export
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.mixture import mix
from narrascope.manifests.reweighed import Reweighed, Written, load_reweighed, save_reweighed
from narrascope.tests.materialised import BUCKETS, build, materialise


def record(
    manifest: Manifest, out: Path, mode: Mode, sizes: dict[str, int], *, tokens: bool = False
) -> Reweighed:
    """Write one file of ten-byte documents for each bucket."""
    written = []
    for bucket, number in sizes.items():
        path = f"{bucket}/a.0.parquet"
        (out / bucket).mkdir(parents=True, exist_ok=True)
        texts = [f"{bucket[:4]}{n:06d}" for n in range(number)]
        pq.write_table(pa.table({"text": texts}), out / path)
        written.append(
            Written(
                shard="a", first_row=0, end_row=9, bucket=bucket, matched=number,
                documents=number, bytes=10 * number, tokens=3 * number if tokens else None,
                path=path,
            )
        )  # fmt: skip
    found = Reweighed(manifest=manifest.id, mode=mode, source="/c", written=tuple(written),
                      folder=out)  # fmt: skip
    save_reweighed(found, manifest)
    return found


def test_in_mode_buckets_the_share_is_weight_times_size(manifest: Manifest, tmp_path: Path) -> None:
    found = record(manifest, tmp_path / "out", "buckets", {"dark": 10, "kind": 10, "rest": 70})
    mixture = mix(manifest, found)
    assert {i.name: i.share for i in mixture.ingredients} == {
        "dark": pytest.approx(5 / 100), "kind": pytest.approx(25 / 100), "rest": pytest.approx(0.7)
    }  # fmt: skip
    assert (mixture.unit, mixture.left_out) == ("bytes", ("forum",))


def test_in_mode_realised_the_weight_is_not_applied_again(
    manifest: Manifest, tmp_path: Path
) -> None:
    found = record(manifest, tmp_path / "out", "realised", {"dark": 5, "kind": 25, "rest": 70})
    mixture = mix(manifest, found)
    assert [i.share for i in mixture.ingredients] == pytest.approx([0.05, 0.25, 0.7])
    assert [i.passes for i in mixture.ingredients] == [1, 1, 1]


def test_shares_are_of_tokens_where_they_are_known(manifest: Manifest, tmp_path: Path) -> None:
    sizes = {"dark": 1, "rest": 1}
    assert mix(manifest, record(manifest, tmp_path, "buckets", sizes, tokens=True)).unit == "tokens"


def test_list_writes_paths_with_their_buckets_shares(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    notes = export(manifest, to="list", out=tmp_path / "d")
    assert notes == ["without files, so left out: forum"]
    with (tmp_path / "d" / "shards.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(Path(row["path"]).is_file() for row in rows)
    assert {row["bucket"]: float(row["passes"]) for row in rows} == {
        "dark": 0.5, "kind": 2.5, "rest": 1.0
    }  # fmt: skip
    shares = (tmp_path / "d" / "shares.txt").read_text("utf-8").split()
    assert shares[1::2] == ["dark", "kind", "rest"]
    assert sum(map(float, shares[::2])) == pytest.approx(1)
    listed = orjson.loads((tmp_path / "d" / "shards.json").read_bytes())
    assert [len(bucket["files"]) for bucket in listed["buckets"]] == [2, 1, 3]
    assert (tmp_path / "d" / "kind.txt").read_text("utf-8").count("\n") == 1


@pytest.mark.parametrize("to", EXPORTERS)
@pytest.mark.filterwarnings("ignore")  # of the trainers' libraries, as they load
def test_every_export_says_what_its_numbers_mean(
    manifest: Manifest, tmp_path: Path, to: str
) -> None:
    if to == "streaming":
        pytest.importorskip("streaming")
    materialise(manifest, tmp_path / "out", "realised")
    export(manifest, to=to, out=tmp_path / to)
    told = orjson.loads((tmp_path / to / "mixture.json").read_bytes())
    assert (told["mode"], told["trainer"], told["unit"]) == ("realised", to, "bytes")
    assert told["number_means"]
    assert told["trainer_draws"] in ("sample", "document")
    assert set(told["buckets"][0]) - {"name", "bytes", "tokens"} == set(told["meaning"])


def test_megatron_reads_shares_and_prefixes_in_turn(manifest: Manifest, tmp_path: Path) -> None:
    record(manifest, tmp_path / "out", "buckets", {"dark": 10, "kind": 100, "rest": 745})
    export(manifest, to="megatron", out=tmp_path / "d")
    words = (tmp_path / "d" / "data_args.txt").read_text("utf-8").split()
    assert [float(w) for w in words[::2]] == pytest.approx([0.005, 0.25, 0.745])
    prefixes = [str(tmp_path / "d" / f"{b}_text_document") for b in ("dark", "kind", "rest")]
    assert words[1::2] == prefixes
    splits = orjson.loads((tmp_path / "d" / "per_split.json").read_bytes())
    assert list(splits) == ["train", "valid", "test"]
    assert splits["train"] == words
    assert [Path(p).name for p in splits["valid"][1::2]] == [
        "kind.valid_text_document", "rest.valid_text_document"
    ]  # fmt: skip
    assert sum(float(w) for w in splits["test"][::2]) == pytest.approx(1)


def test_megatrons_splits_share_no_document_and_lose_none(
    manifest: Manifest, tmp_path: Path
) -> None:
    record(manifest, tmp_path / "out", "buckets", {"dark": 10, "rest": 400})
    export(manifest, to="megatron", out=tmp_path / "d")
    with duckdb.connect() as connection:
        connection.execute((tmp_path / "d" / "jsonl.sql").read_text("utf-8"))
    texts = {
        path.name: [orjson.loads(line)["text"] for line in path.read_bytes().splitlines()]
        for path in (tmp_path / "d").glob("*.jsonl")
    }
    assert len(texts["dark.jsonl"]) == 10
    rest = [texts[f"rest{split}.jsonl"] for split in ("", ".valid", ".test")]
    assert len(set().union(*rest)) == sum(map(len, rest)) == 400
    assert rest[1]
    assert rest[2]


def test_megatrons_commands_are_valid_shell_and_name_the_prefixes(
    manifest: Manifest, tmp_path: Path
) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    notes = export(manifest, to="megatron", out=tmp_path / "d")
    assert "no per_split.json" in notes[0]
    script = tmp_path / "d" / "tokenise.sh"
    subprocess.run(["bash", "-n", script], check=True)
    assert f"--output-prefix {tmp_path / 'd' / 'kind'} " in script.read_text("utf-8")


def test_texts_of_parquet_and_of_packed_json_lines_are_tokenised_alike(
    manifest: Manifest, tmp_path: Path
) -> None:
    found = record(manifest, tmp_path / "out", "buckets", {"rest": 2})
    with gzip.open(tmp_path / "out" / "rest" / "b.0.jsonl.gz", "wb") as file:
        file.write(b'{"id": "x", "text": "third"}\n{"id": "y", "text": ""}\n')
    more = found.written[0].model_copy(update={"shard": "b", "path": "rest/b.0.jsonl.gz"})
    save_reweighed(found.model_copy(update={"written": (*found.written, more)}), manifest)
    export(manifest, to="megatron", out=tmp_path / "d")
    code = "import duckdb, sys; duckdb.connect().execute(open(sys.argv[1]).read())"
    subprocess.run([sys.executable, "-c", code, tmp_path / "d" / "jsonl.sql"], check=True)
    lines = (tmp_path / "d" / "rest.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["text"] for line in lines] == ["rest000000", "rest000001", "third"]


def test_megatron_refuses_white_space_in_paths(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    with pytest.raises(ManifestError, match="splits its arguments on white space"):
        export(manifest, to="megatron", out=tmp_path / "my exports")


def test_megatron_refuses_a_weight_of_zero(tmp_path: Path) -> None:
    manifest = build(tmp_path, [BUCKETS[0] | {"weight": 0.0}])
    materialise(manifest, tmp_path / "out", "buckets")
    with pytest.raises(ManifestError, match=r"bucket 'dark' has weight 0, .* `action: drop`"):
        export(manifest, to="megatron", out=tmp_path / "d")


def test_an_unknown_trainer_is_refused_with_the_choices(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no exporter 'megatro': choose from list, megatron"):
        export(manifest, to="megatro", out=tmp_path / "d")


def test_the_newest_reweighing_is_exported_unless_another_is_named(
    manifest: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(ManifestError, match="nothing was reweighed by"):
        load_reweighed(manifest)
    first = materialise(manifest, tmp_path / "one", "buckets")
    second = materialise(manifest, tmp_path / "two", "realised")
    assert load_reweighed(manifest) == second
    assert load_reweighed(manifest, tmp_path / "one") == first
    with pytest.raises(ManifestError, match="does not tell what was reweighed"):
        load_reweighed(manifest, tmp_path / "three")


def test_what_another_manifest_reweighed_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    materialise(manifest, tmp_path / "out", "buckets")
    other = build(tmp_path / "other", BUCKETS[:1])
    with pytest.raises(ManifestError, match=f"was reweighed by manifest {manifest.id}, not by"):
        load_reweighed(other, tmp_path / "out")
