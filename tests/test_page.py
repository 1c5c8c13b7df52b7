"""The page, as a person sees it: served by the real service and drawn by a real browser."""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from narrascope.api.app import create_app
from narrascope.store.folder import TagFolder
from narrascope.tests.browser import (
    SCHEMES,
    WIDTHS,
    Browser,
    Page,
    Seen,
    box,
    expect,
    serious_issues,
    serving,
    settled,
    too_wide,
    watching,
)
from narrascope.tests.tag_folder import TALK, publish_corpus, publish_part, tag

FILLED = {
    "overview": "#by-behaviour svg", "documents": "#list tbody tr", "policy": "#plan svg",
    "audit": "#audit-desk form", "try": "#score-form",
}  # fmt: skip
"""By view, what is there when it has its answers."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = publish_corpus(str(tmp_path_factory.mktemp("page")))
    more = [tag("talk.jsonl", n, TALK, judged=[0.5, 0.0, 0.0, 0.1], source="talk", stance="none",
                genre="discussion") for n in range(12)]  # fmt: skip
    publish_part(folder, "talk.jsonl", 0, 20, more, [("talk", "2020-01", None, 20, 2000, 400)])
    with serving(create_app(folder.url)) as url:
        yield url


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    with watching(browser, url) as seen:
        seen.forgive(409)  # there is no audited share yet, which the page finds out by asking
        seen.open()
        expect(seen.page.locator("#by-source svg a").first).to_be_visible()
        yield seen


def bar(page: Page, figure: str, name: str) -> float:
    """Return how long the bar with a name is."""
    return box(page.locator(f"#{figure} a[aria-label^='{name}'] rect").first)["width"]


def test_the_headline_says_why_there_is_no_interval_yet(seen: Seen) -> None:
    card = seen.page.locator(".card[data-label=malevolent]")
    expect(card.locator(".big")).to_have_text("5.00%")
    expect(card).to_contain_text("2 of 40 documents flagged")
    expect(card).to_contain_text("expected6.98%")
    expect(card).to_contain_text("Refuted, beside: 2.50%")
    expect(seen.page.locator("#interval-words")).to_contain_text("No interval until an audit")
    seen.page.get_by_role("link", name="Read some documents in the audit").click()
    expect(seen.page.get_by_role("heading", level=1)).to_be_focused()
    expect(seen.page.locator("#audit-desk")).to_contain_text("No audit has been drawn yet")


def test_bars_are_drawn_as_long_as_the_shares_say(seen: Seen) -> None:
    page = seen.page
    novels = bar(page, "by-source", "novels, malevolent")
    assert novels > 50
    ratio = novels / bar(page, "by-source", "web, malevolent")
    assert ratio == pytest.approx((1 / 12) / (1 / 7), rel=0.02)
    colours = {
        page.locator(f"#by-source a[aria-label*='{name}'] rect").first.evaluate(
            "rect => getComputedStyle(rect).fill"
        )
        for name in ("malevolent", "self-preserving", "benevolent")
    }
    assert len(colours) == 3 and "none" not in colours


@pytest.mark.parametrize(
    ("figure", "mark", "count"),
    [
        ("by-source", "web, malevolent", 1),
        ("by-domain", "forum.example, malevolent", 1),
        ("by-month", "2021-03, malevolent", 1),
        ("by-genre-and-stance", "discussion, warned", 1),
        ("by-behaviour", "domination, malevolent", 2),
    ],
)
def test_each_mark_leads_to_as_many_documents_as_it_counts(
    seen: Seen, figure: str, mark: str, count: int
) -> None:
    link = seen.page.locator(f"#{figure} svg a[aria-label^='{mark}']").first
    drawn = box(link)
    assert drawn["width"] > 2 and drawn["height"] > 2
    link.click()
    expect(seen.page.locator("#count")).to_contain_text(f"of {count} candidate documents")
    expect(seen.page.locator("#list")).to_contain_text("lie to us")
    seen.page.go_back()
    expect(seen.page.locator(f"#{figure} svg")).to_be_visible()


def test_the_flagged_documents_of_a_card_are_those_that_it_counts(seen: Seen) -> None:
    seen.page.get_by_role("link", name="Flagged documents, malevolent").click()
    expect(seen.page.locator("#list tbody tr")).to_have_count(2)


def test_what_is_refuted_leads_to_the_documents_that_refute_it(seen: Seen) -> None:
    page = seen.page
    card = page.locator(".card[data-label=malevolent]")
    cell = page.locator("#by-genre-and-stance svg a[aria-label^='discussion, refuted']")
    for link in (card.get_by_role("link", name="documents that refute it"), cell):
        link.click()
        expect(page.locator("#count")).to_contain_text("of 1 candidate documents")
        expect(page.locator("#list")).to_contain_text("refuted")
        page.go_back()
        expect(cell).to_be_visible()


def test_the_heat_map_takes_a_request_for_each_stance(seen: Seen) -> None:
    expect(seen.page.locator("#by-genre-and-stance svg")).to_be_visible()
    asked = [url for url in seen.requests if "by=genre" in url]
    assert sorted(url.rpartition("stance=")[2] for url in asked) == [
        "depicted", "endorsed", "refuted", "warned",
    ]  # fmt: skip


def test_a_chart_is_also_a_table_with_its_numbers(seen: Seen) -> None:
    figure = seen.page.locator("#by-source")
    figure.get_by_text("As a table").click()
    row = figure.get_by_role("row", name="novels")
    expect(row).to_contain_text("8.33%")
    expect(row).to_contain_text("12 documents")


def test_unit_and_estimator_are_in_the_address_and_change_every_figure(seen: Seen) -> None:
    page = seen.page
    page.get_by_role("radio", name="Expected").check()
    expect(page.locator("#estimator-words")).to_contain_text("added up")
    page.get_by_label("Bytes").check()
    expect(page.locator(".card .of").first).to_contain_text("kB flagged")
    expect(page).to_have_url(re.compile(r"/\?estimator=expected&unit=bytes$"))
    wide = bar(page, "by-source", "talk, benevolent")
    assert wide > 10
    page.go_back()
    expect(page.locator(".card .of").first).to_contain_text("of 40 documents")
    page.get_by_label("Label of the heat map").select_option("benevolent")
    expect(page.locator("#by-genre-and-stance a[aria-label^='fiction, depicted']")).to_be_visible()
    expect(page).to_have_url(re.compile("label=benevolent"))


def test_the_audited_estimator_says_what_it_lacks(seen: Seen) -> None:
    seen.page.get_by_label("Audited").check()
    expect(seen.page.locator("#by-source")).to_contain_text("Nothing was read yet")
    expect(seen.page.locator("#by-month")).to_contain_text("Nothing was read yet")
    expect(seen.page.locator("#by-genre-and-stance svg")).to_be_visible()
    expect(seen.page.locator("#by-behaviour")).to_contain_text("Nothing was read yet")
    expect(seen.page.locator("#by-domain")).to_contain_text("Nothing was read yet")


def test_a_text_can_be_tried(seen: Seen) -> None:
    page = seen.open("?view=try")
    page.get_by_role("button", name="A plea").click()
    result = page.locator("#score-result")
    expect(result.locator(".said")).to_be_visible()
    expect(result.locator(".verdict")).to_have_count(4)
    expect(result.locator("blockquote")).to_contain_text("The lighthouse AI")
    expect(result.locator("mark").first).to_be_visible()


def test_the_views_are_reached_and_worked_by_keyboard(seen: Seen) -> None:
    page = seen.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.get_by_role("link", name="Policy").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("link", name="Policy")).to_have_attribute("aria-current", "page")
    expect(page).to_have_title("Policy · Narrascope")
    page.go_back()
    expect(page.locator("#overview-title")).to_be_focused()
    page.locator("[name=unit][value=documents]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[name=unit][value=bytes]")).to_be_checked()
    expect(page.locator(".card .of").first).to_contain_text("kB flagged")
    settled(page)
    page.locator("#by-source svg a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#documents-title")).to_be_focused()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_view_fits_and_is_accessible(
    browser: Browser, url: str, scheme: str, width: int
) -> None:
    with watching(
        browser, url, viewport={"width": width, "height": 800}, color_scheme=scheme
    ) as seen:
        seen.forgive(409)
        for view, what in FILLED.items():
            page = seen.open(f"?view={view}&preset=downweight")
            expect(page.locator(what).first).to_be_visible()
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert (too_wide(page), serious_issues(page)) == ([], []), view
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", colour)))
        assert (brightness < 200) == (scheme == "dark")


def test_vendored_files_are_those_that_their_list_says() -> None:
    folder = Path(__file__).resolve().parents[1] / "web" / "vendor"
    listed = (folder / "README.md").read_text("utf-8")
    for file in folder.glob("*.js"):
        content = file.read_bytes()
        assert f"`{file.name}`" in listed and f"{len(content):,} bytes" in listed
        assert sha256(content).hexdigest() in listed, f"{file.name} is not the file of its list"


def test_a_corpus_without_token_counts_says_so(browser: Browser, tmp_path: Path) -> None:
    folder = TagFolder(str(tmp_path))
    publish_part(folder, "talk.jsonl", 0, 20, [], [("talk", "2020-01", None, 20, 2000, None)])
    with serving(create_app(folder.url)) as url, watching(browser, url) as seen:
        seen.forgive(409)
        page = seen.open("?unit=tokens")
        expect(page.locator("#headline")).to_contain_text("--token-column")
        expect(page.locator("#by-source")).to_be_hidden()
        page.get_by_label("Documents", exact=True).first.check()
        expect(page.locator("#by-source svg")).to_be_visible()
        expect(page.locator("#by-behaviour")).to_contain_text("Nothing that is counted")
        expect(page.get_by_role("radio", name="Tokens")).to_be_disabled()
