"""What a models folder says of itself, read without loading any model or its libraries."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import xxhash

from ..errors import ModelError
from ..labels.lexicon import lexicon_digest
from ..labels.taxonomy import LABELS, taxonomy_digest

FORMAT = 1
"""Of the models folder; raised when older code could not read it."""

MODEL_FILES = ("meta.json", "pieces.txt", "screen.bin", "verdict.npz", "words.txt")


def models_folder(models: Path | None = None) -> Path:
    """Return a models folder; by default the one that is shipped."""
    return models or Path(str(files(__spec__.parent).joinpath("models")))


def read_meta(folder: Path) -> dict[str, Any]:
    """Read `meta.json` of a models folder.

    Raises:
        ModelError: it is missing or damaged, or of another format.
    """
    path = folder / "meta.json"
    try:
        meta = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(
            f"no usable models at {folder}: name a folder that `narrascope train` wrote"
        ) from error
    if meta.get("format") != FORMAT:
        raise ModelError(
            f"models at {folder} were written by another version: run `narrascope train` again"
        )
    return meta


def model_digests(models: Path | None = None) -> dict[str, str]:
    """Return the digests of taxonomy, lexicon and models: xxh3_64, 16 hexadecimal digits.

    Raises:
        ModelError: the models are missing, damaged or of another format.
    """
    folder = models_folder(models)
    read_meta(folder)
    digest = xxhash.xxh3_64()
    for name in MODEL_FILES:
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise ModelError(
                f"the models at {folder} have lost {name}: run `narrascope train` again"
            ) from error
    return {
        "taxonomy_digest": taxonomy_digest(),
        "lexicon_digest": lexicon_digest(),
        "models_digest": digest.hexdigest(),
    }


def default_thresholds(models: Path | None = None) -> dict[str, float]:
    """Return by label the probability from which a document is called positive by default.

    Raises:
        ModelError: the models are missing, damaged or of another format.
    """
    documents = read_meta(models_folder(models))["document"]
    return {label: float(documents[label]["threshold"]) for label in LABELS}
