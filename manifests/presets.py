"""The presets: policies that ship as files, each with the finding that it rests on."""

from importlib.resources import files
from pathlib import Path

from ..errors import PolicyError

_FOLDER = Path(str(files(__spec__.parent).joinpath("presets")))


def presets() -> dict[str, Path]:
    """Return the presets' files by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.yaml"))}


def summary(preset: Path) -> str:
    """Return what a preset does: the first paragraph of the comment that it begins with."""
    lines = preset.read_text("utf-8").splitlines()
    paragraph = lines[: lines.index("#")]
    return " ".join(line.removeprefix("#").strip() for line in paragraph)


def find_policy(name: str) -> Path:
    """Return the file of a policy: a path, or the name of a preset where no such file exists.

    Raises:
        PolicyError: there is neither.
    """
    path = Path(name)
    if path.exists():
        return path
    if preset := presets().get(name):
        return preset
    raise PolicyError(
        f"there is no policy file {name}: name a YAML file, or a preset of {', '.join(presets())}"
    )
