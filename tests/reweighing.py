"""A corpus with its manifest, and what reweighing it wrote, to compare two runs by."""

import shutil
import sys
from pathlib import Path

from narrascope.manifests.build import build_manifest
from narrascope.manifests.policy_file import load_policy
from narrascope.pipelines.scan import scan
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, write

POLICY = """\
version: 1
seed: 17
unit: bytes
buckets:
  - {name: dark, where: "malevolent >= 0.5", weight: 0.25}
  - {name: kind, where: "benevolent >= 0.5", weight: 2.5}
  - {name: notes, where: "source == 'notes' and month >= '2024-06'", action: drop}
rest: {name: rest, weight: 1.0, max_repetition: 1.5}
keep_total: true
"""


def with_manifest(folder: Path, policy: str = POLICY) -> Path:
    """Write `corpus`, scan it into `tags` and build `manifest`, all in one folder."""
    write(folder / "corpus" / "a.parquet", documents(120))
    write(folder / "corpus" / "sub" / "b.jsonl.gz", documents(61))
    write(folder / "corpus" / "c.jsonl", documents(30))
    scan(str(folder / "corpus"), str(folder / "tags"))
    build(folder, policy, "manifest")
    return folder


def build(folder: Path, policy: str, name: str) -> Path:
    """Build another manifest of a folder's tags."""
    (folder / f"{name}.yaml").write_text(policy)
    tags = TagFolder(str(folder / "tags"))
    with open_catalogue(tags) as catalogue:
        loaded = load_policy(folder / f"{name}.yaml")
        build_manifest(tags, catalogue, loaded, out=folder / name)
    return folder / name


def contents(out: Path) -> dict[str, bytes]:
    """Return what stands beside the record by its path: what a trainer may read."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.relative_to(out).parts[0] != ".reweigh"
    }


def command(manifest: Path, source: Path, out: Path, *more: str) -> list[str]:
    """Return the command of a reweighing."""
    narrascope = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert narrascope, "install the package first: make test does"
    return [narrascope, "reweigh", str(manifest), "--source", str(source), "--out", str(out), *more]
