"""The house: imports point one way, and no folder is left out of the wheel."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "errors": set(),
    "labels": {"errors"},
    "classifiers": {"errors", "labels"},
    "store": {"errors", "labels"},
    "manifests": {"errors", "labels", "classifiers", "store"},
    "pipelines": {"errors", "labels", "classifiers", "store", "manifests"},
    "api": {"errors", "labels", "classifiers", "store", "manifests"},
    "settings": {"errors"},
    "terminal": {"errors"},
    "tables": {"errors", "terminal"},
    "tables_plan": {"errors", "terminal"},
}
"""What each room may look into; `cli` and the package itself may look into all."""

SOURCES = sorted(
    path
    for room in ["", *(name for name in MAY_IMPORT if (ROOT / name).is_dir())]
    for path in (ROOT / room).glob("*.py")
)


def rooms_imported(path: Path) -> set[str]:
    """Return the rooms that a module imports from, by its relative imports."""
    depth = len(path.relative_to(ROOT).parts) - 1
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            found |= (
                {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
            )
    return found - {"__version__"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if room.partition("_")[0] == "cli" or room == "__init__":
        return
    assert rooms_imported(path) <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_package_imports_itself_relatively(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "narrascope" for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] != "narrascope"


def test_the_packages_of_the_wheel_are_the_folders_with_code() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if not path.parent.name.startswith(".")
    }
    assert set(listed) == {"narrascope"} | {f"narrascope.{folder}" for folder in folders}


def test_a_folder_s_init_is_one_docstring() -> None:
    for path in ROOT.glob("*/__init__.py"):
        body = ast.parse(path.read_text("utf-8")).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), path


def test_a_command_that_begins_a_scan_imports_nothing_that_only_its_workers_need() -> None:
    """Each process would pay for it once more: some of these take half a second."""
    code = "import sys, narrascope.cli, narrascope.pipelines.scan; print(*sys.modules)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"datatrove.executor", "huggingface_hub", "limits", "scipy", "spacy", "tldextract"}
    assert not heavy & set(asked.stdout.split())
