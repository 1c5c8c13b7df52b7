"""The catalogue holds the finished parts, notices change, and never disturbs its readers."""

import shutil
import threading
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrascope.errors import TagsError
from narrascope.store.catalogue import build_catalogue, catalogue_version, open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.tests.tag_folder import FIRST_PART, NOVELS, PARTS, publish_corpus, publish_part

BAD = {"shard": "bad.parquet", "reason": "no column 'text'", "retry": "mend it"}


@pytest.fixture
def folder(tmp_path: Path) -> TagFolder:
    return publish_corpus(str(tmp_path / "tags"))


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row
    return row[0]


def test_the_catalogue_gathers_all_finished_parts(folder: TagFolder) -> None:
    with open_catalogue(folder) as connection:
        assert count(connection, "documents") == 7
        assert count(connection, "receipts") == 3
        assert connection.execute("SELECT sum(documents) FROM totals").fetchone() == (20,)
        assert connection.execute("SELECT sum(documents) FROM domains").fetchone() == (20,)
        found = connection.execute("SELECT first_row FROM documents WHERE row = 9").fetchall()
        assert found == [(6,)]


def test_the_catalogue_holds_no_text(folder: TagFolder) -> None:
    with open_catalogue(folder) as connection:
        for table in ("documents", "control"):
            names = {row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
            assert "first_row" in names
            assert not names & {"text", "passages"}


def test_files_of_a_part_without_a_receipt_are_not_read(folder: TagFolder) -> None:
    Path(folder.part_path("receipts", NOVELS, 0)).unlink()
    Path(folder.part_path("tags", NOVELS, 0)).write_bytes(b"half a file")
    with open_catalogue(folder) as connection:
        assert count(connection, "documents") == 5


def test_a_torn_file_of_a_finished_part_is_named_in_one_line(folder: TagFolder) -> None:
    path = Path(folder.part_path("tags", NOVELS, 6))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TagsError) as caught:
        build_catalogue(folder)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_optional_column_is_null_and_a_missing_required_one_is_an_error(
    folder: TagFolder,
) -> None:
    path = folder.part_path("tags", NOVELS, 0)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["language", "tokens"]), path)
    with open_catalogue(folder) as connection:
        assert connection.execute(
            "SELECT count(tokens) FROM documents WHERE shard = ? AND first_row = 0", [NOVELS]
        ).fetchone() == (0,)
    shutil.rmtree(Path(folder.root) / "catalogue")
    pq.write_table(table.drop_columns(["text_hash"]), path)
    with pytest.raises(TagsError, match="'text_hash'"):
        build_catalogue(folder)


def test_an_unchanged_folder_is_not_built_again_and_a_changed_one_is(folder: TagFolder) -> None:
    open_catalogue(folder).close()
    (built,) = Path(folder.path("catalogue")).iterdir()
    before = built.stat().st_mtime_ns
    open_catalogue(folder).close()
    assert built.stat().st_mtime_ns == before
    publish_part(folder, "new.jsonl", 0, 3, [], [("web", "2022-01", None, 3, 30, None)])
    with open_catalogue(folder) as connection:
        assert count(connection, "receipts") == 4
    (rebuilt,) = Path(folder.path("catalogue")).iterdir()
    assert rebuilt.name == f"{catalogue_version(folder)}.duckdb" != built.name


def test_a_folder_has_one_catalogue_however_it_is_named(
    folder: TagFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(folder.root).parent)
    assert catalogue_version(TagFolder("tags")) == catalogue_version(folder)


def test_a_damaged_catalogue_is_told_in_one_line(folder: TagFolder) -> None:
    build_catalogue(folder).write_bytes(b"no database")
    with pytest.raises(TagsError, match="remove it and try again"):
        open_catalogue(folder)


def test_readers_of_an_old_catalogue_are_not_disturbed_by_a_new_one(folder: TagFolder) -> None:
    old = open_catalogue(folder)
    publish_part(folder, "new.jsonl", 0, 3, [], [("web", "2022-01", None, 3, 30, None)])
    new = open_catalogue(folder)
    assert count(old, "receipts") == 3
    assert count(new, "receipts") == 4
    old.close()
    new.close()


def everything(folder: TagFolder) -> dict[str, list[str]]:
    """Every table's rows, in an order of their own; not the catalogue's name."""
    with open_catalogue(folder) as connection:
        tables = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {
            table: sorted(map(str, connection.execute(f"FROM {table}").fetchall()))
            for table in tables
            if table != "meta"
        }


@settings(deadline=None, max_examples=12)
@given(st.permutations(PARTS), st.sets(st.integers(1, len(PARTS) - 1)))
def test_a_catalogue_that_grew_equals_one_built_at_once(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Any], looked: set[int]
) -> None:
    folder = TagFolder(str(tmp_path_factory.mktemp("grown") / "tags"))
    for number, part in enumerate(parts):
        if number in looked:
            build_catalogue(folder)
        publish_part(folder, *part)
    grown = everything(folder)
    shutil.rmtree(Path(folder.root) / "catalogue")
    assert grown == everything(folder)


def test_parts_that_were_gathered_once_are_not_opened_again(folder: TagFolder) -> None:
    build_catalogue(folder)
    Path(folder.part_path("tags", NOVELS, 0)).write_bytes(b"unreadable")
    publish_part(folder, "new.jsonl", 0, 3, [], [("web", "2022-01", None, 3, 30, None)])
    with open_catalogue(folder) as connection:
        assert (count(connection, "receipts"), count(connection, "documents")) == (4, 7)


def test_of_a_part_that_was_withdrawn_and_scanned_again_only_the_new_rows_are_there(
    folder: TagFolder,
) -> None:
    build_catalogue(folder)
    folder.withdraw(NOVELS)
    build_catalogue(folder)
    publish_part(folder, NOVELS, 0, 2, [], [("novels", "2022-01", None, 2, 30, None)])
    with open_catalogue(folder) as connection:
        found = connection.execute("SELECT sum(documents) FROM totals WHERE shard = ?", [NOVELS])
        assert found.fetchall() == [(2,)]


def test_many_threads_read_and_build_at_once(folder: TagFolder) -> None:
    seen: list[int] = []

    def read() -> None:
        with open_catalogue(folder) as connection:
            seen.append(count(connection.cursor(), "documents"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [7] * 8


def test_a_catalogue_is_read_only_and_reaches_no_other_file(folder: TagFolder) -> None:
    with open_catalogue(folder) as connection:
        with pytest.raises(duckdb.Error):
            connection.execute("DELETE FROM documents")
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM read_text('/etc/hostname')")


def test_a_stale_catalogue_can_be_read_as_it_is(folder: TagFolder) -> None:
    with pytest.raises(TagsError, match="no catalogue yet"):
        open_catalogue(folder, rebuild_if_stale=False)
    build_catalogue(folder)
    publish_part(folder, "new.jsonl", 0, 3, [], [("web", "2022-01", None, 3, 30, None)])
    with open_catalogue(folder, rebuild_if_stale=False) as connection:
        assert count(connection, "receipts") == 3


def test_a_missing_and_an_empty_folder_say_how_to_scan(tmp_path: Path) -> None:
    for url in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(TagsError, match="narrascope scan"):
            open_catalogue(TagFolder(str(url)), cache=tmp_path / "cache")


def test_a_folder_that_is_not_on_a_local_disk_has_its_catalogue_in_the_cache(
    tmp_path: Path,
) -> None:
    folder = publish_corpus(f"memory://{tmp_path.name}")
    with open_catalogue(folder, cache=tmp_path) as connection:
        assert count(connection, "documents") == 7
    assert [path.suffix for path in tmp_path.glob("*/catalogue/*")] == [".duckdb"]


def test_failed_shards_are_known_to_the_catalogue(folder: TagFolder) -> None:
    folder.set_aside("bad.parquet", BAD)
    with open_catalogue(folder) as connection:
        assert connection.execute("SELECT * FROM failed").fetchall() == [
            ("bad.parquet", None, None, "no column 'text'", "mend it")
        ]


def test_the_literal_parts_agree_with_their_counts() -> None:
    assert sum(end - first for _, first, end, _, _ in PARTS) == 20
    assert all(FIRST_PART[0]["passages"][0]["text"][s["start"] : s["end"]]
               for s in FIRST_PART[0]["passages"][0]["evidence"])  # fmt: skip
