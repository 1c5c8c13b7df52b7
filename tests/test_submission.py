"""What is submitted to Slurm, seen by an sbatch that only notes it; tests/test_slurm.py runs it."""

from pathlib import Path

import orjson
import pytest

from narrascope.cli_cluster import Executor, cluster
from narrascope.errors import ScanError, SettingsError
from narrascope.pipelines.lease import scan_lease
from narrascope.pipelines.slurm import Slurm
from narrascope.store.folder import TagFolder

NOTING = """\
#!/bin/sh
for script; do :; done
echo "$@" >> {notes}
grep '^#SBATCH\\|PATH=' "$script" >> {notes}
echo "Submitted batch job $(grep -c -- --export {notes})"
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sbatch").write_text(NOTING.format(notes=tmp_path / "notes"))
    (programs / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return tmp_path / "notes"


def test_more_tasks_than_an_array_takes_are_arrays_one_after_another(
    notes: Path, tmp_path: Path
) -> None:
    slurm = Slurm(partition="cpu", tasks=2500, workers=300, memory=3, sbatch={"account": "data"})
    with scan_lease(TagFolder(str(tmp_path / "tags"))) as lease:
        slurm.run([], 9000, lease, look=lambda: None)
        assert lease.jobs == ["1", "2", "3", "4"]
    noted = notes.read_text()
    submitted = [line.split() for line in noted.splitlines() if line.startswith("--export")]
    assert [words[1:-1] for words in submitted] == [
        [], ["--dependency=afterany:1"], ["--dependency=afterany:2"], ["--dependency=afterany:3"],
    ]  # fmt: skip
    for line in (
        "--array=0-1000%300", "--account=data", "--partition=cpu", "--mem-per-cpu=3G",
        "--time=24:00:00", "--array=0-0%300",
    ):  # fmt: skip
        assert f"#SBATCH {line}\n" in noted
    assert "--qos" not in noted
    # What datatrove's `failed_logs` and `jobs_status` ask of a folder of logs.
    (said,) = (tmp_path / "tags" / "logs").glob("*/executor.json")
    assert orjson.loads(said.read_bytes())["world_size"] == 2500


def test_setup_takes_the_place_of_this_environment(notes: Path, tmp_path: Path) -> None:
    with scan_lease(TagFolder(str(tmp_path / "tags"))) as lease:
        Slurm(partition="cpu").run([], 1, lease, look=lambda: None)
        assert "PATH=" in notes.read_text()
        notes.unlink()
        Slurm(partition="cpu", setup="module load python").run([], 1, lease, look=lambda: None)
        assert "PATH=" not in notes.read_text()


def test_without_sbatch_it_is_said_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        scan_lease(TagFolder(str(tmp_path / "tags"))) as lease,
        pytest.raises(ScanError, match="no sbatch: run the command where"),
    ):
        Slurm(partition="cpu").run([], 1, lease, look=lambda: None)


def test_an_option_that_an_executor_does_not_know_is_refused() -> None:
    with pytest.raises(SettingsError, match="--executor local takes no --partition, --wait"):
        cluster(Executor.local, None, partition="cpu", tasks=None, wait=True)
    with pytest.raises(SettingsError, match="--executor ray takes no --time"):
        cluster(Executor.ray, 4, time="1:00:00", tasks=9)
    with pytest.raises(SettingsError, match="--executor slurm needs a --partition"):
        cluster(Executor.slurm, 4, partition=None)
    described = cluster(Executor.slurm, 4, partition="cpu", sbatch=["--qos=low", "exclusive"])
    assert described == Slurm(partition="cpu", workers=4, sbatch={"qos": "low", "exclusive": ""})
