"""The name of a new audit: checked, and held by one process while it draws.

Whoever creates `audits/<name>/begun.json` has the name, and it stays there beside the audit. Of
several that want a name at once one creates it, on local disks, NFS and the stores that can create
a file only where it is absent (S3, Google, Azure; see `TagFolder.create`). Where a store cannot do
that, two that begin in the same moment may draw under one name, and the later one's files stand.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import orjson

from ..errors import SettingsError
from .audits import audit_names, writing
from .folder import TagFolder

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(folder: TagFolder, wanted: str) -> str:
    """Return the name that is wanted for a new audit, if it can be one and none has it.

    Raises:
        SettingsError: it cannot be one, or is taken.
    """
    if not NAME.fullmatch(wanted):
        raise SettingsError(
            f"--name {wanted[:80]!r} cannot be a folder's: use a-z, 0-9, dot, dash and underscore"
        )
    if wanted in audit_names(folder):
        raise SettingsError(f"there is an audit {wanted!r} already: give another --name")
    return wanted


@contextmanager
def held_name(folder: TagFolder, wanted: str | None, *, holder: str | None = None) -> Iterator[str]:
    """Hold the name for a new audit: the one that is wanted, or the first free `audit-<n>`.

    It is given back where the audit does not come about.

    Args:
        folder: the tag folder.
        wanted: the name, if it is to be a certain one.
        holder: who wants it; what an earlier try of the same holder left under the name is taken
            over. By default nobody who was there before.

    Raises:
        SettingsError: the name cannot be one, or is taken.
        TagsError: the folder cannot be written.
    """
    hold = {"holder": holder or uuid4().hex, "try": uuid4().hex}
    name = _take_first(folder, hold) if wanted is None else _take(folder, wanted, hold)
    try:
        yield name
    except BaseException:
        with suppress(OSError):
            # A later try of the same holder may have it by now.
            if _held(folder, name) == hold:
                folder.filesystem.rm(folder.path("audits", name), recursive=True)
        raise


def holder_of(folder: TagFolder, name: str) -> str | None:
    """Return who holds or held the name of an audit; None where that was not kept."""
    return _held(folder, name).get("holder")


def _take_first(folder: TagFolder, hold: dict[str, str]) -> str:
    number, known = 1, set(audit_names(folder))
    while (name := f"audit-{number}") in known or not _create(folder, name, hold):
        number += 1
    return name


def _take(folder: TagFolder, wanted: str, hold: dict[str, str]) -> str:
    name = check_name(folder, wanted)
    if not _create(folder, name, hold):
        if holder_of(folder, name) != hold["holder"]:
            raise SettingsError(
                f"an audit {name!r} is being drawn: give another --name; if whoever drew it was "
                f"ended, remove {_path(folder, name)}"
            )
        with writing(folder):
            folder.write(_path(folder, name), orjson.dumps(hold))
    return name


def _create(folder: TagFolder, name: str, hold: dict[str, str]) -> bool:
    with writing(folder):
        return folder.create(_path(folder, name), orjson.dumps(hold))


def _held(folder: TagFolder, name: str) -> dict[str, str]:
    """Return who holds a name, nothing where it has just been given back."""
    try:
        return orjson.loads(folder.filesystem.cat_file(_path(folder, name)))
    except FileNotFoundError:
        return {}


def _path(folder: TagFolder, name: str) -> str:
    return folder.path("audits", name, "begun.json")
