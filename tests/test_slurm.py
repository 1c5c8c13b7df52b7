"""A scan on a real Slurm of one node: the local run's tags, a catalogue after it, and resume."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from narrascope.pipelines.scan import scan
from narrascope.tests.corpora import documents, write
from narrascope.tests.published import published
from narrascope.tests.slurm_node import in_queue, slurm_node, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with slurm_node() as found:
        yield found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for shard in range(3):
        write(folder / f"{shard}.parquet", documents(8 + shard))
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    tags = str(tmp_path_factory.mktemp("whole"))
    scan(str(source), tags)
    return published(tags)


def submit(
    source: Path, tags: Path, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    narrascope = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    assert narrascope, "install the package first: make test does"
    command = [
        narrascope, "scan", str(source), "--tags", str(tags), "--executor", "slurm",
        "--partition", "main", "--memory", "1", "--time", "00:20:00", *options,
    ]  # fmt: skip
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_jobs_scan_build_the_catalogue_and_let_go(
    source: Path, whole: dict[str, bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    first = submit(source, tmp_path, environment, "--tasks", "2")
    assert first.returncode == 0, first.stderr
    assert "submitted 3 parts" in first.stdout
    assert "squeue --jobs=" in first.stdout
    second = submit(source, tmp_path, environment)
    assert second.returncode == 1
    assert "is held by Slurm jobs" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    until(lambda: not in_queue(environment), "the end of the jobs")
    assert published(str(tmp_path)) == whole
    assert len(list((tmp_path / "catalogue").glob("*.duckdb"))) == 1
    assert len(list((tmp_path / "logs" / "1" / "completions").iterdir())) == 2
    (lease,) = (tmp_path / "lease").glob("*.json")
    assert orjson.loads(lease.read_bytes())["released"]
    third = submit(source, tmp_path, environment)
    assert third.returncode == 0, third.stderr
    assert "0 parts read now" in " ".join(third.stderr.split())


def test_cancelled_jobs_leave_a_scan_that_goes_on_where_it_stopped(
    source: Path, whole: dict[str, bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    assert submit(source, tmp_path, environment, "--tasks", "3", "--workers", "1").returncode == 0

    def receipts() -> dict[Path, int]:
        found = (tmp_path / "receipts").rglob("0.parquet")
        return {path: path.stat().st_mtime_ns for path in found if path.is_file()}

    until(receipts, "a receipt")
    jobs = set(in_queue(environment))
    subprocess.run(["scancel", *jobs], env=environment, check=True)
    until(lambda: not in_queue(environment), "the end of the jobs")
    done = receipts()
    assert 1 <= len(done) < 3
    again = submit(source, tmp_path, environment, "--wait")
    assert again.returncode == 0, again.stderr
    assert f"{len(done)} done before" in " ".join(again.stderr.split())
    assert published(str(tmp_path)) == whole
    assert {path: receipts()[path] for path in done} == done, "a part was read again"


def test_a_task_that_fails_is_told_of_and_the_others_finish(
    source: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    failed = submit(source, tmp_path, environment, "--setup", "exit 3", "--wait")
    assert failed.returncode == 1
    assert "3 of 3 parts are unfinished" in failed.stderr
    assert "goes on" in failed.stderr


def test_what_slurm_refuses_is_said(
    source: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    refused = submit(source, tmp_path, environment, "--sbatch", "constraint=none-has-this")
    assert refused.returncode == 1
    assert "sbatch refused the scan" in refused.stderr.splitlines()[-1]
    assert submit(source, tmp_path, environment, "--wait").returncode == 0
