"""Manifests and audits, made once: by a route where that is short, else by a worker."""

import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from ..classifiers.passages import slices
from ..manifests.build import build_manifest
from ..manifests.manifest import Manifest, load_manifest
from ..manifests.policy import Policy
from ..manifests.policy_file import check_policy, load_policy
from ..store.audit_name import holder_of
from ..store.audit_sample import sample_audit
from ..store.audits import Audit, audit_names, read_audit
from ..store.catalogue import catalogue_folder
from ..store.folder import TagFolder

_ID = re.compile(r"[0-9a-f]{16}")
_ABANDONED_AFTER = 86_400.0


def manifests_folder(folder: TagFolder, *, cache: Path | None = None) -> Path:
    """Return where a service keeps the manifests of a tag folder.

    That is `manifests/` inside a local folder that can be written, else beside its catalogue below
    `cache`.
    """
    return catalogue_folder(folder, cache=cache).parent / "manifests"


def manifest_ids(manifests: Path) -> list[str]:
    """Return the ids of the manifests that are complete; what is being built does not show."""
    folders = manifests.iterdir() if manifests.is_dir() else ()
    return sorted(folder.name for folder in folders if _ID.fullmatch(folder.name))


def find_manifest(manifests: Path, id: str) -> Manifest | None:
    """Return a manifest by its id, which is checked before it comes near the disk; None if absent.

    Raises:
        ManifestError: it is damaged.
    """
    known = _ID.fullmatch(id) and (manifests / id).is_dir()
    return load_manifest(manifests / id) if known else None


def read_policy(given: dict[str, Any] | str) -> Policy:
    """Return a policy that a request brought as an object or as YAML text, checked.

    Raises:
        PolicyError: it is none.
    """
    return load_policy(given) if isinstance(given, str) else check_policy(given)


def build_once(
    folder: TagFolder,
    catalogue: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    manifests: Path,
    thresholds: Mapping[str, float] | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[Manifest, bool]:
    """Return the manifest of a policy in `manifests/<id>`, and whether it had to be built.

    It is built aside and renamed, so that it shows only when it is complete; of two processes that
    build it at once, the second finds the first one's.

    Args:
        folder: the tag folder.
        catalogue: its catalogue.
        policy: what to decide.
        manifests: where manifests lie.
        thresholds: by label, the probability from which a document is flagged.
        progress: see `build_manifest`; what it raises keeps the manifest from showing.

    Raises:
        ManifestError: as for `build_manifest`, as are PolicyError and TagsError.
    """
    _sweep(manifests)
    aside = manifests / f".{uuid4().hex}"
    try:
        built = build_manifest(
            folder, catalogue, policy, out=aside, thresholds=thresholds, progress=progress
        )
        home = manifests / built.id
        if not home.exists():
            try:
                aside.rename(home)
            except OSError:
                if not home.exists():
                    raise
            else:
                return built.model_copy(update={"folder": home}), True
        return load_manifest(home), False
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def draw_once(
    folder: TagFolder,
    catalogue: duckdb.DuckDBPyConnection,
    wish: Mapping[str, Any],
    *,
    holder: str | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Audit:
    """Draw an audit, or return the one that an earlier try of the same `holder` drew.

    What `progress` raises keeps the audit from being there; see `sample_audit`.

    Raises:
        SettingsError: the wish cannot be met; as for `sample_audit`, as is TagsError.
    """
    name = wish.get("name")
    if holder and name in audit_names(folder) and holder_of(folder, name) == holder:
        return read_audit(folder, name)
    return sample_audit(catalogue, folder, cut=slices, progress=progress, holder=holder, **wish)


def _sweep(manifests: Path) -> None:
    """Remove what builds that were killed left behind a day ago or more."""
    for path in manifests.glob(".*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(path, ignore_errors=True)
