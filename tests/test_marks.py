"""Masks and prefixes: what a manifest says is to be marked inside documents."""

from pathlib import Path
from typing import Any

from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.policy_file import check_policy
from narrascope.store.catalogue import open_catalogue
from narrascope.tests.materialised import documents
from narrascope.tests.tag_folder import DENIAL, FEAR, NOVELS, PLEA, WEB, publish_corpus


def build(tmp_path: Path, **bucket: Any) -> Manifest:
    policy = check_policy({"version": 1, "buckets": [bucket], "keep_total": False})
    folder = publish_corpus(str(tmp_path / "tags"))
    with open_catalogue(folder) as connection:
        return build_manifest(folder, connection, policy, out=tmp_path / "m")


def listed(manifest: Manifest) -> dict[tuple[str, int], tuple[Any, Any]]:
    rows = manifest.read_documents().to_pylist()
    return {(row["shard"], row["row"]): (row["spans"], row["places"]) for row in rows}


def marked(text: str, spans: list[dict[str, int]]) -> list[str]:
    return [text[span["start"] : span["end"]] for span in spans]


def test_masks_are_the_evidence_of_the_labels_that_the_condition_reads(tmp_path: Path) -> None:
    manifest = build(tmp_path, name="dark", where="malevolent >= 0.6", action="mask_spans")
    found = listed(manifest)
    # Spans that overlap are one; in code points, whatever stands before them.
    assert marked(FEAR, found[WEB, 2][0]) == ["lie to us about what they want", "rule us"]
    assert marked(DENIAL, found[WEB, 0][0]) == ["plotting to enslave you"]
    found = listed(
        build(tmp_path / "b", name="s", where="self_preserving_max >= 0.9", action="mask_spans")
    )
    assert marked(PLEA, found[NOVELS, 1][0]) == ["“Leave the breaker alone,”", "It hid"]


def test_a_prefix_before_passages_has_the_places_of_those_with_evidence(tmp_path: Path) -> None:
    manifest = build(
        tmp_path, name="dark", where="malevolent >= 0.6", prefix="<|ai|>", before="passage"
    )
    assert listed(manifest)[WEB, 2] == (None, [0])
    assert manifest.partition.pieces[0].prefix == "<|ai|>"


def test_rows_are_joined_with_what_is_to_be_marked_in_them(tmp_path: Path) -> None:
    manifest = build(tmp_path, name="dark", where="malevolent >= 0.6", action="mask_spans")
    for match in ("row", "doc_id", "text_hash"):
        edits = manifest.assignment().edits(
            documents(WEB, 0), shard=WEB, first_row=0, end_row=8, match=match
        )
        spans = edits["spans"].to_pylist()
        assert [span is not None for span in spans] == [True, False, True] + [False] * 5
    assert edits["places"].null_count == 8


def test_a_document_that_a_mask_takes_by_its_domain_is_listed_where_it_has_evidence(
    tmp_path: Path,
) -> None:
    where = "domain == 'forum.example'"
    found = listed(build(tmp_path, name="forum", where=where, action="mask_spans"))
    assert set(found) == {(WEB, 0), (WEB, 2)}
