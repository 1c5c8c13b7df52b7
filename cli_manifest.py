"""The command line's verbs on manifests: plan, build, compare, export, verify."""

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from . import tables_plan, terminal
from .errors import SettingsError
from .settings import read_settings

manifests = typer.Typer(help="Plan, build, export and verify a manifest.", no_args_is_help=True)


class TableFormat(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class Breakdown(StrEnum):
    """What a plan is broken down by, besides buckets."""

    label = "label"
    stance = "stance"
    genre = "genre"
    source = "source"
    month = "month"
    domain = "domain"


Tags = Annotated[str, typer.Option("--tags", help="Tag folder: a local path or an fsspec URL.")]
Format = Annotated[TableFormat, typer.Option("--format", help="How to print.")]


@manifests.command("plan")
def manifest_plan(
    policy: Annotated[str, typer.Argument(help="Policy in YAML, or the name of a preset.")],
    tags: Tags,
    by: Annotated[
        list[Breakdown] | None, typer.Option(help="Break down by this; repeat it. All by default.")
    ] = None,
    format: Format = TableFormat.table,
) -> None:
    """Show what a policy would change and what it would also touch; nothing is written."""
    from .manifests.plan import plan
    from .manifests.plan_rows import plan_rows
    from .manifests.policy_file import load_policy
    from .manifests.presets import find_policy
    from .store.catalogue import open_catalogue
    from .store.folder import TagFolder

    folder = TagFolder(tags)
    planned = plan(
        open_catalogue(folder),
        load_policy(find_policy(policy)),
        folder=folder,
        thresholds=current_thresholds(),
        by=[name.value for name in by or Breakdown],
    )
    tables_plan.print_plan(planned, plan_rows(planned), format)


@manifests.command("build")
def manifest_build(
    policy: Annotated[str, typer.Argument(help="Policy in YAML, or the name of a preset.")],
    tags: Tags,
    out: Annotated[
        Path | None, typer.Option(help="Manifest folder; manifests/<policy> in the tag folder.")
    ] = None,
) -> None:
    """Fix what a policy decides in a manifest: a bucket for each document, a weight for each."""
    from .manifests.build import build_manifest
    from .manifests.policy_file import load_policy
    from .manifests.presets import find_policy
    from .store.catalogue import open_catalogue
    from .store.folder import TagFolder

    folder = TagFolder(tags)
    if out is None and not folder.is_local:
        raise SettingsError(f"{tags} is not on this machine: name a local folder with --out")
    out = out or Path(folder.root) / "manifests" / find_policy(policy).stem
    manifest = build_manifest(
        folder,
        open_catalogue(folder),
        load_policy(find_policy(policy)),
        out=out,
        thresholds=current_thresholds(),
    )
    terminal.say([f"{out}: manifest {manifest.id} lists {manifest.listed_documents:,} documents"])
    terminal.say(f"note: {note}" for note in manifest.notes)


@manifests.command("export")
def manifest_export(
    manifest: Annotated[Path, typer.Argument(help="Manifest folder.")],
    to: Annotated[str, typer.Option("--to", help="Trainer, see docs/trainers.md.")],
    out: Annotated[Path, typer.Option(help="Where its configuration goes.")],
    data: Annotated[
        Path | None, typer.Option(help="What `reweigh` wrote; the newest by default.")
    ] = None,
    tokenize: Annotated[
        Path | None, typer.Option(help="Tokenise the shards first, by this tokenizer.json.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Token that closes each document; the tokenizer's own.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that tokenise.")] = 1,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps, for stages that start at one.")
    ] = None,
) -> None:
    """Write a trainer's configuration for the shards that `reweigh` wrote."""
    from .manifests.export import TOKEN_FORMATS, check_trainer, export
    from .manifests.manifest import load_manifest

    check_trainer(to)
    loaded = load_manifest(manifest)
    if tokenize is not None:
        try:
            from .pipelines.tokenise import tokenise
        except ImportError as error:
            raise SettingsError(
                f"--tokenize needs a library ({error}): install the extra narrascope[tokenize]"
            ) from error
        if to not in TOKEN_FORMATS:
            raise SettingsError(
                f"{to} reads text: --tokenize is for {', '.join(TOKEN_FORMATS)}; leave it out"
            )
        with terminal.progress("tokenising") as progress:
            tokenise(
                loaded, out, tokenizer=tokenize, kind=TOKEN_FORMATS[to], end=end, data=data,
                workers=workers, progress=progress,
            )  # fmt: skip
    notes = export(loaded, to=to, out=out, data=data, steps=steps)
    terminal.say([f"{out}: written for {to}", *(f"note: {note}" for note in notes)])


@manifests.command("diff")
def manifest_diff(
    a: Annotated[Path, typer.Argument(help="Manifest folder.")],
    b: Annotated[Path, typer.Argument(help="Another manifest folder.")],
    format: Format = TableFormat.table,
) -> None:
    """Show what two manifests decide differently; exit with 0 whether they do or not."""
    from .manifests.diff import diff
    from .manifests.manifest import load_manifest

    rows = diff(load_manifest(a), load_manifest(b))
    terminal.print_table(f"{a} and {b}", rows, format)
    if not rows:
        print("both decide alike", file=sys.stderr)


@manifests.command("presets")
def manifest_presets(format: Format = TableFormat.table) -> None:
    """List the policies that ship with Narrascope; `plan` and `build` take them by name."""
    from .manifests.presets import presets, summary

    rows = [{"preset": name, "does": summary(path)} for name, path in presets().items()]
    terminal.print_table("presets", rows, format)


@manifests.command("takedown")
def manifest_takedown(
    entries: Annotated[Path, typer.Argument(help="CSV file with the columns kind, value.")],
    tags: Tags,
) -> None:
    """Add documents, hashes or domains that no manifest of these tags may contain from now on."""
    from .manifests.takedown import extend_takedown
    from .store.folder import TagFolder

    new, total = extend_takedown(TagFolder(tags), entries)
    terminal.say(
        [
            f"{new:,} entries are new, {total:,} are taken down in all: build manifests again, "
            "since older ones may hold them"
        ]
    )


@manifests.command("verify")
def manifest_verify(
    manifest: Annotated[Path, typer.Argument(help="Manifest folder.")],
    data: Annotated[
        Path | None, typer.Option(help="What `reweigh` wrote; the newest by default.")
    ] = None,
    trainer: Annotated[
        str | None, typer.Option(help="Draw samples through this trainer's own code instead.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many to draw.")] = 100_000,
    export: Annotated[
        Path | None, typer.Option(help="What `export` wrote; the trainer's newest by default.")
    ] = None,
    format: Format = TableFormat.table,
) -> None:
    """Count what `reweigh` wrote, or draw it as a trainer does, and compare it with the plan."""
    from .manifests.manifest import load_manifest
    from .manifests.verify import verify

    if trainer is not None:
        _verify_trainer(manifest, trainer, samples, export, data, format)
        return
    found = verify(load_manifest(manifest), data=data)
    terminal.print_table(f"as written in mode {found.mode}", list(found.rows), format)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if found.failures:
        for failure in found.failures[:20]:
            print(failure, file=sys.stderr)
        fail(f"{len(found.failures)} things are not as planned: reweigh into a new folder")


def _verify_trainer(
    manifest: Path,
    trainer: str,
    samples: int,
    export: Path | None,
    data: Path | None,
    format: TableFormat,
) -> None:
    from .manifests.manifest import load_manifest
    from .manifests.sample import sample

    loaded = load_manifest(manifest)
    with redirect_stdout(sys.stderr):  # where trainers say what they please
        found = sample(loaded, trainer=trainer, samples=samples, export=export, data=data)
    title = f"{found.samples:,} samples as {trainer} draws them"
    terminal.print_table(title, list(found.rows), format)
    if found.failures:
        for failure in found.failures:
            print(failure, file=sys.stderr)
        fail(f"{len(found.failures)} shares are not as planned: export again, then ask {trainer}")


def current_thresholds() -> dict[str, float]:
    """Return the probability from which the models call each label."""
    from .classifiers.meta import default_thresholds

    return default_thresholds(read_settings().models)


def fail(message: str) -> NoReturn:
    """Say in one line what failed, and exit with 1."""
    print(f"narrascope: {message}", file=sys.stderr)
    sys.exit(1)
