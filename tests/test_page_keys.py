"""Keys on the page: it asks for one, keeps it in its tab, and says what it does not let in to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.api.access import Protection
from narrascope.api.app import create_app
from narrascope.api.keys import Keys
from narrascope.api.state import State
from narrascope.tests.browser import Browser, Seen, expect, serious_issues, serving, watching
from narrascope.tests.tag_folder import publish_corpus


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    publish_corpus(str(folder))
    return folder


@pytest.fixture(scope="module")
def key(tags: Path) -> str:
    made = Keys(State(tags / "service.sqlite")).make("reader", scopes=["read"], days=1)
    return made[1]


@pytest.fixture(scope="module")
def url(tags: Path, key: str) -> Iterator[str]:
    with serving(create_app(str(tags), protection=Protection(require_keys=True))) as url:
        yield url


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    with watching(browser, url) as seen:
        seen.forgive(401)
        seen.forgive(409)  # there is no audited share yet, which the page finds out by asking
        yield seen


def test_a_key_is_asked_for_once_kept_in_the_tab_and_forgotten(seen: Seen, key: str) -> None:
    page = seen.open()
    dialog = page.get_by_role("dialog", name="API key")
    expect(dialog).to_contain_text("this service needs a key")
    expect(dialog.get_by_role("textbox", name="Key")).to_be_focused()
    assert serious_issues(page) == []
    page.keyboard.type("narrascope_wrong")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("this key is not valid here")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    expect(page.locator("#by-source svg a").first).to_be_visible()
    expect(dialog).to_be_hidden()
    page.reload()
    expect(page.locator("#by-source svg a").first).to_be_visible()
    kept = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage)]")
    assert kept == [[key], []]
    assert key not in page.url and not any(key in asked for asked in seen.requests)
    page.get_by_role("button", name="Forget the API key").click()
    expect(dialog).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_without_a_key_the_page_says_what_to_do(seen: Seen) -> None:
    page = seen.open()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("#corpus [role=alert]")).to_contain_text("needs an API key")


def test_a_scope_that_the_key_lacks_is_named(seen: Seen, key: str) -> None:
    page = seen.open("?view=policy&preset=downweight")
    page.get_by_role("textbox", name="Key").fill(key)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#plan .totals")).to_be_visible()
    page.get_by_role("button", name="Build the manifest").click()
    expect(page.locator("#manifest [role=alert]")).to_contain_text(re.compile("scope 'manifest'"))
    seen.forgive(403)
