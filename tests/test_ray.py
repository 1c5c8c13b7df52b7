"""A scan on a real Ray, started by the command and ended with it: the local run's tags."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrascope.pipelines.scan import scan
from narrascope.tests.corpora import documents, write
from narrascope.tests.published import published

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs the extra narrascope[ray]"
    ),
]


def run(source: Path, tags: Path) -> subprocess.CompletedProcess[str]:
    narrascope = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert narrascope, "install the package first: make test does"
    command = [
        narrascope, "scan", str(source), "--tags", str(tags), "--executor", "ray", "--memory", "1",
        "--tasks", "2",
    ]  # fmt: skip
    environment = {**os.environ, "RAY_ADDRESS": "local", "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_ray_writes_the_local_run_s_tags_and_goes_on(tmp_path: Path) -> None:
    source, tags = tmp_path / "corpus", tmp_path / "tags"
    for shard in range(3):
        write(source / f"{shard}.jsonl.gz", documents(8 + shard))
    first = run(source, tags)
    assert first.returncode == 0, first.stderr
    assert "3 parts read now" in " ".join(first.stderr.split())
    assert len(list((tags / "logs" / "1" / "completions").iterdir())) == 2
    assert list((tags / "catalogue").glob("*.duckdb"))
    scan(str(source), str(tmp_path / "local"))
    assert published(str(tags)) == published(str(tmp_path / "local"))
    (tags / "receipts" / "1.jsonl.gz" / "0.parquet").unlink()
    again = run(source, tags)
    assert again.returncode == 0, again.stderr
    assert "1 parts read now" in " ".join(again.stderr.split())
    assert published(str(tags)) == published(str(tmp_path / "local"))
