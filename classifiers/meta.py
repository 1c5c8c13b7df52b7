"""What a models folder says of itself, read without loading any model or its libraries."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import xxhash

from ..errors import ModelError
from ..labels.lexicon import lexicon_digest
from ..labels.taxonomy import LABELS, taxonomy_digest

FORMAT = 3
"""Of the models folder; raised when older code could not read it."""

JUDGE_MODEL, JUDGE_TOKENIZER = "model.onnx", "tokenizer.json"

MODEL_FILES = (
    "meta.json", "nearby.txt", "pieces.txt", "screen.bin", "verdict.npz", "words.txt",
)  # fmt: skip


def models_folder(models: Path | None = None) -> Path:
    """Return a models folder; by default the one that is shipped."""
    return models or Path(str(files(__spec__.parent).joinpath("models")))


def judge_folder(models: Path | None = None) -> Path:
    """Return where the judge of a models folder lies: in its `judge`, else with the shipped one."""
    own = models_folder(models) / "judge"
    return own if own.is_dir() else models_folder() / "judge"


def use_judge(models: Path | None = None, *, wanted: bool | None = None) -> bool:
    """Return whether the judge is to read: as wanted, by default where it can.

    Raises:
        ModelError: it is wanted, and its extra is not installed or the models know no judge.
    """
    installed = bool(find_spec("onnxruntime") and find_spec("tokenizers"))
    there = (judge_folder(models) / JUDGE_MODEL).is_file()
    blended = read_meta(models_folder(models))["blend"]["both"] is not None
    if wanted and not installed:
        raise ModelError(
            "the judge needs its extra: install it with `pip install 'narrascope[judge]'`, "
            "or go without it by --no-judge"
        )
    if wanted and not (there and blended):
        raise ModelError(
            f"the models at {models_folder(models)} know no judge: train them with one, "
            "or go without it by --no-judge"
        )
    return installed and there and blended if wanted is None else wanted


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


def model_digests(models: Path | None = None, *, judge: bool = False) -> dict[str, str]:
    """Return the digests of taxonomy, lexicon and models: xxh3_64, 16 hexadecimal digits.

    Where the judge reads too, the models' digest is another.

    Raises:
        ModelError: the models are missing, damaged or of another format.
    """
    folder = models_folder(models)
    read_meta(folder)
    digest = xxhash.xxh3_64()
    paths = [folder / name for name in MODEL_FILES]
    if judge:
        paths += [judge_folder(models) / name for name in (JUDGE_MODEL, JUDGE_TOKENIZER)]
    for path in paths:
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise ModelError(
                f"the models at {folder} have lost {path.name}: run `narrascope train` again"
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
