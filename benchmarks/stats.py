"""How long `stats` takes over a tag folder with millions of tag rows, and what its catalogue takes.

    python benchmarks/stats.py [--rows 2000000 20000000] [--out benchmarks/stats.json]

For each number of rows a catalogue is filled with synthetic tag rows by DuckDB (the same for the
same number, by hashes), its aggregates are built as `narrascope stats` builds them, and every
grouping is asked for: all four labels, the thousand highest groups of each, by the shipped models'
thresholds. Reading the parts into the catalogue is not measured. From the smallest and largest
number each figure is extrapolated to ten times the largest, as a power of the number of rows. The
temporary folder takes up to 6 GB and is removed.
"""

import argparse
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any, get_args

import duckdb
import orjson
import pyarrow as pa

from narrascope.classifiers.meta import default_thresholds
from narrascope.labels.tag import RECEIPT, TAGS
from narrascope.labels.taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES
from narrascope.store.aggregates import build_aggregates
from narrascope.store.counts import By
from narrascope.store.prevalence import prevalence
from narrascope.store.where import parse_where

ROOT = Path(__file__).resolve().parents[1]
CONFIG: dict[str, Any] = {"threads": 2, "memory_limit": "4GB"}
GROUPINGS = (None, *get_args(By))
SOURCES, MONTHS = 20, 120
DOCUMENTS_A_TAG = 50
"""How many documents of the corpus stand for each tag row."""

SKEW = {"ai_agent": 0.8, "malevolent": 5.0, "self_preserving": 8.0, "benevolent": 6.0}
"""Powers of a uniform draw that give about the scores of a scan of web text."""


def uniform(purpose: int) -> str:
    """Return SQL for a draw in [0, 1) of row `i`."""
    return f"(hash(i * 64 + {purpose}) / 18446744073709551616.0)"


def one_of(names: tuple[str, ...], draw: str) -> str:
    """Return SQL for one of some names."""
    return f"[{', '.join(repr(name) for name in names)}][1 + floor({len(names)} * {draw})::INT]"


def fill(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Create a catalogue's tables: a domain for 20 tag rows, a shard for 10,000."""
    columns = {
        "shard": f"printf('crawl/%05d.parquet', i // {10_000})",
        "row": "i", "doc_id": "printf('<urn:uuid:%016x>', hash(i))",
        "text_hash": "hash(i - i % 10 * (i % 50 < 10)::INT)", "first_row": "0",
        "url": "printf('https://www.site%d.example/articles/%d.html', d, i)",
        "domain": "printf('site%d.example', d)",
        "source": f"CASE WHEN s < {SOURCES - 1} THEN printf('source-%02d', s) END",
        "month": f"CASE WHEN m < {MONTHS - 1} "
        "THEN printf('%d-%02d', 2014 + m // 12, 1 + m % 12) END",
        "bytes": f"(300 + 12000 * pow({uniform(1)}, 3))::BIGINT",
        "tokens": f"(80 + 3000 * pow({uniform(1)}, 3))::BIGINT",
        "gate_matches": f"1 + (9 * {uniform(2)})::BIGINT",
        "genre": f"CASE WHEN verdict THEN {one_of(GENRES, uniform(3))} END",
        "behaviours": f"CASE WHEN verdict AND {uniform(4)} < 0.3 THEN "
        f"list_distinct([{one_of(BEHAVIOURS, uniform(5))}, {one_of(BEHAVIOURS, uniform(6))}]) "
        "ELSE [] END",
    }  # fmt: skip
    for n, label in enumerate(LABELS):
        score = f"pow({uniform(10 + n)}, {SKEW[label]})"
        columns[f"screen_{label}"] = f"round({score} * 0.9, 4)"
        columns[label] = columns[f"{label}_max"] = f"CASE WHEN verdict THEN round({score}, 4) END"
        stance = one_of(STANCES, f"pow({uniform(20 + n)}, 2)")
        columns[f"{label}_stance"] = f"CASE WHEN verdict THEN {stance} END"
    kept = pa.schema([field for field in TAGS if field.name != "passages"])
    table(connection, "documents", kept.append(pa.field("first_row", pa.int64())))
    table(connection, "receipts", RECEIPT)
    named = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    connection.execute(
        f"INSERT INTO documents BY NAME SELECT {named} "  # noqa: S608
        f"FROM (SELECT i, {uniform(30)} < 0.68 AS verdict, "
        f"floor(pow({uniform(31)}, 3) * {rows} / 20)::INT AS d, "
        f"floor(pow({uniform(32)}, 2) * {SOURCES})::INT AS s, "
        f"floor({uniform(33)} * {MONTHS})::INT AS m FROM range({rows}) AS t(i))"
    )
    sizes = ", ".join(
        f"(sum({size}) * {DOCUMENTS_A_TAG})::BIGINT AS {name}"
        for name, size in (
            ("documents", "1"),
            ("empty", "0"),
            ("bytes", "bytes"),
            ("tokens", "tokens"),
        )
    )
    for name, more in (("domains", "domain, "), ("totals", "")):
        connection.execute(
            f"CREATE TABLE {name} AS SELECT shard, first_row, {more}source, month, language, "  # noqa: S608
            f"{sizes} FROM documents GROUP BY ALL ORDER BY shard"
        )
    connection.execute(
        "INSERT INTO receipts BY NAME SELECT shard, first_row, false AS partial, "
        "sum(documents) AS documents, sum(tokens) AS tokens, 'd' AS taxonomy_digest, "
        "'d' AS lexicon_digest, 'd' AS models_digest, 2 AS tagging_version "
        "FROM totals GROUP BY shard, first_row"
    )
    connection.execute(
        "CREATE TABLE failed (shard VARCHAR, first_row BIGINT, end_row BIGINT, why VARCHAR, "
        "retry VARCHAR)"
    )
    connection.execute("CHECKPOINT")


def table(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> None:
    """Create an empty table in an Arrow schema."""
    connection.register("rows", schema.empty_table())
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")  # noqa: S608
    connection.unregister("rows")


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ask(
    result: dict[str, Any], name: str, rounds: int, work: Callable[[str | None], object]
) -> None:
    """Ask for every grouping: note the median of some rounds after one that is not counted."""
    wall, cpu = result.setdefault(f"{name}_ms", {}), result.setdefault(f"{name}_cpu_ms", {})
    for by in GROUPINGS:
        work(by)
        taken = []
        for _ in range(rounds):
            began, used = time.perf_counter(), time.process_time()
            work(by)
            taken.append((time.perf_counter() - began, time.process_time() - used))
        wall[by or "all"] = round(1000 * statistics.median(w for w, _ in taken), 1)
        cpu[by or "all"] = round(1000 * statistics.median(c for _, c in taken), 1)
    print(name, wall, flush=True)


def measure(path: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Fill a catalogue and ask it for every grouping."""
    result: dict[str, Any] = {"rows": rows}
    with duckdb.connect(str(path), config=CONFIG) as connection:
        result["filled_in_s"] = round(seconds(lambda: fill(connection, rows)), 1)
        result["tables_mb"] = round(path.stat().st_size / 1e6, 1)
        built = seconds(lambda: (build_aggregates(connection), connection.execute("CHECKPOINT")))
    result["aggregates_built_in_s"] = round(built, 1)
    result["aggregates_mb"] = round(path.stat().st_size / 1e6 - result["tables_mb"], 1)
    print(result, flush=True)
    with duckdb.connect(str(path), read_only=True, config=CONFIG) as connection:
        for name in ("groups", "cells", "reached", "expected", "domains"):
            row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608
            result[f"{name}_rows"] = row[0] if row else 0
        asked: dict[str, dict[str, Any]] = {
            "flagged": {}, "flagged_bytes": {"unit": "bytes"},
            "expected": {"estimator": "expected"}, "one_label": {"label": "malevolent"},
        }  # fmt: skip
        limits = default_thresholds(None)
        for name, more in asked.items():
            ask(
                result, name, rounds,
                lambda by, more=more: prevalence(
                    connection, by=by, limit=1000, thresholds=limits, **more
                ),
            )  # fmt: skip
        for name, where in (("ad_hoc", "bytes >= 1000"), ("ad_hoc_source", "source = 'source-03'")):
            condition = parse_where(where)
            ask(
                result, name, 1,
                lambda by, condition=condition: prevalence(
                    connection, label="malevolent", by=by, where=condition, limit=1000,
                    thresholds=limits,
                ),
            )  # fmt: skip
        result["every_domain_ms"] = round(
            1000 * seconds(
                lambda: prevalence(connection, label="malevolent", by="domain", thresholds=limits)
            ),
            1,
        )  # fmt: skip
    return result


def extrapolate(small: dict[str, Any], large: dict[str, Any], rows: int) -> dict[str, Any]:
    """Return each figure at a number of rows, on the power law through two measured points."""
    found: dict[str, Any] = {}
    for name, value in large.items():
        if isinstance(value, dict):
            found[name] = extrapolate(
                small[name] | {"rows": small["rows"]}, value | {"rows": large["rows"]}, rows
            )
        elif name != "rows" and value and small[name]:
            power = log(value / small[name]) / log(large["rows"] / small["rows"])
            found[name] = round(value * (rows / large["rows"]) ** max(power, 0.0), 1)
    return found


def main() -> None:
    """Measure, print, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000_000, 20_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shared", action="store_true", help="note that the machine was shared")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "stats.json")
    arguments = parser.parse_args()
    measured = []
    for rows in sorted(arguments.rows):
        with tempfile.TemporaryDirectory() as folder:
            measured.append(measure(Path(folder) / "stats.duckdb", rows, arguments.rounds))
    target = 10 * measured[-1]["rows"]
    result = {
        "measured": measured,
        "extrapolated": {"rows": target} | extrapolate(measured[0], measured[-1], target),
        "threads": CONFIG["threads"],
        "memory_limit": CONFIG["memory_limit"],
        "note": "medians of wall clock and of CPU time of all threads, in ms",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores"
        + (", shared with other work meanwhile" if arguments.shared else ""),
        "duckdb": duckdb.__version__,
        "python": platform.python_version(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        ).stdout.strip(),
    }  # fmt: skip
    arguments.out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
