"""The real service and a real browser, for the tests of the page."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

try:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        FloatRect,
        Locator,
        Page,
        expect,
        sync_playwright,
    )
except ModuleNotFoundError:
    pytest.skip("needs Playwright: make test installs it", allow_module_level=True)

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")

# Playwright's five seconds are short where other work has the cores.
WAIT = 60_000
expect.set_options(timeout=WAIT)


def chromium() -> str | None:
    named = [os.environ.get("CHROMIUM"), "/usr/bin/chromium"]
    found = [path for path in named if path and Path(path).exists()]
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(iter([*found, *filter(None, map(shutil.which, names))]), None)


@contextmanager
def chromium_without_window() -> Iterator[Browser]:
    """Run the browser; a test is skipped where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: install it, or name it in the environment variable CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of the loopback; its address ends in a slash."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


@dataclass
class Seen:
    """A page, what went wrong on it, and which addresses it asked for."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    forgiven: set[int] = field(default_factory=set)

    def forgive(self, status: int) -> None:
        """Take the browser's own complaints of a status for what the page expects."""
        self.forgiven.add(status)

    def open(self, query: str = "") -> Page:
        self.page.goto(self.url + query)
        return self.page


@contextmanager
def watching(browser: Browser, url: str, **options: Any) -> Iterator[Seen]:
    """Open a page; at the end nothing may have gone wrong, and no other host been asked."""
    options = {"viewport": {"width": 1280, "height": 900}} | options
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(WAIT)
    seen = Seen(context.new_page(), url)
    seen.page.on("console", lambda m: m.type == "error" and seen.complaints.append(m.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    yield seen
    context.close()
    expected = tuple(f"status of {status}" for status in seen.forgiven)
    complaints = [said for said in seen.complaints if not any(e in said for e in expected)]
    assert complaints == [], complaints
    assert [asked for asked in seen.requests if not asked.startswith(url)] == []


def settled(page: Page) -> None:
    """Wait until nothing is being asked for, and all that was answered is drawn.

    A figure is busy from when the page begins to ask until it has its answer, and is drawn once its
    width is known. So what is measured at once after an act must wait for its first effect as well.
    """
    page.wait_for_function(
        """() => !document.querySelector("[aria-busy=true]")
          && document.getAnimations().every((animation) => animation.playState === "finished")
          && [...document.querySelectorAll(".drawing")].every(
            (place) => place.clientWidth < 40 || place.querySelector("svg"))"""
    )


def box(mark: Locator) -> FloatRect:
    """Return where a mark is, when all of its page is drawn."""
    settled(mark.page)
    found = mark.bounding_box()
    assert found
    return found


def serious_issues(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical."""
    # Imported here since conftest.py reads this module, and most tests need no axe-core.
    from axe_playwright_python.sync_playwright import Axe

    # What is being loaded is dimmed, and would be said to lack contrast.
    settled(page)
    found = Axe().run(page).response["violations"]
    return [
        f"{issue['id']}: {issue['help']}: {[node['target'] for node in issue['nodes'][:4]]}"
        for issue in found
        if issue["impact"] in ("serious", "critical")
    ]


def too_wide(page: Page) -> list[str]:
    """Return what sticks out of the page to the right, as the document scrolls sideways for it."""
    settled(page)
    return page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          return [...document.querySelectorAll("body *")]
            .filter((element) => element.getBoundingClientRect().right > width + 1)
            .map((element) => element.outerHTML.slice(0, 120));
        }"""
    )
