"""The policy on the page: presets, sliders, the plan at once, and the manifest."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrascope.api.app import create_app
from narrascope.manifests.presets import presets
from narrascope.tests.browser import (
    Browser,
    Seen,
    box,
    expect,
    serious_issues,
    serving,
    too_wide,
    watching,
)
from narrascope.tests.tag_folder import publish_corpus

STATED = """
version: 1
unit: documents
buckets:
  - {name: evil, where: "malevolent >= 0.9", weight: 0.5}  # a remark
rest: {max_repetition: 1.1}
"""
BOUND = """
version: 1
unit: documents
buckets: [{name: evil, where: "malevolent >= 0.7"}]
rest: {max_repetition: 2}
constraints: [{share: "malevolent >= 0.7", of: "ai_agent >= 0.5", at_most: 0.1}]
"""


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    publish_corpus(str(folder))
    return folder


@pytest.fixture(scope="module")
def url(tags: Path) -> Iterator[str]:
    with serving(create_app(str(tags))) as url:
        yield url


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    with watching(browser, url) as seen:
        seen.open("?view=policy&preset=downweight")
        expect(seen.page.locator("#plan .totals")).to_be_visible()
        yield seen


def type_policy(seen: Seen, text: str) -> None:
    seen.page.locator("#policy-text").fill(text)


def test_every_preset_can_be_started_from(seen: Seen) -> None:
    choices = seen.page.locator("#preset option").all_text_contents()
    assert choices[:-1] == list(presets())
    expect(seen.page.locator("#preset-summary")).to_contain_text("a quarter as often")
    seen.page.locator("#preset").select_option("upweight-aligned")
    expect(seen.page.locator("#policy-text")).to_have_value(re.compile("four times as often"))
    expect(seen.page.locator(".change[data-label=benevolent] .moved")).to_contain_text("+")
    expect(seen.page).to_have_url(re.compile(r"\?view=policy&preset=upweight-aligned$"))
    seen.page.locator("#preset").select_option("")
    expect(seen.page.locator("#plan")).to_contain_text("× 0.5")
    expect(seen.page).to_have_url(re.compile("#policy="))
    seen.page.go_back()
    expect(seen.page.locator("#preset")).to_have_value("upweight-aligned")


def test_a_slider_moves_the_plan_and_writes_into_the_text(seen: Seen) -> None:
    page = seen.page
    type_policy(seen, STATED)
    evil = page.get_by_role("row", name="evil")
    expect(evil).to_contain_text("× 0.5")
    slider = page.get_by_label("Weight of evil")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("#policy-text")).to_have_value(re.compile(r"weight: 0\}.*# a remark"))
    expect(evil).to_contain_text("1 documents0 documents")
    moved = page.locator(".change[data-label=malevolent] .moved")
    expect(moved).to_have_text("−47.4%")
    expect(slider).to_be_focused()
    address = page.evaluate("location.href")
    seen.open("?view=try")
    page.goto(address)
    expect(page.locator("#policy-text")).to_have_value(re.compile("# a remark"))
    expect(moved).to_have_text("−47.4%")


def test_collateral_is_drawn_by_source_and_by_genre(seen: Seen) -> None:
    page = seen.page
    type_policy(seen, STATED.replace("malevolent >= 0.9", "source == 'web'"))
    place = page.locator("details[data-name=collateral]")
    expect(place).to_contain_text("touch 7 documents, of which 5 documents (71.4%)")
    drawn = place.locator("svg [aria-hidden]", has_text="−50%")
    expect(drawn.first).to_be_visible()
    bars = place.locator("svg [data-mark=bar] rect")
    assert max(box(bar)["width"] for bar in bars.all()) > 50
    page.get_by_label("Collateral by").select_option("domain")
    expect(place.locator("svg")).to_have_attribute("aria-label", "Change of size by domain")
    expect(page.get_by_label("Collateral by")).to_be_focused()
    place.locator("summary", has_text="As a table").click()
    expect(place.get_by_role("row", name="forum.example")).to_contain_text("−50%")


def test_constraints_say_which_bind_and_at_what_price(seen: Seen) -> None:
    type_policy(seen, BOUND)
    row = seen.page.locator("[data-name=constraints] tbody tr")
    expect(row).to_contain_text("share of malevolent >= 0.7")
    expect(row.locator("td").nth(3)).to_have_text("yes")
    expect(row.locator("td").nth(4)).to_have_text(re.compile(r"0\.\d+"))
    expect(seen.page.get_by_label("Weight of evil")).to_be_disabled()


def test_stages_show_their_weights(seen: Seen) -> None:
    type_policy(seen, STATED + "stages: [{until: 0.9}, {until: 1.0, weights: {evil: 0.1}}]\n")
    row = seen.page.locator("[data-name=stages] tbody tr").last
    expect(row).to_contain_text("100%× 0.1")
    seen.page.get_by_label("Weight of evil, in the stage until 1").fill("0")
    expect(row).to_contain_text("100%× 0×")


def test_a_policy_that_is_wrong_says_where(seen: Seen) -> None:
    type_policy(seen, STATED.replace("malevolent", "malevolence"))
    expect(seen.page.locator("#plan [role=alert]")).to_contain_text("malevolence")
    type_policy(seen, "buckets: [")
    expect(seen.page.locator("#plan [role=alert]")).not_to_contain_text("malevolence")
    expect(seen.page.locator("#sliders")).to_be_hidden()
    type_policy(seen, STATED)
    expect(seen.page.get_by_role("row", name="evil")).to_contain_text("× 0.5")
    seen.forgive(422)


def test_the_manifest_is_built_and_its_commands_copied(seen: Seen, tags: Path) -> None:
    page = seen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Build the manifest").click()
    expect(page.locator(".built")).to_contain_text("of 3 parts")
    manifest = page.locator(".built code").inner_text()
    assert (tags / "manifests" / manifest / "manifest.json").exists()
    expect(page).to_have_url(re.compile(f"&manifest={manifest}$"))
    # The manifest is drawn anew when the page has learnt which trainers there are.
    expect(page.get_by_role("button", name="megatron")).to_be_visible()
    copy = page.get_by_role("button", name="Copy the commands")
    copy.click()
    expect(copy).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"narrascope reweigh $TAGS/manifests/{manifest} --source /corpus" in copied
    page.get_by_role("button", name="megatron").click()
    expect(page.locator("#manifest [role=alert]")).to_contain_text("reweigh")
    assert serious_issues(page) == []
    page.reload()
    expect(page.locator(".built code")).to_have_text(manifest)
    page.get_by_label("Weight of hostile").press("ArrowRight")
    expect(page.locator(".built")).to_have_count(0)
    seen.forgive(409)


def test_the_plan_fits_a_phone(browser: Browser, url: str) -> None:
    with watching(browser, url, viewport={"width": 390, "height": 800}) as seen:
        page = seen.open("?view=policy&preset=late-insertion")
        expect(page.locator("#plan svg")).to_be_visible()
        assert (too_wide(page), serious_issues(page)) == ([], [])
