"""The local executor: a killed worker costs a part, a part that kills costs no other."""

from pathlib import Path

import pytest

from narrascope.errors import ScanError
from narrascope.pipelines.local import run_parts
from narrascope.tests.fragile import Fragile, parts


def run(tmp_path: Path, *names: str, workers: int = 2) -> dict[str, str]:
    """Run fragile parts; return those that were set aside, with the reason."""
    done, aside, told = tmp_path / "done", dict[str, str](), [0]
    done.mkdir()
    run_parts(
        lambda left: [Fragile(left, done)],
        parts(*names),
        workers=workers,
        logging_dir=str(tmp_path / "logs"),
        lease=None,
        settled=lambda: {(path.name, 0) for path in done.iterdir()},
        set_aside=lambda part, reason: aside.update({part.shard.name: reason}),
        progress=told.append,
    )
    assert told == sorted(told)
    assert {p.name for p in done.glob("*[0-9]")} == set(names) - set(aside)
    return aside


def test_a_part_that_kills_its_worker_is_set_aside_and_all_others_are_done(tmp_path: Path) -> None:
    names = ["a1", "kills1", *(f"b{n}" for n in range(8)), "kills2", "c1"]
    aside = run(tmp_path, *names)
    assert sorted(aside) == ["kills1", "kills2"]
    assert "was killed 2 times while nothing else was read" in aside["kills1"]


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "once1", "a1", "once2", "b1", "b2", workers=1) == {}


def test_a_killed_worker_is_noticed_while_no_other_ends(tmp_path: Path) -> None:
    assert run(tmp_path, "stalls1", "once1") == {}


def test_a_machine_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"killed 5 times.*use fewer --workers"):
        run(tmp_path, *(f"kills{n}" for n in range(12)))


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"no room to write /mnt/tags .*run the same command again"):
        run(tmp_path, "a1", "full1", "b1")
