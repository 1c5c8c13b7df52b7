"""Where an audit of the tags is labelled, a plan says what readers would find before and after."""

from pathlib import Path

import pytest

from narrascope.manifests.plan import plan
from narrascope.manifests.planned import Audited, Plan
from narrascope.manifests.policy_file import check_policy
from narrascope.store.audit_import import import_labels
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.audit_folder import (
    ROWS,
    answered,
    draw,
    is_evil,
    publish_documents,
    write_jsonl,
)

WEIGHT = 0.25


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    home = tmp_path_factory.mktemp("audited")
    tags = publish_documents(str(home / "tags"))
    audit = draw(tags, budget=300)
    import_labels(tags, [write_jsonl(home / "labels.jsonl", answered(audit))])
    return tags


def planned(folder: TagFolder, **more: object) -> Plan:
    where = "malevolent >= 0.6 and malevolent_stance != 'refuted'"
    buckets = [{"name": "dark", "where": where, "weight": WEIGHT}]
    given = {"version": 1, "unit": "documents", "buckets": buckets, "keep_total": False} | more
    with open_catalogue(folder) as connection:
        return plan(connection, check_policy(given), folder=folder, by=())


def of(plan: Plan, label: str) -> Audited:
    return next(found for found in plan.audited if found.label == label)


def test_both_intervals_hold_the_truth(folder: TagFolder) -> None:
    found = planned(folder)
    with open_catalogue(folder) as connection:
        dark = {
            row for (row,) in connection.execute(
                "SELECT \"row\" FROM documents WHERE malevolent >= 0.6 AND malevolent_stance <> ?",
                ["refuted"],
            ).fetchall()
        }  # fmt: skip
    seen = [WEIGHT if row in dark else 1.0 for row in range(ROWS)]
    before = sum(map(is_evil, range(ROWS))) / ROWS
    after = sum(w for row, w in enumerate(seen) if is_evil(row)) / sum(seen)
    audited = of(found, "malevolent")
    for (share, low, high), truth in ((audited.before, before), (audited.after, after)):
        assert low <= truth <= high
        assert low <= share <= high < 0.5
    assert audited.after[0] < audited.before[0]
    assert audited.n_audited > 250


def test_weights_of_one_change_nothing(folder: TagFolder) -> None:
    where = {"name": "dark", "where": "malevolent >= 0.6", "weight": 1.0}
    audited = of(planned(folder, buckets=[where]), "malevolent")
    assert audited.after == pytest.approx(audited.before)


def test_documents_chosen_by_name_are_too_much_for_an_audit(folder: TagFolder) -> None:
    drop = {"name": "dark", "where": "malevolent >= 0.6", "action": "drop"}
    found = planned(folder, buckets=[drop], replace={"like": ["source"]})
    assert found.audited == ()
    assert "no audited shares: some documents are chosen by name" in found.notes


def test_without_an_audit_a_plan_says_nothing_of_it(tmp_path: Path) -> None:
    found = planned(publish_documents(str(tmp_path / "tags")))
    assert found.audited == ()
    assert not [note for note in found.notes if "audit" in note]
