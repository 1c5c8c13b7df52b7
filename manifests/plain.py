"""Plain lists of shard files with their buckets' weights, for any trainer or script."""

import csv
from pathlib import Path

import orjson

from .exported import Exported
from .mixture import Mixture

_COLUMNS = ("bucket", "share", "passes", "path")


def write_list(mixture: Mixture, out: Path) -> Exported:
    """Write `shards.json`, `shards.csv`, `shares.txt` and a list of paths for each bucket.

    `shards.csv` has a row a file with `bucket, share, passes, path`; share and passes are the
    bucket's, not the file's. `shares.txt` has a line a bucket: share, blank, name. `<bucket>.txt`
    has a path a line.
    """
    buckets = [
        {**ingredient.row(), "files": [str(path) for path in ingredient.files]}
        for ingredient in mixture.ingredients
    ]
    document = {"mode": mixture.mode, "unit": mixture.unit, "buckets": buckets}
    (out / "shards.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    with (out / "shards.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for ingredient in mixture.ingredients:
            for path in ingredient.files:
                writer.writerow((ingredient.name, ingredient.share, ingredient.passes, path))
    shares = [f"{ingredient.share:.9g} {ingredient.name}" for ingredient in mixture.ingredients]
    (out / "shares.txt").write_text("\n".join(shares) + "\n", "utf-8")
    for ingredient in mixture.ingredients:
        paths = "".join(f"{path}\n" for path in ingredient.files)
        (out / f"{ingredient.name}.txt").write_text(paths, "utf-8")
    return Exported(
        unit="sample",
        means="`share`: the bucket's part of the training tokens; `passes`: how often to go "
        "through its files",
        numbers={ingredient.name: ingredient.share for ingredient in mixture.ingredients},
    )
