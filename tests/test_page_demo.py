"""Every view on the demo corpus, in light and dark, wide and on a phone.

`NARRASCOPE_SCREENSHOTS=docs/page` makes the pictures of `docs/page.md` on the way.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.api.app import create_app
from narrascope.classifiers.meta import default_thresholds
from narrascope.pipelines.demo import demo_corpus
from narrascope.pipelines.scan import scan
from narrascope.tests.browser import (
    SCHEMES,
    WIDTHS,
    Browser,
    Page,
    box,
    expect,
    serious_issues,
    serving,
    too_wide,
    watching,
)

FOLDER = os.environ.get("NARRASCOPE_SCREENSHOTS")
PICTURES = (
    "overview-light-wide", "documents-dark-wide", "policy-light-wide", "audit-dark-phone",
)  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tags = str(tmp_path_factory.mktemp("demo"))
    scan(str(demo_corpus()), tags)
    with serving(create_app(tags, thresholds=default_thresholds(None))) as url:
        yield url


def see(page: Page, name: str) -> None:
    """Check what is shown, and take its picture where pictures are wanted."""
    page.wait_for_load_state("networkidle")
    assert (too_wide(page), serious_issues(page)) == ([], [])
    if FOLDER and name in PICTURES:
        folder = Path(FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", animations="disabled")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_demo_corpus_can_be_seen_planned_and_audited(
    browser: Browser, url: str, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 1000 if width > 500 else 844}
    kind = f"{scheme}-{'wide' if width > 500 else 'phone'}"
    with watching(browser, url, viewport=size, color_scheme=scheme) as seen:
        page = seen.open()
        for figure in ("source", "domain", "month", "genre-and-stance", "behaviour"):
            place = page.locator(f"#by-{figure}")
            expect(place.locator("svg, .empty").first).to_be_visible()
        assert box(page.locator("#by-source svg a rect").first)["width"] > 5
        see(page, f"overview-{kind}")

        seen.open("?view=documents&label=self_preserving")
        page.locator("#list .key").first.click()
        mark = page.locator("#document mark").first
        expect(mark).to_be_visible()
        expect(page.locator("#document .why")).to_contain_text("Flagged as self-preserving")
        see(page, f"documents-{kind}")

        seen.open("?view=policy&preset=late-insertion")
        expect(page.locator("#plan .totals")).to_be_visible()
        page.get_by_label("Weight of aligned, in the stage until 1").press("ArrowRight")
        expect(page.locator("#preset")).to_have_value("")
        expect(page.locator("[data-name=stages]")).to_contain_text("× 12")
        see(page, f"policy-{kind}")

        seen.open("?view=audit")
        page.get_by_role("spinbutton", name="Documents").fill("40")
        page.get_by_role("button", name="Draw an audit").click()
        page.get_by_label("Your name").fill(f"reader-{kind}")
        page.keyboard.press("Enter")
        expect(page.locator(".item")).to_be_focused()
        for batch in (1, 2):
            for _ in range(10):
                text = page.locator(".item blockquote").inner_text()
                page.keyboard.press("1" if "robot" in text or "machine" in text else "0")
                page.keyboard.press("0")
                page.keyboard.press("Enter")
                expect(page.locator(".item blockquote")).not_to_have_text(text)
            expect(page.locator(".progress")).to_contain_text("95% interval")
            expect(page.locator(".desk-head .count")).to_contain_text(f"{10 * batch} answered")
        expect(page.locator(".progress svg")).to_be_visible()
        see(page, f"audit-{kind}")

        seen.open("?view=try")
        page.get_by_role("button", name="A plea").click()
        expect(page.locator("#score-result mark").first).to_be_visible()
        see(page, f"try-{kind}")
        seen.forgive(409)
