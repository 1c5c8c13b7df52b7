"""The commands that write each bucket as JSON lines and tokenise it by Megatron-LM's own tool."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from .mixture import Ingredient, Mixture


def write_commands(
    mixture: Mixture, splits: Mapping[str, tuple[tuple[str, ...], int]], out: Path
) -> None:
    """Write `jsonl.sql` and `tokenise.sh`.

    Args:
        mixture: what to tokenise.
        splits: by bucket its splits, the first the training, and n, where one document in n goes to
            each other one.
        out: where tokens go.
    """
    copies, commands = [], [
        "#!/usr/bin/env bash\nset -euo pipefail\n"
        ': "${MEGATRON:?set it to a checkout of Megatron-LM}"\n'
        ": \"${TOKENIZER:?set it to --tokenizer-type and what that type needs}\"\n",
        f"python -c 'import duckdb, sys; duckdb.connect().execute(open(sys.argv[1]).read())' "
        f"{quote(str(out / 'jsonl.sql'))}\n",
    ]  # fmt: skip
    for ingredient in mixture.ingredients:
        names, modulus = splits[ingredient.name]
        for place, split in enumerate(names):
            stem = out / (ingredient.name if split == "train" else f"{ingredient.name}.{split}")
            drawn = f"md5_number_lower(t) % {modulus or 1}"
            chosen = f"{drawn} = {place - 1}" if place else f"{drawn} >= {len(names) - 1}"
            texts = f"SELECT t AS text FROM ({_texts(mixture, ingredient)}) WHERE t <> ''"  # noqa: S608
            target = _string(f"{stem}.jsonl")
            copies.append(f"COPY ({texts} AND {chosen}) TO {target} (FORMAT json);\n")
            commands.append(
                f'python "$MEGATRON/tools/preprocess_data.py" --input {quote(f"{stem}.jsonl")} '
                f"--json-keys text --output-prefix {quote(str(stem))} "
                '--workers "${WORKERS:-4}" --append-eod $TOKENIZER\n'
            )
    (out / "jsonl.sql").write_text("".join(copies), "utf-8")
    (out / "tokenise.sh").write_text("".join(commands), "utf-8")


def _texts(mixture: Mixture, ingredient: Ingredient) -> str:
    """Return SQL for the texts of a bucket's files, of whatever formats, as a column `t`."""
    column = _identifier(mixture.columns.text)
    lines_columns = f"{{{_string(mixture.columns.text)}: 'VARCHAR'}}"
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
