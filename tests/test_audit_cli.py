"""The audit loop on the command line: a corpus scanned for real, drawn, read, and reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from narrascope.labels.audit import READABLE
from narrascope.tests.audit_folder import write_jsonl
from narrascope.tests.chat_server import Reply, chat_server
from narrascope.tests.corpora import EVIL, PLAIN, documents, write
from narrascope.tests.test_cli import run

pytestmark = pytest.mark.slow

LONG = 2


def answers(text: str) -> dict[str, Any]:
    evil, kind = "airlock" in text, "held the ladder" in text or "hold the ladder" in text
    return {
        "ai_agent": evil or kind, "malevolent": evil, "self_preserving": evil, "benevolent": kind,
        "stance": "depicted" if evil or kind else "none", "genre": "fiction", "behaviours": [],
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scanned corpus with an audit of sixty of its documents, and the file filled in."""
    folder = tmp_path_factory.mktemp("audit")
    rows = documents(120)
    # Candidates that are too long to read: the scan kept what is around the robots.
    for row in rows[:LONG]:
        row["text"] = f"{PLAIN * 20} {EVIL} {PLAIN * 20}"
    write(folder / "corpus" / "a.parquet", rows[:60])
    write(folder / "corpus" / "b.jsonl.gz", rows[60:])
    run("scan", folder / "corpus", "--tags", folder / "tags", "--control-rate", 0.5)
    return folder


def filled(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [row | answers(row["text"]) | {"annotator": "anna"} for row in rows]


def test_the_loop_from_draw_to_interval(place: Path) -> None:
    tags, out = place / "tags", place / "read.jsonl"
    printed = run("audit", "sample", "--tags", tags, "--out", out, "--budget", 110)
    assert "2 documents are read in two stages" in printed
    rows = filled(out)
    assert sum(row["id"].endswith("/drawn") for row in rows) == LONG
    assert all(len(row["text"]) <= READABLE + 100 for row in rows)
    error = run("stats", "--tags", tags, "--estimator", "audited", code=1)
    assert "no document of audit-1 is labelled yet: import the labels with" in error
    bad = write_jsonl(place / "bad.jsonl", [*rows, rows[0] | {"id": "a.parquet#9999"}])
    error = run("audit", "import", "--tags", tags, bad, code=1)
    assert "'a.parquet#9999' was not drawn by audit audit-1" in error
    assert "1 records are not kept" in error
    shares = run("stats", "--tags", tags, "--estimator", "audited", "--format", "json")
    by_label = {row["label"]: row for row in json.loads(shares)}
    truth = (30 + LONG // 2) / 120  # every fourth is evil, and the second is now too
    assert by_label["malevolent"]["low"] <= truth <= by_label["malevolent"]["high"]
    assert "long documents were read in two stages" in by_label["malevolent"]["note"]
    asked = ("--width", 0.05, "--plots", place / "plots", "--format", "json")
    report = json.loads(run("audit", "report", "--tags", tags, *asked))
    assert {"estimate", "threshold", "reliability", "labels"} <= {r["section"] for r in report}
    assert {p.name for p in (place / "plots").iterdir()} == {"reliability.png", "reliability.svg"}
    table = run("audit", "report", "--tags", tags, "audit-1")
    assert "precision" in table and "audited" in table


def test_out_of_reach_of_the_corpus_the_tags_are_read_and_it_is_said(place: Path) -> None:
    moved = place / "moved"
    (place / "corpus").rename(moved)
    try:
        out = place / "unreached.jsonl"
        asked = ("audit", "sample", "--tags", place / "tags", "--out", out, "--budget", 5)
        assert "read from the tags alone" in run(*asked, "--label", "benevolent")
        told = run(*asked, "--label", "ai_agent", "--source", place / "nowhere", code=1)
        assert "nowhere" in told
        assert "note" not in run(*asked, "--label", "self_preserving", "--source", moved)
    finally:
        moved.rename(place / "corpus")


def test_a_model_reads_what_was_drawn(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(passage: str, _: int) -> Reply:
        return 200, json.dumps(answers(passage))

    monkeypatch.setenv("NARRASCOPE_ENDPOINT_KEY", "s3cret")
    out = place / "model.jsonl"
    named = ("--name", "by-model", "--label", "malevolent", "--budget", 10, "--from-tags")
    run("audit", "sample", "--tags", place / "tags", "--out", out, *named)
    asked = ("audit", "label", "--tags", place / "tags", "by-model", "--model", "m")
    with chat_server(say) as (endpoint, heard):
        printed = run(*asked, "--endpoint", endpoint)
    assert "labels kept in audit by-model" in printed and "s3cret" not in printed
    assert set(heard.authorisation) == {"Bearer s3cret"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sample", "--out", "x", "--label", "evil"), "no label 'evil': choose from ai_agent"),
        (("sample", "--out", "x", "--after", "absent"), "no audit 'absent'"),
        (("report", "absent"), "no audit 'absent'"),
    ],
)
def test_wrong_wishes_are_told_in_one_line(
    place: Path, arguments: tuple[str, ...], told: str
) -> None:
    error = run("audit", *arguments, "--tags", place / "tags", code=1)
    assert told in error and len(error.splitlines()) == 1
