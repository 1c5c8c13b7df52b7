"""Metadatasets for Megatron-Energon, which draws documents.

Energon reads plain JSON lines with an index beside them, so the buckets are written so. Its `blend`
draws by weight without end; its `blend_epochized` sees each document `repetitions` times an epoch.
"""

import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import yaml

from ..errors import ManifestError
from .drawn import Drawn, collect, library
from .exported import Exported
from .mixture import Ingredient, Mixture
from .texts import MASK_COLUMN, read_texts

BLEND_FILE = "metadataset.yaml"
EPOCHIZED_FILE = "metadataset_epochized.yaml"
_LINES = "jsonl"


def write_energon(mixture: Mixture, out: Path) -> Exported:
    """Write `jsonl/<bucket>.jsonl` with its index, and the two metadatasets.

    Where `megatron.energon` is not installed the index is left to `energon prepare`.

    Raises:
        ManifestError: a bucket has weight 0, or a shard is torn.
    """
    mixture.refuse_zero("Megatron-Energon")
    shutil.rmtree(out / _LINES, ignore_errors=True)
    (out / _LINES).mkdir()
    notes = [f"{_LINES}/ holds the texts; train with {BLEND_FILE} or {EPOCHIZED_FILE}, not both"]
    unprepared = [
        path
        for ingredient in mixture.ingredients
        if not _prepare(path := _write_lines(mixture, ingredient, out / _LINES))
    ]
    notes += [f"run `energon prepare {path}`" for path in unprepared]
    names = [i.name for i in mixture.ingredients]
    shares = [i.document_share for i in mixture.ingredients]
    passes = [i.passes for i in mixture.ingredients]
    _write_metadataset(out / BLEND_FILE, "blend", "weight", names, shares)
    _write_metadataset(out / EPOCHIZED_FILE, "blend_epochized", "repetitions", names, passes)
    for n in range(len(mixture.stages)):
        place = out / f"metadataset.stage{n + 1}.yaml"
        numbers = [i.document_shares[n] for i in mixture.ingredients]
        _write_metadataset(place, "blend", "weight", names, numbers)
    return Exported(
        unit="document",
        means="`weight` is the probability that the next document is of the bucket, and "
        "`repetitions` its `passes`; in tokens both give the bucket its `share`, by the mean "
        "length of its documents",
        numbers=dict(zip(names, shares, strict=True)),
        notes=tuple(notes),
    )


def draw_energon(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Draw documents through Energon's blend; sizes are bytes of text."""
    energon = library("megatron.energon", "megatron-energon")
    places = {ingredient.name: place for place, ingredient in enumerate(mixture.ingredients)}

    @energon.stateless
    def keep(sample: Any) -> Any:
        return sample

    class AsWritten(energon.DefaultTaskEncoder):
        cookers = [energon.Cooker(keep)]  # noqa: RUF012 - as Energon declares it

        def batch(self, samples: list[Any]) -> list[Any]:
            return samples

    dataset = energon.get_train_dataset(
        folder / BLEND_FILE,
        batch_size=1,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        worker_config=energon.WorkerConfig(rank=0, world_size=1, num_workers=0),
        task_encoder=AsWritten(),
    )
    rows = (sample["json"] for batch in energon.get_loader(dataset) for sample in batch)
    return collect(
        ((places[row["bucket"]], len(row["text"].encode())) for row in islice(rows, samples)),
        unit="bytes",
    )


def _write_metadataset(
    place: Path, kind: str, key: str, names: list[str], numbers: list[float]
) -> None:
    parts = [
        {key: number, "path": f"{_LINES}/{name}.jsonl"}
        for name, number in zip(names, numbers, strict=True)
    ]
    document = {
        "__module__": "megatron.energon",
        "__class__": "MetadatasetV2",
        "splits": {"train": {kind: parts}},
    }
    place.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def _write_lines(mixture: Mixture, ingredient: Ingredient, out: Path) -> Path:
    place = out / f"{ingredient.name}.jsonl"
    with place.open("wb") as file:
        for path in ingredient.files:
            for document in read_texts(path, mixture.columns):
                row = {"id": document.id, "text": document.text, "bucket": ingredient.name}
                if ingredient.action == "mask_spans":
                    row[MASK_COLUMN] = document.spans
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return place


def _prepare(path: Path) -> bool:
    """Index a file for Energon; return whether its library is here to do it."""
    try:
        preparator = library("megatron.energon.flavors.jsonl.jsonl_prepare", "megatron-energon")
    except ManifestError:
        return False
    preparator.JsonlPreparator.prepare_dataset(path)
    return True
