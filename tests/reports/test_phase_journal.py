"""The journal and its JSON tell the phases where there are any, and nothing of them where there are none."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import phase_stories as cases
import pytest
from stories import crowded_story, empty_story, full_story, started_story

from surefoot.diagnosis.symptom import diagnosis_from
from surefoot.reports.as_json import journal_json
from surefoot.reports.figures import NoFigure
from surefoot.reports.journal import journal_markdown
from surefoot.reports.phases_figures import LedgerFigure, confusion_figure, outcome_of, phase_figures
from surefoot.reports.phases_journal import phase_blocks
from surefoot.reports.report_markdown import report_markdown
from surefoot.reports.write import write_report

WITHOUT = (full_story, started_story, empty_story, crowded_story)


def told(story):
    return " ".join("\n".join(phase_blocks(story)).split())


@pytest.mark.parametrize("make", WITHOUT)
def test_a_study_without_phases_is_told_as_ever(make):
    assert phase_blocks(make()) == [] and phase_figures(make()) == {}
    assert "phases" not in journal_json(make()) and "## Phases" not in journal_markdown(make())


@pytest.mark.parametrize("name", cases.ALL)
def test_every_reached_gate_is_counted_and_whatever_is_no_plain_yes_is_spelled_out(name):
    story = cases.ALL[name]()
    page = told(story)
    for gate in story.phases.gates:
        for check in gate.checks:
            if check.state in ("blocked", "overridden", "noted"):
                assert check.predicate in page and " ".join(check.evidence.split()).rstrip(".") in page
    where = "at its end" if story.phases.phase == "done" else f"in its phase {story.phases.phase}"
    assert f"The study is {where}" in page


def test_a_shut_gate_and_an_override_are_said_where_the_study_stands():
    assert "The gate of baseline is shut." in told(cases.blocked())
    assert "1 predicate of its gates passed only because a person overrode it." in told(cases.overridden())
    assert "overrode" not in told(cases.ended())


def test_rounds_ledger_decision_and_end_are_told_with_their_numbers():
    page = told(cases.ended())
    for said in (
        "Put to the test: R1 (dropout 0.4) and R2 (weight_decay 0.0005).",
        "Not tried: R3 (augmentation), the workload has no setting crop",
        "promised +3 to +5 pp, got +1.14 ± 0.25 pp",
        "Decision: accept the ceiling and finalise.",
        "The sealed test split was opened once, 2026-01-04 11:00 UTC.",
        "test 92.22 ± 0.51 % over 3 seeds",
    ):
        assert said in page


def test_a_decision_without_a_round_is_told_too():
    story = cases.before_diagnosis()
    page = told(replace(story, phases=replace(story.phases, decision=cases.CEILING)))
    assert page.endswith("Decision: accept the ceiling and finalise. Two rounds in a row gained under 2 pp.")


def test_the_journal_and_the_report_hold_the_same_section():
    from surefoot.reports.pictures import Picture

    story = cases.ended()
    names = ("path", "forest", "noise", "cost", "curves-1", "curves-2", "ledger", "confusion")
    pictures = {name: Picture(name=name, title="", caption="left out") for name in names}
    section = "\n\n".join(phase_blocks(story))
    assert section in journal_markdown(story) and section in report_markdown(story, pictures)


@pytest.mark.parametrize("name", cases.ALL)
def test_the_json_is_strict_and_has_the_promised_keys(name):
    document = journal_json(cases.ALL[name]())
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(document["phases"]) >= {"phase", "gates", "diagnosis", "rounds", "ledger", "decision", "final"}


def test_the_json_holds_the_values_in_full():
    story = cases.overridden()
    found = journal_json(story)["phases"]
    assert [(g["phase"], g["is_open"]) for g in found["gates"]] == [(g.phase, g.is_open) for g in story.phases.gates]
    assert found["gates"][1]["checks"][1]["override"] == cases.OVERRIDE
    assert found["ledger"][0]["got"] == story.phases.ledger[0].got
    assert found["final"]["test"] == {"val_accuracy": list(cases.TESTED)}
    assert found["final"]["confusion"] == [list(row) for row in cases.CONFUSION]
    assert [run["id"] for run in found["final"]["runs"]] == [901, 902, 903]
    assert diagnosis_from(found["diagnosis"]) == story.phases.diagnosis


def test_a_gain_that_is_no_number_is_a_word_in_json():
    story = cases.after_round()
    row = replace(story.phases.ledger[0], got=math.nan)
    found = journal_json(replace(story, phases=replace(story.phases, ledger=(row,))))
    assert found["phases"]["ledger"][0]["got"] == "NaN"


def test_the_ledgers_figure_holds_the_ledgers_own_numbers():
    story = cases.ended()
    figure = phase_figures(story)["ledger"]
    assert isinstance(figure, LedgerFigure)
    for row, drawn in zip(story.phases.ledger, figure.rows, strict=True):
        assert (drawn.promised, drawn.got, drawn.interval, drawn.n) == (row.promised, row.got, row.interval, row.n)
    assert figure.title == "Of 2 measured promises: 2 less than promised"


@pytest.mark.parametrize(
    ("interval", "outcome"),
    [
        (None, "open"),
        ((0.2, 0.9), "less than promised"),
        ((-0.9, -0.2), "harm"),
        ((1.1, 1.9), "as promised"),
        ((2.1, 2.9), "more than promised"),
        ((0.5, 2.5), "may be as promised"),
        ((-0.5, 1.5), "not shown"),
    ],
)
def test_the_interval_says_what_became_of_a_promise(interval, outcome):
    assert outcome_of((1.0, 2.0), interval) == outcome


def test_a_confusion_matrix_too_large_to_read_is_a_sentence():
    n = 41
    final = cases.final_of(confusion=tuple(tuple(int(i == j) for j in range(n)) for i in range(n)))
    figure = confusion_figure(final)
    assert isinstance(figure, NoFigure) and figure.sentence.startswith("The confusion matrix of 41 classes is too")


def test_the_report_folder_gets_the_figures_of_the_phases_and_loses_them_again(tmp_path):
    bare = {"experiments": (), "path": (), "baseline": None, "noise": {}}
    write_report(replace(cases.ended(), **bare), tmp_path)
    assert {p.name for p in tmp_path.rglob("*.png")} == {"ledger.png", "confusion.png"}
    write_report(replace(cases.before_diagnosis(), **bare), tmp_path)
    assert not list(tmp_path.rglob("*.png"))
