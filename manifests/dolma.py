"""Documents, attribute files and a mixer configuration for Dolma, which has no weights.

Its mixer filters and copies streams of documents, so the copies and drops must be in the files:
only what was reweighed in mode realised is exported. Attribute files mirror the documents' paths,
`documents` replaced by `attributes/narrascope`, a line a document.
"""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any, cast

import orjson

from ..errors import ManifestError
from .drawn import Drawn, collect
from .exported import Exported
from .mixture import Ingredient, Mixture
from .portrayal import Portrayals
from .texts import Text, TextColumns, read_texts

MIXER_FILE = "mixer.json"
_TAGGER = "narrascope"
_MOST_BYTES = 2**30


def write_dolma(mixture: Mixture, out: Path) -> Exported:
    """Write `documents/<bucket>/`, `attributes/narrascope/<bucket>/` and `mixer.json`.

    Attributes are `narrascope__portrayal__<label>`, the whole document with its probability;
    `narrascope__evidence__<label>`, spans with their passage's; `narrascope__mask__span`, what the
    policy masks. A document that the models did not read has none of the first two.

    Raises:
        ManifestError: the mode is not realised, or a path has what Dolma would misread.
    """
    if mixture.mode != "realised":
        raise ManifestError(
            "Dolma's mixer has no weights, so those of mode buckets would be lost: reweigh with "
            "--mode realised and export that"
        )
    if "/documents/" in f"{out}/" or "*" in str(out):
        raise ManifestError(
            f"Dolma finds attributes by the folder `documents` and takes `*` for a pattern: {out} "
            "has one of them; choose another folder"
        )
    shutil.rmtree(out / "documents", ignore_errors=True)
    shutil.rmtree(out / "attributes", ignore_errors=True)
    for ingredient in mixture.ingredients:
        for number in range(len(ingredient.files)):
            _write_pair(mixture, ingredient, number, out)
    mixer = {
        "streams": [_stream(ingredient, out) for ingredient in mixture.ingredients],
        "processes": 1,
    }
    (out / MIXER_FILE).write_bytes(orjson.dumps(mixer, option=orjson.OPT_INDENT_2))
    notes = [f"run `dolma -c {out / MIXER_FILE} mix`; it makes {out / 'mixed'}"]
    if mixture.masked:
        notes.append("Dolma has no loss masks: narrascope__mask__span can only be replaced")
    if mixture.stages:
        notes.append("Dolma has no stages: copies are those of the whole training")
    return Exported(
        unit="document",
        means="no number: a bucket's part of the documents is that of its files, in which copies "
        "and drops are; in tokens likewise",
        numbers={},
        notes=tuple(notes),
    )


def draw_dolma(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Run Dolma's mixer and draw evenly from all that it wrote; sizes are bytes of text."""
    program = shutil.which("dolma")
    if program is None:
        raise ManifestError(
            "no program `dolma` on PATH: `pip install dolma` in an environment of its own, since "
            "it needs an older numpy, and put its folder on PATH"
        )
    shutil.rmtree(folder / "mixed", ignore_errors=True)
    command = [program, "-c", str(folder / MIXER_FILE), "mix"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ManifestError(f"`{' '.join(command)}` failed: {done.stderr.strip()[-300:]}")
    columns = TextColumns(id="id")
    found = collect(
        (
            (place, len(document.text.encode()))
            for place, ingredient in enumerate(mixture.ingredients)
            for path in sorted((folder / "mixed" / ingredient.name).glob("*.json.gz"))
            for document in read_texts(path, columns)
        ),
        unit="bytes",
    )
    taken = slice(None, None, max(1, len(found.buckets) // samples))
    return Drawn(found.buckets[taken], found.sizes[taken], found.unit)


def _stream(ingredient: Ingredient, out: Path) -> dict[str, Any]:
    return {
        "name": ingredient.name,
        "documents": [str(out / "documents" / ingredient.name / "*.jsonl.gz")],
        "attributes": [_TAGGER],
        # Dolma refuses a stream without a filter: this one keeps every document.
        "filter": {"include": [".id != null"], "syntax": "jq"},
        "output": {
            "path": str(out / "mixed" / ingredient.name),
            "max_size_in_bytes": _MOST_BYTES,
        },
    }


def _write_pair(mixture: Mixture, ingredient: Ingredient, number: int, out: Path) -> None:
    """Write the documents of one shard file, and their attributes."""
    path, (shard, first_row) = ingredient.files[number], ingredient.parts[number]
    portrayals = Portrayals(mixture.tags, shard, first_row)
    name = f"{ingredient.name}/{number:05d}.jsonl.gz"
    source = path.relative_to(mixture.data).as_posix()
    with (
        _packed(out / "documents" / name) as documents,
        _packed(out / "attributes" / _TAGGER / name) as attributes,
    ):
        for row, document in enumerate(read_texts(path, mixture.columns)):
            key = f"{source}#{row}" if document.id is None else document.id
            line = {"id": key, "text": document.text, "source": ingredient.name}
            documents.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            line = {"id": key, "attributes": _attributes(document, ingredient, portrayals)}
            attributes.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _attributes(
    document: Text, ingredient: Ingredient, portrayals: Portrayals
) -> dict[str, list[tuple[int, int, float]]]:
    found: dict[str, list[tuple[int, int, float]]] = {}
    if document.spans:
        found[f"{_TAGGER}__mask__span"] = [(start, end, 1.0) for start, end in document.spans]
    if portrayal := portrayals.of(document, ingredient):
        whole = len(document.text)
        for label, score in portrayal.scores.items():
            found[f"{_TAGGER}__portrayal__{label}"] = [(0, whole, score)]
        for label, start, end, score in portrayal.evidence:
            found.setdefault(f"{_TAGGER}__evidence__{label}", []).append((start, end, score))
    return found


def _packed(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # No time in the header: the same lines make the same bytes.
    return cast("IO[bytes]", gzip.GzipFile(path, "wb", compresslevel=6, mtime=0))
