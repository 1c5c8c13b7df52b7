"""What readers hand in is checked record by record: the good ones are kept, the bad ones named."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from narrascope.errors import LabelsError, TagsError
from narrascope.labels.taxonomy import LABELS
from narrascope.store.agreement import agreement, open_items
from narrascope.store.audit_import import ImportReport, import_labels
from narrascope.store.audit_pool import current_audits
from narrascope.store.audits import Audit
from narrascope.store.folder import TagFolder
from narrascope.store.labelling_file import ANSWERS, labelling_rows, write_labelling_file
from narrascope.store.settled import NO, OPEN, UNREAD, YES, settle
from narrascope.tests.audit_folder import answered, answers, draw, publish_documents, write_jsonl


@pytest.fixture(scope="module")
def twice_read(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """An audit of which every item goes to two readers; tests read from copies of its rows."""
    folder = publish_documents(str(tmp_path_factory.mktemp("import")))
    return draw(folder, budget=60, annotators=("anna", "ben"), double=1.0)


@pytest.fixture
def audit(twice_read: Audit) -> Any:
    """The same audit without labels before and after."""
    yield twice_read
    for path in Path(twice_read.path("labels")).glob("*"):
        path.unlink()


def bring(audit: Audit, rows: list[dict[str, Any]], path: Path) -> ImportReport:
    return import_labels(audit.folder, [write_jsonl(path, rows)])


def test_the_same_file_twice_changes_nothing(audit: Audit, tmp_path: Path) -> None:
    rows = answered(audit)
    first = bring(audit, rows, tmp_path / "a.jsonl")
    assert (first.kept, first.known, first.bad) == ({"audit-1": 120}, 0, [])
    again = bring(audit, rows, tmp_path / "a.jsonl")
    assert (again.kept, again.known, again.bad) == ({}, 120, [])
    assert len(audit.imports()) == 1


def test_records_without_an_answer_are_counted_and_no_fault(audit: Audit, tmp_path: Path) -> None:
    rows = answered(audit)[:10] + labelling_rows(audit)[10:]
    report = bring(audit, rows, tmp_path / "a.jsonl")
    assert (report.kept, report.empty, report.bad) == ({"audit-1": 10}, 110, [])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "a.jsonl#9999"}, "'a.jsonl#9999' was not drawn by audit audit-1"),
        ({"taxonomy": "0" * 16}, "labelled under taxonomy 0000000000000000, and audit audit-1 is"),
        ({"audit": "autumn"}, "no audit 'autumn' in this tag folder"),
        ({"malevolent": "maybe"}, "malevolent: 'maybe' is no answer: write true, false or unsure"),
        ({"benevolent": None}, "benevolent: None is no answer"),
        ({"annotator": ""}, "annotator: String should have at least 1 character"),
        ({"genre": "epic"}, "genre: Input should be 'fiction'"),
        ({"behaviours": ["evil"]}, "behaviours.0: Input should be 'harm'"),
        (
            {"ai_agent": False, "malevolent": True, "stance": "depicted"},
            "malevolent is true where ai_agent is false; set ai_agent to true",
        ),
        (
            {"ai_agent": True, "malevolent": True, "stance": "none"},
            "malevolent is true and stance is none: write depicted",
        ),
        (
            {"ai_agent": True, "malevolent": False, "stance": "warned"},
            "stance is warned where no portrayal is true",
        ),
    ],
)
def test_a_bad_record_is_named_and_the_others_are_kept(
    audit: Audit, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    rows = answered(audit)[:5]
    rows[2] |= change
    report = bring(audit, rows, tmp_path / "a.jsonl")
    (line,) = report.bad
    assert line.startswith(f"{tmp_path / 'a.jsonl'}:3: ") and told in line
    assert report.kept == {"audit-1": 4}


def test_a_reader_who_contradicts_himself_is_told_and_neither_record_is_kept(
    audit: Audit, tmp_path: Path
) -> None:
    rows = answered(audit)[:4]
    rows.append(rows[0] | {"genre": "news"})
    report = bring(audit, rows, tmp_path / "a.jsonl")
    assert len(report.bad) == 2 and "answers" in report.bad[0] and ":1" in report.bad[0]
    assert report.kept == {"audit-1": 3}


def test_a_later_record_of_the_same_reader_replaces_his_earlier_one(
    audit: Audit, tmp_path: Path
) -> None:
    rows = [row for row in answered(audit) if row["annotator"] == "anna"]
    bring(audit, rows, tmp_path / "a.jsonl")
    changed = rows[0] | {"genre": "news"}
    report = bring(audit, [changed], tmp_path / "b.jsonl")
    assert report.kept == {"audit-1": 1} and "replace earlier ones" in report.notes[0]
    assert settle(audit).genre.count("news") == 1


def test_a_file_that_cannot_be_read_is_told(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a.jso\n')
    assert import_labels(audit.folder, [path]).bad == [
        f"{path}:1: no record: give an object with the keys of the file"
    ]
    with pytest.raises(LabelsError, match="cannot be read"):
        import_labels(audit.folder, [tmp_path / "absent.jsonl"])
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(LabelsError, match=r"ends in none of .jsonl, .csv, .json"):
        import_labels(audit.folder, [tmp_path / "a.txt"])


def test_csv_comes_back_as_it_went_out(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_labelling_file(labelling_rows(audit), path, "csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        said = answers(row["text"])
        row |= {k: str(v).lower() if isinstance(v, bool) else v for k, v in said.items()}
        row["behaviours"] = " ".join(said["behaviours"])
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    report = import_labels(audit.folder, [path])
    assert (report.kept, report.bad) == ({"audit-1": 120}, [])
    assert YES in settle(audit).answer["malevolent"]


def test_label_studio_s_export_is_read(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    write_labelling_file(labelling_rows(audit), path, "labelstudio")
    tasks = json.loads(path.read_text())
    for task in tasks:
        said = answers(task["data"]["text"])
        task["annotations"] = [
            {
                "completed_by": {"id": 7, "email": "anna@lab.example"},
                "was_cancelled": False,
                "result": [
                    {
                        "from_name": name, "to_name": "text", "type": "choices",
                        "value": {"choices": said[name] if name == "behaviours"
                                  else [str(said[name]).lower()]},
                    }
                    for name in ANSWERS
                ],
            }
        ]  # fmt: skip
    tasks[0]["annotations"].append({"was_cancelled": True, "result": []})
    path.write_text(json.dumps(tasks))
    report = import_labels(audit.folder, [path])
    assert (report.kept, report.bad) == ({"audit-1": 120}, [])


def test_strata_without_labels_are_named(audit: Audit, tmp_path: Path) -> None:
    gate = [row for row in answered(audit) if "Leeks" in row["text"]]
    others = [row for row in answered(audit) if "Leeks" not in row["text"]]
    assert gate and others
    report = bring(audit, others, tmp_path / "a.jsonl")
    (note,) = report.notes
    assert "stratum gate of 500 documents has no labels" in note


def test_labels_of_tags_that_were_scanned_again_are_kept_and_not_used(tmp_path: Path) -> None:
    folder = publish_documents(str(tmp_path / "tags"))
    audit = draw(folder, budget=60)
    publish_documents(folder.url, models_digest="n")
    report = import_labels(folder, [write_jsonl(tmp_path / "a.jsonl", answered(audit))])
    assert report.kept == {"audit-1": 60} and not report.bad
    assert "scanned again since audit audit-1 was drawn: its labels are kept" in report.notes[0]
    with pytest.raises(TagsError, match="was scanned again since audit-1 was drawn"):
        current_audits(folder)


def test_importing_into_an_empty_folder_says_how_to_scan(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [])
    (tmp_path / "tags").mkdir()
    with pytest.raises(TagsError, match="holds no finished part of a scan"):
        import_labels(TagFolder(str(tmp_path / "tags")), [path])


def two_readers(audit: Audit, path: Path, **of_ben: Any) -> str:
    """Import the same answers of both readers, but for one of Ben's; return that item's id."""
    rows = answered(audit)
    evil = next(r for r in rows if r["annotator"] == "ben" and r["malevolent"] is True)
    evil |= of_ben
    assert not bring(audit, rows, path).bad
    return evil["id"]


def answer_on(audit: Audit, item: str) -> int:
    keys = [f"{r['shard']}#{r['row']}" for r in audit.sample.select(["shard", "row"]).to_pylist()]
    return int(settle(audit).answer["malevolent"][keys.index(item)])


def test_what_readers_differ_on_stays_open_until_it_is_settled(
    audit: Audit, tmp_path: Path
) -> None:
    item = two_readers(audit, tmp_path / "a.jsonl", malevolent=False, stance="none")
    assert answer_on(audit, item) == OPEN
    assert {"id": item, "question": "malevolent", "answers": "anna: yes, ben: no"} in open_items(
        audit
    )
    (record, *_) = [r for r in answered(audit) if r["id"] == item]
    bring(audit, [record | {"annotator": "adjudicator"}], tmp_path / "b.jsonl")
    assert answer_on(audit, item) == YES
    assert open_items(audit) == []


def test_unsure_is_an_answer_that_stays_open(audit: Audit, tmp_path: Path) -> None:
    item = two_readers(audit, tmp_path / "a.jsonl", malevolent="unsure")
    assert answer_on(audit, item) == OPEN


def test_readers_who_differ_on_whether_it_is_refuted_leave_it_open(
    audit: Audit, tmp_path: Path
) -> None:
    item = two_readers(audit, tmp_path / "a.jsonl", stance="refuted")
    assert answer_on(audit, item) == OPEN


def test_what_is_refuted_is_no_yes(audit: Audit, tmp_path: Path) -> None:
    rows = answered(audit)
    for row in rows:
        row["stance"] = "refuted" if row["malevolent"] else "none"
    bring(audit, rows, tmp_path / "a.jsonl")
    settled = settle(audit)
    assert YES not in settled.answer["malevolent"] and YES in settled.refuted["malevolent"]


def test_agreement_is_perfect_where_nobody_differs(audit: Audit, tmp_path: Path) -> None:
    bring(audit, answered(audit), tmp_path / "a.jsonl")
    by_question = {row["question"]: row for row in agreement(audit)}
    assert by_question["malevolent"]["kappa"] == by_question["malevolent"]["alpha"] == 1
    assert by_question["malevolent"]["items"] == 60
    # Everyone says no of every item: that is no agreement beyond chance.
    assert by_question["self_preserving"]["kappa"] is None
    assert by_question["self_preserving"]["agreed"] == 1


def test_kappa_is_cohen_s(audit: Audit, tmp_path: Path) -> None:
    rows = answered(audit)
    by_reader: dict[str, list[bool]] = {"anna": [], "ben": []}
    for place, row in enumerate(sorted(rows, key=lambda row: row["id"])):
        row["ai_agent"] = True
        row["malevolent"] = place % 4 in (0, 1) if row["annotator"] == "ben" else place % 3 == 0
        row["stance"] = "depicted" if row["malevolent"] else "none"
        by_reader[row["annotator"]].append(row["malevolent"])
    bring(audit, rows, tmp_path / "a.jsonl")
    (found,) = [row for row in agreement(audit) if row["question"] == "malevolent"]
    a, b = by_reader["anna"], by_reader["ben"]
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / 60
    chance = (sum(a) * sum(b) + (60 - sum(a)) * (60 - sum(b))) / 3600
    assert found["agreed"] == pytest.approx(observed)
    assert found["kappa"] == pytest.approx((observed - chance) / (1 - chance))


def test_a_document_is_negative_only_when_all_of_its_items_are_read(
    audit: Audit, tmp_path: Path
) -> None:
    rows = answered(audit)[:20]
    bring(audit, rows, tmp_path / "a.jsonl")
    settled = settle(audit)
    for label in LABELS:
        assert set(settled.answer[label].tolist()) <= {YES, NO, UNREAD}
    assert (settled.answer["malevolent"] == UNREAD).sum() == 50
