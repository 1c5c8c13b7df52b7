"""An export's mixture for OLMo-core with loss masks, which its source mixtures do not take.

Its composable sources do: each of a bucket's token files goes with the `.loss` beside it.
"""

from pathlib import Path
from typing import Any

import orjson
import yaml

from ..errors import ManifestError
from .drawn import library
from .olmo import MIXTURE_FILE
from .tokenised import TOKENS_FILE, TOKENS_FOLDER


def masked_mixture(
    folder: Path,
    *,
    tokenizer: Any,
    sequence_length: int,
    num_tokens: int,
    seed: int = 0,
    file: str = MIXTURE_FILE,
) -> Any:
    """Return a `MixingInstanceSourceConfig` that draws by `source_mixture.yaml`, masks applied.

    Args:
        folder: where `export --to olmo-core --tokenize` wrote, of a policy with `mask_spans`.
        tokenizer: the `TokenizerConfig` of the training.
        sequence_length: tokens of an instance.
        num_tokens: how many to draw, at most a pass, which the export names, less the ends of
            buckets that fill no instance.
        seed: of the draw.
        file: that of a stage, to draw by its shares.

    Raises:
        ManifestError: the folder holds no such masks, or OLMo-core is not installed.
    """
    composable = library("olmo_core.data.composable", "ai2-olmo-core")
    types = library("olmo_core.data.types", "ai2-olmo-core")
    try:
        sources = yaml.safe_load((folder / file).read_text("utf-8"))["sources"]
        tokens = orjson.loads((folder / TOKENS_FOLDER / TOKENS_FILE).read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ManifestError(
            f"{folder} does not hold what OLMo-core draws by ({error}): export to olmo-core with "
            "--tokenize"
        ) from error
    return composable.MixingInstanceSourceConfig(
        source_specs=[
            composable.MixingInstanceSourceSpecConfig(
                source=composable.ConcatAndChunkInstanceSourceConfig(
                    sources=[
                        composable.NumpyDocumentSourceConfig(
                            source_paths=source["paths"],
                            label_mask_paths=[_mask(path) for path in source["paths"]],
                            tokenizer=tokenizer,
                            dtype=types.NumpyDatasetDType(f"uint{8 * tokens['token_bytes']}"),
                            source_group_size=-1,
                        )
                    ],
                    sequence_length=sequence_length,
                ),
                ratio=source["target_ratio"],
                max_repetition_factor=source["max_repetition_ratio"],
                label=source["source_name"],
            )
            for source in sources
        ],
        num_tokens=num_tokens,
        seed=seed,
    )


def _mask(path: str) -> str:
    mask = Path(f"{path}.loss")
    if not mask.is_file():
        raise ManifestError(
            f"{path} has no mask beside it: the policy has no `mask_spans`, so draw by "
            f"{MIXTURE_FILE} itself"
        )
    return str(mask)
