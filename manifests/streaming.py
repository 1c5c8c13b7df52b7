"""MDS shards and `Stream` arguments for MosaicML Streaming, which draws documents.

`proportion` is given to every stream: Streaming refuses it on some only, and beside `repeat` or
`choose`.
"""

import shutil
from pathlib import Path
from typing import Any

import orjson

from ..errors import ManifestError
from .drawn import Drawn, collect, library
from .exported import Exported
from .mixture import Ingredient, Mixture
from .texts import MASK_COLUMN, read_texts

STREAMS_FILE = "streams.json"
_SHARDS = "mds"


def write_streaming(mixture: Mixture, out: Path) -> Exported:
    """Write `mds/<bucket>/` with `text`, `id` and `bucket`, and `streams.json`.

    Masked spans go with the documents as JSON, in a column of every stream where one has any.

    Raises:
        ManifestError: `streaming` is not installed, a bucket has weight 0, or a shard is torn.
    """
    mixture.refuse_zero("Streaming")
    masked = mixture.masked
    shutil.rmtree(out / _SHARDS, ignore_errors=True)
    for ingredient in mixture.ingredients:
        _write_shards(mixture, ingredient, out / _SHARDS / ingredient.name, masked=masked)
    number = round(mixture.planned_documents)
    document = {
        "streams": _streams(mixture, out, [i.document_share for i in mixture.ingredients]),
        "epoch_size": number,
        "stages": [
            {
                "until": until,
                "streams": _streams(
                    mixture, out, [i.document_shares[n] for i in mixture.ingredients]
                ),
            }
            for n, until in enumerate(mixture.stages)
        ],
    }
    (out / STREAMS_FILE).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return Exported(
        unit="document",
        means="the bucket's part of an epoch's documents; in tokens it gets its `share`, by the "
        "mean length of its documents",
        numbers={i.name: i.document_share for i in mixture.ingredients},
        notes=(
            "StreamingDataset(streams=[Stream(**s) for s in streams], epoch_size=epoch_size) "
            f"makes an epoch of {number:,} documents, one pass",
        ),
    )


def draw_streaming(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Draw documents through Streaming; sizes are bytes of text."""
    streaming = library("streaming", "mosaicml-streaming")
    config = orjson.loads((folder / STREAMS_FILE).read_bytes())
    places = {ingredient.name: place for place, ingredient in enumerate(mixture.ingredients)}
    streaming.base.util.clean_stale_shared_memory()
    dataset = streaming.StreamingDataset(
        streams=[streaming.Stream(**arguments) for arguments in config["streams"]],
        epoch_size=samples,
        shuffle=True,
        predownload=samples,
        batch_size=1,
    )
    return collect(
        ((places[row["bucket"]], len(row["text"].encode())) for row in dataset), unit="bytes"
    )


def _streams(mixture: Mixture, out: Path, shares: list[float]) -> list[dict[str, object]]:
    return [
        {"local": str(out / _SHARDS / ingredient.name), "proportion": share}
        for ingredient, share in zip(mixture.ingredients, shares, strict=True)
    ]


def _write_shards(mixture: Mixture, ingredient: Ingredient, out: Path, *, masked: bool) -> None:
    streaming = library("streaming", "mosaicml-streaming")
    columns = {"text": "str", "id": "str", "bucket": "str"}
    if masked:
        columns[MASK_COLUMN] = "json"
    count = 0
    with streaming.MDSWriter(out=str(out), columns=columns) as writer:
        for path in ingredient.files:
            for row, document in enumerate(read_texts(path, mixture.columns)):
                name = path.relative_to(mixture.data).as_posix()
                sample: dict[str, Any] = {
                    "text": document.text,
                    "id": document.id or f"{name}#{row}",
                    "bucket": ingredient.name,
                }
                if masked:
                    sample[MASK_COLUMN] = [list(span) for span in document.spans]
                writer.write(sample)
                count += 1
    if count != ingredient.documents:
        raise ManifestError(
            f"bucket {ingredient.name!r} holds {count:,} documents, {ingredient.documents:,} were "
            "recorded: run `narrascope manifest verify`, then reweigh into a new folder"
        )
