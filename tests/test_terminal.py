"""What the terminal shows of rows that are not alike."""

import csv
import io
from pathlib import Path

import pytest

from narrascope.errors import SettingsError, SourceError
from narrascope.terminal import copy_scores, print_table

ROWS = [{"stage": "gate", "recall": 0.98}, {"stage": "verdict", "recall": 0.7, "f1": 0.6}]


def test_a_table_has_a_column_for_each_key_of_any_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("figures", ROWS, "table")
    title, head, gate, verdict = capsys.readouterr().out.splitlines()
    assert title.strip() == "figures"
    assert head.split() == ["stage", "recall", "f1"]
    assert gate.split() == ["gate", "0.98", "–"]
    assert verdict.split() == ["verdict", "0.7", "0.6"]


def test_csv_has_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("figures", ROWS, "csv")
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert read == [
        {"stage": "gate", "recall": "0.98", "f1": ""},
        {"stage": "verdict", "recall": "0.7", "f1": "0.6"},
    ]


def test_scores_do_not_take_the_place_of_their_input(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "The robot waited."}\n')
    with pytest.raises(SettingsError, match="would be lost"):
        copy_scores(iter, text=None, input=lines, output=lines)
    assert lines.read_text() == '{"text": "The robot waited."}\n'


def test_a_line_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text("[" * 200_000)
    with pytest.raises(SourceError, match="line 1 is not an object"):
        copy_scores(iter, text=None, input=lines, output=tmp_path / "scores.jsonl")


@pytest.mark.parametrize("named", ["input", "output"])
def test_a_file_that_cannot_be_opened_is_named_with_what_to_do(tmp_path: Path, named: str) -> None:
    files = {"input": None, "output": None} | {named: tmp_path / "none" / "file.jsonl"}
    with pytest.raises(SettingsError, match=f"--{named} .*file.jsonl cannot be opened"):
        copy_scores(iter, text="The robot waited.", **files)
