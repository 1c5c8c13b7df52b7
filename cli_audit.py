"""The command line's verbs on audits: sample, import, label, report."""

import sys
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import tables, terminal
from .cli_manifest import Format, TableFormat, Tags, current_thresholds, fail
from .errors import SourceError
from .settings import read_settings

audits = typer.Typer(
    help="Draw documents to be read, import what readers say, and report.", no_args_is_help=True
)


class LabellingFormat(StrEnum):
    """What a labelling file is written as."""

    jsonl = "jsonl"
    csv = "csv"
    labelstudio = "labelstudio"


@audits.command("sample")
def audit_sample(
    tags: Tags,
    out: Annotated[Path, typer.Option(help="Labelling file to write.")],
    label: Annotated[
        str | None, typer.Option(help="Whose score makes the strata; the highest portrayal's.")
    ] = None,
    budget: Annotated[int, typer.Option(help="Documents to draw.")] = 1000,
    strata: Annotated[int, typer.Option(min=1, help="Strata of score, at most.")] = 8,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of the draw, kept in the design.")
    ] = 0,
    format: Annotated[LabellingFormat, typer.Option(help="Of the file.")] = LabellingFormat.jsonl,
    annotators: Annotated[
        str | None, typer.Option(help="Readers to share the items out to: A,B,…")
    ] = None,
    double: Annotated[float, typer.Option(help="Share of items that two readers read.")] = 0.0,
    with_verdict: Annotated[
        bool, typer.Option("--with-verdict", help="Show what the model says.")
    ] = False,
    blind: Annotated[
        bool, typer.Option("--blind", help="Leave out evidence and probabilities too.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="Where the corpus lies; by default where it was scanned.")
    ] = None,
    from_tags: Annotated[
        bool, typer.Option("--from-tags", help="Read only what the tag folder keeps.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="The audit's name; audit-1, audit-2, …")] = None,
    after: Annotated[
        str | None, typer.Option(help="Audit to go on from, allocating by what it found.")
    ] = None,
) -> None:
    """Draw documents by design, and write a file for their readers to fill in."""
    from .classifiers.passages import slices
    from .pipelines.drawn import texts_of
    from .store.audit_sample import sample_audit
    from .store.catalogue import open_catalogue
    from .store.folder import TagFolder
    from .store.labelling_file import labelling_rows, write_labelling_file

    folder = TagFolder(tags)
    notes: list[str] = []

    def texts(wanted: dict[tuple[str, int], int]) -> dict[tuple[str, int], str]:
        try:
            return texts_of(folder, wanted, source=source)
        except (SourceError, FileNotFoundError) as error:
            if source is not None:
                raise
            notes.append(f"read from the tags alone, the corpus cannot be: {error}")
            return {}

    with open_catalogue(folder) as catalogue:
        audit = sample_audit(
            catalogue, folder, cut=slices, texts=None if from_tags else texts, name=name,
            label=label, budget=budget, strata=strata, seed=seed, after=after,
            annotators=[r.strip() for r in (annotators or "").split(",") if r.strip()],
            double=double,
        )  # fmt: skip
    rows = labelling_rows(audit, verdict=with_verdict, blind=blind)
    files = write_labelling_file(rows, out, format)
    tables.print_drawn(audit, files, notes)


@audits.command("import")
def audit_import(
    files: Annotated[list[Path], typer.Argument(help="Labelling files: .jsonl, .csv or .json.")],
    tags: Tags,
) -> None:
    """Check what readers filled in, and keep it beside the tags."""
    from .store.audit_import import import_labels
    from .store.folder import TagFolder

    report = import_labels(TagFolder(tags), files)
    tables.print_import(report)
    if report.bad:
        fail(
            f"{len(report.bad)} records are not kept: mend them in the file and import it again, "
            "which changes nothing else"
        )


@audits.command("label")
def audit_label(
    name: Annotated[str, typer.Argument(help="The audit.")],
    tags: Tags,
    endpoint: Annotated[
        str, typer.Option(help="Base of an OpenAI-compatible API: http://localhost:8000/v1.")
    ],
    model: Annotated[str, typer.Option(help="The model's name there.")],
    workers: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 4,
) -> None:
    """Have a language model read an audit's items; the same command goes on where it stopped."""
    from .labels.reader import ModelReader
    from .store.audit_label import label_audit
    from .store.audits import read_audit
    from .store.folder import TagFolder

    secret = read_settings().endpoint_key
    reader = ModelReader(endpoint, model, key=secret.get_secret_value() if secret else None)
    audit = read_audit(TagFolder(tags), name)
    with closing(reader), terminal.progress("reading", of="items") as progress:
        report = label_audit(audit, reader, workers=workers, progress=progress)
    tables.print_import(report)
    if report.bad:
        fail(f"{len(report.bad)} items have no usable answer: run the same command again for them")


@audits.command("report")
def audit_report(
    tags: Tags,
    name: Annotated[str | None, typer.Argument(help="One audit; all of these tags.")] = None,
    format: Format = TableFormat.table,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for the reliability diagram (PNG and SVG).")
    ] = None,
    width: Annotated[
        float | None, typer.Option(help="Width of interval to plan for, such as 0.001.")
    ] = None,
) -> None:
    """Report shares with intervals, precision and recall here, agreement, and what is left."""
    from .store.audit_report import report
    from .store.catalogue import open_catalogue
    from .store.folder import TagFolder

    folder = TagFolder(tags)
    with open_catalogue(folder) as catalogue:
        rows = report(
            catalogue, folder, thresholds=current_thresholds(), name=name, width=width
        )  # fmt: skip
    tables.print_report(rows, format)
    if plots:
        from .store.diagram import draw_reliability

        bins = [row for row in rows if row["section"] == "reliability"]
        for path in draw_reliability(bins, plots):
            print(f"drawn: {path}", file=sys.stderr)
