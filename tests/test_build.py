"""A manifest fixes what the policy decides, and places every row of the corpus as the plan did."""

from pathlib import Path

import numpy as np
import pytest

from narrascope.errors import ManifestError
from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import Manifest, load_manifest
from narrascope.manifests.policy_file import check_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.materialised import BUCKETS, build, documents
from narrascope.tests.tag_folder import NOVELS, PARTS, WEB, publish_corpus, publish_part


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return build(tmp_path)


def buckets_of(manifest: Manifest, shard: str, first_row: int, **more: object) -> list[str]:
    end_row = next(p[2] for p in PARTS if p[:2] == (shard, first_row))
    found = manifest.assignment().buckets(
        documents(shard, first_row), shard=shard, first_row=first_row, end_row=end_row, **more
    )  # type: ignore[arg-type]
    return [manifest.partition.names[index] for index in found]


def test_a_manifest_reads_back_as_it_was_built(manifest: Manifest, tmp_path: Path) -> None:
    assert load_manifest(tmp_path / "m") == manifest
    assert manifest.weights == {"dark": 0.5, "kind": 2.5, "forum": 0.0, "rest": 1.0}
    assert (manifest.parts, manifest.root, manifest.seed) == (3, "/corpus", 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "tags"]


def test_the_list_holds_only_what_the_rule_for_untagged_documents_would_misplace(
    manifest: Manifest,
) -> None:
    listed = manifest.read_documents().to_pylist()
    assert [(row["shard"], row["row"], row["bucket"], row["weight"]) for row in listed] == [
        (NOVELS, 4, "dark", 0.5),
        (NOVELS, 9, "kind", 2.5),
        (WEB, 2, "dark", 0.5),
    ]


def test_the_parts_hold_what_each_bucket_takes(manifest: Manifest) -> None:
    shards = manifest.read_shards().to_pylist()
    taken = [{b["bucket"]: b["documents"] for b in part["buckets"]} for part in shards]
    assert taken == [
        {"dark": 1, "kind": 0, "forum": 0, "rest": 5},
        {"dark": 0, "kind": 1, "forum": 0, "rest": 5},
        {"dark": 1, "kind": 0, "forum": 3, "rest": 4},
    ]


def test_every_row_of_the_corpus_falls_where_the_plan_counted_it(manifest: Manifest) -> None:
    assert buckets_of(manifest, NOVELS, 0) == ["rest"] * 4 + ["dark", "rest"]
    assert buckets_of(manifest, WEB, 0) == [
        "forum", "forum", "dark", "forum", "rest", "rest", "rest", "rest"
    ]  # fmt: skip
    for part in manifest.read_shards().to_pylist():
        placed = buckets_of(manifest, part["shard"], part["first_row"])
        for taken in part["buckets"]:
            assert placed.count(taken["bucket"]) == taken["documents"]


@pytest.mark.parametrize(
    "wheres",
    [
        ["malevolent is null"],
        ["month >= '2020-02' or benevolent > 0.1", "source is null", "malevolent < 0.5"],
        ["not (source == 'novels' or malevolent > 0.7)", "gate_matches is null", "url is null"],
        ["'domination' in behaviours", "'domination' not in behaviours", "month == '2020-01'"],
        ["domain != 'news.example' and not malevolent >= 0.5", "shard == 'web.jsonl'"],
        ["screen_malevolent is not null and malevolent is null", "domain in ('news.example')"],
    ],
)
def test_the_plan_and_the_placing_of_rows_agree_whatever_the_conditions(
    tmp_path: Path, wheres: list[str]
) -> None:
    buckets = [{"name": f"b{n}", "where": where} for n, where in enumerate(wheres)]
    manifest = build(tmp_path, buckets)
    placed = [name for part in PARTS for name in buckets_of(manifest, part[0], part[1])]
    assert {b.name: b.before.documents for b in manifest.plan.buckets} == {
        name: placed.count(name) for name in manifest.partition.names
    }


def test_a_tagged_document_that_a_bucket_passes_over_is_not_taken_for_an_untagged_one(
    tmp_path: Path,
) -> None:
    where = "domain == 'forum.example' and malevolent is null"
    manifest = build(tmp_path, [{"name": "unread", "where": where, "weight": 0.5}])
    assert buckets_of(manifest, WEB, 0)[:4] == ["rest", "unread", "rest", "unread"]


@pytest.mark.parametrize("match", ["doc_id", "text_hash"])
def test_a_document_is_found_again_after_its_corpus_was_resharded(
    manifest: Manifest, match: str
) -> None:
    moved = documents(NOVELS, 0).set_column(0, "row", [list(range(100, 106))])
    found = manifest.assignment().buckets(
        moved, shard="elsewhere.parquet", first_row=100, end_row=106, match=match
    )  # type: ignore[arg-type]
    assert found.tolist() == [3, 3, 3, 3, 0, 3]


def test_matching_by_a_column_that_is_not_there_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match="have no column doc_id"):
        manifest.assignment().buckets(
            documents(WEB, 0).drop_columns(["doc_id"]),
            shard=WEB, first_row=0, end_row=8, match="doc_id",
        )  # fmt: skip


def test_mode_buckets_writes_each_document_once_and_none_of_a_dropped_bucket(
    manifest: Manifest,
) -> None:
    rows, buckets = np.arange(6), np.array([0, 0, 1, 2, 3, 3])
    copies = manifest.assignment().copies(rows, buckets, shard=WEB, first_row=0, mode="buckets")
    assert copies.tolist() == [1, 1, 1, 0, 1, 1]


def test_mode_realised_writes_copies_as_the_weights_ask(manifest: Manifest) -> None:
    rows, buckets = np.arange(6), np.array([0, 0, 1, 2, 3, 3])
    copies = manifest.assignment().copies(rows, buckets, shard=WEB, first_row=0, mode="realised")
    assert copies[:2].sum() == 1
    assert copies[2] in (2, 3)
    assert copies[3:].tolist() == [0, 1, 1]


def test_building_again_returns_the_same_manifest_and_another_policy_is_refused(
    manifest: Manifest, tmp_path: Path
) -> None:
    assert build(tmp_path) == manifest
    with pytest.raises(ManifestError, match="already holds something other than this manifest"):
        build(tmp_path, BUCKETS[:1])


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    folder = publish_corpus(str(tmp_path / "tags"))
    policy = check_policy({"version": 1, "buckets": BUCKETS, "keep_total": False})
    with (
        open_catalogue(folder) as connection,
        pytest.raises(ManifestError, match="cannot be written"),
    ):
        build_manifest(folder, connection, policy, out=tmp_path / "file" / "m")


def test_the_identity_follows_policy_and_tags_only(manifest: Manifest, tmp_path: Path) -> None:
    assert build(tmp_path / "other").id == manifest.id
    assert build(tmp_path / "third", BUCKETS[:1]).id != manifest.id


def test_an_incomplete_manifest_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist: build it with"):
        load_manifest(tmp_path / "none")
    (tmp_path / "m" / "shards.parquet").unlink()
    with pytest.raises(ManifestError, match=r"has lost its shards\.parquet"):
        load_manifest(tmp_path / "m")
    (tmp_path / "m" / "manifest.json").unlink()
    with pytest.raises(ManifestError, match="is incomplete"):
        load_manifest(tmp_path / "m")


def test_a_manifest_that_is_no_manifest_is_refused_in_one_line(
    manifest: Manifest, tmp_path: Path
) -> None:
    for text in ("[]", "{", '{"format": 2}'):
        (tmp_path / "m" / "manifest.json").write_text(text, "utf-8")
        with pytest.raises(ManifestError) as caught:
            load_manifest(tmp_path / "m")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partial": True}, "1 parts were scanned with --limit"),
        ({"models_digest": "other"}, r"the parts disagree in models_digest \(m, other\)"),
    ],
)
def test_parts_that_cannot_be_added_up_are_refused(
    tmp_path: Path, changes: dict, message: str
) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    publish_part(folder, "more.parquet", 0, 1, [], [("novels", None, None, 1, 5, 1)], **changes)
    policy = check_policy({"version": 1, "buckets": BUCKETS, "keep_total": False})
    with open_catalogue(folder) as connection, pytest.raises(ManifestError, match=message):
        build_manifest(folder, connection, policy, out=tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_failed_shards_are_noted(tmp_path: Path) -> None:
    folder = publish_corpus(str(tmp_path / "tags"))
    folder.set_aside("torn.parquet", {"shard": "torn.parquet", "reason": "no footer"})
    policy = check_policy({"version": 1, "buckets": BUCKETS, "keep_total": False})
    with open_catalogue(folder) as connection:
        built = build_manifest(folder, connection, policy, out=tmp_path / "m")
    assert built.notes == ("left out, since its scan failed: torn.parquet (no footer)",)
