"""Audits on the page: drawn, read by keyboard, and the interval that follows."""

import re
from collections.abc import Iterator

import pytest

from narrascope.api.app import create_app
from narrascope.tests.audit_folder import publish_documents
from narrascope.tests.browser import (
    Browser,
    Page,
    Seen,
    box,
    expect,
    serious_issues,
    serving,
    too_wide,
    watching,
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = publish_documents(str(tmp_path_factory.mktemp("audit")))
    with serving(create_app(folder.url)) as url:
        yield url


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    with watching(browser, url) as seen:
        seen.forgive(409)  # the report, before anything is labelled
        yield seen


def draw(seen: Seen, reader: str, *, budget: int = 60) -> Page:
    """Draw an audit on the page and begin to read it."""
    page = seen.open("?view=audit")
    page.get_by_label("Strata by the score of").select_option("malevolent")
    page.get_by_role("spinbutton", name="Documents").fill(str(budget))
    page.get_by_role("button", name="Draw an audit").click()
    page.get_by_label("Your name").fill(reader)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".item")).to_be_focused()
    return page


def read(page: Page, count: int) -> None:
    """Answer texts by keyboard, as their words tell."""
    text = page.locator(".item blockquote")
    for _ in range(count):
        words = text.inner_text()
        keys = ["0"]
        if "evil" in words or "refuted" in words:
            keys = ["2", "d" if "evil" in words else "r", "0"]
        elif "robot" in words:
            keys = ["1", "0"]
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect(text).not_to_have_text(words)


def interval(page: Page) -> float:
    """Return how wide the interval is that the panel shows, in per cent."""
    said = page.locator(".progress p strong").nth(1).inner_text()
    low, high = (float(end) for end in re.findall(r"[\d.]+(?=%)", said))
    return high - low


def test_reading_by_keyboard_narrows_the_interval(seen: Seen) -> None:
    page = draw(seen, "anna", budget=200)
    panel = page.locator(".progress")
    expect(panel).to_contain_text("after the first ten texts")
    read(page, 10)
    expect(panel).to_contain_text("from 10 documents")
    wide = interval(page)
    read(page, 20)
    expect(panel).to_contain_text("from 30 documents")
    assert interval(page) < wide
    expect(page.locator(".desk-head .count")).to_contain_text("30 answered, 170 left")
    area = box(panel.locator("svg [data-mark=area] path"))
    assert area["width"] > 100 and area["height"] > 20
    expect(panel).to_contain_text("No text was read by two readers yet")
    page.get_by_role("link", name="Overview").click()
    card = page.locator(".card[data-label=malevolent]")
    expect(card.locator(".of")).to_have_text(re.compile("95% interval .* 30 documents read"))
    assert box(card.locator(".whisker"))["width"] > 10
    page.get_by_role("radio", name="Audited").check()
    expect(page.locator("#by-source a[aria-label*=interval]").first).to_be_visible()
    assert serious_issues(page) == []


def test_the_reader_sees_nothing_of_the_model(seen: Seen) -> None:
    with seen.page.expect_response(lambda response: "/next?" in response.url) as answer:
        page = draw(seen, "ben")
    items = answer.value.json()["items"]
    assert items
    hints = {"evidence", "inclusion_probability", "stratum", "verdict", "malevolent_max"}
    for item in items:
        assert not hints & item.keys()
        assert item.get("malevolent") in (None, "")
    expect(page.locator(".work mark")).to_have_count(0)
    expect(page.locator(".work .verdict")).to_have_count(0)


def test_what_is_missing_is_said_and_answers_agree(seen: Seen) -> None:
    page = draw(seen, "cleo")
    missing = page.locator(".missing")
    page.keyboard.press("Enter")
    expect(missing).to_contain_text("Not answered yet: AI agent")
    page.keyboard.press("2")
    agent = page.locator("fieldset[data-label=ai_agent]")
    expect(agent.get_by_label("yes")).to_be_checked()
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(missing).to_contain_text("how the text stands")
    agent.get_by_label("no").check()
    expect(page.locator("fieldset[data-label=malevolent]").get_by_label("no")).to_be_checked()
    assert serious_issues(page) == []


def test_answers_outlive_a_reload_and_can_be_taken_back(seen: Seen) -> None:
    page = draw(seen, "dora")
    first = page.locator(".item blockquote").inner_text()
    read(page, 2)
    page.reload()
    expect(page.locator(".desk-head .count")).to_contain_text("2 answered, 58 left")
    expect(page.locator(".item .note")).to_contain_text("text 3 of 10")
    expect(page.locator(".item")).to_be_focused()
    page.keyboard.press("b")
    page.keyboard.press("b")
    expect(page.locator(".item blockquote")).to_have_text(first)
    expect(page.locator("fieldset[data-label=benevolent]").get_by_label("no")).to_be_checked()
    page.get_by_role("button", name="Send now").click()
    expect(page.locator(".desk-head .count")).to_have_text("2 answered, 58 left for dora")
    expect(page.locator(".item .note")).to_contain_text("text 1 of 10")


def test_readers_who_differ_are_counted_and_settled(seen: Seen) -> None:
    page = draw(seen, "emil", budget=20)
    read(page, 3)
    page.get_by_role("button", name="Send now").click()
    expect(page.locator(".progress")).to_contain_text("from 3 documents")
    page.goto(page.url.replace("reader=emil", "reader=fay"))
    expect(page.locator(".item")).to_be_focused()
    read(page, 2)
    for key in ("4", "d", "0", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Send now").click()
    agreement = page.get_by_role("region", name="Agreement between readers")
    expect(agreement.get_by_role("row", name="benevolent")).to_contain_text("emil, fay3")
    expect(page.locator(".progress")).to_contain_text("1 text is open")
    page.goto(page.url.replace("reader=fay", "reader=adjudicator"))
    expect(page.locator(".desk-head .count")).to_contain_text("1 left for adjudicator")
    expect(page.locator(".item")).to_be_focused()
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(page.locator(".work")).to_contain_text("Nothing is left for adjudicator")


def test_the_desk_fits_a_phone(browser: Browser, url: str) -> None:
    with watching(browser, url, viewport={"width": 390, "height": 800}) as seen:
        page = draw(seen, "gus", budget=20)
        assert (too_wide(page), serious_issues(page)) == ([], [])
        seen.forgive(409)
