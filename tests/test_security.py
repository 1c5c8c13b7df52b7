"""The threats of `docs/security.md`, one by one, against the service as it is served."""

import contextlib
import gzip
import socket
import sqlite3
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.api import manifests
from narrascope.api.app import create_app
from narrascope.api.heads import PromptHeads
from narrascope.errors import TagsError
from narrascope.manifests.export import MIXTURE_FILE
from narrascope.manifests.manifest import load_manifest
from narrascope.store.folder import TagFolder
from narrascope.tests.materialised import materialise
from narrascope.tests.served import listening
from narrascope.tests.tag_folder import (
    NOVELS,
    TAKEOVER,
    WEB,
    publish_corpus,
    publish_part,
    scores,
    tag,
)

JSON = {"content-type": "application/json"}
COUNTS = [("web", "2021-03", None, 3, 300, None)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_corpus(str(tmp_path_factory.mktemp("security"))).url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[TestClient]:
    app = create_app(url, judge=False)
    with TestClient(
        app, base_url="http://localhost", raise_server_exceptions=False
    ) as client:  # fmt: skip
        yield client


def served(folder: TagFolder) -> TestClient:
    return TestClient(
        create_app(folder.url), base_url="http://localhost", raise_server_exceptions=False
    )


STEPS = ["..", ".", "etc", "passwd", "", NOVELS, WEB, "\0", "service.sqlite", "~", "#0"]
PATHS = st.lists(st.sampled_from(STEPS), min_size=2, max_size=6).map("/".join)


@settings(max_examples=40, deadline=None)
@given(path=PATHS, again=st.booleans())
def test_no_path_of_a_request_reaches_a_file(client: TestClient, path: str, again: bool) -> None:
    encoded = quote(quote(path, safe="") if again else path, safe="")
    for route in (
        f"/v1/documents/{encoded}%230", f"/v1/manifests/{encoded}", f"/v1/audits/{encoded}/report",
        f"/v1/manifests/0000000000000000/exports/{encoded}", f"/static/{encoded}x",
        f"/v1/jobs/{encoded}",
    ):  # fmt: skip
        answer = client.get(route, follow_redirects=False)
        assert answer.status_code in (307, 404), (route, answer.text)
        # A slash at the end is taken off, and nothing else.
        moved = answer.headers.get("location", "http://localhost/")
        assert moved.startswith("http://localhost/") and "root:" not in answer.text


@settings(max_examples=40, deadline=None)
@given(text=st.text(alphabet="'\";-()%_=*? \\\0xX1ORorunionselect,|", max_size=40))
def test_no_text_of_a_request_is_read_as_sql(client: TestClient, text: str) -> None:
    for name in ("source", "domain", "shard"):
        found = client.get("/v1/documents", params={name: text})
        assert found.status_code == 200 and found.json()["documents"] == []
    (whole,) = client.get(
        "/v1/prevalence", params={"label": "malevolent", "source": text}
    ).json()["rows"]  # fmt: skip
    assert whole["denominator"] == 0
    sought = client.get("/v1/documents", params={"text": text, "label": "malevolent"})
    assert sought.status_code == 200 if text else 422
    assert client.get("/v1/documents").json()["total"] == 7


def test_a_header_cannot_be_split_into_two(client: TestClient) -> None:
    evil = "\r\nX-Evil: 1"
    for name in ("where", "source", "cursor", f"none{evil}"):
        asked = {name: evil, "limit": "1"}
        answer = client.get("/v1/documents", params=asked, headers={"accept": "text/csv"})
        assert answer.status_code in (200, 422) and "x-evil" not in answer.headers
    answer = client.get("/healthz", headers={"x-request-id": "a\r\nX-Evil: 1"})
    assert "x-evil" not in answer.headers and "\n" not in answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/score", b"[" * 900_000, 400),
        ("/v1/plans", b'{"policy":' + b"[" * 400_000 + b"]" * 400_000 + b"}", 400),
        ("/v1/audits", b'{"budget":' + b"9" * 10_000 + b"}", 400),
        ("/v1/audits", b'{"double":NaN}', 422),
        ("/v1/audits", b'{"double":1e999}', 422),
        ("/v1/score", b'{"documents":[{"text":"\\ud800 robot"}]}', 422),
        ("/v1/score", b"\xff\xfe", 422),
    ],
)
def test_json_that_is_made_to_hurt_is_refused(
    client: TestClient, path: str, body: bytes, status: int
) -> None:
    answer = client.post(path, content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def grown(line: str) -> str:
    """Return YAML of twelve lines, each ten times the one before."""
    lines = [
        f"{name}: &{name} {line.format(','.join([f'*{before}'] * 10))}"
        for before, name in pairwise("abcdefghijkl")
    ]
    return "\n".join(["a: &a {x: 1}", *lines])


@pytest.mark.parametrize(("line", "words"), [("[{}]", "version"), ("{{<<: [{}]}}", "merge keys")])
def test_a_policy_that_grows_as_it_is_read_is_refused(
    client: TestClient, line: str, words: str
) -> None:
    answer = client.post("/v1/plans", json={"policy": grown(line)})
    assert answer.status_code == 422 and words in answer.json()["detail"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_compressed_body_is_not_unpacked(client: TestClient, coding: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = client.post("/v1/score", content=bomb, headers=JSON | {"content-encoding": coding})
    assert answer.status_code == 415 and "as it is" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["robot " * 33_000, "robot" * 39_000, "(robot " * 28_000])
def test_a_text_without_a_sentence_is_scored_as_any(client: TestClient, text: str) -> None:
    answer = client.post("/v1/score", json={"documents": [{"text": text}]})
    assert answer.status_code == 200, answer.text


def test_a_page_of_another_site_may_not_even_load_what_it_cannot_read(client: TestClient) -> None:
    for site in ("cross-site", "same-site"):
        embedded = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
        assert client.get("/v1/documents", headers=embedded).status_code == 403
        followed = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
        assert client.get("/", headers=followed).status_code == 200
        assert client.post("/v1/plans", json={}, headers=followed).status_code == 403
    # Without those headers: what a page may send unasked is not read as JSON.
    plain = {"content-type": "text/plain"}
    body = b'{"policy": {"version": 1, "buckets": []}}'
    assert client.post("/v1/plans", content=body, headers=plain).status_code == 422


class Hasty(PromptHeads):
    head_seconds = 0.2


@pytest.mark.parametrize("sent", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: local"])
def test_a_connection_that_sends_no_whole_head_is_closed(url: str, sent: bytes) -> None:
    with (
        listening(url, http=Hasty) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as slow,
    ):
        slow.sendall(sent)
        assert slow.recv(100) == b""


def test_a_head_that_comes_in_pieces_in_time_is_answered_again_and_again(url: str) -> None:
    with (
        listening(url) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as client,
    ):
        for _ in range(2):
            for piece in (b"GET /healthz HTTP/1.1\r\n", b"Host: localhost\r\n", b"\r\n"):
                client.sendall(piece)
            answer = b""
            while b'"catalogue"' not in answer or not answer.endswith(b"}"):
                answer += client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("shard", ["../../outside", "/outside", "a/../../../outside"])
def test_a_shard_s_name_in_a_tag_file_leads_nowhere(tmp_path: Path, shard: str) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    wild = tag(shard, 0, TAKEOVER, judged=scores(0.9, 0.99, 0.0, 0.0))
    (tmp_path / "outside").mkdir()
    secret = pa.table({"row": [0], "passages": [None]})
    pq.write_table(secret, tmp_path / "outside" / "0.parquet")
    publish_part(folder, "new.jsonl", 0, 3, [wild], COUNTS)
    with served(folder) as client:
        for path in (
            "/v1/documents?passages=true", "/v1/documents?text=ruled",
            f"/v1/documents/{quote(f'{shard}#0', safe='')}",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code == 409, path
            assert "leads out of" in answer.json()["detail"]
        assert client.get("/v1/documents").status_code == 200


def rewritten(folder: TagFolder, column: str, values: pa.Array) -> None:
    """Put other values in a column of the tags of `web.jsonl`."""
    path = folder.part_path("tags", WEB, 0)
    table = pq.ParquetFile(path).read()
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, column, values), path)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("row", pa.array(["a", "b", "c", "d"])),
        ("malevolent", pa.array([["x"]] * 4)),
        ("text_hash", pa.array([-1] * 4, pa.int64())),
        ("shard", pa.array([None] * 4, pa.string())),
    ],
)
def test_tags_of_other_types_are_refused_in_a_line(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    folder = publish_corpus(str(tmp_path))
    rewritten(folder, column, values)
    with pytest.raises(TagsError) as caught:
        create_app(folder.url)
    assert len(str(caught.value).splitlines()) == 1


def test_names_of_other_types_are_read_as_strings_and_lead_nowhere(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    rewritten(folder, "shard", pa.array([{"a": 1}] * 4))
    with served(folder) as client:
        assert client.get("/v1/documents").status_code == 200
        assert client.get("/v1/documents?passages=true").status_code == 409


def test_huge_and_hostile_strings_are_data(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path))
    hostile = "<script>alert(1)</script>\r\nSet-Cookie: a=b\0'; DROP TABLE documents; --"
    rewritten(folder, "source", pa.array([hostile, "x" * 5_000_000, "=1+1", "\u202e"]))
    with served(folder) as client:
        answer = client.get("/v1/documents", params={"source": hostile})
        (document,) = answer.json()["documents"]
        assert document["source"] == hostile
        assert answer.headers["content-type"] == "application/json"
        assert "set-cookie" not in answer.headers
        assert client.get("/v1/documents").json()["total"] == 7


def test_a_link_in_a_tag_folder_shows_no_file_that_is_no_tag_file(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    secret = tmp_path / "secret"
    secret.write_text("the secret of the machine")
    with served(folder) as client:
        part = Path(folder.part_path("tags", WEB, 0))
        part.unlink()
        part.symlink_to(secret)
        answer = client.get(f"/v1/documents/{quote(f'{WEB}#0', safe='')}")
        assert answer.status_code == 409 and "secret of" not in answer.text
    with pytest.raises(TagsError):
        (tmp_path / "tags" / "receipts" / WEB / "1.parquet").symlink_to(secret)
        create_app(folder.url)


def test_a_catalogue_that_came_with_the_folder_reads_no_file(tmp_path: Path, url: str) -> None:
    with (
        contextlib.closing(create_app(url).state.service.reader) as reader,
        pytest.raises(Exception, match="disabled by configuration"),
    ):
        reader.current()[0].execute("SELECT * FROM read_text('/etc/passwd')")


def test_an_export_is_made_by_one_server_process_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    policy = {"version": 1, "buckets": [{"name": "a", "where": "malevolent >= 0.6", "weight": 0.5}],
              "keep_total": False}  # fmt: skip
    begun, go_on = threading.Event(), threading.Event()

    def slow_export(manifest: Any, *, to: str, out: Path) -> list[str]:
        begun.set()
        assert go_on.wait(60)
        return export(manifest, to=to, out=out)

    export = manifests.export
    with served(folder) as client:
        place = client.post("/v1/manifests", json={"policy": policy}).headers["location"]
        home = tmp_path / "tags" / "manifests" / place.rpartition("/")[2]
        materialise(load_manifest(home), tmp_path / "out", "buckets")
        whole = client.get(f"{place}/exports/list").json()
        assert MIXTURE_FILE in whole["files"]
        (home / "exports" / "list" / "shares.txt").write_text("half of a")  # a server was killed
        monkeypatch.setattr(manifests, "export", slow_export)
        answers: list[Any] = []
        thread = threading.Thread(
            target=lambda: answers.append(client.get(f"{place}/exports/list").json())
        )
        thread.start()
        assert begun.wait(60)
        assert not (home / "exports" / "list" / MIXTURE_FILE).exists()
        state = tmp_path / "tags" / "service.sqlite"
        with (
            contextlib.closing(sqlite3.connect(state, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
        go_on.set()
        thread.join()
        assert answers == [whole]
