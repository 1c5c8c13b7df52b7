"""Writes what a trainer reads, from a manifest and the shards that `reweigh` wrote."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson

from ..errors import ManifestError, one_line
from .dolma import draw_dolma, write_dolma
from .drawn import Drawn
from .energon import draw_energon, write_energon
from .exported import Exported
from .huggingface import draw_datasets, write_datasets
from .juicer import draw_juicer, write_juicer
from .manifest import Manifest
from .megatron import draw_megatron, write_megatron
from .mixture import Mixture, mix
from .nanotron import write_nanotron
from .olmo import draw_olmo, write_olmo
from .plain import write_list
from .reweighed import load_reweighed
from .streaming import draw_streaming, write_streaming
from .tokenised import TokenFormat, load_tokenised
from .weborganizer import write_weborganizer

Exporter = Callable[[Mixture, Path], Exported]
Sampler = Callable[[Mixture, Path, int], Drawn]

EXPORTERS: dict[str, Exporter] = {
    "list": write_list,
    "megatron": write_megatron,
    "olmo-core": write_olmo,
    "nanotron": write_nanotron,
    "datasets": write_datasets,
    "streaming": write_streaming,
    "energon": write_energon,
    "data-juicer": write_juicer,
    "dolma": write_dolma,
    "weborganizer": write_weborganizer,
}
"""Writers of a mixture's configuration into a folder."""

SAMPLERS: dict[str, Sampler] = {
    "megatron": draw_megatron,
    "olmo-core": draw_olmo,
    "datasets": draw_datasets,
    "streaming": draw_streaming,
    "energon": draw_energon,
    "data-juicer": draw_juicer,
    "dolma": draw_dolma,
}
"""What draws samples by such a configuration through the trainer's own code."""

TOKEN_FORMATS: dict[str, TokenFormat] = {
    "megatron": "megatron",
    "olmo-core": "ds",
    "nanotron": "ds",
}
"""The trainers that read tokens, and which."""

WRITES_TEXTS = frozenset({"streaming", "energon", "dolma", "weborganizer"})
"""The trainers whose export holds the corpus again, in their own format."""

MIXTURE_FILE = "mixture.json"
"""The file that explains an export; it is written last, so an export that has it is whole."""

POINTER_FILE = "exports.json"

_MEANING = {
    "number": "what the trainer's configuration says of the bucket, see `number_means`; a list has "
    "one for each stage; null where it says nothing",
    "weight": "how often the policy wants each document of the bucket seen",
    "passes": "how often a trainer that follows `share` sees each written document, for each time "
    "it goes through a mixture of the planned size",
    "share": "the bucket's part of the training tokens, and of samples of a fixed number of them: "
    "passes x size over the sum of these, sizes in `unit`",
    "shares": "the same in each stage of training, which end at `stages`; empty without stages",
    "document_share": "the bucket's part of the documents that are seen, for trainers that draw "
    "documents: passes x documents over the sum of these",
    "document_shares": "the same in each stage",
    "action": "what the policy does to the bucket's documents",
    "prefix": "the control tag that stands in their texts",
    "distinct": "documents, copies not counted",
    "documents": "documents in the files, copies counted; bytes and tokens likewise",
}
_MODES = {
    "buckets": "each document was written once: the weights stand only in the shares below",
    "realised": "drops and copies are in the files: the shares below are those of their sizes",
}


def export(
    manifest: Manifest, *, to: str, out: Path, data: Path | None = None, steps: int | None = None
) -> list[str]:
    """Write a trainer's configuration into `out`, and `mixture.json`, which explains its numbers.

    Args:
        manifest: the manifest.
        to: a key of `EXPORTERS`.
        out: a folder; files of an earlier export in it are replaced, its tokens are used.
        data: the folder that `reweigh` wrote; by default the manifest's newest.
        steps: training steps, for trainers whose stages start at one.

    Returns:
        Notes for the user, one line each.

    Raises:
        ManifestError: there is no such exporter, nothing was reweighed, or the trainer cannot
            express the mixture; or `out` cannot be written.
    """
    check_trainer(to)
    out = out.resolve()
    mixture = replace(mixture_of(manifest, out, data), steps=steps)
    try:
        notes = _write(manifest, mixture, to, out)
        _remember(manifest, to, out)
    except OSError as error:
        raise ManifestError(
            f"{out} cannot be written ({one_line(error)}): name a folder that can be made, with "
            "--out"
        ) from error
    return notes


def check_trainer(to: str) -> None:
    """Refuse a trainer that has no exporter.

    Raises:
        ManifestError: it has none.
    """
    if to not in EXPORTERS:
        raise ManifestError(f"no exporter {to!r}: choose from {', '.join(EXPORTERS)}")


def mixture_of(manifest: Manifest, out: Path, data: Path | None = None) -> Mixture:
    """Return the mixture of an export folder: sizes are its tokens where it has any.

    Raises:
        ManifestError: nothing was reweighed, or the folder holds tokens of something else.
    """
    reweighed = load_reweighed(manifest, data)
    tokenised = load_tokenised(out, manifest=manifest.id, data=reweighed.folder)
    return mix(manifest, reweighed, tokenised)


def exported_to(manifest: Manifest, trainer: str) -> Path:
    """Return the folder of the newest export to a trainer.

    Raises:
        ManifestError: there is none.
    """
    folder = _pointers(manifest).get(trainer)
    if folder is None:
        raise ManifestError(
            f"nothing was exported to {trainer!r} yet: run `narrascope manifest export "
            f"{manifest.folder} --to {trainer} --out DIR` first"
        )
    return Path(os.path.normpath(manifest.folder / folder))


def _write(manifest: Manifest, mixture: Mixture, to: str, out: Path) -> list[str]:
    out.mkdir(parents=True, exist_ok=True)
    exported = EXPORTERS[to](mixture, out)
    notes = list(exported.notes)
    if TOKEN_FORMATS.get(to) == "ds" and mixture.tokenised is None:
        command = f"narrascope manifest export {manifest.folder} --to {to} --out {out}"
        if mixture.steps is not None:
            command += f" --steps {mixture.steps}"
        notes.append(f"no tokens yet: run `{command} --tokenize TOKENIZER_FILE`")
    if mixture.left_out:
        notes.append(f"without files, so left out: {', '.join(mixture.left_out)}")
    document = {
        "manifest": manifest.id,
        "trainer": to,
        "mode": mixture.mode,
        "mode_means": _MODES[mixture.mode],
        "unit": mixture.unit,
        "trainer_draws": exported.unit,
        "number_means": exported.means,
        "stages": mixture.stages,
        "meaning": _MEANING,
        "buckets": [
            {"number": exported.numbers.get(ingredient.name), **ingredient.row()}
            for ingredient in mixture.ingredients
        ],
        "left_out": mixture.left_out,
        "notes": notes,
    }
    (out / MIXTURE_FILE).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return notes


def _pointers(manifest: Manifest) -> dict[str, str]:
    try:
        return orjson.loads((manifest.folder / POINTER_FILE).read_bytes())
    except (OSError, ValueError):
        return {}


def _remember(manifest: Manifest, to: str, out: Path) -> None:
    pointers = _pointers(manifest) | {to: os.path.relpath(out, manifest.folder)}
    aside = manifest.folder / f".{POINTER_FILE}.{os.getpid()}.tmp"
    aside.write_bytes(orjson.dumps(pointers, option=orjson.OPT_INDENT_2))
    aside.replace(manifest.folder / POINTER_FILE)
