"""The command line: one line for each failure, rows on standard output and nothing else."""

import csv
import io
import json
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from narrascope.cli import main
from narrascope.tests.corpora import EVIL, PLAIN, documents, write
from narrascope.tests.served import narrascope

POLICY = """\
version: 1
seed: 17
unit: documents
buckets:
  - {name: dark, where: "malevolent >= 0.5 and malevolent_stance != 'refuted'", weight: 0.25}
  - {name: notes, where: "source == 'notes'", weight: 1.5}
rest: {name: rest, weight: 1.0, max_repetition: 2}
keep_total: true
"""


def run(*arguments: object, stdin: str = "", code: int = 0) -> str:
    """Run the command line in this process, check its exit, and return what it printed.

    That is standard output, and standard error where it failed.
    """
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):  # fmt: skip
        patch.setattr("sys.argv", ["narrascope", *map(str, arguments)])
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        main()
    assert (ended.value.code or 0) == code, err.getvalue()
    out.seek(0)
    return err.getvalue() if code else out.read()


def run_apart(*arguments: object, stdin: str = "", code: int = 0) -> str:
    """Run the installed command in a process of its own, and return as `run` does."""
    done = subprocess.run(
        narrascope(*map(str, arguments)), input=stdin, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of two shards, scanned."""
    folder = tmp_path_factory.mktemp("place")
    write(folder / "corpus" / "a.parquet", documents(40))
    write(folder / "corpus" / "b.jsonl.gz", documents(21))
    (folder / "policy.yaml").write_text(POLICY)
    run_apart("scan", folder / "corpus", "--tags", folder / "tags")
    return folder


def test_stats_prints_a_json_list_of_the_contract_s_rows(place: Path) -> None:
    rows = json.loads(
        run_apart("stats", "--tags", place / "tags", "--by", "source", "--format", "json")
    )
    assert list(rows[0]) == [
        "by", "group", "label", "estimator", "unit", "share", "low", "high", "numerator",
        "denominator", "n_audited", "note",
    ]  # fmt: skip
    by_source = {row["group"]: row["denominator"] for row in rows}
    assert by_source == {"tales": 31, "notes": 30}
    assert all(row["low"] is None and row["high"] is None for row in rows)


def test_stats_prints_csv_and_tables(place: Path) -> None:
    printed = run("stats", "--tags", place / "tags", "--format", "csv")
    assert [row["label"] for row in csv.DictReader(io.StringIO(printed))] == [
        "ai_agent", "malevolent", "self_preserving", "benevolent",
    ]  # fmt: skip
    assert "share of documents" in run("stats", "--tags", place / "tags")


def test_score_answers_in_order_with_the_contract_s_keys(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate([EVIL, PLAIN, EVIL])
    )
    rows = [json.loads(line) for line in run_apart("score", stdin=lines).splitlines()]
    assert [row["id"] for row in rows] == [0, 1, 2]
    assert list(rows[0]) == [
        "id", "ai_agent", "malevolent", "self_preserving", "benevolent", "labels", "stance",
        "genre", "behaviours", "evidence", "stage",
    ]  # fmt: skip
    assert [row["stage"] for row in rows] == ["verdict", "gate", "verdict"]
    assert rows[0] == {**rows[2], "id": 0}
    for span in rows[0]["evidence"]:
        assert EVIL[span["start"] : span["end"]].strip()
    (tmp_path / "in.jsonl").write_text(lines)
    run("score", "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl")
    written = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == rows
    assert json.loads(run("score", EVIL)) == {**rows[0], "id": None}


def test_score_names_the_line_that_has_no_text() -> None:
    stderr = run_apart("score", stdin='{"text": "The robot waved."}\n{"id": 2}\n', code=1)
    assert stderr.startswith("narrascope: line 2 is not an object with a text")
    assert json.loads(run("score", stdin='{"text": "Leeks and potatoes."}\n'))["id"] is None


def test_a_manifest_from_plan_to_trainer(place: Path, tmp_path: Path) -> None:
    policy, tags, manifest = place / "policy.yaml", place / "tags", tmp_path / "m"
    plan = json.loads(run("manifest", "plan", policy, "--tags", tags, "--format", "json"))
    assert {row["group"] for row in plan if row["by"] == "bucket"} == {"dark", "notes", "rest"}
    run("manifest", "build", policy, "--tags", tags, "--out", manifest)
    for mode in ("buckets", "realised"):
        out = tmp_path / mode
        run("reweigh", manifest, "--source", place / "corpus", "--out", out, "--mode", mode)
        run("manifest", "verify", manifest, "--data", out)
        run("manifest", "export", manifest, "--to", "megatron", "--out", out / "config")
    assert (tmp_path / "realised" / "config" / "mixture.json").is_file()


def test_failures_are_one_line_with_what_to_do(place: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY.replace("malevolent >= 0.5", "malevolance >= 0.5"))
    for arguments, said in (
        (("scan", tmp_path / "absent", "--tags", tmp_path / "t"), "no file or folder at"),
        (("stats", "--tags", tmp_path / "absent"), "no tag folder at"),
        (("stats", "--tags", place / "tags", "--by", "colour"), "choose from source, domain"),
        (("stats", "--tags", place / "tags", "--estimator", "audited"), "audit"),
        (("manifest", "plan", bad, "--tags", place / "tags"), "malevolent"),
        (("manifest", "verify", tmp_path / "absent"), "does not exist"),
        (("scan", place / "corpus", "--tags", tmp_path / "t", "--partition", "cpu"), "leave out"),
        (("scan", place / "corpus", "--tags", tmp_path / "t", "--format", "csv"), "parquet"),
        (("scan", place / "corpus", "--tags", tmp_path / "t", "--control-rate", "7"), "0 to 1"),
    ):
        stderr = run(*arguments, code=1)
        assert len(stderr.splitlines()) == 1, stderr
        assert stderr.startswith("narrascope: ")
        assert said in stderr


def test_wrong_usage_exits_with_two() -> None:
    run("scan", code=2)
    run_apart("nonsense", code=2)


def test_a_missing_text_column_sets_the_shard_aside_and_exits_with_one(tmp_path: Path) -> None:
    write(tmp_path / "corpus" / "a.parquet", documents(4))
    write(tmp_path / "corpus" / "b.parquet", [{"body": "x", "id": "y"}])
    stderr = run_apart("scan", tmp_path / "corpus", "--tags", tmp_path / "tags", code=1)
    assert "set aside: b.parquet: b.parquet has no column 'text': it has body, id" in stderr
    assert "4 documents" in stderr
    note = run("stats", "--tags", tmp_path / "tags", "--format", "csv")
    assert "b.parquet" in note
