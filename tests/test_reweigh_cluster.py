"""Reweighing on a real Slurm of one node and on Ray: the local run's bytes, and resume."""

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.pipelines.reweigh import reweigh
from narrascope.tests.reweighing import command, contents, with_manifest
from narrascope.tests.slurm_node import in_queue, slurm_node, until

pytestmark = pytest.mark.slow

SLURM = ("--executor", "slurm", "--partition", "main", "--memory", "1", "--time", "00:20:00")


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with slurm_node() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_manifest(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole")
    reweigh(place / "manifest", str(place / "corpus"), out, mode="realised")
    return contents(out)


def run(
    place: Path, out: Path, environment: dict[str, str], *more: str
) -> subprocess.CompletedProcess[str]:
    arguments = command(place / "manifest", place / "corpus", out, "--mode", "realised", *more)
    return subprocess.run(arguments, env=environment, capture_output=True, text=True)


def test_jobs_write_the_local_run_s_bytes_and_let_go(
    place: Path, whole: dict[str, bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    first = run(place, tmp_path, environment, *SLURM, "--tasks", "2")
    assert first.returncode == 0, first.stderr
    assert "submitted as Slurm jobs" in first.stdout
    second = run(place, tmp_path, environment, *SLURM)
    assert second.returncode == 1
    assert "is held by Slurm jobs" in second.stderr
    until(lambda: not in_queue(environment), "the end of the jobs")
    assert contents(tmp_path) == whole
    third = run(place, tmp_path, environment)
    assert third.returncode == 0, third.stderr
    assert contents(tmp_path) == whole


def test_what_failed_on_slurm_is_told_and_the_same_command_goes_on(
    place: Path, whole: dict[str, bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    failed = run(place, tmp_path, environment, *SLURM, "--wait", "--setup", "exit 3")
    assert failed.returncode == 1
    assert "3 of 3 parts are unfinished" in failed.stderr
    assert not (tmp_path / "reweigh.json").exists()
    again = run(place, tmp_path, environment, *SLURM, "--wait")
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path) == whole


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs narrascope[ray]")
def test_ray_writes_the_local_run_s_bytes(
    place: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    environment = {**os.environ, "RAY_ADDRESS": "local", "RAY_USAGE_STATS_ENABLED": "0"}
    ended = run(place, tmp_path, environment, "--executor", "ray", "--memory", "1", "--tasks", "2")
    assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path) == whole
