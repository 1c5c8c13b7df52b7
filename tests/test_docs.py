"""Nothing that a user can call or set is undocumented, and the README's session works as pasted."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from narrascope.api.app import create_app
from narrascope.cli import app
from narrascope.labels.tag import SCHEMAS
from narrascope.manifests.export import EXPORTERS
from narrascope.settings import Settings
from narrascope.tests.tag_folder import publish_corpus

ROOT = Path(__file__).resolve().parents[1]
DOCS = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))


def verbs() -> list[str]:
    found = []
    for name, command in sorted(get_command(app).commands.items()):  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [f"{name} {verb}" for verb in sorted(below)] if below else [name]
    return found


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_is_documented(verb: str) -> None:
    assert f"`narrascope {verb}`" in DOCS


def test_each_verb_and_option_has_a_help_text() -> None:
    def check(command: typer.core.TyperCommand, name: str) -> None:
        assert command.help, name
        for option in command.params:
            if option.name != "help":
                assert getattr(option, "help", None), f"{name} --{option.name}"
        for below, child in getattr(command, "commands", {}).items():
            check(child, f"{name} {below}")

    check(get_command(app), "narrascope")  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_each_setting_is_documented(setting: str) -> None:
    assert f"`NARRASCOPE_{setting.upper()}`" in DOCS


def test_each_route_is_documented(tmp_path: Path) -> None:
    paths = create_app(publish_corpus(str(tmp_path)).url).openapi()["paths"]
    missing = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if f"`{method.upper()} {path}`" not in DOCS
    ]
    assert not missing


def test_each_column_of_the_tag_folder_is_documented() -> None:
    page = (ROOT / "docs" / "data-format.md").read_text("utf-8")
    labels = ("ai_agent", "malevolent", "self_preserving", "benevolent")
    for kind, schema in SCHEMAS.items():
        for name in schema.names:
            for label in labels:
                name = name.replace(label, "<label>")
            assert re.search(rf"[`_]{re.escape(name)}\b|`{re.escape(name)}`", page), (kind, name)


@pytest.mark.parametrize("trainer", sorted(EXPORTERS))
def test_each_exporter_is_documented(trainer: str) -> None:
    assert f"`{trainer}`" in DOCS


def session() -> list[str]:
    """Return the commands of the README's session on the demo corpus, in order."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if line.startswith("narrascope ")]


def test_the_readme_s_session_works_as_pasted(tmp_path: Path) -> None:
    commands = [line for line in session() if "/your/" not in line and "serve" not in line]
    assert len(commands) >= 6
    shutil.copytree(ROOT / "labels" / "demo", tmp_path / "labels" / "demo")
    (tmp_path / "manifests").mkdir()
    shutil.copy(ROOT / "manifests" / "example.yaml", tmp_path / "manifests")
    bin_folder = str(Path(sys.executable).parent)
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True,
            env={"PATH": f"{bin_folder}:/usr/bin:/bin", "COLUMNS": "100", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_model_card_has_the_figures_of_the_evaluation() -> None:
    script = ROOT / "benchmarks" / "card.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run `python benchmarks/card.py`"
