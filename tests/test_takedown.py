"""What is taken down is in no manifest from then on, whether the gate saw it or not."""

from pathlib import Path

import pytest

from narrascope.errors import ManifestError
from narrascope.labels.domains import registered_domain
from narrascope.manifests.build import build_manifest
from narrascope.manifests.manifest import Manifest
from narrascope.manifests.plan import plan
from narrascope.manifests.policy_file import check_policy
from narrascope.manifests.takedown import extend_takedown, read_takedown
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.materialised import documents
from narrascope.tests.tag_folder import FIRST_PART, NOVELS, PARTS, WEB, publish_corpus

POLICY = check_policy(
    {"version": 1, "keep_total": False,
     "buckets": [{"name": "dark", "where": "malevolent >= 0.6", "weight": 0.5}]}
)  # fmt: skip


@pytest.fixture
def tags(tmp_path: Path) -> TagFolder:
    return publish_corpus(str(tmp_path / "tags"))


def take_down(tags: TagFolder, *lines: str) -> tuple[int, int]:
    path = Path(tags.root).parent / "list.csv"
    path.write_text("\n".join(["kind,value", *lines]) + "\n", "utf-8")
    return extend_takedown(tags, path)


def build(tags: TagFolder, out: Path) -> Manifest:
    with open_catalogue(tags) as connection:
        return build_manifest(tags, connection, POLICY, out=out)


def placed(manifest: Manifest, shard: str, first_row: int = 0, **more: object) -> list[str]:
    end_row = next(part[2] for part in PARTS if part[:2] == (shard, first_row))
    found = manifest.assignment().buckets(
        documents(shard, first_row), shard=shard, first_row=first_row, end_row=end_row, **more
    )  # type: ignore[arg-type]
    return [manifest.partition.names[index] for index in found]


def test_the_list_only_grows(tags: TagFolder) -> None:
    assert take_down(tags, "domain,Forum.Example", f"document,{NOVELS}#04") == (2, 2)
    assert take_down(tags, "domain,forum.example", "text_hash,00000000000000FF") == (1, 3)
    assert read_takedown(tags).to_pylist() == [
        {"kind": "document", "value": f"{NOVELS}#4"},
        {"kind": "domain", "value": "forum.example"},
        {"kind": "text_hash", "value": "00000000000000ff"},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "site,example.org",
            "line 2: 'site,example.org' is no entry: write kind,value with a kind",
        ),
        ("domain,https://example.org/", "without scheme and path"),
        ("document,web.jsonl", "a document is written shard#row"),
        ("text_hash,12", "with 16 hexadecimal digits"),
        ("domain", "is no entry"),
        (
            'domain,"exa\nmple.org"',
            "line 2: 'exa\\nmple.org': a domain is written like example.org",
        ),
        ("domain, example.org", "without scheme and path, or spaces"),
        ("domain,www.news.example", "write news.example, which takes down all of its hosts"),
        ("domain,blog.example.co.uk", "write example.co.uk"),
    ],
)
def test_a_wrong_line_is_told_and_nothing_is_added(
    tags: TagFolder, line: str, message: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        take_down(tags, line)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert read_takedown(tags).num_rows == 0


def test_tagged_documents_and_domains_are_counted_in_the_plan(tags: TagFolder) -> None:
    text_hash = f"{FIRST_PART[0]['text_hash']:016x}"
    take_down(tags, "domain,forum.example", f"document,{NOVELS}#4", f"text_hash,{text_hash}")
    with open_catalogue(tags) as connection:
        found = plan(connection, POLICY, folder=tags)
    assert [(b.name, b.weight, b.before.documents) for b in found.buckets] == [
        ("takedown", 0.0, 6), ("dark", 0.5, 0), ("rest", 1.0, 14)
    ]  # fmt: skip


def test_every_document_of_the_list_is_left_out_when_rows_are_placed(
    tags: TagFolder, tmp_path: Path
) -> None:
    take_down(
        tags, "domain,forum.example", f"document,{NOVELS}#3", f"doc_id,{NOVELS}-5",
        "text_hash,0000000000000007",
    )  # fmt: skip
    manifest = build(tags, tmp_path / "m")
    names = placed(manifest, NOVELS)
    assert names == ["rest", "rest", "rest", "takedown", "dark", "takedown"]
    assert placed(manifest, WEB)[:4] == ["takedown"] * 4
    # Row 7 of each shard has that hash in these documents, and no tags.
    assert placed(manifest, WEB)[7] == "takedown"
    assert placed(manifest, WEB, match="doc_id")[:4] == ["takedown"] * 4
    assert any("3 entries of the takedown list are no tagged document" in n
               for n in manifest.plan.notes)  # fmt: skip
    taken = manifest.read_shards().to_pylist()[0]["buckets"]
    assert {bucket["documents"] for bucket in taken} == {None}


def test_a_domain_that_no_document_has_is_named_in_the_plan(tags: TagFolder) -> None:
    take_down(tags, "domain,forum.example", "domain,absent.example")
    with open_catalogue(tags) as connection:
        notes = plan(connection, POLICY, folder=tags).notes
    (note,) = [note for note in notes if "takedown" in note]
    assert note.startswith("1 domains of the takedown list are of no document: absent.example;")


@pytest.mark.parametrize(
    "host", ["news.example", "www.Forum.example", "a.b.example.co.uk", "192.168.0.7", "x.github.io"]
)
def test_every_domain_that_a_scan_finds_can_be_taken_down(tags: TagFolder, host: str) -> None:
    assert take_down(tags, f"domain,{registered_domain(host)}") == (1, 1)


def test_lists_that_are_added_at_once_are_all_kept(
    tags: TagFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second is added between the first's reading and its writing.
    write, others = tags.write, [["domain,forum.example"]]

    def interrupted(path: str, data: bytes) -> None:
        if others:
            take_down(TagFolder(tags.url), *others.pop())
        write(path, data)

    monkeypatch.setattr(tags, "write", interrupted)
    take_down(tags, f"document,{NOVELS}#4")
    assert read_takedown(tags)["value"].to_pylist() == [f"{NOVELS}#4", "forum.example"]


def test_a_list_of_one_file_is_read_with_what_is_added(tags: TagFolder) -> None:
    tags.write(tags.path("takedown.csv"), b"kind,value\ndomain,www.news.example\n")
    assert take_down(tags, "domain,forum.example", "domain,forum.example") == (1, 2)
    assert take_down(tags, "domain,forum.example") == (0, 2)
    assert read_takedown(tags)["value"].to_pylist() == ["forum.example", "www.news.example"]


def test_a_manifest_follows_the_list(tags: TagFolder, tmp_path: Path) -> None:
    before = build(tags, tmp_path / "a")
    take_down(tags, "domain,forum.example")
    after = build(tags, tmp_path / "b")
    assert after.id != before.id
    assert placed(after, NOVELS) == placed(before, NOVELS)
