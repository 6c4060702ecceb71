"""The report of a sweep as a person opens it: in a real browser, from disk, on a wide screen and on a phone."""

import shutil

import pytest
from sweep_stories import ALL

from surefoot.reports.sweep_html import sweep_html

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
LINES_OF_CARDS = """
    [...document.querySelectorAll(".card b")].map(b =>
        Math.round(b.offsetHeight / parseFloat(getComputedStyle(b).lineHeight)))
"""
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine; apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=["full", "crowded", "no_trial", "front"])
def report(request, tmp_path_factory):
    story = ALL[request.param]()
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(sweep_html(story), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1100, 390])
def test_it_opens_offline_whole_and_without_sideways_scrolling(browser, report, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).length")
    sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    lines_of_a_number = page.evaluate(LINES_OF_CARDS)
    page.close()
    assert set(lines_of_a_number) == {1}, "a number broken in two reads as another number"
    assert complaints == [] and broken == 0 and sideways <= 0
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
