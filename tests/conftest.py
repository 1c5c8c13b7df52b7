"""Fixtures that several test modules share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real corpus and labels, beside the checkout where there is one."""
    if not (SHARED / "corpus").is_dir():
        pytest.skip("needs the shared corpus and labels beside the checkout (../shared)")
    return SHARED
