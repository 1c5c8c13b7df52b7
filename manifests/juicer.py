"""Recipes for Data-Juicer, which draws documents.

It reads `weight` only where `max_sample_num` is given, and of a folder that mixes Parquet and JSON
lines only the format with more files: the first is always written, the second refused.
"""

from pathlib import Path

import numpy as np
import xxhash
import yaml

from ..errors import ManifestError
from .drawn import Drawn, library
from .exported import Exported
from .mixture import Ingredient, Mixture
from .texts import read_texts

RECIPE_FILE = "data_juicer.yaml"


def write_juicer(mixture: Mixture, out: Path) -> Exported:
    """Write `data_juicer.yaml`: a local data set for each bucket, with its weight.

    Raises:
        ManifestError: a bucket has weight 0, or its shards are of two formats.
    """
    mixture.refuse_zero("Data-Juicer")
    number = round(mixture.planned_documents)
    recipe = {
        "project_name": "narrascope",
        "dataset": {
            "max_sample_num": number,
            "configs": [
                {"type": "local", "path": _folder(mixture, i), "weight": i.document_share}
                for i in mixture.ingredients
            ],
        },
        "text_keys": mixture.columns.text,
        "export_path": str(out / "mixed.jsonl"),
        "process": [],
    }
    (out / RECIPE_FILE).write_text(yaml.safe_dump(recipe, sort_keys=False), "utf-8")
    notes = [f"max_sample_num is {number:,} documents, one pass; without it weights do not count"]
    if mixture.stages:
        notes.append("Data-Juicer has no stages: the shares are those of the whole training")
    return Exported(
        unit="document",
        means="the bucket's part of the max_sample_num documents; in tokens it gets its `share`, "
        "by the mean length of its documents",
        numbers={i.name: i.document_share for i in mixture.ingredients},
        notes=tuple(notes),
    )


def draw_juicer(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Draw documents through Data-Juicer's data set builder; sizes are bytes of text.

    A document's bucket is that of its text; one that stands in two counts for the first.
    """
    builder = library("data_juicer.core.data.dataset_builder", "py-data-juicer").DatasetBuilder
    namespace = library("jsonargparse", "py-data-juicer").Namespace
    recipe = yaml.safe_load((folder / RECIPE_FILE).read_text("utf-8"))
    dataset = recipe["dataset"] | {"max_sample_num": samples}
    found = builder(
        namespace(dataset=dataset, text_keys=recipe["text_keys"], np=1, add_suffix=False)
    ).load_dataset()
    buckets: dict[int, int] = {}
    for place, ingredient in enumerate(mixture.ingredients):
        for path in ingredient.files:
            for document in read_texts(path, mixture.columns):
                buckets.setdefault(xxhash.xxh3_64_intdigest(document.text.encode()), place)
    texts = [row[recipe["text_keys"]].encode() for row in found]
    return Drawn(
        np.array([buckets[xxhash.xxh3_64_intdigest(text)] for text in texts], np.int64),
        np.array([len(text) for text in texts], np.int64),
        "bytes",
    )


def _folder(mixture: Mixture, ingredient: Ingredient) -> str:
    kinds = {path.suffix == ".parquet" for path in ingredient.files}
    if len(kinds) > 1:
        raise ManifestError(
            f"bucket {ingredient.name!r} has shards of Parquet and of JSON lines, of which "
            "Data-Juicer would read one and leave the other: make the corpus one format"
        )
    return str(mixture.data / ingredient.name)
