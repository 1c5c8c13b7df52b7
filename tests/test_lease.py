"""One scan at a time holds a tag folder, whatever machine it is on and whatever happens to it."""

import multiprocessing
import time
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from narrascope.errors import ScanError, TagsError
from narrascope.pipelines import lease as leases
from narrascope.pipelines.lease import Lease, scan_lease
from narrascope.store.folder import TagFolder


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> TagFolder:
    return TagFolder(str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}/tags")


def holder(folder: TagFolder, **told: object) -> Lease:
    """Let another machine hold the folder; returns its lease."""
    other = Lease(folder.url, 1, host="node7", pid=99)
    record = {**other.record(), "machine": "another", **told}
    folder.write(folder.path("lease", "1.json"), orjson.dumps(record))
    return other


def test_one_holds_and_the_next_may_when_it_is_done(folder: TagFolder) -> None:
    with scan_lease(folder) as first:
        first.require()
        with (
            pytest.raises(TagsError, match=r"process \d+ on .* since 20.* UTC"),
            scan_lease(folder),
        ):
            pass
    with scan_lease(folder) as second:
        assert second.number == first.number + 1
    assert len(folder.filesystem.ls(folder.path("lease"))) == 1


def test_a_holder_elsewhere_is_named_with_what_to_do(folder: TagFolder) -> None:
    holder(folder)
    told = r"process 99 on node7 since .*another --tags folder.*in \d+ s, or remove .*lease/1.json"
    with pytest.raises(TagsError, match=told), scan_lease(folder):
        pass


def test_one_that_was_not_heard_of_loses_the_folder_and_stops(folder: TagFolder) -> None:
    lost = holder(folder, heard=time.time() - leases.EXPIRY - 1)
    lost.require()
    with scan_lease(folder) as lease:
        lease.require()
        with pytest.raises(ScanError, match=r"another command took .* over: process"):
            lost.require()


def test_jobs_hold_until_slurm_no_longer_lists_them(
    folder: TagFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    monkeypatch.setenv("PATH", f"{squeue.parent}:/usr/bin:/bin")
    holder(folder, jobs=["12", "13"], heard=0.0)
    for answer, what in (("echo 12", "lists one"), ("exit 1", "cannot be asked")):
        squeue.write_text(f"#!/bin/sh\n{answer}\n")
        squeue.chmod(0o755)
        told = "Slurm jobs 12, 13, submitted on node7 .*squeue --jobs=12,13.*scancel 12 13"
        with pytest.raises(TagsError, match=told), scan_lease(folder):
            pytest.fail(what)
    squeue.write_text(
        "#!/bin/sh\necho 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
    )
    with scan_lease(folder) as lease:
        lease.jobs = ["14"]
    assert orjson.loads(folder.filesystem.cat_file(folder.path("lease", "2.json")))["jobs"] == [
        "14"
    ]


def test_it_gives_signs_of_life(folder: TagFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.01)
    path = folder.path("lease", "1.json")
    with scan_lease(folder):
        began = orjson.loads(folder.filesystem.cat_file(path))["heard"]
        deadline = time.monotonic() + 30
        while orjson.loads(folder.filesystem.cat_file(path))["heard"] == began:
            assert time.monotonic() < deadline


def _try_to_take(
    url: str, go: "multiprocessing.synchronize.Event", won: "multiprocessing.Queue"
) -> None:
    folder = TagFolder(url)
    go.wait()
    won.put(folder.create(folder.path("lease", "1.json"), b"{}"))


def test_of_many_that_begin_at_once_one_holds(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    go, won = context.Event(), context.Queue()
    tries = [context.Process(target=_try_to_take, args=(str(tmp_path), go, won)) for _ in range(4)]
    for process in tries:
        process.start()
    go.set()
    assert sum(won.get(timeout=60) for _ in tries) == 1
    for process in tries:
        process.join(60)
