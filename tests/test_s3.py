"""Source, tags and logs in an object store: the same scan, and the same answers from it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from narrascope.api.app import create_app
from narrascope.errors import SettingsError, SourceError, TagsError
from narrascope.labels.taxonomy import LABELS
from narrascope.manifests.manifest import load_manifest
from narrascope.pipelines.lease import scan_lease
from narrascope.pipelines.scan import scan
from narrascope.store.audit_name import held_name
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.store.prevalence import prevalence
from narrascope.tests.corpora import documents, write
from narrascope.tests.published import published

pytest.importorskip("s3fs", reason="needs the extra narrascope[s3]")
servers = pytest.importorskip("moto.server", reason="needs moto[server]")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket on a server of this test's own, which boto finds by the environment."""
    server = servers.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("corpora")
        yield "s3://corpora"
    server.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where catalogues of remote folders are kept."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def corpus(folder: Path) -> Path:
    write(folder / "en" / "a.parquet", documents(16))
    write(folder / "b.jsonl.gz", documents(8))
    return folder


def test_a_scan_from_and_to_a_bucket_is_the_scan_on_a_disk(
    bucket: str, home: Path, tmp_path: Path
) -> None:
    local = corpus(tmp_path / "corpus")
    fsspec.filesystem("s3").put(str(local), f"{bucket}/corpus", recursive=True)
    tags = f"{bucket}/tags"
    report = scan(f"{bucket}/corpus", tags, workers=2)
    assert report.counts["documents"] == 24
    assert not report.failed
    scan(str(local), str(tmp_path / "tags"))
    assert published(tags) == published(str(tmp_path / "tags"))
    logs = TagFolder(tags).filesystem.find(f"{tags}/logs")
    assert any(path.endswith(".log") for path in logs)
    again = scan(f"{bucket}/corpus", tags)
    assert (again.parts, again.done_before) == (0, 2)
    with (
        open_catalogue(TagFolder(tags)) as remote,
        open_catalogue(TagFolder(str(tmp_path / "tags"))) as here,
    ):
        assert prevalence(remote, by="source") == prevalence(here, by="source")
    assert list(home.rglob("*.duckdb"))


def test_the_command_line_and_the_service_read_a_bucket(
    bucket: str, home: Path, tmp_path: Path
) -> None:
    from starlette.testclient import TestClient

    tags = f"{bucket}/served"
    scan(str(corpus(tmp_path / "corpus")), tags)
    narrascope = shutil.which("narrascope", path=str(Path(sys.executable).parent))
    stats = subprocess.run(
        [str(narrascope), "stats", "--tags", tags, "--format", "csv"],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert "malevolent" in stats.stdout
    with TestClient(create_app(tags), base_url="http://127.0.0.1") as client:
        answer = client.get("/v1/prevalence", params={"label": "malevolent"})
        assert answer.status_code == 200, answer.text
        (row,) = answer.json()["rows"]
        assert row["denominator"] == 24
        params: dict[str, str | int] = {"limit": 1, "passages": True}
        page = client.get("/v1/documents", params=params).json()
        assert page["documents"][0]["passages"]
        policy = {"version": 1, "buckets": [{"name": "evil", "where": "malevolent >= 0.5"}]}
        built = client.post("/v1/manifests", json={"policy": policy})
        assert built.status_code == 201, built.text
        assert load_manifest(Path(built.json()["place"])).id == built.json()["id"]
        drawn = client.post("/v1/audits", json={"budget": 4, "name": "mine"})
        assert (drawn.status_code, drawn.json()["current"]) == (201, True), drawn.text
        asked = {"annotator": "ada"}
        item = client.get("/v1/audits/mine/next", params=asked).json()["items"][0]
        said = dict.fromkeys(LABELS, False) | {"stance": "none"}
        kept = client.post("/v1/audits/mine/labels", json={"labels": [item | said]}).json()
        assert (kept["kept"], kept["bad"]) == (1, [])
        assert client.get("/v1/audits/mine/report").status_code == 200
        assert client.get("/v1/audits").json()["audits"][0]["answered"] == 1


@pytest.mark.slow
def test_a_part_that_is_published_twice_is_the_same_object(
    bucket: str, home: Path, tmp_path: Path
) -> None:
    source, tags = str(corpus(tmp_path / "corpus")), f"{bucket}/twice"
    scan(source, tags)
    before = published(tags)
    folder = TagFolder(tags)
    folder.filesystem.rm_file(folder.part_path("receipts", "b.jsonl.gz", 0))
    folder.filesystem.rm_file(folder.part_path("tags", "b.jsonl.gz", 0))
    report = scan(source, tags)
    assert (report.parts, report.done_before) == (1, 1)
    assert published(tags) == before


def test_two_scans_do_not_share_a_bucket_s_folder(bucket: str, home: Path, tmp_path: Path) -> None:
    source, tags = str(corpus(tmp_path / "corpus")), f"{bucket}/held"
    with (
        scan_lease(TagFolder(tags)),
        pytest.raises(TagsError, match=r"held by process \d+ on .*, heard of \d+ s ago: wait"),
    ):
        scan(source, tags)
    assert scan(source, tags).parts == 2


def test_a_bucket_s_file_is_created_once(bucket: str) -> None:
    folder = TagFolder(f"{bucket}/once")
    assert folder.create(folder.path("lease", "1.json"), b"first")
    assert not folder.create(folder.path("lease", "1.json"), b"second")
    assert folder.filesystem.cat_file(folder.path("lease", "1.json")) == b"first"


def test_a_bucket_s_audits_have_a_name_each(bucket: str) -> None:
    folder = TagFolder(f"{bucket}/names")
    with held_name(folder, None) as first, held_name(folder, None) as second:
        assert (first, second) == ("audit-1", "audit-2")
        refused = pytest.raises(SettingsError, match="'audit-1' is being drawn")
        with refused, held_name(folder, first):
            pass
    with pytest.raises(ValueError, match="came to nothing"), held_name(folder, "more"):
        raise ValueError("came to nothing")
    with held_name(folder, "more"), held_name(folder, None) as third:
        assert third == "audit-3"


def test_a_bucket_that_is_not_there_is_said_in_one_line(bucket: str, home: Path) -> None:
    with pytest.raises(SourceError, match="no file or folder at s3://absent/corpus"):
        scan("s3://absent/corpus", f"{bucket}/none")
    with pytest.raises(TagsError, match="no tag folder at s3://corpora/none"):
        open_catalogue(TagFolder(f"{bucket}/none"))


def test_a_store_that_does_not_answer_is_said_in_one_line(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        fsspec.filesystem("s3").clear_instance_cache()
        with pytest.raises(SettingsError, match="s3://corpora/tags cannot be reached"):
            TagFolder(f"{bucket}/tags")
    fsspec.filesystem("s3").clear_instance_cache()
