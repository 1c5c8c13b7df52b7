"""Data stages for nanotron, whose Nanoset draws sequences from folders of datatrove's tokens."""

from pathlib import Path
from typing import Any

import yaml

from ..errors import ManifestError
from .exported import Exported
from .mixture import Mixture
from .tokenised import TOKENS_FOLDER, Tokenised

STAGES_FILE = "data_stages.yaml"


def write_nanotron(mixture: Mixture, out: Path) -> Exported:
    """Write `data_stages.yaml`: a stage of training for each of the plan's, or one.

    A stage starts at the training step after the last of the stage before it.

    Raises:
        ManifestError: there are stages and the training steps are unknown, or so few that two
            stages would start at one; or a bucket has weight 0.
    """
    mixture.refuse_zero("nanotron")
    names = [i.name for i in mixture.ingredients]
    if not mixture.stages:
        starts, shares = [1], [[i.share for i in mixture.ingredients]]
    else:
        starts = _starts(mixture.stages, mixture.steps)
        shares = [[i.shares[n] for i in mixture.ingredients] for n in range(len(starts))]
    folders = [str(out / TOKENS_FOLDER / name) for name in names]
    document = {
        "data_stages": [
            {
                "name": f"stage {number}",
                "start_training_step": start,
                "data": {
                    "seed": 42,
                    "num_loading_workers": 1,
                    "dataset": _dataset(folders, weights, mixture.tokenised),
                },
            }
            for number, (start, weights) in enumerate(zip(starts, shares, strict=True), start=1)
        ]
    }
    (out / STAGES_FILE).write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    notes = ["nanotron reads no loss masks: those beside the tokens are for other code"]
    if not any(i.action == "mask_spans" for i in mixture.ingredients):
        notes = []
    if mixture.tokenised is None:
        notes.append("no tokens yet: export again with --tokenize TOKENIZER_FILE")
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


def _dataset(
    folders: list[str], weights: list[float], tokenised: Tokenised | None
) -> dict[str, Any]:
    dataset: dict[str, Any] = {"dataset_folder": folders, "dataset_weights": weights}
    if tokenised is not None:
        dataset["vocab_size"] = tokenised.vocabulary
        dataset["token_size_in_bytes"] = tokenised.token_bytes
    return dataset


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
