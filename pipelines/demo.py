"""The bundled demo corpus: some 250 documents written for it, in Parquet and JSON lines."""

from importlib.resources import as_file, files
from pathlib import Path

from .. import labels
from ..errors import SourceError


def demo_corpus() -> Path:
    """Return the folder of the bundled corpus; `policy.yaml` beside its shards is an example.

    Raises:
        SourceError: the package lies in an archive instead of a folder.
    """
    with as_file(files(labels).joinpath("demo")) as folder:
        if folder.is_dir():
            return folder
    raise SourceError("the package is not unpacked on disk: install it with pip, which unpacks it")
