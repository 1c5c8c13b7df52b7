"""The bundled demo corpus: 278 documents written for it, in Parquet and JSON lines."""

from importlib.resources import files
from pathlib import Path

from .. import labels, manifests


def demo_corpus() -> Path:
    """Return the folder of the bundled corpus."""
    return Path(str(files(labels).joinpath("demo")))


def example_policy() -> Path:
    """Return the bundled example of a policy."""
    return Path(str(files(manifests).joinpath("example.yaml")))
