"""Long work on the page: how far a worker is with it, how it is stopped, and what it made."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from narrascope.api.app import create_app
from narrascope.api.jobs import JobQueue
from narrascope.api.places import Places
from narrascope.api.state import State
from narrascope.pipelines.scan import scan
from narrascope.tests.browser import (
    Browser,
    Page,
    Seen,
    expect,
    serious_issues,
    serving,
    too_wide,
    watching,
)
from narrascope.tests.corpora import documents, write
from narrascope.tests.processes import PATIENCE
from narrascope.tests.served import narrascope

WAIT = 1_000 * PATIENCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of two shards and its tags."""
    folder = tmp_path_factory.mktemp("jobs").resolve()
    for number in range(2):
        write(folder / "corpus" / f"{number}.jsonl", documents(20))
    scan(str(folder / "corpus"), str(folder / "tags"))
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A service that leaves everything that may be long to a worker."""
    places = Places(corpora=[str(folder / "corpus")], outputs=folder / "out")
    with serving(create_app(str(folder / "tags"), places=places, short_rows=0)) as url:
        yield url


@pytest.fixture
def seen(browser: Browser, url: str) -> Iterator[Seen]:
    with watching(browser, url, viewport={"width": 390, "height": 800}) as seen:
        yield seen


@contextmanager
def worker(folder: Path) -> Iterator[None]:
    """Run `narrascope worker` on the tags."""
    environment = os.environ | {
        "NARRASCOPE_CORPORA": str(folder / "corpus"), "NARRASCOPE_OUTPUTS": str(folder / "out"),
    }  # fmt: skip
    command = narrascope("worker", "--tags", str(folder / "tags"))
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def build(page: Page) -> None:
    page.get_by_role("button", name="Build the manifest").click()


def test_a_build_waits_is_cancelled_asked_for_again_and_its_manifest_shown(
    seen: Seen, folder: Path
) -> None:
    page = seen.open("?view=policy&preset=downweight")
    expect(page.locator("#plan .totals")).to_be_visible()
    job = page.locator("#manifest .job")
    build(page)
    expect(job).to_contain_text("Waits for a narrascope worker")
    expect(page.get_by_role("button", name="Build the manifest")).to_be_disabled()
    assert (too_wide(page), serious_issues(page)) == ([], [])
    job.get_by_role("button", name="Cancel").click()
    expect(page.locator("#manifest")).to_contain_text("Cancelled: no manifest was built.")
    expect(job).to_have_count(0)

    build(page)
    queue = JobQueue(State(folder / "tags" / "service.sqlite"))
    expect(job).to_contain_text("Waits for")
    taken = queue.take()
    assert taken
    expect(job).to_contain_text("A worker is at it")
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("Cancelled; its worker stops when it next says how far it is")
    taken.stop()
    expect(page.locator("#manifest")).to_contain_text("Cancelled: no manifest was built.")

    build(page)
    # The way to another view and back loses nothing. The overview finds that nothing is audited.
    seen.forgive(409)
    page.get_by_role("link", name="Overview").click()
    page.go_back()
    expect(job).to_contain_text("Waits for")
    with worker(folder):
        expect(page.locator(".built")).to_contain_text("of 2 parts", timeout=WAIT)
        manifest = page.locator(".built code").inner_text()
        expect(page).to_have_url(re.compile(f"&manifest={manifest}$"))
        page.get_by_role("button", name="Have a worker write the shards").click()
        written = page.locator("#manifest .built", has_text="Written: 40 documents")
        expect(written).to_contain_text(f"out/{manifest}/buckets-row", timeout=WAIT)
    page.get_by_role("button", name="list", exact=True).click()
    expect(page.locator("#manifest details pre").first).to_contain_text("hostile")


def test_how_far_a_reweighing_is_stands_in_a_bar_and_a_failure_is_told(
    seen: Seen, folder: Path, url: str
) -> None:
    page = seen.open("?view=policy&preset=filter-strict")
    expect(page.locator("#plan .totals")).to_be_visible()
    build(page)
    with worker(folder):
        expect(page.locator(".built")).to_contain_text("of 2 parts", timeout=WAIT)
    page.get_by_role("button", name="Have a worker write the shards").click()
    job = page.locator("#manifest .job")
    expect(job).to_contain_text("Waits for")
    taken = JobQueue(State(folder / "tags" / "service.sqlite")).take()
    assert taken
    taken.report(1, 2)
    expect(job).to_contain_text("A worker is at it: 1 of 2 parts.")
    bar = job.get_by_role("progressbar")
    expect(bar).to_have_js_property("value", 1)
    expect(bar).to_have_js_property("max", 2)
    taken.fail("the disk is full: make room, and ask again")
    expect(page.locator("#manifest [role=alert]")).to_contain_text("the disk is full")


def test_a_policy_that_is_changed_meanwhile_does_not_get_the_manifest_of_the_old(
    seen: Seen, folder: Path
) -> None:
    page = seen.open("?view=policy&preset=balance")
    expect(page.locator("#plan .totals")).to_be_visible()
    build(page)
    expect(page.locator("#manifest .job")).to_contain_text("Waits for")
    page.locator("#preset").select_option("downweight")
    with worker(folder):
        expect(page.locator("#manifest")).to_contain_text(
            "of the policy as it was before you changed it", timeout=WAIT
        )
    expect(page.locator("#manifest table")).to_have_count(0)


def test_an_audit_that_a_worker_draws_is_opened_when_it_is_there(seen: Seen, folder: Path) -> None:
    page = seen.open("?view=audit")
    page.get_by_role("spinbutton", name="Documents").fill("6")
    page.get_by_role("button", name="Draw an audit").click()
    job = page.locator(".draw .job")
    expect(job).to_contain_text("Waits for a narrascope worker")
    assert (too_wide(page), serious_issues(page)) == ([], [])
    job.get_by_role("button", name="Cancel").click()
    expect(page.locator(".draw")).to_contain_text("Cancelled: no audit was drawn.")
    page.get_by_role("button", name="Draw an audit").click()
    with worker(folder):
        expect(page.get_by_label("Your name")).to_be_visible(timeout=WAIT)
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".item")).to_be_focused()
    expect(page.locator(".progress")).to_contain_text("after the first ten texts")
    page.get_by_role("link", name="Other audits").click()
    expect(page.get_by_role("region", name="Audits")).to_contain_text("0 of 6 texts")
