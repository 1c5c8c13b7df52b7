"""Fixtures that several test modules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from narrascope.tests.browser import FLAGS, chromium

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real corpus and labels, beside the checkout where there is one."""
    if not (SHARED / "corpus").is_dir():
        pytest.skip("needs the shared corpus and labels beside the checkout (../shared)")
    return SHARED


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: install it, or name it in the environment variable CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
