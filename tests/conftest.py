"""Fixtures that several test modules share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from narrascope.manifests.manifest import Manifest, load_manifest
from narrascope.tests.materialised import build

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real corpus and labels, beside the checkout where there is one."""
    if not (SHARED / "corpus").is_dir():
        pytest.skip("needs the shared corpus and labels beside the checkout (../shared)")
    return SHARED


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a manifest of the literal corpus, which no test changes."""
    return build(tmp_path_factory.mktemp("built")).folder


@pytest.fixture
def manifest(built: Path, tmp_path: Path) -> Manifest:
    """A copy of that manifest in `tmp_path / "m"`."""
    shutil.copytree(built, tmp_path / "m")
    return load_manifest(tmp_path / "m")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    # Imported here since most tests need no browser, and Playwright may be absent.
    from narrascope.tests.browser import chromium_without_window

    with chromium_without_window() as browser:
        yield browser
