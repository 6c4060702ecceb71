"""The report opens offline, runs nothing, escapes everything, and is written whole."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from stories import crowded_story, empty_story, full_story, poisoned, started_story

from surefoot.reports import pictures, write
from surefoot.reports.figures import all_figures
from surefoot.reports.html import headline, report_html
from surefoot.reports.journal import journal_markdown
from surefoot.reports.pictures import Picture
from surefoot.reports.spreadsheets import all_sheets
from surefoot.reports.write import write_report

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</script></style></title><script src=//x.example/y.js>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- -->]]>&lt;b&gt;",
)


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


def without_pictures(story):
    return {name: Picture(name=name, title="", caption="left out") for name in all_figures(story)}


def check_it_is_inert(text: str) -> Page:
    page = Page(text)
    assert not set(page.tags) & {"script", "iframe", "object", "embed", "form", "base", "svg", "link", "input"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "src", "action", "srcset"):
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:60])
    return page


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(full_story())


def test_the_page_needs_nothing_from_outside(page):
    found = check_it_is_inert(page)
    assert "http://" not in page and "https://" not in page
    policy = next(v for t, n, v in found.attributes if t == "meta" and "default-src" in v)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_every_picture_is_in_the_page_and_says_what_it_shows(page):
    found = Page(page)
    assert found.tags.count("img") == len(all_figures(full_story()))
    assert all(value for tag, name, value in found.attributes if tag == "img" and name == "alt")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_stays_text(payload):
    story = poisoned(full_story(), payload)
    plain = Page(report_html(full_story(), without_pictures(full_story())))
    found = check_it_is_inert(report_html(story, without_pictures(story)))
    assert found.tags == plain.tags
    assert payload.split()[0] in found.text
    assert "7 * 7" in found.text or "7 * 7" not in payload


def test_hostile_text_stays_text_in_the_attributes_of_pictures():
    story = poisoned(started_story(), '" onerror="alert(1)')
    check_it_is_inert(report_html(story))


def test_every_seed_and_every_verdict_is_on_the_page(page):
    text = Page(page).text.replace("\xa0", " ")
    for experiment in full_story().experiments:
        assert f"{experiment.number} · {experiment.id}" in text
        for arm in experiment.arms:
            for value in arm.values["val_accuracy"]:
                assert (f"{value:.3f}" if isinstance(value, float) else value.value) in text
    for word in ("SUPPORTED", "REFUTED", "INCONCLUSIVE (confounded)", "INCONCLUSIVE (diverged)", "screened out"):
        assert word in text


def test_the_headline_stands_on_fresh_seeds_once_there_are_any():
    story = full_story()
    assert headline(story) == "val_accuracy 89.13 ± 0.57 %: 2.87 pp short of 92 %"
    assert headline(replace(story, overall=None)) == "val_accuracy 90.10 ± 0.44 %: 1.90 pp short of 92 %"
    assert headline(empty_story()) == "Nothing is measured yet"


def test_a_report_holds_page_markdown_figures_tables_and_journal(tmp_path):
    files = {p.relative_to(tmp_path).as_posix() for p in write_report(full_story(), tmp_path)}
    figures = {f"figures/{name}.png" for name in all_figures(full_story())}
    tables = {f"tables/{name}.csv" for name in ("runs", "verdicts", "claims", "curves")}
    assert files == {"report.html", "report.md", "journal.md", "journal.json"} | figures | tables
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} == files
    assert (tmp_path / "journal.md").read_text(encoding="utf-8") == journal_markdown(full_story())
    json.loads((tmp_path / "journal.json").read_text(encoding="utf-8"))
    linked = MarkdownIt("commonmark").enable("table").render((tmp_path / "report.md").read_text(encoding="utf-8"))
    pictures_shown = {value for tag, name, value in Page(linked).attributes if tag == "img" and name == "src"}
    assert pictures_shown == figures


def test_a_study_with_nothing_decided_has_a_report_of_sentences(tmp_path):
    write_report(empty_story(), tmp_path)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "The path begins when the baseline has been trained." in text
    assert not list(tmp_path.rglob("*.png"))


def test_a_picture_of_an_earlier_report_does_not_outlive_it(tmp_path):
    write_report(started_story(), tmp_path)
    (tmp_path / "figures" / "mine.png").write_bytes(b"mine")
    write_report(empty_story(), tmp_path)
    assert [p.name for p in tmp_path.rglob("*.png")] == ["mine.png"]


def test_one_figure_that_cannot_be_drawn_costs_its_picture_only(tmp_path, monkeypatch):
    import surefoot.reports.drawing as drawing

    def fails(figure):
        raise ValueError("no room\nfor <b>ink</b>")

    monkeypatch.setattr(drawing, "_forest", fails)
    write_report(started_story(), tmp_path)
    monkeypatch.setattr(drawing, "_noise", fails)
    assert pictures.draw_all(started_story())["noise"].png == b""
    write_report(started_story(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "could not be drawn (no room for &lt;b&gt;ink&lt;/b&gt;)" in text
    assert (tmp_path / "figures" / "path.png").exists()


def test_a_write_that_fails_leaves_the_old_report_and_no_crumbs(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    write.write_whole(target, b"old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write.write_whole(target, b"new")
    assert target.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_in_a_table_is_a_formula_and_no_number_is_changed(start):
    story = full_story()
    arm = replace(story.experiments[0].arms[0], name=f"{start}cmd|'/c calc'!A1")
    first = replace(story.experiments[0], arms=(arm, *story.experiments[0].arms[1:]))
    sheets = all_sheets(replace(story, experiments=(first, *story.experiments[1:])))
    runs = list(csv.DictReader(io.StringIO(sheets["runs.csv"], newline="")))
    assert any(row["arm"] == "'" + arm.name for row in runs)
    assert not any(cell.startswith(start) for row in runs for cell in (row["arm"], row["experiment"]))
    verdicts = list(csv.DictReader(io.StringIO(sheets["verdicts.csv"])))
    assert any(float(row["estimate"]) < 0 for row in verdicts if row["estimate"])


def test_the_tables_hold_every_value_in_full():
    story = full_story()
    runs = list(csv.DictReader(io.StringIO(all_sheets(story)["runs.csv"])))
    for experiment in story.experiments:
        for arm in experiment.arms:
            mine = [
                r for r in runs if (r["experiment"], r["arm"], r["metric"]) == (experiment.id, arm.name, "val_accuracy")
            ]
            found = [float(r["value"]) if r["value"] else r["missing"] for r in mine]
            assert found == list(arm.values["val_accuracy"])


def test_the_report_of_many_arms_with_long_names_is_written(tmp_path):
    assert all(path.stat().st_size > 0 for path in write_report(crowded_story(), tmp_path))


def test_writing_the_same_story_twice_gives_the_same_bytes(tmp_path: Path):
    first = {p.name: p.read_bytes() for p in write_report(started_story(), tmp_path / "a")}
    assert first == {p.name: p.read_bytes() for p in write_report(started_story(), tmp_path / "b")}
