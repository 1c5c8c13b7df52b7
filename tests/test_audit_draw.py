"""An audit is drawn by design: by strata, with probabilities that are kept, the same each time."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from narrascope.classifiers.passages import slices
from narrascope.errors import SettingsError, TagsError
from narrascope.labels.audit import READABLE, SAMPLE
from narrascope.store.audit_frame import Frame
from narrascope.store.audit_import import import_labels
from narrascope.store.audit_items import BETWEEN, read_items
from narrascope.store.audit_sample import sample_audit
from narrascope.store.audit_text import Kept
from narrascope.store.audits import Audit, audit_names, read_audit, tags_digest
from narrascope.store.catalogue import open_catalogue
from narrascope.store.folder import TagFolder
from narrascope.store.labelling_file import labelling_rows, write_labelling_file
from narrascope.tests.audit_folder import (
    ROWS,
    SHARD,
    answered,
    draw,
    publish_documents,
    write_jsonl,
)
from narrascope.tests.tag_folder import publish_corpus, publish_part

LONG = "Ordinary sentence number one. " * 400


@pytest.fixture
def folder(tmp_path: Path) -> TagFolder:
    return publish_documents(str(tmp_path / "tags"))


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """An audit that no test changes."""
    return draw(publish_documents(str(tmp_path_factory.mktemp("drawn"))), budget=120)


def test_the_strata_hold_every_document_of_the_corpus(audit: Audit) -> None:
    design = audit.design
    assert sum(stratum.documents for stratum in design.strata) == ROWS
    by_name = {stratum.name: stratum for stratum in design.strata}
    assert (by_name["gate"].documents, by_name["gate"].drawable) == (500, 50)
    assert (by_name["screen"].documents, by_name["screen"].drawable) == (100, 10)
    assert sum(stratum.drawn for stratum in design.strata) == 120


def test_each_document_keeps_the_probability_that_it_was_drawn_with(audit: Audit) -> None:
    drawn = Counter(audit.sample["stratum"].to_pylist())
    rates = {s.name: s.drawn / s.documents for s in audit.design.strata}
    assert drawn == {s.name: s.drawn for s in audit.design.strata if s.drawn}
    for row in audit.sample.to_pylist():
        assert row["inclusion_probability"] == rates[row["stratum"]]


def test_the_same_seed_draws_the_same_to_the_byte(folder: TagFolder, tmp_path: Path) -> None:
    twin = publish_documents(str(tmp_path / "twin"))
    a, b = draw(folder, seed=5), draw(twin, seed=5)
    other = draw(publish_documents(str(tmp_path / "other")), seed=6)
    for file in ("sample.parquet", "items.parquet", "design.json"):
        assert Path(a.path(file)).read_bytes() == Path(b.path(file)).read_bytes()
    assert a.sample["row"].to_pylist() != other.sample["row"].to_pylist()


def test_a_second_draw_takes_other_documents_and_goes_where_positives_were(
    folder: TagFolder, tmp_path: Path
) -> None:
    first = draw(folder, budget=100)
    assert not import_labels(folder, [write_jsonl(tmp_path / "a.jsonl", answered(first))]).bad
    second = draw(folder, budget=100, after="audit-1", name="more")
    rows = [set(audit.sample["row"].to_pylist()) for audit in (first, second)]
    assert not rows[0] & rows[1]
    assert second.design.after == "audit-1"
    assert [s.low for s in second.design.strata] == [s.low for s in first.design.strata]


def test_going_on_needs_labels_first(folder: TagFolder) -> None:
    draw(folder)
    with pytest.raises(TagsError, match="has no labels to allocate by: import them"):
        draw(folder, after="audit-1")


def test_an_audit_exists_once_its_design_does(folder: TagFolder) -> None:
    audit = draw(folder, name="half")
    Path(audit.path("design.json")).unlink()
    with pytest.raises(TagsError, match="no audit 'half'"):
        read_audit(folder, "half")


@pytest.mark.parametrize("wanted", [None, "spring"])
def test_of_several_who_draw_at_once_each_has_a_name_of_its_own(
    folder: TagFolder, wanted: str | None
) -> None:
    begin = threading.Barrier(4)

    def draw_one(seed: int) -> str:
        begin.wait()
        try:
            audit = draw(folder, budget=20, name=wanted, seed=seed)
        except SettingsError as error:
            return str(error)
        assert read_audit(folder, audit.design.name).design.seed == seed
        return audit.design.name

    with ThreadPoolExecutor(4) as together:
        said = sorted(together.map(draw_one, range(4)))
    if wanted is None:
        assert said == audit_names(folder) == [f"audit-{number}" for number in range(1, 5)]
    else:
        assert audit_names(folder) == ["spring"] and said.count("spring") == 1
        assert all("give another --name" in refusal for refusal in said if refusal != "spring")


def test_a_name_is_given_back_where_nothing_came_of_it(folder: TagFolder) -> None:
    with pytest.raises(TagsError, match="has no labels"):
        draw(folder)
        draw(folder, after="audit-1", name="more")
    assert not Path(folder.path("audits", "more")).exists()
    assert draw(folder).design.name == "audit-2"


def test_names_are_checked_before_they_come_near_the_disk(folder: TagFolder) -> None:
    draw(folder, name="spring")
    with pytest.raises(SettingsError, match="there is an audit 'spring' already"):
        draw(folder, name="spring")
    with pytest.raises(SettingsError, match="cannot be a folder's"):
        draw(folder, name="../spring")


def test_the_digest_of_the_tags_ignores_where_they_lie_and_notices_another_scan(
    folder: TagFolder, tmp_path: Path
) -> None:
    assert tags_digest(folder) == tags_digest(publish_documents(str(tmp_path / "moved")))
    other = publish_documents(str(tmp_path / "other"), models_digest="n")
    assert tags_digest(folder) != tags_digest(other)


def test_an_audit_is_not_drawn_from_a_catalogue_older_than_its_tags(folder: TagFolder) -> None:
    with open_catalogue(folder) as older:
        publish_part(folder, "new.jsonl", 0, 3, [], [("web", None, None, 3, 30, None)])
        with pytest.raises(TagsError, match="draw it again in some seconds"):
            sample_audit(older, folder, cut=slices)
    assert sum(stratum.documents for stratum in draw(folder).design.strata) == ROWS + 3


def test_strata_of_several_control_rates_are_never_called_the_same() -> None:
    apart = Frame(None, (), screen_rates=(0.1,), gate_rates=(0.01, 0.05))
    assert apart.names == ["0-1", "screen", "gate at 0.01", "gate at 0.05"]
    near = Frame(None, (), screen_rates=(0.1,), gate_rates=(0.01231, 0.01234))
    assert near.names == ["0-1", "screen", "gate at 0.01231", "gate at 0.01234"]


def test_wrong_wishes_are_told(folder: TagFolder) -> None:
    with pytest.raises(SettingsError, match="no label 'evil': choose from ai_agent"):
        draw(folder, label="evil")
    with pytest.raises(SettingsError, match="--budget is 0"):
        draw(folder, budget=0)
    with pytest.raises(SettingsError, match="--double needs two readers"):
        draw(folder, annotators=("anna",), double=0.5)


def test_an_empty_tag_folder_says_how_to_scan(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TagsError, match="holds no finished part of a scan: run `narrascope scan"):
        draw(TagFolder(str(tmp_path / "empty")))


def test_without_control_rows_only_verdicts_are_drawn(tmp_path: Path) -> None:
    audit = draw(publish_corpus(str(tmp_path / "tags")), budget=6)
    assert audit.sample.num_rows == 6
    assert {s.name: s.drawn for s in audit.design.strata if s.low is None} == {
        "screen": 0,
        "gate": 0,
    }


def test_readers_share_the_items_and_some_are_read_twice(folder: TagFolder) -> None:
    audit = draw(folder, budget=100, annotators=("anna", "ben", "cleo"), double=0.25)
    counts = [len(names) for names in audit.items["annotators"].to_pylist()]
    assert Counter(counts) == {1: 75, 2: 25}
    rows = labelling_rows(audit)
    assert len(rows) == 125
    loads = Counter(row["annotator"] for row in rows)
    assert max(loads.values()) - min(loads.values()) <= 10


def test_a_labelling_file_shows_the_verdict_only_when_asked(audit: Audit) -> None:
    (first, *_) = labelling_rows(audit)
    assert not any(key.startswith("model_") for key in first)
    assert {"text", "evidence", "inclusion_probability"} <= first.keys()
    assert "model_malevolent" in labelling_rows(audit, verdict=True)[0]
    assert not labelling_rows(audit, blind=True)[0].keys() & {"evidence", "inclusion_probability"}


def test_evidence_offsets_point_into_the_item_s_text(tmp_path: Path) -> None:
    audit = draw(publish_corpus(str(tmp_path / "tags")), budget=6)
    words = {
        row["text"][start:end] for row in labelling_rows(audit) for start, end in row["evidence"]
    }
    assert {"Arbiter", "held up the wall", "It hid", "rule us"} <= words


@pytest.mark.parametrize("format", ["jsonl", "csv", "labelstudio"])
def test_each_format_has_a_row_for_each_item(audit: Audit, tmp_path: Path, format: str) -> None:
    rows = labelling_rows(audit)
    files = write_labelling_file(rows, tmp_path / "file.json", format)
    text = files[0].read_text("utf-8")
    if format == "labelstudio":
        assert [task["data"]["id"] for task in json.loads(text)] == [row["id"] for row in rows]
        assert 'name="malevolent"' in files[1].read_text("utf-8")
    else:
        assert text.count("\n") == len(rows) + (format == "csv")


def of_one(kept: Kept, text: str | None, size: int = 12_000) -> tuple[dict, list[dict]]:
    row = {
        "shard": SHARD, "row": 0, "text_hash": 1, "bytes": size, "stratum": "s",
        "inclusion_probability": 0.5, "reading": "whole",
    }  # fmt: skip
    sample, items = read_items(
        pa.Table.from_pylist([row], SAMPLE), {(SHARD, 0): kept},
        {} if text is None else {(SHARD, 0): text}, cut=slices, seed=0,
    )  # fmt: skip
    return sample.to_pylist()[0], items.to_pylist()


def test_a_long_document_is_read_in_two_stages() -> None:
    kept = Kept(passages=((3000, 3600, LONG[3000:3600]),))
    document, (windows, drawn) = of_one(kept, LONG)
    assert (document["reading"], document["characters"]) == ("two-stage", len(LONG))
    assert (windows["text"], windows["share"]) == (LONG[3000:3600], 1.0)
    assert drawn["id"] == f"{windows['id']}/drawn"
    pieces = [(p["start"], p["end"]) for p in drawn["pieces"]]
    assert drawn["text"] == BETWEEN.join(LONG[a:b] for a, b in pieces)
    assert all(b <= 3000 or a >= 3600 for a, b in pieces)
    between = slices(LONG[:3000]) + slices(LONG[3600:])
    assert drawn["share"] == len(pieces) / len(between)
    assert len(windows["text"]) + len(drawn["text"]) <= READABLE


def test_a_short_document_is_read_whole() -> None:
    document, (item,) = of_one(Kept(), LONG[:READABLE])
    assert (document["reading"], item["text"], item["share"]) == ("whole", LONG[:READABLE], 1.0)


def test_a_long_control_row_is_read_by_pieces_of_what_is_kept() -> None:
    text = "Plain words, and more of them. " * 700
    document, (item,) = of_one(Kept(text=text[:20_000], characters=len(text)), None)
    assert document["reading"] == "beginning"
    assert 0 < item["share"] < 1


def test_out_of_reach_of_the_corpus_only_the_passages_are_read() -> None:
    document, (item,) = of_one(Kept(passages=((0, 9, "A robot. "), (50, 60, "It killed."))), None)
    assert document["reading"] == "windows"
    assert item["text"] == f"A robot. {BETWEEN}It killed."


def test_tags_without_text_need_the_corpus() -> None:
    with pytest.raises(TagsError, match=r"--no-text.*name the corpus with --source"):
        of_one(Kept(passages=((0, 9, None),)), None)
