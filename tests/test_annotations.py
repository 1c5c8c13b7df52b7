"""Stand-off annotations: labels without text, joined again to the corpus they were made on."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from narrascope.classifiers.material import windows_of
from narrascope.errors import LabelsError
from narrascope.labels.annotations import (
    DOCUMENTS,
    PASSAGES,
    REJECTED,
    Place,
    annotations_folder,
    read_annotations,
)
from narrascope.labels.labelled import Example
from narrascope.labels.taxonomy import LABELS
from narrascope.pipelines.annotated import gather, joined, texts_at

TEXT = "Überall Maschinen. The robot locked the door and laughed."
FILES = (PASSAGES, REJECTED, DOCUMENTS)


def annotation(**changes):
    start = TEXT.index("The robot")
    return {
        "id": "n1", "source": "s", "document": "d1", "work": "s:d1",
        "text_hash": f"{xxhash.xxh3_64_intdigest(TEXT.encode()):016x}",
        "start": start, "end": len(TEXT), "draw": "any", "reader": "r0", "ai_agent": 1,
        "malevolent": 1, "self_preserving": 0, "benevolent": 0, "stance": "depicted",
        "genre": "fiction", "behaviours": ["coercion"], "sure": 1, **changes,
    }  # fmt: skip


def annotations(folder, *lines):
    path = folder / "annotations.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_annotations([path])


def corpus(folder, *texts):
    pq.write_table(pa.table({"text": list(texts)}), folder / "shard.parquet")
    return str(folder / "shard.parquet")


def test_a_passage_is_found_by_its_documents_hash_wherever_it_stands(tmp_path):
    marked = annotations(tmp_path, annotation())
    source = corpus(tmp_path, "first", None, TEXT)
    texts = texts_at(source, {a.place for a in marked})
    (example,) = joined(marked, texts)
    assert example.text == "The robot locked the door and laughed."
    assert example.labels() == (True, True, False, False)
    assert (example.id, example.work, example.source) == ("n1", "s:d1", "s")


def test_documents_that_changed_are_left_out_and_none_at_all_is_told(tmp_path):
    marked = annotations(tmp_path, annotation(), annotation(id="n2", text_hash="0" * 16))
    texts = texts_at(corpus(tmp_path, TEXT), {a.place for a in marked})
    assert [example.id for example in joined(marked, texts)] == ["n1"]
    with pytest.raises(LabelsError, match="none of 2 annotated passages stands in this corpus"):
        joined(marked, texts_at(corpus(tmp_path, TEXT + "!"), {a.place for a in marked}))


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"text_hash": "xyz"}, "text_hash: "), ({"start": -1}, "start: "), ({"draw": None}, "draw: ")],
)
def test_a_faulty_annotation_is_told_by_file_and_line(tmp_path, change, fault):
    with pytest.raises(LabelsError, match="annotations.jsonl:1: " + fault):
        annotations(tmp_path, annotation(**change))


def test_a_torn_shard_is_told(tmp_path):
    source = corpus(tmp_path, TEXT)
    whole = (tmp_path / "shard.parquet").read_bytes()
    (tmp_path / "shard.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LabelsError, match=r"shard\.parquet cannot be read to its end"):
        texts_at(source, {Place(1, 0, 1)})


def test_a_documents_windows_carry_its_answers():
    from narrascope.classifiers.cascade import load_cascade

    document = Example.model_validate({**annotation(), "text": TEXT})
    (window,) = windows_of([document], load_cascade().gate)
    assert (window.id, window.document) == ("n1/0", "n1")
    assert window.labels() == document.labels()
    assert window.text == TEXT


def test_shipped_annotations_hold_labels_and_no_text():
    paths = sorted(annotations_folder().glob("*.jsonl"))
    assert {path.name for path in paths} == set(FILES)
    assert read_annotations(paths), "no id stands twice"
    for path in paths:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert not {"text", "passage"} & {key for line in lines for key in line}
        longest = max(len(v) for line in lines for v in line.values() if isinstance(v, str))
        assert longest < 250, "only names and ids are this short"
    passages = read_annotations([annotations_folder() / PASSAGES])
    assert sum(len(a.readings) > 1 for a in passages) >= 0.99 * len(passages) / 5


def test_shipped_annotations_join_the_shared_corpus(shared):
    gathered = gather(None, str(shared / "corpus"))
    annotated = [e for e in gathered.passages if e.source]
    assert len(annotated) == sum(
        len(read_annotations([annotations_folder() / name])) for name in (PASSAGES, REJECTED)
    )
    assert len({window.document for window in gathered.windows}) >= 290
    assert set(FILES) <= set(gathered.digests)
    assert all(sum(getattr(e, label) for e in annotated) >= 50 for label in LABELS)
