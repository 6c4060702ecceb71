"""The page shows the phases: where the study stands, what its gates rest on, and every override in red."""

from __future__ import annotations

import shutil
from dataclasses import replace

import phase_stories as cases
import pytest
from stories import full_story, poisoned

from surefoot.reports.html import report_html
from surefoot.reports.phases_html import ribbon
from surefoot.reports.pictures import Picture

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PICTURES = ("path", "forest", "noise", "cost", "curves-1", "curves-2", "curves-3", "curves-4", "ledger", "confusion")


def page_of(story):
    pictures = {name: Picture(name=name, title="", caption="left out") for name in PICTURES}
    return report_html(story, pictures).replace("\xa0", " ")


def test_a_page_without_phases_has_neither_their_section_nor_their_style():
    page = page_of(full_story())
    assert "ribbon" not in page and 'id="phases"' not in page and "--alarm" not in page


def test_the_ribbon_marks_what_is_done_where_the_study_is_and_what_was_skipped():
    standing = {name: [s.standing for s in ribbon(make().phases)] for name, make in cases.ALL.items()}
    assert standing["planned"] == ["current", "ahead", "ahead", "ahead", "ahead"]
    assert standing["blocked"] == ["done", "current", "ahead", "ahead", "ahead"]
    assert standing["after-round"] == ["done", "done", "done", "current", "ahead"]
    assert standing["ended"] == ["done"] * 5
    assert standing["end-alone"] == [], "without gates there is no ribbon to stand on"
    over = replace(cases.ended().phases, phase="done")
    assert [s.standing for s in ribbon(over)] == ["done"] * 5
    fast = cases.ended().phases
    fast = replace(fast, gates=tuple(g for g in fast.gates if g.phase not in ("diagnose", "optimise")))
    assert [s.standing for s in ribbon(fast)] == ["done", "done", "skipped", "skipped", "done"]
    assert [s.alarm for s in ribbon(cases.overridden().phases)] == ["", "1 overridden", "", "", ""]


def test_every_predicate_stands_on_the_page_with_its_evidence():
    for make in cases.ALL.values():
        page = page_of(make())
        for gate in make().phases.gates:
            for check in gate.checks:
                assert f"<code>{check.predicate}</code>" in page and check.evidence.rstrip(".") in page


def test_hostile_text_stays_text():
    payload = "<script>alert(1)</script>"
    page = page_of(poisoned(cases.overridden(), payload))
    assert "<script" not in page and "&lt;script&gt;" in page


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(cases.overridden()), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (390, "light"), (1100, "dark")])
def test_an_override_is_seen_and_red_without_a_click(browser, file, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(file.as_uri())
    for place in ("div.alarm", ".ribbon .alarmed", ".checks .badge.alarm"):
        found = page.locator(place).first
        assert found.is_visible(), place
        colour = found.evaluate("e => getComputedStyle(e).color.match(/[0-9]+/g).slice(0, 3).map(Number)")
        assert colour[0] > 1.5 * max(colour[1:]) or (scheme == "dark" and colour[0] > 80 + min(colour[1:])), place
    assert cases.OVERRIDE.split(";")[0] in page.locator("div.alarm").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.locator(".ribbon li").count() == 5
    page.close()
