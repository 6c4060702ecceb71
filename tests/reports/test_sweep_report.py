"""The report of a sweep opens offline, runs nothing, tells what was chosen first, and is written whole."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from sweep_stories import ALL, LUCKY, STEADY, all_failed, crowded_sweep, exploring_sweep, full_sweep, no_trial

from surefoot.reports.pictures import Picture
from surefoot.reports.sweep_figures import sweep_figures
from surefoot.reports.sweep_html import headline, sweep_html
from surefoot.reports.sweep_json import sweep_json
from surefoot.reports.sweep_page import sweep_markdown
from surefoot.reports.sweep_sheets import sweep_sheets
from surefoot.reports.sweep_write import write_sweep

PAYLOADS = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}{% raw %}", "</style><b>")


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        self.text = " ".join(self.text.replace("\xa0", " ").replace("\u200b", "").split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


def without_pictures(story):
    return {name: Picture(name=name, title="", caption="left out") for name in sweep_figures(story)}


def page_of(story):
    return Page(sweep_html(story, without_pictures(story)))


def check_it_is_inert(page: Page) -> None:
    assert not set(page.tags) & {"script", "iframe", "object", "embed", "form", "base", "svg", "link", "input"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "src"):
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:60])


@pytest.mark.parametrize("name", ALL)
def test_any_sweep_has_a_page_that_needs_nothing_from_outside(name):
    story = ALL[name]()
    text = sweep_html(story, without_pictures(story))
    page = Page(text)
    check_it_is_inert(page)
    assert "http://" not in text and "https://" not in text
    policy = next(v for t, n, v in page.attributes if t == "meta" and "default-src" in v)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    anchors = {value for _, name, value in page.attributes if name == "id"}
    assert {v[1:] for t, n, v in page.attributes if (t, n) == ("a", "href")} <= anchors


def test_a_newcomer_sees_what_was_chosen_what_it_is_worth_how_much_was_luck_and_how_to_go_on():
    text = page_of(full_sweep()).text
    top = text[: text.index("Fresh seeds")]
    assert f"Trial {STEADY}: val_accuracy 91.19 % on 5 fresh seeds" in top
    assert "95 % interval 90.78 … 91.60" in top
    assert f"trial {LUCKY} does not survive fresh seeds; it showed 92.41 %" in top
    assert "luck in the sweep's best 1.22 pp" in top
    assert "52 runs" in top
    assert "surefoot sweep net.yaml --home here" in top


def test_the_headline_says_no_more_than_is_known():
    assert headline(exploring_sweep()) == "Best by exploring: trial 13, val_accuracy 92.41 % (one seed, not confirmed)"
    assert headline(all_failed()) == "No trial has a value"
    assert headline(no_trial()) == "No trial has a value yet"
    assert headline(ALL["front"]()).endswith("on the Pareto front of val_loss and latency")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_stays_text(payload):
    story = full_sweep(name=payload, description=payload, path=payload)
    trials = (replace(story.trials[0], settings={**story.trials[0].settings, "optimizer": payload}), *story.trials[1:])
    trials = tuple(replace(t, reason=payload) if t.state == "FAILED" else t for t in trials)
    story = replace(story, trials=trials, ending=payload, notices=(payload,))
    page = page_of(story)
    check_it_is_inert(page)
    plain = page_of(replace(full_sweep(), notices=("a",)))
    assert page.tags == plain.tags
    assert payload.split()[0] in page.text
    rendered = Page(MarkdownIt("commonmark").enable("table").render(sweep_markdown(story)))
    assert "script" not in rendered.tags and "img" not in rendered.tags


@pytest.mark.parametrize("name", ALL)
def test_a_report_holds_page_markdown_figures_tables_and_journal(tmp_path, name):
    story = ALL[name]()
    files = {p.relative_to(tmp_path).as_posix() for p in write_sweep(story, tmp_path)}
    figures = {name for name in files if name.startswith("figures/")}
    assert {"report.html", "report.md", "journal.md", "journal.json", "tables/trials.csv"} <= files
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} == files
    assert ("tables/fresh.csv" in files) == bool(story.fresh)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("img") == len(figures)
    linked = Page(MarkdownIt("commonmark").enable("table").render((tmp_path / "report.md").read_text("utf-8")))
    assert {value for tag, name, value in linked.attributes if tag == "img" and name == "src"} == figures
    json.loads((tmp_path / "journal.json").read_text("utf-8"), parse_constant=pytest.fail)


def test_an_earlier_report_leaves_nothing_of_its_own_behind(tmp_path):
    write_sweep(full_sweep(), tmp_path)
    (tmp_path / "figures" / "mine.png").write_bytes(b"mine")
    write_sweep(all_failed(), tmp_path)
    assert [p.name for p in tmp_path.rglob("*.png")] == ["mine.png"]
    assert not (tmp_path / "tables" / "fresh.csv").exists()


def test_the_sheet_holds_every_trial_with_every_value_in_full():
    story = crowded_sweep()
    rows = list(csv.DictReader(io.StringIO(sweep_sheets(story)["trials.csv"], newline="")))
    assert [int(row["number"]) for row in rows] == list(range(500))
    for row, trial in zip(rows, story.trials, strict=True):
        assert row["state"] == trial.state
        assert [float(row["val_accuracy"])] == list(trial.values) if trial.values else row["val_accuracy"] == ""
        for name, value in trial.settings.items():
            assert row[name] == str(value)


def test_every_fresh_seed_is_in_its_sheet_and_says_whether_it_chose():
    story = full_sweep()
    rows = list(csv.DictReader(io.StringIO(sweep_sheets(story)["fresh.csv"], newline="")))
    mine = [row for row in rows if row["config"] == f"trial {STEADY}"]
    assert [row["had_part_in_choosing"] for row in mine] == ["true"] * 4 + ["false"] * 5
    worth = sum(float(row["val_accuracy"]) for row in mine[4:]) / 5
    assert worth == pytest.approx(story.chosen.estimate)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_in_the_sheet_is_a_formula_and_no_number_is_changed(start):
    story = full_sweep()
    first = replace(
        story.trials[0], settings={**story.trials[0].settings, "optimizer": f"{start}cmd"}, reason=f"{start}1+1",
        values=(-3.5,),
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(sweep_sheets(replace(story, trials=(first,)))["trials.csv"], newline="")))
    assert rows[0]["optimizer"] == f"'{start}cmd" and rows[0]["reason"] == f"'{start}1+1"
    assert float(rows[0]["val_accuracy"]) == -3.5


def test_the_json_has_the_choice_the_seeds_and_the_failures_and_no_nan():
    story = full_sweep()
    bad = replace(story.trials[3], settings={**story.trials[3].settings, "lr": math.nan})
    told = sweep_json(replace(story, trials=(*story.trials[:3], bad, *story.trials[4:])))
    json.dumps(told, allow_nan=False)
    assert told["chosen"]["trial"] == STEADY and told["chosen"]["survives"] is False
    assert told["chosen"]["luck"] == pytest.approx(92.41 - told["chosen"]["estimate"])
    assert [len(f["values"]) for f in told["fresh"]] == [len(f.values) for f in story.fresh]
    assert told["failures"] == [
        {"state": "failed", "reason": "exit code 1; last words: ValueError: bad shape 2 (and alike)", "trials": [2, 11]}
    ]
    assert {"number", "state", "reason", "origin", "settings", "values", "seeds"} <= set(told["trials"][0])


def test_the_journal_tells_the_race_the_trials_and_the_command():
    journal = sweep_markdown(full_sweep())
    assert "of its lead of 3.50 pp over the base, 1.22 pp was luck" in " ".join(journal.split())
    assert "`surefoot sweep net.yaml --home here`" in journal
    assert "| trial 4  |" in journal and "## What failed" in journal
    assert "2 × " not in journal and "exit code 1" in journal


def test_writing_the_same_story_twice_gives_the_same_bytes(tmp_path):
    first = {p.name: p.read_bytes() for p in write_sweep(full_sweep(), tmp_path / "a")}
    assert first == {p.name: p.read_bytes() for p in write_sweep(full_sweep(), tmp_path / "b")}
