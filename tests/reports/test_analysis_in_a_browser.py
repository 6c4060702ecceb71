"""The report of an analysis as a person opens it: in a real browser, from disk, on a wide screen and on a phone."""

import shutil

import pytest
from analysis_stories import ALL

from surefoot.reports.analysis_write import write_analysis

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
LINES_OF_CARDS = """
    [...document.querySelectorAll(".card b")].map(b =>
        Math.round(b.offsetHeight / parseFloat(getComputedStyle(b).lineHeight)))
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine; apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=ALL)
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis")
    write_analysis(ALL[request.param](), folder)
    return folder


def watched(browser, width):
    """A page, and the lists that its complaints and its requests to anywhere go into."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    return page, complaints, requests


def abroad(requests):
    return [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_offline_whole_and_without_sideways_scrolling(browser, report, width):
    page, complaints, requests = watched(browser, width)
    page.goto((report / "analysis.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).length")
    sideways = page.evaluate(SIDEWAYS)
    lines_of_a_number = page.evaluate(LINES_OF_CARDS)
    links = page.evaluate("[...document.links].map(a => a.getAttribute('href'))")
    page.close()
    assert set(lines_of_a_number) == {1}, "a number broken in two reads as another number"
    assert complaints == [] and broken == 0 and sideways <= 0 and abroad(requests) == []
    missing = [link for link in links if not link.startswith("#") and not (report / _unquoted(link)).is_file()]
    assert missing == []


@pytest.mark.parametrize("width", [390])  # the narrower, where less has room
def test_every_interactive_figure_draws_itself_offline(browser, report, width):
    for path in sorted((report / "figures").glob("*.html")):
        page, complaints, requests = watched(browser, width)
        page.goto(path.as_uri())
        page.wait_for_selector(".main-svg", timeout=20_000)
        marks = page.evaluate("document.querySelectorAll('.plot .point, .plot .heatmaplayer image').length")
        sideways = page.evaluate(SIDEWAYS)
        logo = page.evaluate("document.querySelectorAll('.plotlyjsicon').length")
        page.close()
        assert complaints == [], path.name
        assert marks > 0 and sideways <= 0 and logo == 0 and abroad(requests) == []


def test_a_dot_that_is_pointed_at_says_its_trial(browser, tmp_path):
    write_analysis(ALL["ordinary"](), tmp_path)
    page, complaints, _ = watched(browser, 1280)
    page.goto((tmp_path / "figures" / "slices.html").as_uri())
    page.wait_for_selector(".scatterlayer .point")
    box = page.locator(".scatterlayer .point").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(".hoverlayer text")
    said = page.locator(".hoverlayer").text_content()
    page.close()
    assert "trial " in said and "val_acc (%)" in said and complaints == []


def _unquoted(link):
    from urllib.parse import unquote

    return unquote(link)
