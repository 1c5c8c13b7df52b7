"""Blends for Megatron-LM and NeMo, which draw samples of a fixed number of tokens.

Megatron weighs data sets by their share of the training samples, whatever their size, and splits
its arguments on white space. Its `--per-split-data-args-path` wants `train`, `valid` and `test`,
each a list of weights and prefixes in turn; nothing may be in two of them, so tokenising holds out
documents by a hash of their text, which copies share.
"""

from pathlib import Path

import numpy as np
import orjson

from ..errors import ManifestError
from .drawn import Drawn, library
from .exported import Exported
from .megatron_commands import write_commands
from .mixture import Ingredient, Mixture
from .tokenised import need_tokens

MANY_BUCKETS = 20
"""Above this Megatron's blending becomes unwieldy."""

HELD_OUT = ("valid", "test")
_ENOUGH_TO_HOLD_OUT = 40
_LENGTH = 16
_README = """Megatron-LM blend
=================

1. {first}
2. Train with `--data-args-path data_args.txt --split 1,0,0`, or, with data held out for
   validation and test, with `--per-split-data-args-path per_split.json`. Use one, not both.

A weight is the bucket's share of the training samples (sequences of fixed length), whatever the
bucket's size; for N training samples a bucket gives about N x weight of them, and as many tokens.
The shares were computed from {unit}; after tokenising, the exact share of a bucket is `passes` (in
mixture.json) times its tokens, over the sum of these.

Held out for valid and for test, by a hash of the text: {held_out}.
{stages}"""
_COMMANDS = (
    "`MEGATRON=<checkout> TOKENIZER='--tokenizer-type … --tokenizer-model …' bash tokenise.sh`\n"
    "   writes every bucket as JSON lines and tokenises it. It needs Python with `duckdb` and "
    "Megatron."
)
_TOKENISED = "Every bucket is tokenised: `<bucket>_text_document.bin` and `.idx`."
_STAGES = """
Megatron-LM has no stages. Train to the end of each with its own `data_args.stage<n>.txt`, and go on
from the checkpoint with the next: {stages}.
"""


def write_megatron(mixture: Mixture, out: Path) -> Exported:
    """Write `data_args.txt`, `per_split.json`, `README.md` and what tokenises the buckets.

    With stages there is a `data_args.stage<n>.txt` for each.

    Raises:
        ManifestError: a path holds white space, or a bucket has weight 0.
    """
    _refuse(mixture, out)
    notes = []
    if len(mixture.ingredients) > MANY_BUCKETS:
        notes.append(
            f"{len(mixture.ingredients)} buckets: Megatron blends best with up to {MANY_BUCKETS}"
        )
    everything = list(mixture.ingredients)
    train = _blend(everything, [i.share for i in everything], out, "train")
    _write_words(out / "data_args.txt", train)
    for n in range(len(mixture.stages)):
        stage = _blend(everything, [i.shares[n] for i in everything], out, "train")
        _write_words(out / f"data_args.stage{n + 1}.txt", stage)
    held = {split: _held(mixture, split) for split in HELD_OUT}
    if all(held.values()):
        splits = {"train": train} | {
            split: _blend(found, [i.share for i in found], out, split)
            for split, found in held.items()
        }
        (out / "per_split.json").write_bytes(orjson.dumps(splits, option=orjson.OPT_INDENT_2))
    else:
        (out / "per_split.json").unlink(missing_ok=True)
        notes.append(
            f"no per_split.json: no bucket has the {_ENOUGH_TO_HOLD_OUT} documents from which "
            "some are held out; use data_args.txt"
        )
    if mixture.tokenised is None:
        write_commands(mixture, {i.name: _splits(i) for i in everything}, out)
    shares = ", ".join(
        f"1 in {held_out_of(i)} documents of {i.name}" for i in everything if held_out_of(i)
    )
    ends = ", ".join(f"stage {n} to {end:.6g}" for n, end in enumerate(mixture.stages, start=1))
    readme = _README.format(
        first=_COMMANDS if mixture.tokenised is None else _TOKENISED,
        unit=mixture.unit,
        held_out=shares or "nothing, buckets are too small",
        stages=_STAGES.format(stages=ends) if ends else "",
    )
    (out / "README.md").write_text(readme, "utf-8")
    return Exported(
        unit="sample",
        means="weight: the bucket's share of the training samples, sequences of fixed length, and "
        "so of the tokens",
        numbers={i.name: i.share for i in everything},
        notes=tuple(notes),
    )


def draw_megatron(mixture: Mixture, folder: Path, samples: int) -> Drawn:
    """Draw sequences through Megatron's blended data set; sizes are tokens."""
    tokenised = need_tokens(mixture.tokenised, folder)
    core = "megatron.core.datasets"
    gpt = library(f"{core}.gpt_dataset", "megatron-core")
    builder = library(f"{core}.blended_megatron_dataset_builder", "megatron-core")
    blend = library(f"{core}.utils", "megatron-core").get_blend_from_list

    class EndOfDocument:
        eod = tokenised.end_id
        pad = tokenised.vocabulary
        vocab_size = tokenised.vocabulary
        unique_identifiers: dict[str, str] = {"tokenizer": tokenised.tokenizer_digest}  # noqa: RUF012

    words = (folder / "data_args.txt").read_text("utf-8").split()
    config = gpt.GPTDatasetConfig(
        random_seed=1,
        sequence_length=_LENGTH,
        blend=blend(words),
        split="1,0,0",
        tokenizer=EndOfDocument(),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    train = builder.BlendedMegatronDatasetBuilder(
        gpt.GPTDataset, [samples, 0, 0], lambda: True, config
    ).build()[0]
    drawn = [train[n] for n in range(samples)]
    buckets = [sample["dataset_id"] for sample in drawn] if len(words) > 2 else [0] * samples
    sizes = [len(sample["tokens"]) for sample in drawn]
    return Drawn(np.array(buckets, np.int64), np.array(sizes, np.int64), "tokens")


def held_out_of(ingredient: Ingredient) -> int:
    """Return n where one document in n is held out for each of valid and test, 0 for none.

    About ten documents of a small bucket, and one in 200 of a large one.
    """
    if ingredient.distinct < _ENOUGH_TO_HOLD_OUT:
        return 0
    return max(4, min(200, ingredient.distinct // 10))


def prefix(bucket: str, out: Path, split: str = "train") -> Path:
    """Return the prefix of a bucket's tokens, as Megatron is told it."""
    return out / f"{stem(bucket, split)}_text_document"


def stem(bucket: str, split: str) -> str:
    """Return what the files of a bucket's split are called."""
    return bucket if split == "train" else f"{bucket}.{split}"


def _splits(ingredient: Ingredient) -> tuple[tuple[str, ...], int]:
    modulus = held_out_of(ingredient)
    return ("train", *HELD_OUT) if modulus else ("train",), modulus


def _held(mixture: Mixture, split: str) -> list[Ingredient]:
    """Return the buckets that have documents in a split: what was tokenised, where it was."""
    if mixture.tokenised is None:
        return [i for i in mixture.ingredients if held_out_of(i)]
    there = {f.bucket for f in mixture.tokenised.files if f.split == split and f.documents}
    return [i for i in mixture.ingredients if i.name in there]


def _refuse(mixture: Mixture, out: Path) -> None:
    for path in (out, mixture.data):
        if len(str(path).split()) != 1:
            raise ManifestError(
                f"Megatron-LM splits its arguments on white space, which the path {path} holds: "
                "choose a folder without any"
            )
    mixture.refuse_zero("Megatron-LM")


def _blend(ingredients: list[Ingredient], shares: list[float], out: Path, split: str) -> list[str]:
    """Return weights and prefixes in turn; the weights add up to 1."""
    total = sum(shares)
    return [
        word
        for ingredient, share in zip(ingredients, shares, strict=True)
        for word in (f"{share / total:.9g}", str(prefix(ingredient.name, out, split)))
    ]


def _write_words(path: Path, words: list[str]) -> None:
    path.write_text(" ".join(words) + "\n", "utf-8")
