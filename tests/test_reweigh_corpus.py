"""The whole shared corpus reweighed: counts as planned, rows as they were, bytes the same again."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from narrascope.manifests.assign import MODES, Mode
from narrascope.manifests.manifest import load_manifest
from narrascope.manifests.verify import verify
from narrascope.pipelines.reweigh import reweigh
from narrascope.pipelines.scan import scan
from narrascope.tests.reweighing import build, contents

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "parquet"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"needs {CORPUS}"),
]

POLICY = """\
version: 1
seed: 17
unit: bytes
buckets:
  - {name: dark, where: "malevolent >= 0.8 and malevolent_stance != 'refuted'", weight: 0.25}
  - {name: masked, where: "self_preserving >= 0.5", action: mask_spans}
  - {name: kind, where: "benevolent >= 0.7", weight: 2.5, max_repetition: 4}
  - {name: reviews, where: "source == 'imdb-reviews' and bytes > 1000", action: drop}
rest: {name: rest, weight: 1.0, max_repetition: 1}
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    scan(str(CORPUS), str(folder / "tags"), workers=2)
    return build(folder, POLICY, "manifest")


@pytest.mark.parametrize("mode", MODES)
def test_each_kept_row_is_the_original_and_counts_are_the_plan_s(
    manifest: Path, tmp_path: Path, mode: Mode
) -> None:
    record = reweigh(manifest, str(CORPUS), tmp_path / "one", mode=mode)
    loaded = load_manifest(manifest)
    found = verify(loaded, data=tmp_path / "one")
    assert not found.failures
    for entry in record.written:
        weight = loaded.weights[entry.bucket] if mode == "realised" else entry.bucket != "reviews"
        assert abs(entry.documents - entry.matched * weight) < 1
    for shard in sorted(CORPUS.glob("*.parquet")):
        original = pq.read_table(shard)
        kept = []
        for path in tmp_path.glob(f"one/*/{shard.stem}.0*.parquet"):
            table = pq.read_table(path)
            assert ("mask_spans" in table.column_names) == (path.parent.name == "masked")
            kept.append(table.select(original.column_names))
        rows = pa.concat_tables(kept)
        places = pc.index_in(rows["id"], value_set=original["id"])  # type: ignore[attr-defined]
        assert rows.equals(original.take(places).cast(rows.schema))
        if mode == "buckets":
            assert len(set(places.to_pylist())) == len(rows)
    reweigh(manifest, str(CORPUS), tmp_path / "two", mode=mode, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
