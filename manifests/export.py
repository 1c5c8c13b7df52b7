"""Writes what a trainer reads, from a manifest and the shards that `reweigh` wrote."""

from collections.abc import Callable
from pathlib import Path

import orjson

from ..errors import ManifestError, one_line
from .manifest import Manifest
from .megatron import write_megatron
from .mixture import Mixture, mix
from .plain import write_list
from .reweighed import load_reweighed

Exporter = Callable[[Mixture, Path], list[str]]

EXPORTERS: dict[str, Exporter] = {"list": write_list, "megatron": write_megatron}
"""Writers of a mixture into a folder; each returns notes for the user, one line each."""

MIXTURE = "mixture.json"
"""The file that explains an export; it is written last, so an export that has it is whole."""

_MEANING = {
    "weight": "how often the policy wants each document of the bucket seen",
    "passes": "how often a trainer that follows `share` sees each written document, for each time "
    "it goes through a mixture of the planned size",
    "share": "the bucket's part of the training samples; samples hold tokens, so it is "
    "passes x size over the sum of these, sizes in `unit`",
    "shares": "the same in each stage of training, which end at `stages`; empty without stages",
    "distinct": "documents, copies not counted",
    "documents": "documents in the files, copies counted; bytes and tokens likewise",
}
_MODES = {
    "buckets": "each document was written once: the weights stand only in the shares below",
    "realised": "drops and copies are in the files: the shares below are those of their sizes",
}


def export(manifest: Manifest, *, to: str, out: Path, data: Path | None = None) -> list[str]:
    """Write a trainer's configuration into `out`, and `mixture.json`, which explains its numbers.

    Args:
        manifest: the manifest.
        to: a key of `EXPORTERS`.
        out: a folder; files of an earlier export in it are replaced.
        data: the folder that `reweigh` wrote; by default the manifest's newest.

    Returns:
        Notes for the user, one line each.

    Raises:
        ManifestError: there is no such exporter, nothing was reweighed, or the trainer cannot
            express the mixture; or `out` cannot be written.
    """
    if to not in EXPORTERS:
        raise ManifestError(f"no exporter {to!r}: choose from {', '.join(EXPORTERS)}")
    mixture = mix(manifest, load_reweighed(manifest, data))
    try:
        return _write(manifest, mixture, to, out.resolve())
    except OSError as error:
        raise ManifestError(
            f"{out} cannot be written ({one_line(error)}): name a folder that can be made, with "
            "--out"
        ) from error


def _write(manifest: Manifest, mixture: Mixture, to: str, out: Path) -> list[str]:
    out.mkdir(parents=True, exist_ok=True)
    notes = EXPORTERS[to](mixture, out)
    if mixture.left_out:
        notes.append(f"without files, so left out: {', '.join(mixture.left_out)}")
    document = {
        "manifest": manifest.id,
        "trainer": to,
        "mode": mixture.mode,
        "mode_means": _MODES[mixture.mode],
        "unit": mixture.unit,
        "stages": mixture.stages,
        "meaning": _MEANING,
        "buckets": [ingredient.row() for ingredient in mixture.ingredients],
        "left_out": mixture.left_out,
        "notes": notes,
    }
    (out / MIXTURE).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return notes
