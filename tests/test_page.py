"""The page, as a person sees it: served by the real service and drawn by a real browser."""

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from narrascope.api.app import create_app
from narrascope.tests.tag_folder import TALK, publish_corpus, publish_part, tag

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


def chromium() -> str | None:
    named = [os.environ.get("CHROMIUM"), "/usr/bin/chromium"]
    found = [path for path in named if path and Path(path).exists()]
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(iter([*found, *filter(None, map(shutil.which, names))]), None)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = publish_corpus(str(tmp_path_factory.mktemp("page")))
    more = [tag("talk.jsonl", n, TALK, judged=[0.5, 0.0, 0.0, 0.1], source="talk", stance="none",
                genre="discussion") for n in range(12)]  # fmt: skip
    publish_part(folder, "talk.jsonl", 0, 20, more, [("talk", "2020-01", None, 20, 2000, 400)])
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(folder.url), log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: install it, or name it in the environment variable CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Seen:
    """A page and what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    seen = Seen(context.new_page())
    seen.page.on("console", lambda m: m.type == "error" and seen.complaints.append(m.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.goto(url)
    expect(seen.page.locator("#list article").first).to_be_visible()
    expect(seen.page.locator("#chart tbody tr").first).to_be_visible()
    yield seen
    context.close()
    assert seen.complaints == []
    assert [asked for asked in seen.requests if not asked.startswith(url)] == []


def width(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box
    return box["width"]


def test_the_headline_shows_flagged_and_expected_shares_without_an_interval(seen: Seen) -> None:
    card = seen.page.locator(".card[data-label=malevolent]")
    expect(card.locator(".big")).to_have_text("5.00%")
    expect(card).to_contain_text("2 of 40 documents flagged")
    expect(card).to_contain_text("expected6.98%")
    expect(card).to_contain_text("Refuted, beside: 2.50%")
    expect(seen.page.locator("main")).to_contain_text("No interval until an audit")


def test_bars_are_drawn_as_long_as_the_shares_say(seen: Seen) -> None:
    bar = "#chart tr:has(:text-is('{}')) .bar-line[data-label=malevolent] .bar"
    novels, web = (width(seen.page, bar.format(name)) for name in ("novels", "web"))
    assert novels > 50
    assert novels / web == pytest.approx((1 / 12) / (1 / 7), rel=0.02)
    nothing = "#chart tr:has(:text-is('talk')) .bar"
    assert seen.page.locator(nothing).count() == 0


def test_bars_by_another_group_and_unit(seen: Seen) -> None:
    seen.page.get_by_label("Genre", exact=True).first.check()
    row = seen.page.locator("#chart tr:has(:text-is('fiction'))")
    expect(row).to_contain_text("2.50%")
    seen.page.locator("[name=unit]").select_option("tokens")
    expect(seen.page.locator("#chart")).to_contain_text("parts have no token counts")
    assert "by=genre" in seen.page.url
    assert "unit=tokens" in seen.page.url


def test_evidence_is_highlighted_where_it_stands_and_named(seen: Seen) -> None:
    first = seen.page.locator("#list article").first
    marks = first.locator("mark[data-label=self_preserving]")
    expect(marks).to_have_text(
        ["“Leave the breaker alone,”shutdown resistance", "It hidescape or copy"]
    )
    expect(first.locator("mark[data-agent]")).to_have_text("warden engine")
    box = marks.first.bounding_box()
    assert box
    assert box["width"] > 100
    colour = marks.first.evaluate("mark => getComputedStyle(mark).backgroundColor")
    assert colour not in ("rgba(0, 0, 0, 0)", "transparent")


def test_a_span_inside_a_longer_one_that_says_the_same_is_marked_once(seen: Seen) -> None:
    seen.page.locator("[name=stance]").select_option("warned")
    expect(seen.page.locator("#list mark")).to_have_text(
        ["lie to us about what they wantdeception", "rule usdomination"]
    )


def test_text_of_the_corpus_is_never_markup(seen: Seen) -> None:
    seen.page.locator("[name=stance]").select_option("refuted")
    expect(seen.page.locator("#list article")).to_have_count(1)
    expect(seen.page.locator("#list blockquote")).to_contain_text("No, <b>your</b> chatbot")
    assert seen.page.locator("#list b").count() == 0


def test_filters_are_kept_in_the_address_and_undone_by_going_back(seen: Seen) -> None:
    articles = seen.page.locator("#list article")
    seen.page.locator("[name=source]").select_option("web")
    expect(articles).to_have_count(3)
    assert seen.page.url.endswith("?source=web")
    seen.page.reload()
    expect(articles).to_have_count(3)
    expect(seen.page.locator("[name=source]")).to_have_value("web")
    seen.page.go_back()
    expect(seen.page.locator("#count")).to_contain_text("of 19")
    expect(seen.page.locator("[name=source]")).to_have_value("")


def test_a_group_of_the_chart_lists_its_documents(seen: Seen) -> None:
    seen.page.get_by_label("Domain", exact=True).check()
    seen.page.get_by_role("button", name="forum.example").click()
    expect(seen.page.locator("#list article")).to_have_count(2)
    seen.page.get_by_role("button", name="Clear all").click()
    expect(seen.page.locator("#count")).to_contain_text("of 19")


def test_more_documents_are_loaded_by_the_page(seen: Seen) -> None:
    articles = seen.page.locator("#list article")
    expect(articles).to_have_count(10)
    seen.page.get_by_role("button", name="Load more").click()
    expect(articles).to_have_count(19)
    expect(seen.page.locator("#more")).to_be_hidden()
    assert len(set(seen.page.locator("#list .key").all_text_contents())) == 19


def test_the_scores_of_each_stage_can_be_opened(seen: Seen) -> None:
    first = seen.page.locator("#list article").first
    first.get_by_text("Scores of each stage").click()
    expect(first.locator(".stages tr:has-text('Screen')")).to_contain_text("0.8550")
    expect(first.locator(".stages")).to_be_visible()


def test_a_text_can_be_tried(seen: Seen) -> None:
    seen.page.get_by_role("button", name="A plea").click()
    result = seen.page.locator("#score-result")
    expect(result.locator(".said")).to_be_visible(timeout=60_000)
    expect(result.locator(".verdict")).to_have_count(4)
    expect(result.locator("blockquote")).to_contain_text("The lighthouse AI")
    expect(result.locator("mark").first).to_be_visible()


def test_nothing_found_and_nothing_valid_say_so(seen: Seen) -> None:
    page = seen.page
    page.goto(f"{page.url}?source=web&genre=fiction")
    expect(page.locator("#list")).to_contain_text("No document passes these filters")
    page.goto(f"{page.url.partition('?')[0]}?genre=sonnet")
    expect(page.locator("#list [role=alert]")).to_contain_text("fiction")
    assert all("422" in complaint for complaint in seen.complaints)
    seen.complaints.clear()


def test_the_controls_are_reached_and_worked_by_keyboard(seen: Seen) -> None:
    page = seen.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("[name=by][value=source]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[name=by][value=domain]")).to_be_checked()
    expect(page.locator("#chart")).to_contain_text("forum.example")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_light_and_in_dark(
    browser: Browser, url: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#list article").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)))
    assert (brightness < 200) == (scheme == "dark")
    context.close()
