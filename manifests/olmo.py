"""Source mixtures for OLMo-core, which takes tokens of each source by `target_ratio`.

It raises where a source's tokens times `max_repetition_ratio` do not reach its part of the tokens
asked for. Here that ratio is the bucket's `passes`, so that just one pass can be asked for: the
weights of the policy are also its limits.
"""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from ..errors import ManifestError
from .drawn import Drawn, library
from .exported import Exported
from .mixture import Ingredient, Mixture
from .tokenised import TOKENS_FOLDER, need_tokens, token_name

MIXTURE_FILE = "source_mixture.yaml"
_MARGIN = 1e-3
_LENGTH = 16


def write_olmo(mixture: Mixture, out: Path) -> Exported:
    """Write `source_mixture.yaml`, the `SourceMixtureList` of OLMo-core; one more for each stage.

    Raises:
        ManifestError: a bucket has weight 0, no tokens, or a path that OLMo-core takes for a glob.
    """
    mixture.refuse_zero("OLMo-core")
    if "*" in str(out):
        raise ManifestError(f"OLMo-core takes {out} for a pattern: choose a folder without `*`")
    _write(mixture, out, out / MIXTURE_FILE, [i.share for i in mixture.ingredients])
    for n in range(len(mixture.stages)):
        place = out / f"source_mixture.stage{n + 1}.yaml"
        _write(mixture, out, place, [i.shares[n] for i in mixture.ingredients])
    notes = []
    if mixture.masked:
        notes.append(
            "OLMo-core refuses label_mask_paths beside a source mixture: "
            "narrascope.manifests.olmo_masks.masked_mixture applies them"
        )
    if mixture.tokenised is not None:
        notes.append(
            f"SourceMixtureDatasetConfig(requested_tokens={_requested(mixture):,}, …) is one pass, "
            f"and the most that it can be; tokens are uint{8 * mixture.tokenised.token_bytes}"
        )
    return Exported(
        unit="sample",
        means="target_ratio: the bucket's part of the requested tokens, which OLMo-core takes as "
        "sequences of fixed length",
        numbers={i.name: i.share for i in mixture.ingredients},
        notes=tuple(notes),
    )


def draw_olmo(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Draw sequences through OLMo-core's mixture data set, as many as one pass has tokens for.

    Sizes are tokens, padding not counted.
    """
    olmo = library("olmo_core.data", "ai2-olmo-core")
    sources = library("olmo_core.data.source_mixture", "ai2-olmo-core")
    tokenised = need_tokens(mixture.tokenised, folder)
    requested = _requested(mixture)
    number = min(samples, requested // _LENGTH)
    if not number:
        raise ManifestError(f"{folder} holds fewer tokens than OLMo-core needs for one sequence")
    padding = tokenised.vocabulary
    with TemporaryDirectory() as work:
        config = olmo.NumpyFSLDatasetConfig.from_src_mix(
            sources.SourceMixtureDatasetConfig(
                source_list=sources.SourceMixtureList.from_yaml(folder / MIXTURE_FILE),
                requested_tokens=number * _LENGTH,
                global_batch_size=_LENGTH,
                quiet=True,
                render_tables=False,
            ),
            sequence_length=_LENGTH,
            tokenizer=olmo.TokenizerConfig(
                vocab_size=padding + 1, eos_token_id=tokenised.end_id, pad_token_id=padding
            ),
            dtype=olmo.NumpyDatasetDType(f"uint{8 * tokenised.token_bytes}"),
            work_dir=work,
        )
        dataset = config.build()
        dataset.prepare()
        places = {
            str(path): place
            for place, ingredient in enumerate(mixture.ingredients)
            for path in tokenised.paths(ingredient.name, folder)
        }
        buckets = np.repeat(
            [places[str(path)] for path in dataset.paths],
            [end - start for start, end in dataset.offsets],
        )
        sizes = np.array([len(dataset[n]["input_ids"]) for n in range(len(dataset))], np.int64)
    return Drawn(buckets, sizes, "tokens")


def _requested(mixture: Mixture) -> int:
    return math.floor(mixture.planned_tokens or 0)


def _write(mixture: Mixture, out: Path, place: Path, shares: list[float]) -> None:
    sources = []
    for ingredient, share in zip(mixture.ingredients, shares, strict=True):
        needed = ingredient.passes * share / ingredient.share
        sources.append(
            {
                "source_name": ingredient.name,
                "target_ratio": share,
                "max_repetition_ratio": max(1.0, needed + _MARGIN),
                "max_source_fraction": 1.0,
                "paths": [str(path) for path in _paths(mixture, ingredient, out)],
            }
        )
    place.write_text(yaml.safe_dump({"sources": sources}, sort_keys=False), "utf-8")


def _paths(mixture: Mixture, ingredient: Ingredient, out: Path) -> list[Path]:
    """Return a bucket's token files: those that are there, or that tokenising will write."""
    if mixture.tokenised is not None:
        return mixture.tokenised.paths(ingredient.name, out)
    folder = out / TOKENS_FOLDER / ingredient.name
    return [folder / token_name(number) for number in range(len(ingredient.files))]
