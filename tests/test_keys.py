"""Keys: made once, kept as a hash, let in by scope, and no service beyond this machine without."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from narrascope.api.access import OPEN_PATHS, Protection
from narrascope.api.app import create_app
from narrascope.api.keys import SCOPES, Keys
from narrascope.api.state import State, state_path
from narrascope.api.tabular import ARROW
from narrascope.errors import SettingsError, TagsError
from narrascope.store.folder import TagFolder
from narrascope.tests.processes import until
from narrascope.tests.served import answers, free_port, listening, narrascope
from narrascope.tests.tag_folder import PLEA, TALK, publish_corpus

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_corpus(str(tmp_path_factory.mktemp("keys"))).url


@pytest.fixture(scope="module")
def keys(url: str) -> Keys:
    return Keys(State(Path(url) / "service.sqlite"))


def bearer(keys: Keys, *scopes: str) -> dict[str, str]:
    """Make a key, and return the header that sends it."""
    return {"authorization": f"Bearer {keys.make('tester', scopes=scopes, days=1)[1]}"}


def client_of(url: str, **protection: Any) -> TestClient:
    app = create_app(url, protection=Protection(**protection))
    return TestClient(app, base_url="http://localhost")


@pytest.fixture(scope="module")
def guarded(url: str, keys: Keys) -> Iterator[TestClient]:
    keys.make("first", scopes=["read"], days=1)
    with client_of(url, require_keys=True) as client:
        yield client


def test_a_key_is_kept_only_as_a_hash_and_found_by_its_token(tmp_path: Path) -> None:
    path = tmp_path / "service.sqlite"
    keys = Keys(State(path), today=lambda: TODAY)
    key, token = keys.make("Ada", scopes=["read", "score"], days=30)
    assert path.stat().st_mode & 0o777 == 0o600
    secret = token.removeprefix(f"narrascope_{key.id}_")
    assert len(secret) == 43 and secret.encode() not in path.read_bytes()
    assert keys.all()[0].used is None
    assert keys.find(token) == key
    assert keys.all()[0].used == TODAY
    assert keys.find(token[:-1] + ("A" if token[-1] != "A" else "B")) is None


def test_a_key_ends_when_it_expires_or_is_revoked(tmp_path: Path) -> None:
    day = TODAY
    keys = Keys(State(tmp_path / "service.sqlite"), today=lambda: day)
    _, token = keys.make("Ada", scopes=["read"], days=2)
    day += timedelta(days=1)
    assert keys.find(token) and keys.any_valid()
    day += timedelta(days=1)
    assert keys.find(token) is None and not keys.any_valid()
    other, token = keys.make("Ben", scopes=["read"], days=2)
    assert keys.revoke(other.id).revoked == day == keys.revoke(other.id).revoked
    assert keys.find(token) is None
    assert [k.state(day) for k in keys.all()] == ["expired", "revoked"]


@given(
    token=st.text() | st.from_regex(r"narrascope_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", fullmatch=True)
)
def test_no_made_up_token_is_let_in(keys: Keys, token: str) -> None:
    assert keys.find(token) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days", "words"),
    [
        ("", ["read"], 1, "1 to 100"),
        ("a\nb", ["read"], 1, "printable"),
        ("a", ["write"], 1, "choose from read, text"),
        ("a", [], 1, "needs a scope"),
        ("a", ["read"], 0, "1 to 3,650"),
    ],
)
def test_a_key_that_cannot_be_is_refused(
    keys: Keys, name: str, scopes: list[str], days: int, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        keys.make(name, scopes=scopes, days=days)


def test_a_state_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "service.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(SettingsError, match="NARRASCOPE_STATE"):
        State(path)


def routes(client: TestClient) -> list[tuple[str, str, str]]:
    """Return each route of the reference that needs a key: method, path and scope."""
    return [
        (method, path, operation["security"][0]["HTTPBearer"][0])
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method, operation in methods.items()
        if path not in OPEN_PATHS
    ]


def test_every_route_needs_a_key_with_its_scope(guarded: TestClient, keys: Keys) -> None:
    found = routes(guarded)
    assert {scope for _, _, scope in found} <= set(SCOPES)
    for method, path, scope in found:
        body = {"json": {}} if method == "post" else {}
        answer = guarded.request(method, path, **body)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"] == 'Bearer realm="narrascope"'
        assert "narrascope keys make" in answer.json()["detail"]
        others = [s for s in SCOPES if s not in (scope, "admin")]
        answer = guarded.request(method, path, headers=bearer(keys, *others), **body)
        assert answer.status_code == 403, (method, path)
        assert f'scope="{scope}"' in answer.headers["www-authenticate"]
        for enough in (scope, "admin"):
            answer = guarded.request(method, path, headers=bearer(keys, enough), **body)
            assert answer.status_code not in (401, 403), (method, path)


def test_what_tells_nothing_of_the_corpus_needs_no_key(guarded: TestClient) -> None:
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/static/page.js"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["//v1/scans", "/static/..%2fv1/scans", "/docs/../v1/scans", "/V1"]
)
def test_no_way_of_writing_a_path_leads_around_the_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code in (401, 404)


def test_keys_of_remote_tags_lie_on_this_machine(tmp_path: Path) -> None:
    remote = publish_corpus(f"memory://{tmp_path.name}-tags")
    found = state_path(remote, cache=tmp_path / "cache")
    assert found.is_relative_to(tmp_path / "cache") and found.name == "service.sqlite"
    given = tmp_path / "elsewhere.sqlite"
    assert state_path(remote, given=given) == given
    protection = Protection(require_keys=True)
    with pytest.raises(SettingsError, match="narrascope keys make"):
        create_app(remote.url, cache=tmp_path / "cache", state=given, protection=protection)
    _, token = Keys(State(given)).make("Ada", scopes=["read"], days=1)
    app = create_app(remote.url, cache=tmp_path / "cache", state=given, protection=protection)
    headers = {"authorization": f"Bearer {token}"}
    with TestClient(app, base_url="http://localhost", headers=headers) as client:
        assert client.get("/v1/scans").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_a_mistyped_tag_folder_gets_no_keys(tmp_path: Path) -> None:
    with pytest.raises(TagsError, match="no tag folder"):
        state_path(TagFolder(str(tmp_path / "tgas")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic YTpi", "Bearer narrascope_0_0"])
def test_a_wrong_key_is_refused_even_where_none_is_needed(url: str, header: str) -> None:
    with client_of(url) as client:
        assert client.get("/v1/taxonomy").status_code == 200
        answer = client.get("/v1/taxonomy", headers={"authorization": header})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_revoked_key_is_refused_at_its_next_request(guarded: TestClient, keys: Keys) -> None:
    key, token = keys.make("Ada", scopes=["read"], days=1)
    headers = {"authorization": f"Bearer {token}"}
    assert guarded.get("/v1/taxonomy", headers=headers).status_code == 200
    keys.revoke(key.id)
    assert guarded.get("/v1/taxonomy", headers=headers).status_code == 401


def test_passages_are_withheld_from_keys_without_the_scope(url: str, keys: Keys) -> None:
    asked = {"passages": "true", "label": "self_preserving"}
    with client_of(url, require_keys=True, withhold_text=True) as client:
        for scopes, seen in ((["read"], None), (["read", "text"], PLEA), (["admin"], PLEA)):
            headers = bearer(keys, *scopes)
            first = client.get("/v1/documents", params=asked, headers=headers).json()["documents"][
                0
            ]
            (passage,) = first["passages"]
            assert passage["text"] == seen and passage["evidence"]
            as_table = client.get(
                "/v1/documents", params=asked, headers=headers | {"accept": ARROW}
            )
            assert (PLEA.encode() in as_table.content) == (seen is not None)
            key = f"{first['shard']}%23{first['row']}".replace("/", "%2F")
            one = client.get(f"/v1/documents/{key}", headers=headers).json()
            assert one["passages"][0]["text"] == seen


def test_each_key_has_a_rate_of_its_own(url: str, keys: Keys) -> None:
    with client_of(url, require_keys=True, rate_limit="3/day") as client:
        ada, ben = bearer(keys, "read"), bearer(keys, "read")
        statuses = [client.get("/v1/taxonomy", headers=ada).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        refused = client.get("/v1/taxonomy", headers=ada)
        assert 0 < int(refused.headers["retry-after"]) <= 2 * 86_400
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/v1/taxonomy", headers=ben).status_code == 200
        guesses = [{"authorization": f"Bearer {n}"} for n in range(4)]
        statuses = [client.get("/v1/taxonomy", headers=g).status_code for g in guesses]
        assert statuses == [401, 401, 401, 429]
        assert client.get("/healthz").status_code == 200


def test_other_sites_may_ask_only_where_they_are_named(url: str) -> None:
    friend, foe = {"origin": "https://a.example"}, {"origin": "https://b.example"}
    asked = {"access-control-request-method": "GET"}
    with client_of(url) as client:
        answer = client.get("/v1/taxonomy", headers=friend)
        assert "access-control-allow-origin" not in answer.headers
        assert client.options("/v1/taxonomy", headers=friend | asked).status_code == 405
    with client_of(url, origins=["https://a.example"]) as client:
        answer = client.options("/v1/taxonomy", headers=friend | asked)
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        answer = client.options("/v1/taxonomy", headers=foe | asked)
        assert "access-control-allow-origin" not in answer.headers
        site = {"sec-fetch-site": "cross-site"}
        body = {"policy": {"version": 1, "buckets": []}}
        assert client.post("/v1/plans", json=body, headers=friend | site).status_code != 403
        assert client.post("/v1/plans", json=body, headers=foe | site).status_code == 403


def test_the_log_holds_no_key_and_no_text(url: str, keys: Keys) -> None:
    app = create_app(url)

    @app.get("/broken")
    def broken() -> None:
        raise ValueError(PLEA)

    headers = bearer(keys, "admin")
    token = headers["authorization"].removeprefix("Bearer ")
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    with client, capture_logs() as logs:
        client.get("/broken", headers=headers)
        client.get("/v1/documents", params={"passages": True}, headers=headers)
        client.get("/v1/taxonomy", headers={"authorization": f"Bearer {token}x"})
        client.post("/v1/score", json={"documents": [{"text": TALK}]}, headers=headers)
    told = json.dumps(logs)
    assert len(logs) == 5 and '"error": "ValueError"' in told
    assert token.rpartition("_")[2] not in told
    assert token.split("_")[1] in told
    for text in (PLEA, TALK):
        assert json.dumps(text)[1:-1] not in told


def test_a_body_that_does_not_arrive_is_not_waited_for(url: str) -> None:
    with (
        listening(url, protection=Protection(body_seconds=0.2)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as slow,
    ):
        slow.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n"
            b"Content-Type: application/json\r\n\r\n{"
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


def test_the_limit_of_bodies_can_be_set(url: str) -> None:
    with client_of(url, body_limit=100) as client:
        answer = client.post("/v1/score", json={"documents": [{"text": "a" * 100}]})
        assert answer.status_code == 413 and "100 bytes" in answer.json()["detail"]


def test_beyond_the_loopback_the_service_starts_only_with_a_key(tmp_path: Path) -> None:
    tags = publish_corpus(str(tmp_path / "tags")).url
    port = free_port()
    serve = narrascope("serve", "--tags", tags, "--host", "0.0.0.0", "--port", str(port))
    refused = subprocess.run(serve, capture_output=True, text=True)
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
    assert f"narrascope keys make NAME --tags {tags}" in refused.stderr
    make = narrascope("keys", "make", "Ada", "--tags", tags, "--scope", "read", "--days", "7")
    made = subprocess.run(make, capture_output=True, text=True, check=True)
    token = made.stdout.strip()
    assert token.startswith("narrascope_") and token not in made.stderr
    listed = subprocess.run(
        narrascope("keys", "list", "--tags", tags, "--format", "json"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (row,) = json.loads(listed.stdout)
    assert (row["name"], row["scopes"], row["state"]) == ("Ada", "read", "valid")
    log = tmp_path / "log"
    with log.open("w") as errors:
        server = subprocess.Popen([*serve, "--workers", "2"], stderr=errors, env=os.environ)
    try:
        base = f"http://127.0.0.1:{port}"
        until(lambda: server.poll() is not None or answers(f"{base}/healthz"), "the service")
        host = {"host": "narrascope.example"}
        assert httpx.get(f"{base}/v1/scans", headers=host).status_code == 401
        headers = host | {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{base}/v1/scans", headers=headers).status_code == 200
        revoke = narrascope("keys", "revoke", row["id"], "--tags", tags)
        subprocess.run(revoke, check=True, capture_output=True)
        assert httpx.get(f"{base}/v1/scans", headers=headers).status_code == 401
    finally:
        server.terminate()
        server.wait(60)
    assert token not in log.read_text()
