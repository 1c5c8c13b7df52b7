"""What the terminal shows of rows that are not alike."""

import csv
import io

import pytest

from narrascope.terminal import print_table

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
