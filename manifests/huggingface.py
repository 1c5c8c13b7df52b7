"""Mixtures for HF `datasets`, which draws documents and has no configuration file of its own.

`datasets.json` holds everything that `interleave_datasets` takes, and `interleaved` builds the data
set from it.
"""

from pathlib import Path
from typing import Any

import orjson

from ..errors import ManifestError
from .drawn import Drawn, collect, library
from .exported import Exported
from .mixture import Ingredient, Mixture

CONFIG_FILE = "datasets.json"
_BUFFER = 10_000


def write_datasets(mixture: Mixture, out: Path) -> Exported:
    """Write `datasets.json`: each bucket's data files, and the probabilities in the same order.

    With stages there is a list of probabilities for each.
    """
    document = {
        "text_column": mixture.columns.text,
        "buckets": [i.name for i in mixture.ingredients],
        "data_files": {i.name: _data_files(i) for i in mixture.ingredients},
        "probabilities": [i.document_share for i in mixture.ingredients],
        "stages": [
            {"until": until, "probabilities": [i.document_shares[n] for i in mixture.ingredients]}
            for n, until in enumerate(mixture.stages)
        ],
        "documents": round(mixture.planned_documents),
    }
    (out / CONFIG_FILE).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return Exported(
        unit="document",
        means="probability that the next document is of the bucket; in tokens the bucket gets its "
        "`share`, by the mean length of its documents",
        numbers={i.name: i.document_share for i in mixture.ingredients},
        notes=(
            "narrascope.manifests.huggingface.interleaved(folder) builds the data set; its buckets "
            f"repeat without end, so take {document['documents']:,} documents for one pass",
        ),
    )


def interleaved(
    folder: Path, *, seed: int = 0, stage: int | None = None, buffer: int = _BUFFER
) -> Any:
    """Return an export's endless `IterableDataset`: documents with `bucket` and the text column.

    A bucket that ends starts again, shuffled anew, so that no stopping strategy bends the shares:
    `first_exhausted` would stop at the smallest bucket, `all_exhausted` see it far too often.

    Args:
        folder: where `export --to datasets` wrote.
        seed: of the draw and of the shuffles.
        stage: which stage of training; by default the shares of the whole.
        buffer: documents that a bucket is shuffled within.

    Raises:
        ManifestError: the folder holds no such export, or `datasets` is not installed.
    """
    datasets = library("datasets", "datasets")
    config = _load(folder)
    chosen = config if stage is None else config["stages"][stage]
    parts = [
        _bucket(datasets, name, config["data_files"][name], config["text_column"])
        .shuffle(seed=seed, buffer_size=buffer)
        .repeat(None)
        for name in config["buckets"]
    ]
    return datasets.interleave_datasets(
        parts,
        probabilities=chosen["probabilities"],
        seed=seed,
        stopping_strategy="first_exhausted",
    )


def draw_datasets(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Draw documents through `datasets`; sizes are bytes of text."""
    places = {ingredient.name: place for place, ingredient in enumerate(mixture.ingredients)}
    column = mixture.columns.text
    drawn = interleaved(folder, buffer=100).take(samples)
    return collect(
        ((places[row["bucket"]], len((row[column] or "").encode())) for row in drawn), unit="bytes"
    )


def _bucket(datasets: Any, name: str, files: dict[str, list[str]], column: str) -> Any:
    parts = [
        datasets.load_dataset(builder, data_files=paths, split="train", streaming=True)
        for builder, paths in files.items()
    ]
    parts = [part.select_columns([column]) for part in parts]
    whole = parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)
    # Without features `interleave_datasets` looks for them in an endless data set, to its end.
    features = datasets.Features(
        {column: datasets.Value("string"), "bucket": datasets.Value("string")}
    )
    return whole.map(lambda row: row | {"bucket": name}, features=features)


def _data_files(ingredient: Ingredient) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for path in ingredient.files:
        builder = "parquet" if path.suffix == ".parquet" else "json"
        files.setdefault(builder, []).append(str(path))
    return files


def _load(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"{path} cannot be read: run `narrascope manifest export M --to datasets --out "
            f"{folder}`"
        ) from error
