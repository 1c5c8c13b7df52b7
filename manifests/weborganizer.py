"""The folder that WebOrganizer's `select_training_data.py` reads: arrays aligned with documents.

For each shard of documents there is one `.npy` a kind, row by row: its tokens, its bucket as a
domain, its scores. The script samples domains by `ref_distribution.json`, in tokens.
"""

import shutil
from pathlib import Path
from shlex import quote

import numpy as np
import orjson
import zstandard

from ..labels.taxonomy import LABELS
from .exported import Exported
from .mixture import Ingredient, Mixture
from .portrayal import Portrayals
from .texts import read_texts

DISTRIBUTION_FILE = "ref_distribution.json"
_FOLDERS = ("documents", "tokens", "domains_narrascope", *(f"scores_{name}" for name in LABELS))


def write_weborganizer(mixture: Mixture, out: Path) -> Exported:
    """Write `documents/`, `tokens/`, `domains_narrascope/`, `scores_<label>/` and the distribution.

    `tokens` are the corpus's own counts, or bytes of text where it has none. A score of 0 is also
    that of a document which the models did not read.

    Raises:
        ManifestError: a bucket has weight 0.
    """
    mixture.refuse_zero("WebOrganizer")
    for folder in _FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
    for domain, ingredient in enumerate(mixture.ingredients):
        for number in range(len(ingredient.files)):
            _write_shard(mixture, domain, ingredient, number, out)
    distribution = [
        {"domain": [domain], "weight": ingredient.share}
        for domain, ingredient in enumerate(mixture.ingredients)
    ]
    (out / DISTRIBUTION_FILE).write_bytes(orjson.dumps(distribution, option=orjson.OPT_INDENT_2))
    wanted = sum(i.passes * _size(mixture, i) for i in mixture.ingredients)
    command = (
        f"python select_training_data.py {quote(str(out))} SELECTED "
        f"--num_tokens {round(wanted)} --domains_dir domains_narrascope "
        f"--ref_distribution {quote(str(out / DISTRIBUTION_FILE))} --do_sample --multi_epoch "
        "--held_out_shards 0"
    )
    notes = [f"run `{command}`", f"`tokens` are {mixture.unit}"]
    if mixture.stages:
        notes.append("WebOrganizer has no stages: the shares are those of the whole training")
    return Exported(
        unit="document",
        means="the bucket's part of the tokens selected; documents are drawn until they have them",
        numbers={i.name: i.share for i in mixture.ingredients},
        notes=tuple(notes),
    )


def _size(mixture: Mixture, ingredient: Ingredient) -> int:
    return ingredient.bytes if mixture.unit == "bytes" else ingredient.tokens or 0


def _write_shard(
    mixture: Mixture, domain: int, ingredient: Ingredient, number: int, out: Path
) -> None:
    path, (shard, first_row) = ingredient.files[number], ingredient.parts[number]
    portrayals = Portrayals(mixture.tags, shard, first_row)
    name = f"{ingredient.name}_{number:05d}"
    sizes: list[int] = []
    scores: list[list[float]] = []
    place = out / "documents" / f"{name}.jsonl.zst"
    with place.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as lines:
        for document in read_texts(path, mixture.columns):
            row = {"id": document.id, "text": document.text}
            lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            counted = document.tokens if mixture.unit == "tokens" else None
            sizes.append(len(document.text.encode()) if counted is None else counted)
            found = portrayals.of(document, ingredient)
            scores.append([found.scores[label] if found else 0.0 for label in LABELS])
    _save(out / "tokens" / f"{name}.npy", np.array(sizes, np.int64))
    _save(out / "domains_narrascope" / f"{name}.npy", np.full(len(sizes), domain, np.int64))
    table = np.array(scores, np.float32).reshape(-1, len(LABELS))
    for column, label in enumerate(LABELS):
        _save(out / f"scores_{label}" / f"{name}.npy", table[:, column])


def _save(path: Path, values: np.ndarray) -> None:
    np.save(path, values, allow_pickle=False)
