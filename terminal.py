"""What the command line prints: tables on a terminal, JSON or CSV where asked, progress."""

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .errors import SettingsError, SourceError

Row = Mapping[str, Any]

_WIDTH = int(os.environ.get("COLUMNS", "100"))

OUT = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
ERR = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDTH)

_LINE_SECONDS = 60.0
"""How often a scan says where it is, where it does not write to a terminal."""


@contextmanager
def progress(what: str, of: str = "parts") -> Iterator[Callable[[int, int], None]]:
    """Show how many parts are done: a bar on a terminal, a line at each tenth elsewhere."""
    if not ERR.is_terminal:
        told = -1

        def tell(done: int, total: int) -> None:
            nonlocal told
            if (tenth := 10 * done // max(total, 1)) > told:
                told = tenth
                print(f"{what}: {done} of {total} {of}", file=sys.stderr, flush=True)

        yield tell
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def scan_progress() -> Iterator[Callable[[Any], None]]:
    """Show how far a scan has come: a line that moves on a terminal, one a minute elsewhere."""
    if not ERR.is_terminal:
        told = time.monotonic()

        def tell(progress: Any) -> None:
            nonlocal told
            if (now := time.monotonic()) - told >= _LINE_SECONDS:
                told = now
                print(f"scanning: {scan_line(progress)}", file=sys.stderr, flush=True)

        yield tell
        return
    columns = (TextColumn("scanning"), BarColumn(20), TextColumn("{task.fields[line]}"))
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task("scanning", total=1.0, line="")
        yield lambda progress: bar.update(task, completed=progress.share, line=scan_line(progress))


def scan_line(progress: Any) -> str:
    """Say in one line how far a scan has come."""
    counted, planned = progress.counted, progress.planned
    parts = f"{progress.parts_done + progress.parts_failed:,} of {planned.parts:,} parts"
    failed = f" ({progress.parts_failed:,} set aside)" if progress.parts_failed else ""
    left = progress.seconds_left
    return ", ".join(
        [
            f"{parts}{failed}",
            f"{counted.documents:,} documents",
            f"{progress.bytes_per_second / 1e6:,.1f} MB/s",
            f"{progress.candidate_share:.2%} candidates",
            "time left unknown" if left is None else f"{timedelta(seconds=round(left))} left",
        ]
    )


def print_rows(rows: Sequence[Row], format: str, draw: Callable[[Sequence[Row]], None]) -> None:
    """Print rows as one JSON list, as CSV with a header, or by `draw` as a table."""
    if format == "json":
        print(json.dumps(rows, indent=1, default=str))
    elif format == "csv":
        writer = csv.DictWriter(sys.stdout, _keys(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        draw(rows)


def print_table(title: str, rows: Sequence[Row], format: str) -> None:
    """Print any rows; as a table, with their keys as its head."""
    print_rows(rows, format, lambda rows: draw_rows(title, rows))


def print_documents(title: str, documents: Sequence[Row]) -> None:
    """Print documents with their highest passage, its evidence underlined."""
    OUT.print(Text(title, style="italic"))
    for document in documents:
        OUT.print(Text(f"{document['shard']}#{document['row']} ", style="dim"), end="")
        OUT.print(Text(f"{document['malevolent']:.2f} {document['genre']}", style="bold"))
        passage = max(document["passages"], key=lambda p: p["malevolent"])
        text = Text(" ".join((passage["text"] or "(no text kept)").split("\n")))
        for span in passage["evidence"]:
            style = "underline" if span["behaviour"] else "bold"
            text.stylize(style, span["start"] - passage["start"], span["end"] - passage["start"])
        text.truncate(400, overflow="ellipsis")
        OUT.print(text, soft_wrap=False)


def copy_scores(
    score: Callable[[Iterable[dict[str, Any]]], Iterator[dict[str, Any]]],
    *,
    text: str | None,
    input: Path | None,
    output: Path | None,
) -> None:
    """Read texts from an argument, a file or standard input, and write a line of scores for each.

    Raises:
        SettingsError: a file cannot be opened, or the output is the input.
        SourceError: a line is not an object with a text; names the line.
    """
    if input and output and output.exists() and output.samefile(input):
        raise SettingsError(f"{output} is also the input, which would be lost: name another file")
    with ExitStack() as files:
        try:
            lines = files.enter_context(input.open("rb")) if input else sys.stdin.buffer
            sink = files.enter_context(output.open("wb")) if output else sys.stdout.buffer
        except OSError as error:
            option = "input" if error.filename == str(input) else "output"
            raise SettingsError(
                f"--{option} {error.filename} cannot be opened ({error.strerror}): name a file "
                f"{'that can be read' if option == 'input' else 'in a folder that is there'}"
            ) from error
        records = [{"id": None, "text": text}] if text is not None else _records(lines)
        for scored in score(records):
            sink.write(json.dumps(scored).encode() + b"\n")
        sink.flush()


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise SourceError(
                f'line {number} is not an object with a text: give {{"id": …, "text": "…"}} a line'
            )
        yield {"id": record.get("id"), "text": record["text"]}


def say(lines: Iterable[str]) -> None:
    """Print plain lines to standard output."""
    for line in lines:
        OUT.print(line, markup=False, soft_wrap=True)


def percent(share: float | None) -> str:
    """Render a share with enough digits for rare things."""
    return "–" if share is None else f"{100 * share:.2f} %"


def _keys(rows: Sequence[Row]) -> list[str]:
    """Return the keys of all rows, which need not be alike, in the order of their first row."""
    return list(dict.fromkeys(key for row in rows for key in row))


_SHARES = ("low", "high", "agreed")


def draw_rows(title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    table = new_table(title)
    keys = _keys(rows)
    for key in keys:
        numeric = any(isinstance(row.get(key), int | float) for row in rows)
        table.add_column(key, justify="right" if numeric else "left")
    for row in rows:
        values = ((key, row.get(key)) for key in keys)
        table.add_row(
            *(percent(v) if key in _SHARES or "share" in key else _cell(v) for key, v in values)
        )
    OUT.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def new_table(title: str) -> Table:
    """Return an empty table with a title."""
    return Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
