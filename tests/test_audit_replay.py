"""Audits replayed on real passages whose labels are known hold the truth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_intervals_hold_the_truth_of_a_population_that_was_scanned(
    shared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "replay.json"
    script = ROOT / "benchmarks" / "replay.py"
    asked = ("--shared", shared, "--documents", 6000, "--draws", 100, "--out", out)
    done = subprocess.run(
        [sys.executable, script, *map(str, asked)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for row in json.loads(out.read_text()):
        assert row["coverage"] >= 0.88, row
        assert row["relative_rmse"] <= row["relative_rmse_simple_random"], row
        # What the command line finds, files included.
        held = [low <= row["truth"] <= high for low, _, high in row["whole_loop"]]
        assert sum(held) >= len(held) - 1, row
