"""How far a scan is: true to its receipts, moving within a part, and never in the scan's way."""

import json
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from narrascope import terminal
from narrascope.pipelines import meter as meters
from narrascope.pipelines.gated import GatedReader
from narrascope.pipelines.meter import Meter
from narrascope.pipelines.parts import list_corpus, plan_parts
from narrascope.pipelines.progress import (
    Counted,
    Planned,
    Progress,
    begin_progress,
    publish_progress,
    read_progress,
)
from narrascope.store.folder import TagFolder
from narrascope.tests.corpora import documents, write
from narrascope.tests.inline import OPTIONS, scan_inline

PLANNED = Planned(parts=4, work=1000.0, began=100.0)
HALFWAY = Progress(
    PLANNED, updated=160.0, parts_done=1, parts_failed=1,
    counted=Counted(documents=500, bytes=120_000_000, candidates=10, work=600.0),
)  # fmt: skip


def status(tags: Path) -> dict[str, float | str]:
    return json.loads((tags / "progress" / "status.json").read_text())


def test_time_left_is_judged_by_the_work_done_so_far() -> None:
    assert HALFWAY.share == 0.6
    assert HALFWAY.seconds_left == pytest.approx(40)
    assert HALFWAY.bytes_per_second == 2e6
    assert HALFWAY.candidate_share == 0.02
    assert Progress(PLANNED, updated=101.0).seconds_left is None
    assert Progress(PLANNED, updated=160.0, parts_done=3, parts_failed=1).seconds_left == 0


def test_a_line_says_parts_documents_speed_candidates_and_time_left() -> None:
    assert terminal.scan_line(HALFWAY) == (
        "2 of 4 parts (1 set aside), 500 documents, 2.0 MB/s, 2.00% candidates, 0:00:40 left"
    )


def test_away_from_a_terminal_a_line_is_printed_once_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("narrascope.terminal.time.monotonic", lambda: now)
    with terminal.scan_progress() as tell:
        for now in range(0, 150):  # noqa: B007
            tell(HALFWAY)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("scanning: 2 of 4 parts")


def test_the_status_file_and_prometheus_agree_with_the_receipts(tmp_path: Path) -> None:
    source, tags = tmp_path / "corpus", tmp_path / "tags"
    write(source / "a.parquet", documents(20))
    write(source / "b.jsonl.gz", documents(12))
    (source / "torn.jsonl.gz").write_bytes((source / "b.jsonl.gz").read_bytes()[:40])
    folder = scan_inline(source, tags, tasks=2)
    told, receipts = status(tags), folder.receipts()
    for column in ("documents", "bytes", "candidates"):
        assert told[column] == sum(receipts[column].to_pylist())
    assert (told["parts"], told["parts_done"], told["parts_failed"]) == (3, 2, 1)
    assert (told["state"], told["share_done"]) == ("done", 1.0)
    exposed = (tags / "progress" / "narrascope.prom").read_text()
    gauges = {
        sample.name.removeprefix("narrascope_scan_"): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }
    assert gauges == {name: value for name, value in told.items() if name != "state"}


def test_it_moves_while_one_large_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrascope.pipelines.batches.BATCH_ROWS", 10)
    monkeypatch.setattr(meters, "_TELL_SECONDS", {True: 0.0})
    monkeypatch.setattr(meters, "STATUS_SECONDS", 0.0)
    folder = TagFolder(str(tmp_path / "tags"))
    parts = plan_parts(list_corpus(str(write(tmp_path / "a.jsonl", documents(100)))), "text")
    planned = Planned.of(parts)
    begin_progress(folder, planned)
    shares, counts = [], []
    for _ in GatedReader(parts, OPTIONS, Meter(folder.url, planned)).run():
        progress = read_progress(folder, planned)
        shares.append(progress.share)
        counts.append(progress.counted.documents)
    assert shares == sorted(shares)
    assert len(set(shares)) >= 9
    assert sorted(set(counts))[:3] == [10, 20, 30]
    assert status(tmp_path / "tags")["state"] == "running"


def test_what_a_killed_task_had_in_hand_is_soon_forgotten(tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    finished = {"documents": 5, "bytes": 50, "candidates": 1, "work": 5.0}
    in_hand = {"documents": 2, "bytes": 20, "candidates": 1, "work": 2.0}
    told = {"parts_done": 1, "parts_failed": 0, "finished": finished, "in_hand": in_hand}

    def documents_at(at: float) -> int:
        folder.write(
            folder.path("progress", "tasks", "0.json"), json.dumps(told | {"at": at}).encode()
        )
        return read_progress(folder, PLANNED).counted.documents

    assert documents_at(time.time()) == 7
    assert documents_at(time.time() - 600) == 5


def test_a_scan_that_ends_early_is_not_called_running(tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    publish_progress(folder, HALFWAY)
    assert status(tmp_path)["state"] == "running"
    stopped = Progress(PLANNED, updated=160.0, is_stopped=True)
    publish_progress(folder, stopped)
    assert status(tmp_path)["state"] == "stopped"


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "progress").write_text("a file where the folder should be")
    (part,) = plan_parts(list_corpus(str(write(tmp_path / "a.jsonl", documents(4)))), "text")
    meter = Meter(str(tmp_path), PLANNED)
    meter.begin_task(0)
    meter.read(part, 4, 400, 3)
    meter.end_part(part, 4, 400, 3)
    meter.end_task()
    assert (tmp_path / "progress").is_file()
