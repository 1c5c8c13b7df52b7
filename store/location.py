"""Where something lies: an fsspec file system and a path in it, or why not in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from ..errors import SettingsError, one_line

_EXTRAS = {"s3": "narrascope[s3]", "s3a": "narrascope[s3]", "gs": "gcsfs", "gcs": "gcsfs"}


def locate(url: str, **options: Any) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a URL or path, and the path as it wants it.

    Raises:
        SettingsError: no file system is known by that name, or its package is not installed.
    """
    try:
        return fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        needed = _EXTRAS.get(url.partition("://")[0], one_line(error))
        raise SettingsError(f"{url} needs another package: pip install '{needed}'") from None
    except ValueError as error:
        raise SettingsError(
            f"{url} cannot be used ({one_line(error)}): give a path, or a URL such as "
            "s3://bucket/folder"
        ) from None


@contextmanager
def reaching(url: str, filesystem: AbstractFileSystem) -> Iterator[None]:
    """Say in one line what any library raises because a store cannot be reached.

    Raises:
        SettingsError: it cannot.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # each store's client has exceptions of its own
        if isinstance(filesystem, LocalFileSystem):
            raise
        raise SettingsError(
            f"{url} cannot be reached ({one_line(error)}): check its name, the credentials in the "
            "environment, and the network"
        ) from error
