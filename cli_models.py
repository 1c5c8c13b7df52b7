"""The command line's verbs on models: train, teach and evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .cli_manifest import Format, TableFormat

Examples = Annotated[
    list[Path] | None, typer.Argument(help="Labelled passages (JSONL); the shipped ones alone.")
]
Corpus = Annotated[
    str | None,
    typer.Option(help="The corpus of the shipped annotations, which are then learnt from too."),
]
JudgeFolder = Annotated[
    Path | None, typer.Option(help="What `teach` wrote; by default the shipped judge.")
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**31 - 1, help="Seed, written down with every result.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes.")]


def train(
    examples: Examples = None,
    corpus: Corpus = None,
    out: Annotated[Path, typer.Option(help="Where the models go.")] = Path("models"),
    judge: JudgeFolder = None,
    seed: Seed = 17,
) -> None:
    """Train the screen and the verdict from labelled passages, the same to the bit each time."""
    from .classifiers.meta import judge_folder
    from .classifiers.teach import out_of_fold
    from .classifiers.train import train as run
    from .pipelines.annotated import gather

    labelled = gather(examples, corpus)
    meta = run(
        labelled.passages, out, windows=labelled.windows, seed=seed,
        judged=out_of_fold(judge or judge_folder()), inputs=labelled.digests,
    )  # fmt: skip
    terminal.print_table(f"trained into {out}", [meta["counts"]], "table")


def teach(
    examples: Examples = None,
    corpus: Corpus = None,
    out: Annotated[Path, typer.Option(help="Where the judge goes.")] = Path("judge"),
    epochs: Annotated[int, typer.Option(min=1, help="How often each passage is learnt from.")] = 2,
    workers: Workers = 1,
    seed: Seed = 17,
) -> None:
    """Fine-tune the judge; needs the extra `teacher`, and an hour or two."""
    from .classifiers.teach import teach as run
    from .pipelines.annotated import gather

    labelled = gather(examples, corpus)
    run(
        labelled.passages,
        out,
        others=labelled.windows,
        seed=seed,
        epochs=epochs,
        workers=workers,
    )
    terminal.say([f"the judge is in {out}: give it to `narrascope train --judge`"])


def evaluate(
    examples: Examples = None,
    corpus: Corpus = None,
    judge: JudgeFolder = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds, grouped by work.")] = 5,
    workers: Workers = 1,
    seed: Seed = 17,
    format: Format = TableFormat.table,
) -> None:
    """Measure every stage on works, sources and genres that it was not trained on."""
    from .classifiers.evaluate import evaluate as run
    from .classifiers.meta import judge_folder
    from .classifiers.teach import out_of_fold
    from .pipelines.annotated import gather

    rows = run(
        gather(examples, corpus).passages, folds=folds, seed=seed, workers=workers,
        judged=out_of_fold(judge or judge_folder()),
    )  # fmt: skip
    terminal.print_table("on what was held out", rows, format)
