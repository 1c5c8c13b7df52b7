"""What two manifests decide differently."""

from pathlib import Path

from narrascope.manifests.diff import diff
from narrascope.manifests.manifest import Manifest
from narrascope.store.folder import TagFolder
from narrascope.tests.materialised import BUCKETS, build
from narrascope.tests.tag_folder import NOVELS, PARTS, publish_part


def test_a_manifest_and_itself_decide_alike(tmp_path: Path) -> None:
    manifest = build(tmp_path)
    assert diff(manifest, manifest) == []


def test_other_weights_and_buckets_are_told(tmp_path: Path) -> None:
    lighter = [{**BUCKETS[0], "where": "malevolent > 0.8", "weight": 0.25}, *BUCKETS[1:]]
    rows = diff(build(tmp_path / "a"), _moved(build(tmp_path / "b", lighter), tmp_path))
    told = [(row["what"], row["name"], row["a"], row["b"]) for row in rows]
    assert ("weight", "dark", 0.5, 0.25) in told
    assert ("documents", "dark", 2, 1) in told
    assert ("documents", "forum", 3, 4) in told
    assert ("placed", "1 documents", "dark", "by rule") in told
    assert ("part", f"{NOVELS} at row 0") not in [entry[:2] for entry in told]


def test_parts_that_one_lacks_are_told(tmp_path: Path) -> None:
    a = build(tmp_path / "a")
    counts = PARTS[0][4]
    folder = TagFolder(str(tmp_path / "b" / "tags"))
    publish_part(folder, "novels/b.parquet", 0, 6, [], counts)
    rows = diff(a, build(tmp_path / "b"))
    assert {"what": "part", "name": "novels/b.parquet at row 0", "a": None, "b": "i"} in rows


def _moved(manifest: Manifest, tmp_path: Path) -> Manifest:
    return manifest.model_copy(update={"tags": str(tmp_path / "a" / "tags")})
