"""Stand-off annotations joined to the corpus that they were made on."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import xxhash

from ..classifiers.cascade import load_cascade
from ..classifiers.material import windows_of
from ..errors import LabelsError, one_line
from ..labels.annotations import (
    DOCUMENTS,
    PASSAGES,
    REJECTED,
    Annotation,
    Place,
    annotations_folder,
    read_annotations,
)
from ..labels.labelled import Example, read_examples, shipped_examples
from .batches import Columns
from .formats import read_part
from .parts import list_corpus, plan_parts


def _texts(source: str) -> Iterator[pa.Buffer]:
    """Yield the text of each document of a source, as it is stored."""
    columns = Columns()
    corpus = list_corpus(source)
    parts = plan_parts(corpus, columns.text)
    for name, reason in corpus.torn.items():
        raise _torn(name, reason)
    for part in parts:
        if part.shard.format == "warc":
            continue
        try:
            for batch in read_part(part, columns):
                for value in batch.table["text"].cast(pa.large_binary()):
                    if (data := value.as_buffer()) is not None:
                        yield data
        except (pa.ArrowException, OSError) as error:
            raise _torn(part.shard.name, one_line(error)) from error


def _torn(name: str, reason: str) -> LabelsError:
    return LabelsError(
        f"{name} cannot be read to its end ({reason}): mend the shard, or name a source without it"
    )


def texts_at(source: str, places: Collection[Place]) -> dict[Place, str]:
    """Read a corpus once and return the text at each place that it holds.

    Args:
        source: file, folder, glob or fsspec URL of Parquet or JSON lines.
        places: passages by the hash of their document's text; those that the corpus lacks are left
            out.

    Raises:
        SourceError: there is nothing to read at the source.
        LabelsError: a shard is torn.
    """
    wanted: dict[int, list[Place]] = {}
    for place in places:
        wanted.setdefault(place.text_hash, []).append(place)
    found: dict[Place, str] = {}
    for data in _texts(source):
        if here := wanted.pop(xxhash.xxh3_64_intdigest(data), None):
            text = bytes(data).decode("utf-8", errors="replace")
            found.update((place, text[place.start : place.end]) for place in here)
    return found


def joined(annotations: Sequence[Annotation], texts: dict[Place, str]) -> list[Example]:
    """Return annotations with their texts as examples, in order; those without are left out.

    Raises:
        LabelsError: none of the annotations has its text in the corpus.
    """
    examples = [a.with_text(texts[a.place]) for a in annotations if a.place in texts]
    if annotations and not examples:
        raise LabelsError(
            f"none of {len(annotations)} annotated passages stands in this corpus: "
            "name the corpus that they were made on"
        )
    return examples


@dataclass(frozen=True)
class Gathered:
    """All labelled text at hand.

    Attributes:
        passages: labelled passages, those of files first, then the annotations of the corpus.
        windows: those that a scan reads of the annotated whole documents.
        digests: xxh3_64 of every file that labels came from, by its name.
    """

    passages: list[Example]
    windows: list[Example]
    digests: dict[str, str]


def gather(files: Sequence[Path] | None, corpus: str | None) -> Gathered:
    """Read labelled passages from files, and join the shipped annotations to their corpus.

    Args:
        files: JSONL of labelled passages; by default those that the package ships.
        corpus: where the annotated documents are; without it annotations are left out.

    Raises:
        LabelsError: a file is malformed, or no annotated passage stands in the corpus.
        SourceError: there is nothing to read at the corpus.
    """
    paths = list(files or shipped_examples())
    passages = read_examples(paths)
    windows: list[Example] = []
    if corpus is not None:
        folder = annotations_folder()
        annotated = [folder / PASSAGES, folder / REJECTED]
        marked, whole = read_annotations(annotated), read_annotations([folder / DOCUMENTS])
        texts = texts_at(corpus, {annotation.place for annotation in (*marked, *whole)})
        passages += joined(marked, texts)
        windows = windows_of(joined(whole, texts), load_cascade().gate)
        paths += [*annotated, folder / DOCUMENTS]
    digests = {path.name: xxhash.xxh3_64_hexdigest(path.read_bytes()) for path in paths}
    return Gathered(passages, windows, digests)
