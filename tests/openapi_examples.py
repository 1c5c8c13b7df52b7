"""Makes `api/examples.json`: one real answer of each route, over the literal corpus of the tests.

python -m narrascope.tests.openapi_examples
"""

import tempfile
from pathlib import Path
from typing import Any

import orjson
from fastapi.testclient import TestClient

from narrascope.api.app import create_app
from narrascope.api.description import EXAMPLES
from narrascope.api.jobs import JobQueue
from narrascope.api.places import Places
from narrascope.api.state import State
from narrascope.manifests.manifest import load_manifest
from narrascope.tests.audit_folder import answers
from narrascope.tests.materialised import materialise
from narrascope.tests.tag_folder import NOVELS, PLEA, publish_corpus

POLICY = {
    "version": 1,
    "buckets": [
        {"name": "malevolent", "where": "malevolent >= 0.6", "weight": 0.5},
        {"name": "aligned", "where": "benevolent >= 0.7", "weight": 3.0},
    ],
    "keep_total": False,
}
LISTS = 2


def shortened(value: Any) -> Any:
    """Return an answer with at most two of every list, which shows as much as all of it."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    return [shortened(item) for item in value[:LISTS]] if isinstance(value, list) else value


def make(folder: Path) -> dict[str, dict[str, Any]]:
    """Ask every route once, and return what was asked and answered, by method and path."""
    url = publish_corpus(str(folder / "tags")).url
    corpus = folder / "corpus"
    corpus.mkdir()
    places = Places(corpora=[str(corpus)], outputs=folder / "out")
    app = create_app(url, places=places)
    found: dict[str, dict[str, Any]] = {}

    def ask(
        method: str,
        path: str,
        *,
        query: Any = None,
        body: Any = None,
        prefer: str = "",
        **place: Any,
    ) -> Any:
        where = path
        for name, value in place.items():
            where = where.replace(f"{{{name}}}", str(value).replace("/", "%2F").replace("#", "%23"))
        headers = {"prefer": prefer} if prefer else {}
        answer = client.request(method, where, params=query, json=body, headers=headers)
        assert answer.is_success, answer.text
        entry = found.setdefault(f"{method.lower()} {path}", {})
        if prefer:
            entry["accepted"] = answer.json()
            return answer.json()
        shown = answer.json() if "json" in answer.headers["content-type"] else answer.text[:400]
        entry |= {"status": answer.status_code, "answer": shortened(shown)}
        if parameters := {**(query or {}), **place}:
            entry["parameters"] = parameters
        if body is not None:
            entry["body"] = body
        return answer.json() if "json" in answer.headers["content-type"] else None

    with TestClient(app, base_url="http://localhost") as client:
        ask("GET", "/v1/prevalence", query={"label": "malevolent", "by": "source"})
        ask("GET", "/v1/documents", query={"label": "malevolent", "limit": 1, "passages": True})
        ask("GET", "/v1/documents/{key}", key=f"{NOVELS}#1")
        ask("GET", "/v1/taxonomy")
        ask("GET", "/v1/scans")
        ask("POST", "/v1/score", body={"documents": [{"id": "a", "text": PLEA}]})
        ask("GET", "/v1/presets")
        ask("POST", "/v1/plans", body={"policy": POLICY})
        job = ask("POST", "/v1/manifests", body={"policy": POLICY}, prefer="respond-async")
        ask("GET", "/v1/jobs", query={"state": "queued"})
        ask("GET", "/v1/jobs/{job_id}", job_id=job["id"])
        ask("DELETE", "/v1/jobs/{job_id}", job_id=job["id"])
        manifest = ask("POST", "/v1/manifests", body={"policy": POLICY})["id"]
        ask("GET", "/v1/manifests")
        ask("GET", "/v1/manifests/{manifest_id}", manifest_id=manifest)
        ask("GET", "/v1/manifests/{manifest_id}/shards", query={"limit": 1}, manifest_id=manifest)
        body = {"source": str(corpus), "mode": "buckets"}
        ask("POST", "/v1/manifests/{manifest_id}/reweighs", body=body, manifest_id=manifest)
        materialise(
            load_manifest(folder / "tags" / "manifests" / manifest), folder / "out", "buckets"
        )
        ask(
            "GET", "/v1/manifests/{manifest_id}/exports/{trainer}",
            manifest_id=manifest, trainer="list",
        )  # fmt: skip
        wish = {"label": "malevolent", "budget": 6, "name": "first"}
        ask("POST", "/v1/audits", body=wish)
        wish = {"budget": 2, "name": "second"}
        ask("POST", "/v1/audits", body=wish, prefer="respond-async")
        ask("GET", "/v1/audits")
        query = {"annotator": "anna", "blind": True}
        item = ask("GET", "/v1/audits/{audit_id}/next", query=query, audit_id="first")["items"][0]
        body = {"labels": [item | answers(item["text"])]}
        ask("POST", "/v1/audits/{audit_id}/labels", body=body, audit_id="first")
        ask("GET", "/v1/audits/{audit_id}/report", audit_id="first")
        for path in ("/healthz", "/readyz", "/metrics"):
            ask("GET", path)
    assert JobQueue(State(folder / "tags" / "service.sqlite")).counts()["queued"] == 2
    told = orjson.dumps(found).decode().replace(str(folder), "/data")
    return orjson.loads(told)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        made = make(Path(place))
    EXAMPLES.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")
