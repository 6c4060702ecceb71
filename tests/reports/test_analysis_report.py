"""The report of an analysis: its page, its text, its JSON, its tables and ranges, and what lies in its folder."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from analysis_stories import ACCURACY, ALL, NASTY, Told, crowded, empty, hostile, ordinary, told
from ruamel.yaml import YAML

from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import view_of
from surefoot.errors import SurefootError
from surefoot.finding import Finding
from surefoot.reports.analysis_html import analysis_html
from surefoot.reports.analysis_json import analysis_json
from surefoot.reports.analysis_page import analysis_markdown, analysis_text
from surefoot.reports.analysis_ranges import empirical_ranges, scalar
from surefoot.reports.analysis_tables import shown_sheet
from surefoot.reports.analysis_words import both_ends, file_name
from surefoot.reports.analysis_write import write_analysis
from surefoot.space import SearchSpace, choice, real
from surefoot.trials import Trial, TrialTable


class Texts(HTMLParser):
    """The texts and tags of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def with_sections(*sections: Section) -> Told:
    return Told(view=ordinary().view, sections=sections)


def finding(severity: str, sentence: str, advice: str = "") -> Finding:
    return Finding(rule="made.up", subject="lr", sentence=sentence, severity=severity, advice=advice)


@pytest.mark.parametrize("name", ALL)
def test_every_file_is_there_and_the_page_comes_first(name, tmp_path):
    analysis = ALL[name]()
    written = write_analysis(analysis, tmp_path)
    assert written[0] == tmp_path / "analysis.html"
    assert {str(path.relative_to(tmp_path)) for path in written} == files_in(tmp_path)
    figures = [f for section in analysis.sections for f in section.figures]
    wanted = {"analysis.html", "analysis.md", "analysis.json", "empirical_ranges.yaml"}
    wanted |= {f"{file_name(sheet.name)}.csv" for section in analysis.sections for sheet in section.sheets}
    wanted |= {f"figures/{file_name(f.name)}.{kind}" for f in figures for kind in ("png", "html")}
    wanted |= {"figures/plotly.min.js"} if figures else set()
    assert files_in(tmp_path) == wanted


def test_the_same_analysis_is_the_same_files_to_the_byte(tmp_path):
    first = write_analysis(ordinary(), tmp_path / "a")
    second = write_analysis(ordinary(), tmp_path / "b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_names_from_outside_stay_text_on_the_page():
    page = analysis_html(hostile(), {})
    found = Texts(page)
    assert "script" not in found.tags and "b" in found.tags, "a card's value is the only bold thing"
    shown = "".join(found.texts)
    assert "<script>alert(1)</script>" in shown.replace("\u200b", "")
    assert "{{ 7*7 }}" in shown and "\x00" not in page and "\u202e" not in page


def test_names_from_outside_stay_text_in_markdown():
    page = analysis_markdown(hostile())
    assert "\\<script>" in page and "\n<" not in page and "\x00" not in page and "\u202e" not in page


def test_half_a_character_in_a_name_is_no_reason_to_write_nothing(tmp_path):
    write_analysis(told(24, odd="\ud83d"), tmp_path)
    assert "lr" in (tmp_path / "analysis.md").read_text("utf-8")
    json.loads((tmp_path / "analysis.json").read_text("utf-8"))
    assert YAML(typ="safe").load((tmp_path / "empirical_ranges.yaml").read_text("utf-8"))


def test_no_cell_of_a_table_is_a_formula_and_numbers_keep_every_digit(tmp_path):
    analysis = hostile()
    write_analysis(analysis, tmp_path)
    for path in tmp_path.glob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text("utf-8"), newline="")):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trials_full.csv").read_text("utf-8"), newline="")))
    values = [t.value for t in analysis.view.table.trials]
    assert [float(r["val_acc"]) if r["val_acc"] else None for r in rows] == values


@pytest.mark.parametrize("name", ALL)
def test_the_json_is_finite_and_has_the_promised_shape(name):
    document = analysis_json(ALL[name]())
    again = json.loads(json.dumps(document, allow_nan=False))
    assert {"study", "source", "metric", "goal", "trials", "findings", "sections"} <= set(again)
    assert sum(again["trials"].values()) == len(ALL[name]().view.table.trials)
    for found in again["findings"]:
        assert set(found) == {"rule", "severity", "subject", "sentence", "evidence", "advice"}
    for section in again["sections"]:
        assert {"key", "title", "not_applicable", "findings", "tables"} <= set(section)


def test_a_number_that_json_cannot_hold_becomes_a_word():
    odd = replace(finding("info", "An odd number."), evidence={"p": math.nan, "most": math.inf})
    sheet = Sheet(name="odd", title="Odd", headers=("x",), rows=((math.inf,),))
    document = analysis_json(with_sections(Section(key="trials", title="T", findings=(odd,), sheets=(sheet,))))
    json.dumps(document, allow_nan=False)
    assert document["findings"][0]["evidence"] == {"p": "NaN", "most": "Infinity"}


def test_findings_in_json_come_with_the_most_severe_first():
    severities = [found["severity"] for found in analysis_json(crowded())["findings"]]
    assert severities == sorted(severities, key=("critical", "warning", "info").index)


def test_the_headline_is_the_most_severe_finding_else_the_best_trial():
    loud = with_sections(
        Section(key="a", title="A", findings=(finding("info", "Fine."), finding("warning", "Weak."))),
        Section(key="b", title="B", findings=(finding("critical", "batch_size rules.", "Look first"),)),
    )
    page = analysis_html(loud, {})
    assert "<h1>batch_size rules</h1>" in page and "Do next: Look first." in page
    calm = with_sections(Section(key="a", title="A", findings=(finding("info", "Fine."),)))
    assert "<h1>The best of 60 trials has val_acc" in analysis_html(calm, {})
    assert "there is nothing to analyse yet" in analysis_html(empty(), {})


def test_a_section_that_cannot_speak_says_why_everywhere():
    reason = "because no trial was stopped early"
    assert f"Not applicable, {reason}." in analysis_html(ordinary(), {})
    assert f"Not applicable, {reason}." in analysis_markdown(ordinary())
    assert f"not applicable, {reason}" in analysis_text(ordinary())


def test_a_long_table_is_cut_and_names_the_file_with_the_rest():
    page = analysis_html(crowded(), {})
    assert page.count("<tr><td>category") == 30
    assert "970 further rows are in" in page and 'href="directionality_categorical_detail.csv"' in page
    markdown = analysis_markdown(crowded())
    assert "970 further rows are in directionality_categorical_detail.csv." in markdown


def test_a_table_shows_rounded_numbers_p_values_and_joined_intervals():
    headers = ("parameter", "n", "rho", "p_value", "q25", "ci_low", "ci_high", "is_real", "condition", "trial")
    rows = (
        ("lr", 12345, -0.66901234, 0.00012, 3.0, -0.83, -0.4012, True, "", 12345),
        ("batch_size", 7, 0.5, 0.0421, None, 0.1, 0.9, False, "", 3),
    )
    table = shown_sheet(Sheet(name="s", title="S", headers=headers, rows=rows)).table
    assert table.headers == ("parameter", "n", "ρ", "p", "q25", "95 % interval", "real", "trial")
    assert table.rows[0] == ("lr", "12,345", "−0.6690", "< .001", "3", "−0.83 … −0.40", "yes", "12345")
    assert table.rows[1] == ("batch_size", "7", "0.5000", ".042", "–", "+0.10 … +0.90", "no", "3")


def test_a_name_that_people_gave_stays_as_it_is_in_a_header():
    sheet = Sheet(name="s", title="S", headers=("trial", "val_acc", "best_so_far"), rows=((1, 0.5, 0.5),))
    assert shown_sheet(sheet, {"val_acc"}).table.headers == ("trial", "val_acc", "best so far")


def test_two_columns_are_joined_only_where_they_are_the_ends_of_an_interval():
    sheet = Sheet(name="s", title="S", headers=("low", "high"), rows=((3, 1), (1, 2)))
    assert shown_sheet(sheet).table.headers == ("low", "high")


def test_numbers_of_very_different_size_keep_their_own_digits():
    sheet = Sheet(name="s", title="S", headers=("name", "lr"), rows=(("a", 1.234e-5), ("b", 12.34567)))
    assert [row[1] for row in shown_sheet(sheet).table.rows] == ["0.00001234", "12.35"]


@pytest.mark.parametrize("name", ALL)
def test_the_terminal_gets_few_lines_with_what_weighs_most_first(name):
    text = analysis_text(ALL[name]())
    lines = text.splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) <= 100
    marks = [line.strip()[0] for line in lines if line.startswith(("  ! ", "  ~ "))]
    assert marks == sorted(marks), "! comes before ~"
    for section in ALL[name]().sections:
        assert any(line.startswith(section.key) for line in lines) or not ALL[name]().view.n


def test_a_sentence_that_begins_with_a_parameters_name_keeps_its_small_letter():
    analysis = with_sections(Section(key="a", title="A", findings=(finding("warning", "lr matters"),)))
    for told_of in (analysis_text(analysis), analysis_markdown(analysis), analysis_html(analysis, {})):
        assert "lr matters." in told_of and "Lr" not in told_of


def test_what_an_earlier_analysis_left_goes_and_what_others_put_there_stays(tmp_path):
    write_analysis(ordinary(), tmp_path)
    foreign = [tmp_path / "contour_data_mine.csv", tmp_path / "figures" / "mine.png", tmp_path / "notes.txt"]
    for path in foreign:
        path.write_text("mine")
    first = ordinary()
    fewer = replace(first, sections=first.sections[:3])
    written = write_analysis(fewer, tmp_path)
    assert files_in(tmp_path) == {str(p.relative_to(tmp_path)) for p in [*written, *foreign]}
    assert not (tmp_path / "figures" / "contour_lr_vs_batch_size.html").exists()


@pytest.mark.parametrize("listed", ["../precious.csv", "/precious.csv", "notes.txt", 7, "figures/../precious.csv"])
def test_a_list_of_files_that_was_tampered_with_removes_nothing_of_others(tmp_path, listed):
    folder = tmp_path / "analysis"
    folder.mkdir()
    for path in (tmp_path / "precious.csv", folder / "precious.csv", folder / "notes.txt"):
        path.write_text("mine")
    (folder / "analysis.json").write_text(json.dumps({"kind": "analysis", "files": [listed]}))
    write_analysis(empty(), folder)
    assert (tmp_path / "precious.csv").exists() and (folder / "precious.csv").exists()
    assert (folder / "notes.txt").exists()


def test_the_table_that_was_analysed_is_never_written_over(tmp_path):
    source = tmp_path / "trials_full.csv"
    source.write_text("mine")
    analysis = ordinary()
    table = replace(analysis.view.table, source=str(source))
    with pytest.raises(SurefootError, match=r"trials_full\.csv, which is the file that was analysed"):
        write_analysis(replace(analysis, view=replace(analysis.view, table=table)), tmp_path)
    assert source.read_text() == "mine" and files_in(tmp_path) == {"trials_full.csv"}


@pytest.mark.parametrize("odd", ["", NASTY, "x" * 3000, "\x7f\x85\u2028\ufeff", "yes", "- #"])
def test_the_ranges_are_yaml_whatever_the_names_and_say_what_was_tried(odd):
    analysis = told(24, odd=odd)
    table = analysis.view.table
    found = YAML(typ="safe").load(empirical_ranges(table))
    assert list(found) == [p.key for p in table.space.parameters]
    rates = [t.settings[f"lr{odd}"] for t in table.trials]
    complete = rates[:24]
    of_lr = found[f"lr{odd}"]
    assert (of_lr["low"], of_lr["high"], of_lr["n"]) == (min(complete), max(complete), 24)
    assert of_lr["started"] == {"low": min(rates), "high": max(rates), "choices": None, "n": len(rates)}
    assert of_lr["type"] == "float" and of_lr["log"] is True and of_lr["choices"] is None
    assert found[f"encoder{odd}"]["choices"] == ["cnn", f"context{odd}"]
    assert found[f"batch_size{odd}"]["choices"] == [8, 16, 32, 64]
    assert found[table.space.parameters[3].key]["condition"] == table.space.parameters[3].condition


def test_a_reader_of_yaml_one_point_one_takes_numbers_for_numbers():
    yaml = pytest.importorskip("yaml")
    for value in (1e-5, 1e22, 0.1, 3, True, None, "1e-5", "no", "😀", float("inf"), (1.5, "a")):
        assert yaml.safe_load(scalar(value)) == (list(value) if isinstance(value, tuple) else value)


def test_the_ranges_of_nothing_tried_say_so():
    found = YAML(typ="safe").load(empirical_ranges(empty().view.table))
    assert found["lr"]["n"] == 0 and found["lr"]["low"] is None
    bare = TrialTable(name="a", source="a", metric=ACCURACY, space=SearchSpace(parameters=()), trials=())
    assert YAML(typ="safe").load(empirical_ranges(bare)) == {}


def test_a_level_that_never_came_is_no_choice_that_was_tried():
    space = SearchSpace(parameters=(choice("norm", "none", "batch", "layer"), real("lr", 0.0, 1.0)))
    trials = tuple(
        Trial(name=str(i), state=state, settings={"norm": norm, "lr": 0.5}, value=1.0 if state == "COMPLETE" else None)
        for i, (norm, state) in enumerate((("batch", "COMPLETE"), ("none", "FAILED")))
    )
    table = TrialTable(name="a", source="a", metric=ACCURACY, space=space, trials=trials)
    found = YAML(typ="safe").load(empirical_ranges(view_of(table).table))["norm"]
    assert found["choices"] == ["batch"] and found["started"]["choices"] == ["none", "batch"]


def test_a_name_becomes_a_file_name_and_different_names_different_ones():
    assert file_name("contour_data_lr_vs_batch_size") == "contour_data_lr_vs_batch_size"
    assert file_name("depth[encoder=cnn]") == "depth_encoder=cnn"
    assert len({file_name(name) for name in ("contour_a_b_vs_x", "contour_a[b]_vs_x", "contour_a[b_vs_x")}) == 3
    odd = ["a/b", "a b", "a:b", "../a", "..", "", "😀", "🎉", "x" * 300, "x" * 301, "a\nb", "a\x00b", "Ünïcode/"]
    names = [file_name(name) for name in odd]
    assert len(set(names)) == len(odd)
    for name in names:
        assert 0 < len(name.encode()) <= 96 and not set(name) & set('/\\:*?"<>|\n\x00 ') and not name.startswith(".")


def test_a_long_name_keeps_its_two_ends():
    assert both_ends("short") == "short"
    assert both_ends("a" * 50 + "end").endswith("end") and len(both_ends("a" * 50 + "end")) == 30


def test_how_the_trials_were_read_is_told_once():
    analysis = ordinary()
    notices = analysis.view.table.notices
    first = replace(analysis.sections[0], note=" ".join(notices))
    again = replace(analysis, sections=(first, *analysis.sections[1:]))
    assert analysis_html(again, {}).count(notices[1]) == 1
    assert analysis_markdown(again).count(notices[1]) == 1
