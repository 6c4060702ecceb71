"""The trials of a table: states, values, hours, what is missing and what is there twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis_cases import arc_rows, arc_table, inferred, microbead_table, rows_of, table
from surefoot.analysis.summary import missing_trials, summary, summary_section
from surefoot.analysis.view import view_of
from surefoot.trials import Trial, Trivial


def finding(section, rule):
    return next(f for f in section.findings if f.rule == rule)


def rules(section):
    return [f.rule for f in section.findings]


def sheet(section, name):
    return next(s for s in section.sheets if s.name == name)


def trial(name, state="COMPLETE", value=None, settings=None, **others):
    return Trial(name=str(name), state=state, settings=settings or {"lr": 0.1 * float(name)}, value=value, **others)


def test_the_arc_sweep_has_the_figures_of_its_rows():
    found = summary(view_of(arc_table())).values
    assert (found.n, found.best.value, found.worst.value) == (20, 0.3625, 0.1640625)
    assert found.mean == pytest.approx(0.26255, abs=5e-6)
    assert found.sd == pytest.approx(0.0471, abs=5e-5)


def test_the_numbers_of_the_arc_trials_say_that_at_least_8_are_missing():
    arc = arc_table()
    named = [replace(t, name=str(row["trial_number"])) for t, row in zip(arc.trials, arc_rows(), strict=True)]
    found = finding(summary_section(view_of(replace(arc, trials=tuple(named)))), "trials.missing")
    assert found.severity == "warning"
    assert found.evidence["missing"] == 8
    assert "at least 8 trials are missing here; what is analysed are the survivors" in found.sentence


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["0", "1", "2"], None),
        (["1", "2", "3"], None),
        (["1", "2", "4"], 1),
        (["run-0", "run-3"], 2),
        (["a1", "b5"], None),
        (["20250926", "20250927"], None),
        (["3", "3", "9"], None),
        (["best", "1"], None),
        ([], None),
    ],
)
def test_only_counted_names_tell_of_missing_trials(names, missing):
    found = missing_trials(names)
    assert (found.missing if found else None) == missing


def test_every_state_has_its_number_and_failures_their_reasons():
    trials = [
        trial(0, value=0.5, seconds=3600.0),
        trial(1, value=0.7, seconds=1800.0),
        trial(2, "PRUNED", last=(3.0, 0.9), seconds=600.0),
        trial(3, "FAILED", reason="out of memory."),
        trial(4, "FAILED", reason="out of memory"),
        trial(5, "INFEASIBLE", reason="the loss became NaN"),
        trial(6, "RUNNING"),
    ]
    section = summary_section(view_of(table(trials, space=inferred([t.settings for t in trials]))))
    states = finding(section, "trials.states")
    assert states.sentence == "7 trials: 2 complete, 1 pruned, 2 failed, 1 infeasible and 1 running."
    assert (
        finding(section, "trials.failures").sentence
    ) == "3 trials gave no value: out of memory (2 trials: 3, 4); the loss became NaN (1 trial: 5)."
    hours = finding(section, "trials.hours")
    assert hours.evidence["hours"] == pytest.approx(6000 / 3600)
    assert hours.evidence["hours_by_state"] == {"complete": 1.5, "pruned": pytest.approx(1 / 6)}
    assert "(3 of 7 say so)" in hours.sentence


def test_a_setting_under_which_every_trial_failed_is_named():
    settings = [{"bs": bs, "lr": 0.1 * i} for i, bs in enumerate([4, 8, 16, 16, 16])]
    trials = [
        trial(i, "FAILED" if s["bs"] == 16 else "COMPLETE", None if s["bs"] == 16 else 0.1 * i, s)
        for i, s in enumerate(settings)
    ]
    section = summary_section(view_of(table(trials, space=inferred(settings))))
    found = [f for f in section.findings if f.rule == "trials.failing_level"]
    assert [(f.subject, f.evidence["level"], f.evidence["n"]) for f in found] == [("bs", 16, 3)]


def test_hours_that_nobody_wrote_down_are_said_to_be_unknown():
    section = summary_section(view_of(microbead_table()))
    assert finding(section, "trials.hours").sentence == "The source does not say how long trials took."
    assert not any("unknown" in f.sentence for f in section.findings)


def test_trials_proposed_blindly_are_reported_apart():
    origins = ["random", "random", "tpe", "tpe", "tpe"]
    trials = [
        trial(i, value=v, origin=o) for i, (v, o) in enumerate(zip([5.0, 3.0, 2.0, 1.0, 3.0], origins, strict=True))
    ]
    section = summary_section(view_of(table(trials, space=inferred([t.settings for t in trials]))))
    found = finding(section, "trials.origins").evidence
    assert (found["blind_n"], found["blind_mean"], found["blind_best"]) == (2, 4.0, 3.0)
    assert (found["chosen_n"], found["chosen_mean"], found["chosen_best"]) == (3, 2.0, 1.0)
    assert [row[0] for row in sheet(section, "origins").rows] == ["random", "tpe"]


def test_copied_rows_are_named():
    section = summary_section(view_of(table(rows_of([1.0, 2.0, 1.0], lr=[0.1, 0.2, 0.1]))))
    found = finding(section, "trials.copies")
    assert found.severity == "warning"
    assert found.evidence["groups"] == [["0", "2"]]


def test_values_that_are_all_equal_are_critical():
    section = summary_section(view_of(table(rows_of([0.5] * 4, lr=[0.1, 0.2, 0.3, 0.4]))))
    assert finding(section, "trials.all_equal").severity == "critical"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_trials_are_summed_up(n):
    trials = [trial(i, value=float(i)) for i in range(n)] + [trial(n, "PRUNED")]
    section = summary_section(view_of(table(trials, space=inferred([{"lr": 0.0}, {"lr": 1.0}]))))
    assert finding(section, "trials.states").severity == ("info" if n else "critical")
    assert ("trials.values" in rules(section)) == (n > 0)
    assert len(section.figures) == (n > 0)


def test_every_trial_stands_in_the_file_with_all_that_is_known_of_it():
    trials = [
        trial(0, value=0.5, settings={"lr": 0.1, "state": "warm"}, measured={"lr": 9.0}, budget={"epochs": 3.0}),
        trial(1, "PRUNED", settings={"lr": 0.2, "state": "cold"}, last=(2.0, 0.8), reason="median", started_at="2026"),
    ]
    made = table(trials, space=inferred([t.settings for t in trials]))
    full = sheet(summary_section(view_of(made)), "trials_full")
    assert not full.is_shown
    assert full.headers[:6] == ("trial", "state", "loss", "lr", "state (setting)", "lr (measured)")
    assert len(set(full.headers)) == len(full.headers)
    first, second = (dict(zip(full.headers, row, strict=True)) for row in full.rows)
    assert (first["lr"], first["lr (measured)"], first["epochs"], first["last_value"]) == (0.1, 9.0, 3.0, None)
    assert (second["last_step"], second["last_value"], second["reason"]) == (2.0, 0.8, "median")


def test_the_figure_has_every_value_from_the_best_on_and_the_baselines_as_lines():
    arc = replace(arc_table(), trivial=(Trivial(name="majority", value=0.288),))
    panel = summary_section(view_of(arc)).figures[0].panels[0]
    rest, best = panel.points
    assert best.y == (0.3625,)
    assert list(rest.y) == sorted(rest.y, reverse=True)
    assert len(rest.y) + len(best.y) == 20
    assert panel.levels == (("majority", 0.288),)


def test_the_best_and_worst_are_shown_with_what_varies():
    rows = rows_of([float(i) for i in range(20)], lr=[0.1 * i for i in range(20)], norm=["batch"] * 20)
    shown = sheet(summary_section(view_of(table(rows))), "best_and_worst")
    assert [row[0] for row in shown.rows] == [1, 2, 3, 4, 5, 18, 19, 20]
    assert shown.rows[0] == (1, "0", 0.0, "lr 0")
