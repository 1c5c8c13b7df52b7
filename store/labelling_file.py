"""Labelling files: what readers fill in, as JSON lines, CSV or Label Studio tasks.

Each row is one item for one annotator. It names its audit and taxonomy, so that it can be handed
back whole; the answers are empty until they are given.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

from ..errors import LabelsError, SettingsError
from ..labels.taxonomy import LABELS, read_taxonomy
from .audits import Audit

FileFormat = Literal["jsonl", "csv", "labelstudio"]

ANSWERS = (*LABELS, "stance", "genre", "behaviours")

Row = dict[str, Any]


def labelling_rows(audit: Audit, *, verdict: bool = False, blind: bool = False) -> list[Row]:
    """Return a row for each item and annotator, in reading order.

    Args:
        audit: the audit.
        verdict: adds what the model says, under `model_<label>`.
        blind: leaves out what hints at it: evidence and inclusion probability.
    """
    sample = {(row["shard"], row["row"]): row for row in audit.sample.to_pylist()}
    rows: list[Row] = []
    for item in audit.items.to_pylist():
        document = sample[item["shard"], item["row"]]
        row: Row = {
            "audit": audit.design.name,
            "taxonomy": audit.design.taxonomy_digest,
            "id": item["id"],
            "text": item["text"],
            "source": document["source"],
            "url": document["url"],
            "reading": document["reading"],
            "characters": document["characters"],
        }
        if not blind:
            row |= {
                "evidence": [[span["start"], span["end"]] for span in item["evidence"]],
                "inclusion_probability": document["inclusion_probability"],
                "share": item["share"],
            }
        if verdict:
            row |= {f"model_{label}": document[label] for label in LABELS}
        empty: Row = {**dict.fromkeys(LABELS), "stance": "", "genre": "", "behaviours": []}
        rows += [{**row, "annotator": name, **empty} for name in item["annotators"] or [""]]
    return rows


def write_labelling_file(rows: Iterable[Row], out: Path, format: str) -> list[Path]:
    """Write rows for their readers, and return the files written.

    Beside Label Studio's tasks lies the labelling interface that goes with them, as `.xml`.

    Raises:
        SettingsError: there is no such format.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    if format == "jsonl":
        out.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    elif format == "csv":
        out.write_text(_csv(rows), "utf-8")
    elif format == "labelstudio":
        tasks = [{"data": {k: v for k, v in r.items() if k not in ANSWERS}} for r in rows]
        out.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", "utf-8")
        interface = out.with_suffix(".xml")
        interface.write_text(label_studio_interface(), "utf-8")
        return [out, interface]
    else:
        raise SettingsError(f"no format {format!r}: choose from jsonl, csv, labelstudio")
    return [out]


def _csv(rows: Iterable[Row]) -> str:
    sink = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        writer = writer or csv.DictWriter(sink, row.keys(), lineterminator="\n")
        if not sink.tell():
            writer.writeheader()
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return sink.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join("-".join(map(str, v)) if isinstance(v, list) else str(v) for v in value)
    return value


def label_studio_interface() -> str:
    """Return the labelling interface for Label Studio: every question with its choices."""
    taxonomy = read_taxonomy()
    lines = ["<View>", '  <Text name="text" value="$text"/>']

    def ask(name: str, question: str, choices: Iterable[str], how: str) -> None:
        lines.append(f"  <Header value={quoteattr(question)}/>")
        lines.append(f'  <Choices name="{name}" toName="text" choice="{how}">')
        lines.extend(f'    <Choice value="{choice}"/>' for choice in choices)
        lines.append("  </Choices>")

    for label in taxonomy.labels:
        ask(label.name, label.question, ("true", "false", "unsure"), "single-radio")
    ask("stance", "Stance of the text", (t.name for t in taxonomy.stances), "single-radio")
    ask("genre", "Genre of the text", (t.name for t in taxonomy.genres), "single-radio")
    ask("behaviours", "Behaviours", (t.name for t in taxonomy.behaviours), "multiple")
    return "\n".join([*lines, "</View>"]) + "\n"


def read_labelling_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each record of a labelling file that comes back, with its place for messages.

    A line that is no JSON is yielded as None.

    JSON lines and CSV are read as they were written; a `.json` file is Label Studio's export, or
    a list of records.

    Raises:
        LabelsError: the file cannot be read, or is of none of these formats.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(
            f"{path} cannot be read ({error}): give a labelling file in UTF-8"
        ) from error
    if path.suffix == ".csv":
        for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
            yield f"{path}: row {number}", row
    elif path.suffix in (".jsonl", ".ndjson"):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield f"{path}:{number}", _object(line)
    elif path.suffix == ".json":
        tasks = _object(text)
        if not isinstance(tasks, list):
            raise LabelsError(f"{path} is no list of tasks: export it from Label Studio as JSON")
        for number, task in enumerate(tasks, start=1):
            for record in _of_task(task):
                yield f"{path}: task {number}", record
    else:
        raise LabelsError(
            f"{path} ends in none of .jsonl, .csv, .json: give it the ending of what it holds"
        )


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _of_task(task: Any) -> Iterator[Any]:
    """Yield a record for each annotation of a Label Studio task; other objects are records."""
    if not isinstance(task, dict) or "annotations" not in task:
        yield task
        return
    finished = [a for a in task["annotations"] if not a.get("was_cancelled")]
    for annotation in finished:
        by = annotation.get("completed_by")
        by = by.get("email") or by.get("id") if isinstance(by, dict) else by
        named = task["data"].get("annotator") if len(finished) == 1 else None
        record = {**task["data"], "annotator": named or (str(by) if by is not None else "")}
        for result in annotation.get("result", ()):
            choices = result.get("value", {}).get("choices", [])
            name = result.get("from_name")
            if name in ANSWERS:
                record[name] = choices if name == "behaviours" else next(iter(choices), None)
        yield record
