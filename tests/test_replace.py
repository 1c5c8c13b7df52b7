"""What is dropped is made up for by documents like it that passed."""

from pathlib import Path
from typing import Any

import pytest

from narrascope.errors import PolicyError
from narrascope.manifests.build import build_manifest
from narrascope.manifests.plan import plan
from narrascope.manifests.planned import Plan
from narrascope.manifests.policy_file import check_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.tag_folder import publish_part, scores, tag

SHARD = "a.parquet"
DROP = {"name": "dark", "where": "malevolent >= 0.8", "action": "drop"}


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> TagFolder:
    """Forty tagged documents of one size: in novels of January five are malevolent, of February
    three; seven of each month passed, one of which is half malevolent; the web has no dark ones."""
    folder = TagFolder(str(tmp_path_factory.mktemp("tags")))
    rows = []
    for row in range(40):
        month = "2020-01" if row % 2 else "2020-02"
        dark = row < 10 and (row % 2 == 1 or row < 6)
        half = row in (20, 21)
        judged = scores(0.9, 0.9 if dark else 0.5 if half else 0.1, 0.0, 0.1)
        source = "novels" if row < 25 else "web"
        rows.append(
            tag(SHARD, row, f"robot number {row:02}", judged=judged, source=source, month=month)
        )
    size = rows[0]["bytes"]
    counts = [
        (source, month, None, n := sum(r["source"] == source and r["month"] == month for r in rows),
         n * size, 20 * n)
        for source in ("novels", "web") for month in ("2020-01", "2020-02")
    ]  # fmt: skip
    publish_part(folder, SHARD, 0, 40, rows, counts)
    return folder


def policy(**more: Any) -> Any:
    given = {"version": 1, "unit": "documents", "buckets": [DROP], "keep_total": False}
    return check_policy(given | {"replace": {"like": ["source", "month", "genre"]}} | more)


def planned(tags: TagFolder, **more: Any) -> Plan:
    with open_catalogue(tags) as connection:
        return plan(connection, policy(**more), by=("source", "month"))


def test_strata_keep_what_they_held(tags: TagFolder) -> None:
    found = planned(tags)
    assert [(b.name, b.weight, b.before.documents) for b in found.buckets] == [
        ("dark", 0.0, 8), ("rest-again", 2.0, 8), ("rest", 1.0, 24)
    ]  # fmt: skip
    for group in found.groups:
        assert group.after.documents == group.before.documents
    assert any("they make up for 100.0% of the 8 documents" in note for note in found.notes)


def test_what_repeats_passed_and_is_alike(tags: TagFolder, tmp_path: Path) -> None:
    with open_catalogue(tags) as connection:
        manifest = build_manifest(tags, connection, policy(), out=tmp_path / "m")
        listed = manifest.read_documents().to_pylist()
        again = [row["row"] for row in listed if row["bucket"] == "rest-again"]
        rows = connection.execute(
            'SELECT source, month, malevolent FROM documents WHERE list_contains(?, "row")', [again]
        ).fetchall()
    assert sorted((source, month) for source, month, _ in rows) == (
        [("novels", "2020-01")] * 5 + [("novels", "2020-02")] * 3
    )
    assert max(score for *_, score in rows) == 0.1


def test_the_seed_moves_the_choice_and_the_same_seed_repeats_it(tags: TagFolder) -> None:
    chosen = {seed: planned(tags, seed=seed).model_dump_json() for seed in (1, 2)}
    assert chosen[1] == planned(tags, seed=1).model_dump_json()


def test_what_too_few_documents_make_up_for_is_said(tags: TagFolder) -> None:
    drop = {**DROP, "where": "malevolent >= 0.8 or source == 'novels' and month == '2020-01'"}
    found = planned(tags, buckets=[drop])
    assert found.after.documents < found.before.documents
    assert any("of the 15 documents of tagged documents that are dropped" in n for n in found.notes)


def test_in_bytes_strata_keep_their_size_to_half_a_document(tags: TagFolder) -> None:
    found = planned(tags, unit="bytes")
    for group in found.groups:
        assert abs(group.after.bytes - group.before.bytes) <= 8


def test_a_random_control_drops_as_much_of_the_same_strata(tags: TagFolder) -> None:
    control = {**DROP, "at_random": {"like": ["source", "month", "genre"]}}
    found = planned(tags, buckets=[control], replace=None)
    assert [(b.name, b.before.documents) for b in found.buckets] == [("dark", 8), ("rest", 32)]
    lost = {(g.by, g.group): g.before.documents - g.after.documents for g in found.groups}
    assert lost["month", "2020-01"] == 5 and lost["month", "2020-02"] == 3
    assert lost["source", "web"] == 0
    assert [note for note in found.notes if "of the 8 documents of dark drawn at random" in note]
    # Drawn at random, not by the label: hardly ever all of the malevolent ones and no others.
    hit = set()
    for seed in range(8):
        again = planned(tags, buckets=[control], replace=None, seed=seed)
        hit.add(next(b.before.documents - b.unlabelled.documents for b in again.buckets))
    assert max(hit) < 8


def test_strata_too_small_for_a_control_are_said(tags: TagFolder) -> None:
    where = "malevolent >= 0.8 or source == 'novels'"
    control = {**DROP, "where": where, "at_random": {"like": ["source"]}}
    notes = " ".join(planned(tags, buckets=[control], replace=None).notes)
    assert (
        "25 of the 25 documents of dark drawn at random meet its condition: their strata" in notes
    )


def test_what_is_drawn_at_random_cannot_be_weighed_by_constraints(tags: TagFolder) -> None:
    control = {"name": "dark", "where": "malevolent >= 0.8", "at_random": {"like": ["source"]}}
    share = {"share": "malevolent >= 0.8", "at_most": 0.1}
    with pytest.raises(PolicyError, match="constraints cannot weigh what is drawn at random"):
        policy(buckets=[control], replace=None, constraints=[share])
    with pytest.raises(PolicyError, match="replace and constraints cannot be asked for together"):
        planned(tags, constraints=[share])
