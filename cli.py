"""The command line: each verb is one public function in the module that does the work."""

from pathlib import Path
from typing import Annotated

import typer

from . import __version__, tables, tables_plan, terminal
from .cli_audit import audits
from .cli_cluster import (
    Executor,
    Logs,
    Memory,
    Partition,
    Sbatch,
    Setup,
    Tasks,
    Time,
    Wait,
    Where,
    Workers,
    cluster,
)
from .cli_keys import keys
from .cli_manifest import Format, TableFormat, Tags, current_thresholds, fail, manifests
from .cli_models import Seed, evaluate, teach, train
from .cli_reweigh import reweigh
from .cli_service import serve, worker
from .errors import NarrascopeError, one_line
from .settings import read_settings

app = typer.Typer(
    name="narrascope",
    help="Audit and reweigh how a pretraining corpus portrays AI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(manifests, name="manifest")
app.add_typer(audits, name="audit")
app.add_typer(keys, name="keys")
for verb in (reweigh, train, teach, evaluate, serve, worker):
    app.command()(verb)


UseJudge = Annotated[
    bool | None,
    typer.Option(
        "--judge/--no-judge",
        help="Whether the judge reads what is undecided; by default score asks it where its extra "
        "is installed, and scan, which it makes many times slower, does not.",
        show_default=False,
    ),
]


@app.command()
def scan(
    source: Annotated[str, typer.Argument(help="File, folder, glob or fsspec URL.")],
    tags: Tags,
    root: Annotated[str | None, typer.Option(help="What shard names are relative to.")] = None,
    format: Annotated[
        str | None, typer.Option(help="Read every file as parquet, jsonl or warc.")
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    id_column: Annotated[str, typer.Option(help="Column with the document's id.")] = "id",
    source_column: Annotated[str, typer.Option(help="Column with the source.")] = "source",
    url_column: Annotated[str, typer.Option(help="Column with the URL.")] = "url",
    date_column: Annotated[str, typer.Option(help="Column with the date.")] = "date",
    token_column: Annotated[str | None, typer.Option(help="Column with a token count.")] = None,
    workers: Workers = None,
    executor: Where = Executor.local,
    partition: Partition = None,
    time: Time = None,
    memory: Memory = None,
    tasks: Tasks = None,
    setup: Setup = None,
    sbatch: Sbatch = None,
    logs: Logs = None,
    wait: Wait = False,
    control_rate: Annotated[
        float | None, typer.Option(help="Inclusion probability of the control sample.")
    ] = None,
    seed: Seed = 0,
    no_text: Annotated[bool, typer.Option("--no-text", help="Keep no passage's text.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows to read in all.")] = None,
    judge: UseJudge = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read again what was set aside.")
    ] = False,
) -> None:
    """Scan a corpus into a tag folder; the same command again goes on where it stopped."""
    from .pipelines.batches import Columns
    from .pipelines.parts import named_format
    from .pipelines.scan import scan as run

    where = cluster(
        executor, workers, partition=partition, time=time, memory=memory, tasks=tasks, setup=setup,
        sbatch=sbatch, logs=logs, wait=wait,
    )  # fmt: skip
    columns = Columns(
        text=text_column, id=id_column, source=source_column, url=url_column, date=date_column,
        tokens=token_column,
    )  # fmt: skip
    settings = read_settings()
    with terminal.scan_progress() as progress:
        report = run(
            source, tags, root=root, format=named_format(format), columns=columns,
            models=settings.models, judge=bool(settings.judge if judge is None else judge),
            workers=workers or 1, executor=where, control_rate=control_rate, seed=seed,
            keep_text=not no_text, limit=limit, retry_failed=retry_failed, progress=progress,
        )  # fmt: skip
    if report.jobs:
        tables.print_submitted(report, tags)
        return
    tables.print_scan(report, tags)
    if report.failed:
        raise typer.Exit(1)


@app.command()
def stats(
    tags: Tags,
    label: Annotated[str | None, typer.Option(help="One label; all by default.")] = None,
    by: Annotated[
        str | None, typer.Option(help="source, domain, month, genre, stance, behaviour or shard.")
    ] = None,
    unit: Annotated[str, typer.Option(help="documents, bytes or tokens.")] = "documents",
    estimator: Annotated[str, typer.Option(help="flagged, expected or audited.")] = "flagged",
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Count each text once, as far as copies are known.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Groups of each label at most; all by default.")
    ] = None,
    format: Format = TableFormat.table,
) -> None:
    """Print which share of the corpus carries each label."""
    from .store.catalogue import open_catalogue
    from .store.folder import TagFolder
    from .store.prevalence import prevalence

    folder = TagFolder(tags)
    with open_catalogue(folder) as catalogue:
        rows = prevalence(
            catalogue, label=label, by=by, unit=unit, estimator=estimator,
            thresholds=current_thresholds(), distinct=distinct, limit=limit, folder=folder,
        )  # fmt: skip
    tables.print_prevalence(rows, format)


@app.command()
def drift(
    tags: Tags,
    against: Annotated[
        str | None, typer.Option(help="Tag folder of an earlier scan; else months are compared.")
    ] = None,
    by: Annotated[str, typer.Option(help="source, domain or month.")] = "source",
    label: Annotated[str | None, typer.Option(help="One label; all by default.")] = None,
    unit: Annotated[str, typer.Option(help="documents, bytes or tokens.")] = "documents",
    estimator: Annotated[str, typer.Option(help="flagged, expected or audited.")] = "flagged",
    before: Annotated[
        str | None, typer.Option(help="Earlier months, as 2024-01 or 2024-01..2024-06.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="Later months.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Groups of each label at most.")] = 20,
    format: Format = TableFormat.table,
) -> None:
    """Print how shares differ between months or scans, the biggest movers first."""
    from .store.audited_drift import audited_drift
    from .store.catalogue import open_catalogue
    from .store.drift import drift as run
    from .store.folder import TagFolder

    folder, older = TagFolder(tags), None if against is None else TagFolder(against)
    catalogue = open_catalogue(folder)
    earlier = None if older is None else open_catalogue(older)
    if estimator == "audited":
        rows = audited_drift(
            (catalogue, folder), against=(earlier, older) if earlier and older else None, by=by,
            label=label, unit=unit, before=before, after=after, top=top,
        )  # fmt: skip
    else:
        rows = run(
            catalogue, against=earlier, by=by, label=label, unit=unit, estimator=estimator,
            before=before, after=after, top=top, thresholds=current_thresholds(),
        )  # fmt: skip
    tables.print_drift(rows, format)


@app.command()
def score(
    text: Annotated[str | None, typer.Argument(help="A text; else lines are read.")] = None,
    input: Annotated[
        Path | None, typer.Option(help='Lines of {"id", "text"}; standard input by default.')
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where lines of scores go.")] = None,
    judge: UseJudge = None,
) -> None:
    """Score texts: probabilities, labels, stance, genre, behaviours and evidence."""
    from .classifiers.cascade import load_cascade

    settings = read_settings()
    wanted = settings.judge if judge is None else judge
    cascade = load_cascade(settings.models, judge=wanted)
    terminal.copy_scores(cascade.score_texts, text=text, input=input, output=output)


@app.command()
def demo(
    tags: Annotated[str, typer.Option("--tags", help="Tag folder to make.")] = "demo-tags",
) -> None:
    """Scan the bundled demo corpus, print the tables, and say what to try next."""
    from .manifests.plan import plan
    from .manifests.plan_rows import plan_rows
    from .manifests.policy_file import load_policy
    from .pipelines.demo import demo_corpus, example_policy
    from .pipelines.scan import scan as run
    from .store.catalogue import open_catalogue
    from .store.documents import Filters, list_documents
    from .store.folder import TagFolder
    from .store.prevalence import prevalence

    corpus = demo_corpus()
    example = example_policy()
    with terminal.scan_progress() as progress:
        report = run(str(corpus), tags, workers=2, progress=progress)
    tables.print_scan(report, tags)
    folder, thresholds = TagFolder(tags), current_thresholds()
    with open_catalogue(folder) as catalogue:
        overall = prevalence(catalogue, thresholds=thresholds)
        by_source = prevalence(catalogue, label="malevolent", by="source", thresholds=thresholds)
        filters = Filters(label="malevolent")
        page = list_documents(catalogue, folder, filters=filters, limit=3, passages=True)
        planned = plan(catalogue, load_policy(example), thresholds=thresholds)
    tables.print_prevalence(overall, TableFormat.table)
    tables.print_prevalence(by_source, TableFormat.table)
    terminal.print_documents("highest for malevolent", page.documents)
    tables_plan.print_plan(
        planned, plan_rows(planned), TableFormat.table, by=("bucket", "label", "source")
    )
    terminal.say(
        [
            "",
            "try next:",
            f"  narrascope serve --tags {tags}",
            f"  narrascope stats --tags {tags} --by genre --estimator expected",
            f"  narrascope manifest build {example} --tags {tags} --out demo-manifest",
            f"  narrascope reweigh demo-manifest --source {corpus} --out demo-reweighed",
            "  narrascope manifest verify demo-manifest",
        ]
    )


def main() -> None:
    """Run the command line; a failure that is the input's is said in one line, with exit 1."""
    try:
        app()
    except NarrascopeError as error:
        fail(str(error))
    except OSError as error:
        fail(one_line(error))


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Audit and reweigh how a pretraining corpus portrays AI."""
    if show:
        print(__version__)
        raise typer.Exit
