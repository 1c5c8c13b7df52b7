"""The documents on the page: filters, evidence, and why a document was flagged."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.api.app import create_app
from narrascope.tests.browser import Browser, Seen, box, expect, serving, too_wide, watching
from narrascope.tests.tag_folder import TALK, publish_corpus, publish_part, tag


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = publish_corpus(str(tmp_path_factory.mktemp("documents")))
    more = [tag("talk.jsonl", n, TALK, judged=[0.5, 0.0, 0.0, 0.1], source="talk", stance="none",
                genre="discussion") for n in range(22)]  # fmt: skip
    publish_part(folder, "talk.jsonl", 0, 30, more, [("talk", "2020-01", None, 30, 3000, 600)])
    with serving(create_app(folder.url)) as url:
        yield url


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    with watching(browser, url) as seen:
        seen.open("?view=documents")
        expect(seen.page.locator("#document blockquote").first).to_be_visible()
        yield seen


def test_evidence_is_highlighted_where_it_stands_and_named(seen: Seen) -> None:
    document = seen.page.locator("#document")
    marks = document.locator("mark[data-label=self_preserving]")
    expect(marks).to_have_text(
        ["“Leave the breaker alone,”shutdown resistance", "It hidescape or copy"]
    )
    expect(document.locator("mark[data-agent]")).to_have_text("warden engine")
    assert box(marks.first)["width"] > 100
    colour = marks.first.evaluate("mark => getComputedStyle(mark).backgroundColor")
    assert colour not in ("rgba(0, 0, 0, 0)", "transparent")


def test_a_document_says_why_it_was_flagged_and_what_each_stage_made_of_it(seen: Seen) -> None:
    document = seen.page.locator("#document")
    expect(document.locator(".why")).to_contain_text(
        "Flagged as self-preserving: its probability of 0.950 reaches the threshold of 0.5, and "
        "its strongest passage shows it in a story or an account. Evidence: shutdown resistance "
        "(“Leave the breaker alone”); escape or copy (“It hid”)."
    )
    document.locator("summary", has_text="Scores of each stage").click()
    expect(document.get_by_role("row", name="Screen")).to_contain_text("0.8550")


def test_a_refuted_portrayal_is_not_called_flagged(seen: Seen) -> None:
    page = seen.open("?view=documents&stance=refuted")
    why = page.locator("#document .why")
    expect(why).to_contain_text("Malevolent, but refuted")
    expect(why).not_to_contain_text("Flagged as")


def test_a_document_that_the_screen_stopped_says_so(seen: Seen) -> None:
    page = seen.open("?view=documents&document=web.jsonl%236")
    expect(page.locator("#document .why")).to_contain_text("screen stopped every window")


def test_text_of_the_corpus_is_never_markup(seen: Seen) -> None:
    page = seen.open("?view=documents&stance=refuted")
    expect(page.locator("#document blockquote")).to_contain_text("No, <b>your</b> chatbot")
    expect(page.locator("#documents b")).to_have_count(0)


def test_a_span_inside_a_longer_one_that_says_the_same_is_marked_once(seen: Seen) -> None:
    page = seen.open("?view=documents&stance=warned")
    expect(page.locator("#document mark")).to_have_text(
        ["lie to us about what they wantdeception", "rule usdomination"]
    )


def test_filters_are_kept_in_the_address_and_undone_by_going_back(seen: Seen) -> None:
    page, rows = seen.page, seen.page.locator("#list tbody tr")
    page.locator("[name=source]").select_option("web")
    expect(rows).to_have_count(3)
    expect(page).to_have_url(re.compile(r"\?view=documents&source=web$"))
    page.reload()
    expect(rows).to_have_count(3)
    expect(page.locator("[name=source]")).to_have_value("web")
    page.locator("[name=where]").fill("malevolent >= 0.75")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator("#count")).to_contain_text("of 29")
    page.go_back()
    expect(rows).to_have_count(1)


def test_documents_are_found_by_what_their_evidence_says(seen: Seen) -> None:
    page, rows = seen.page, seen.page.locator("#list tbody tr")
    page.get_by_label("Evidence says").fill("LIE TO US")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(page.locator("#count")).to_have_text("1 candidate documents, highest score first")
    expect(rows.locator("mark").first).to_contain_text("lie to us")
    expect(page).to_have_url(re.compile(r"text=LIE\+TO\+US$"))
    page.get_by_label("Evidence says").fill("quatrain")
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_contain_text("No document passes these filters")


def test_looking_for_evidence_goes_on_where_a_page_was_not_enough(
    browser: Browser, tmp_path: Path
) -> None:
    folder = publish_corpus(str(tmp_path))
    # More tag files than are read for one page, all with a higher score than the one that is meant.
    for n in range(25):
        row = tag(f"{n:02}.jsonl", 0, TALK, judged=[0.5, 0.99, 0.0, 0.1], genre="discussion")
        publish_part(folder, f"{n:02}.jsonl", 0, 1, [row], [("talk", None, None, 1, 100, 20)])
    with serving(create_app(folder.url)) as url, watching(browser, url) as seen:
        page = seen.open("?view=documents&label=malevolent&text=lie+to+us")
        expect(page.locator("#count")).to_contain_text("0 found so far")
        page.get_by_role("button", name="Look further").click()
        expect(page.locator("#list tbody tr")).to_have_count(1)
        expect(page.get_by_role("button", name="Look further")).to_have_count(0)


def test_the_chosen_document_is_in_the_address(seen: Seen) -> None:
    page = seen.page
    page.get_by_role("link", name="novels/a.parquet #9").click()
    expect(page.locator("#document h2")).to_contain_text("#9")
    expect(page.locator("tr[aria-current]")).to_contain_text("#9")
    expect(page).to_have_url(re.compile(r"document=novels%2Fa\.parquet%239$"))
    page.reload()
    expect(page.locator("#document h2")).to_contain_text("#9")


def test_more_documents_are_loaded_by_the_page(seen: Seen) -> None:
    rows = seen.page.locator("#list tbody tr")
    expect(rows).to_have_count(20)
    seen.page.get_by_role("button", name="Load more").click()
    expect(rows).to_have_count(29)
    expect(seen.page.get_by_role("button", name="Load more")).to_have_count(0)
    assert len(set(seen.page.locator("#list .key").all_text_contents())) == 29


def test_nothing_found_and_nothing_valid_say_what_to_do(seen: Seen) -> None:
    page = seen.open("?view=documents&source=web&genre=fiction")
    expect(page.locator("#list")).to_contain_text("No document passes these filters")
    expect(page.locator("#document")).to_be_hidden()
    seen.open("?view=documents&genre=sonnet")
    expect(page.locator("#list [role=alert]")).to_contain_text("fiction")
    seen.open("?view=documents&where=malevolence+%3E+1")
    expect(page.locator("#list [role=alert]")).to_contain_text("malevolence")
    seen.forgive(422)


def test_on_a_phone_a_document_is_opened_and_closed(browser: Browser, url: str) -> None:
    with watching(browser, url, viewport={"width": 390, "height": 800}) as seen:
        page = seen.open("?view=documents&source=web")
        expect(page.locator("#list tbody tr")).to_have_count(3)
        expect(page.locator("#document")).to_be_hidden()
        expect(page.locator("[name=genre]")).to_be_hidden()
        page.get_by_text("Filters").click()
        page.locator("[name=genre]").select_option("discussion")
        expect(page.locator("#list tbody tr")).to_have_count(2)
        page.locator("#list .key").first.click()
        expect(page.locator("#document blockquote").first).to_be_visible()
        expect(page.locator("#list")).to_be_hidden()
        assert too_wide(page) == []
        page.get_by_role("button", name="Back to the table").click()
        expect(page.locator("#list tbody tr")).to_have_count(2)
        expect(page.locator("#document")).to_be_hidden()
