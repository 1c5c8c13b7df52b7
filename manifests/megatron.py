"""Blends for Megatron-LM and NeMo, and the commands that tokenise each bucket for them.

Megatron weighs data sets by their share of the training samples, whatever their size, and splits
its arguments on white space. Its `--per-split-data-args-path` wants `train`, `valid` and `test`,
each a list of weights and prefixes in turn; nothing may be in two of them, so the tokenising
commands hold out documents by a hash of their text, which copies share.
"""

from pathlib import Path
from shlex import quote

import orjson

from ..errors import ManifestError
from .mixture import Ingredient, Mixture

MANY_BUCKETS = 20
"""Above this Megatron's blending becomes unwieldy."""

_HELD_OUT = ("valid", "test")
_ENOUGH_TO_HOLD_OUT = 40
_README = """Megatron-LM blend
=================

1. `MEGATRON=<checkout> TOKENIZER='--tokenizer-type … --tokenizer-model …' bash tokenise.sh`
   writes every bucket as JSON lines and tokenises it. It needs Python with `duckdb` and Megatron.
2. Train with `--data-args-path data_args.txt --split 1,0,0`, or, with data held out for
   validation and test, with `--per-split-data-args-path per_split.json`. Use one, not both.

A weight is the bucket's share of the training samples (sequences of fixed length), whatever the
bucket's size; for N training samples a bucket gives about N x weight of them. The shares were
computed from {unit}; after tokenising, the exact share of a bucket is `passes` (in mixture.json)
times its tokens, over the sum of these.

Held out for valid and for test, by a hash of the text: {held_out}.
"""


def write_megatron(mixture: Mixture, out: Path) -> list[str]:
    """Write `data_args.txt`, `per_split.json`, `tokenise.sh`, `jsonl.sql` and `README.md`.

    Raises:
        ManifestError: a path holds white space, or a bucket has weight 0.
    """
    _refuse(mixture, out)
    notes = []
    if len(mixture.ingredients) > MANY_BUCKETS:
        notes.append(
            f"{len(mixture.ingredients)} buckets: Megatron blends best with up to {MANY_BUCKETS}"
        )
    held = [i for i in mixture.ingredients if i.distinct >= _ENOUGH_TO_HOLD_OUT]
    train = _blend(list(mixture.ingredients), out, "train")
    (out / "data_args.txt").write_text(" ".join(train) + "\n", "utf-8")
    splits = {"train": train, **{split: _blend(held, out, split) for split in _HELD_OUT}}
    if held:
        (out / "per_split.json").write_bytes(orjson.dumps(splits, option=orjson.OPT_INDENT_2))
    else:
        (out / "per_split.json").unlink(missing_ok=True)
        notes.append(
            f"no per_split.json: no bucket has the {_ENOUGH_TO_HOLD_OUT} documents from which "
            "some are held out; use data_args.txt"
        )
    copies, commands = _commands(mixture, out)
    (out / "jsonl.sql").write_text("".join(copies), "utf-8")
    (out / "tokenise.sh").write_text("".join(commands), "utf-8")
    shares = ", ".join(f"1 in {_modulus(i)} documents of {i.name}" for i in held)
    readme = _README.format(unit=mixture.unit, held_out=shares or "nothing, buckets are too small")
    (out / "README.md").write_text(readme, "utf-8")
    return notes


def _refuse(mixture: Mixture, out: Path) -> None:
    for path in (out, mixture.data):
        if len(str(path).split()) != 1:
            raise ManifestError(
                f"Megatron-LM splits its arguments on white space, which the path {path} holds: "
                "choose a folder without any"
            )
    for ingredient in mixture.ingredients:
        if not ingredient.share:
            raise ManifestError(
                f"bucket {ingredient.name!r} has weight 0, which Megatron-LM does not take: give "
                "it `action: drop`, which leaves it out, and build and reweigh again"
            )


def _blend(ingredients: list[Ingredient], out: Path, split: str) -> list[str]:
    """Return weights and prefixes in turn; the weights add up to 1."""
    total = sum(ingredient.share for ingredient in ingredients)
    return [
        word
        for ingredient in ingredients
        for word in (
            f"{ingredient.share / total:.9g}",
            f"{_stem(ingredient, out, split)}_text_document",
        )
    ]


def _stem(ingredient: Ingredient, out: Path, split: str) -> Path:
    return out / (ingredient.name if split == "train" else f"{ingredient.name}.{split}")


def _modulus(ingredient: Ingredient) -> int:
    """Hold out about ten documents of a small bucket, and one in 200 of a large one."""
    return max(4, min(200, ingredient.distinct // 10))


def _commands(mixture: Mixture, out: Path) -> tuple[list[str], list[str]]:
    """Return the SQL that writes JSON lines, and the shell lines that tokenise them."""
    copies, commands = [], [
        "#!/usr/bin/env bash\nset -euo pipefail\n"
        ': "${MEGATRON:?set it to a checkout of Megatron-LM}"\n'
        ": \"${TOKENIZER:?set it to --tokenizer-type and what that type needs}\"\n",
        f"python -c 'import duckdb, sys; duckdb.connect().execute(open(sys.argv[1]).read())' "
        f"{quote(str(out / 'jsonl.sql'))}\n",
    ]  # fmt: skip
    for ingredient in mixture.ingredients:
        splits = ("train", *_HELD_OUT) if ingredient.distinct >= _ENOUGH_TO_HOLD_OUT else ("train",)
        for place, split in enumerate(splits):
            stem = _stem(ingredient, out, split)
            drawn = f"md5_number_lower(t) % {_modulus(ingredient)}"
            chosen = f"{drawn} = {place - 1}" if place else f"{drawn} >= {len(splits) - 1}"
            texts = f"SELECT t AS text FROM ({_texts(mixture, ingredient)}) WHERE t <> ''"  # noqa: S608
            target = _string(f"{stem}.jsonl")
            copies.append(f"COPY ({texts} AND {chosen}) TO {target} (FORMAT json);\n")
            commands.append(
                f'python "$MEGATRON/tools/preprocess_data.py" --input {quote(f"{stem}.jsonl")} '
                f"--json-keys text --output-prefix {quote(str(stem))} "
                '--workers "${WORKERS:-4}" --append-eod $TOKENIZER\n'
            )
    return copies, commands


def _texts(mixture: Mixture, ingredient: Ingredient) -> str:
    """Return SQL for the texts of a bucket's files, of whatever formats, as a column `t`."""
    column = _identifier(mixture.text_column)
    lines_columns = f"{{{_string(mixture.text_column)}: 'VARCHAR'}}"
    parquet = [path for path in ingredient.files if path.suffix == ".parquet"]
    lines = [path for path in ingredient.files if path.suffix != ".parquet"]
    tables = []
    if parquet:
        tables.append(f"read_parquet({_list(parquet)})")
    if lines:
        options = f"format='newline_delimited', columns={lines_columns}"
        tables.append(f"read_json({_list(lines)}, {options})")
    return " UNION ALL ".join(f"SELECT {column} AS t FROM {table}" for table in tables)  # noqa: S608


def _list(paths: list[Path]) -> str:
    return f"[{', '.join(_string(str(path)) for path in paths)}]"


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
