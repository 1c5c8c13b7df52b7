"""Data stages for nanotron, which draws sequences from folders of datatrove's tokens.

Its configuration refuses a data set whose `tokenizer_name` is not that of the training, and its
trainer loads the tokenizer by this name, so the export has a folder that it can be loaded from.
"""

import shutil
from pathlib import Path
from typing import Any

import orjson
import xxhash
import yaml

from ..errors import ManifestError
from .exported import Exported
from .mixture import Mixture
from .tokenised import TOKENS_FOLDER, Tokenised

STAGES_FILE = "data_stages.yaml"
TOKENIZER_FOLDER = "tokenizer"


def write_nanotron(mixture: Mixture, out: Path) -> Exported:
    """Write `data_stages.yaml`: a stage of training for each of the plan's, or one.

    A stage starts at the training step after the last of the stage before it. Beside it stands
    `tokenizer/`, for `AutoTokenizer.from_pretrained`.

    Raises:
        ManifestError: there are stages and the training steps are unknown, or so few that two
            stages would start at one; a bucket has weight 0; the path is one that nanotron takes
            for a pattern; or the tokenizer is no longer the one that was used.
    """
    mixture.refuse_zero("nanotron")
    if any(character in str(out) for character in "*?["):
        raise ManifestError(
            f"nanotron takes {out} for a pattern: choose a folder without `*`, `?` or `[`"
        )
    names = [i.name for i in mixture.ingredients]
    if not mixture.stages:
        starts, shares = [1], [[i.share for i in mixture.ingredients]]
    else:
        starts = _starts(mixture.stages, mixture.steps)
        shares = [[i.shares[n] for i in mixture.ingredients] for n in range(len(starts))]
    folders = [str(out / TOKENS_FOLDER / name) for name in names]
    options = {} if mixture.tokenised is None else _options(mixture.tokenised, out)
    repeats = any(i.passes > 1 for i in mixture.ingredients)
    if repeats:
        options["use_old_brrr_dataloader"] = True
    document = {
        "data_stages": [
            {
                "name": f"stage {number}",
                "start_training_step": start,
                "data": {
                    "seed": 42,
                    "num_loading_workers": 1,
                    "dataset": _dataset(folders, weights, options),
                },
            }
            for number, (start, weights) in enumerate(zip(starts, shares, strict=True), start=1)
        ]
    }
    (out / STAGES_FILE).write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    notes = []
    if mixture.masked:
        notes.append("nanotron reads no loss masks: those beside the tokens are for other code")
    if repeats:
        notes.append(
            "a bucket is seen more than once, where nanotron's default reader ends in an "
            "IndexError: use_old_brrr_dataloader is set, whose positions run across documents"
        )
    if "s3" not in str(out):
        notes.append(
            "nanotron's trainer asserts that each dataset_folder has `s3` in its path: choose such "
            "an --out, or copy the tokens to S3 and name that"
        )
    return Exported(
        unit="sample",
        means="dataset_weights: the bucket's part of the training samples, sequences of fixed "
        "length, and so of the tokens",
        numbers={
            name: [weights[place] for weights in shares] if mixture.stages else shares[0][place]
            for place, name in enumerate(names)
        },
        notes=tuple(notes),
    )


def _dataset(folders: list[str], weights: list[float], options: dict[str, Any]) -> dict[str, Any]:
    # A list of its own for each stage, or YAML would write a reference.
    return {"dataset_folder": list(folders), "dataset_weights": weights} | options


def _options(tokenised: Tokenised, out: Path) -> dict[str, Any]:
    """Return what a data set says of its tokens, and write the tokenizer that it names."""
    folder = out / TOKENIZER_FOLDER
    folder.mkdir(exist_ok=True)
    copy = folder / "tokenizer.json"
    if _is_tokenizer(Path(tokenised.tokenizer), tokenised):
        shutil.copyfile(tokenised.tokenizer, copy)
    elif not _is_tokenizer(copy, tokenised):
        raise ManifestError(
            f"{tokenised.tokenizer} is not the tokenizer that made these tokens: export again with "
            "--tokenize"
        )
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": tokenised.end}
    (folder / "tokenizer_config.json").write_bytes(
        orjson.dumps(settings, option=orjson.OPT_INDENT_2)
    )
    return {
        "tokenizer_name": str(folder),
        "vocab_size": tokenised.vocabulary,
        "token_size_in_bytes": tokenised.token_bytes,
    }


def _is_tokenizer(path: Path, tokenised: Tokenised) -> bool:
    return (
        path.is_file() and xxhash.xxh3_64_hexdigest(path.read_bytes()) == tokenised.tokenizer_digest
    )


def _starts(stages: tuple[float, ...], steps: int | None) -> list[int]:
    if steps is None:
        raise ManifestError(
            "nanotron's stages start at training steps: say with --steps how many there are"
        )
    starts = [1, *(round(until * steps) + 1 for until in stages[:-1])]
    if len(set(starts)) < len(starts) or starts[-1] > steps:
        raise ManifestError(
            f"{steps:,} steps are too few for stages that end at {list(stages)}: two would start "
            "at the same step; give more with --steps"
        )
    return starts
