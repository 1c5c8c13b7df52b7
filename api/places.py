"""Where a request may read a corpus and have shards written: only below roots that are set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError

_STRANGE = re.compile(r"[*?\[\]{}%#\\]|::")
"""What a URL may not have: wildcards, chains, and what a server could read as something else."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """The roots that the settings name.

    Args:
        corpora: local folders or fsspec URLs below which a corpus may lie.
        outputs: the local folder below which bucket shards are written, or None for nowhere.
    """

    corpora: Sequence[str] = ()
    outputs: Path | None = None

    def source(self, asked: str) -> str:
        """Return a corpus, or its root, that a request names, links resolved.

        Args:
            asked: an absolute path of a file or folder, or a URL without wildcards.

        Raises:
            SettingsError: it does not lie below one of the roots, or there are none.
        """
        if not self.corpora:
            raise SettingsError(
                "this service reads no corpus for a request: whoever runs it names their roots "
                "with NARRASCOPE_CORPORA, or runs `narrascope reweigh`"
            )
        for named in self.corpora:
            root = named.removeprefix("file://")
            if found := _url_below(asked, root) if "://" in root else _path_below(asked, root):
                return found
        raise SettingsError(
            f"source {asked[:200]!r} is not below a root that this service may read: give the "
            f"full name of a file or folder that is there, without wildcards, below one of "
            f"{', '.join(self.corpora)}"
        )

    def output(self, *names: str) -> Path:
        """Return a folder below the root of outputs; `names` are not the request's.

        Raises:
            SettingsError: there is no root.
        """
        if self.outputs is None:
            raise SettingsError(
                "this service writes no shards for a request: whoever runs it names a folder for "
                "them with NARRASCOPE_OUTPUTS, or runs `narrascope reweigh`"
            )
        return self.outputs.joinpath(*names)


NOWHERE = Places()
"""No request reads a corpus."""


def _path_below(asked: str, root: str) -> str | None:
    path = Path(asked)
    if not path.is_absolute():
        return None
    try:
        found = path.resolve(strict=True)
        return str(found) if found.is_relative_to(Path(root).resolve()) else None
    except (OSError, ValueError, RuntimeError):  # it is not there, has a zero byte, or is a loop
        return None


def _url_below(asked: str, root: str) -> str | None:
    below = asked.rstrip("/") == root.rstrip("/") or asked.startswith(root.rstrip("/") + "/")
    strange = _STRANGE.search(asked) or not asked.isprintable()
    if not below or strange or {".", ".."} & set(asked.split("/")):
        return None
    return asked
