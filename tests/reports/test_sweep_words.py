"""What a sweep's report says of luck, failures, levels and the time left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sweep_stories import LUCKY, STEADY, all_failed, exploring_sweep, front_sweep, full_sweep, scientific_sweep

from surefoot.reports.space_words import parameter_words, space_sentence
from surefoot.reports.sweep_json import sweep_json
from surefoot.reports.sweep_sentences import (
    chosen_sentences,
    counts_sentence,
    failures_of,
    go_on,
    outcome_text,
    standing_sentence,
    survival_text,
    time_sentence,
    trials_text,
)
from surefoot.reports.sweep_tables import cost_table, levels_table, short, space_table, standings_table, trials_table
from surefoot.space import boolean, choice, integer, real
from surefoot.sweep import Expectation


def told(story):
    return " ".join(chosen_sentences(story))


def test_a_value_that_was_searched_for_is_never_told_without_its_caution():
    said = standing_sentence(exploring_sweep())
    assert "the best by exploring is trial 13, val_accuracy 92.41 % (one seed, so luck is part of it)" in said
    several = replace(exploring_sweep().trials[LUCKY], seeds=3)
    story = exploring_sweep()
    trials = tuple(several if t.number == LUCKY else t for t in story.trials)
    assert "(the mean of 3 seeds that chose it, so luck is part of it)" in standing_sentence(
        replace(story, trials=trials)
    )


def test_the_choice_is_told_with_interval_luck_base_ties_and_target():
    said = told(full_sweep())
    assert f"Trial {STEADY} is chosen from 4 that raced on fresh seeds" in said
    assert (
        "val_accuracy 91.19 % (95 % interval 90.78 … 91.60) over 5 fresh seeds that had no part in choosing it" in said
    )
    assert (
        "The sweep's best value was 92.41 % (trial 13); of its lead of 3.50 pp over the base, 1.22 pp was luck" in said
    )
    assert "that config does not survive fresh seeds" in said
    assert "Against the base, over the same seeds, that is +2.28 pp (95 % interval +1.52 … +3.03)" in said
    assert "it is 2.81 pp short of the target of 94 %" in said


def test_without_a_base_the_luck_is_told_of_the_value_itself():
    assert "92.41 % (trial 13), of which 1.22 pp was luck" in told(full_sweep(base=False))


def test_a_best_that_was_not_flattered_is_told_so():
    story = full_sweep(base=False)
    chosen = replace(story.chosen, luck=-0.3, survives=True)
    assert "which flattered nothing" in told(replace(story, chosen=chosen))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "trial 13 does not survive fresh seeds"),
        ({"survives": True}, "trial 13 survives: the race could not tell it apart from trial 4"),
        ({"survives": True, "explored_number": STEADY}, "trial 4 survives: it is the chosen one"),
        ({"estimate": None}, "whether trial 13 survives is not known yet"),
    ],
)
def test_whether_the_best_survives_is_said_in_words(changes, said):
    assert survival_text(replace(full_sweep().chosen, **changes)) == said


def test_a_race_that_goes_on_says_so_far_and_one_that_the_budget_ended_says_that():
    chosen = replace(full_sweep().chosen, is_complete=False)
    assert "is chosen so far" in told(replace(full_sweep(), chosen=chosen, phase="confirming"))
    assert "The budget ended before every seed that was planned." in told(replace(full_sweep(), chosen=chosen))


def test_a_sweep_without_fresh_seeds_says_why():
    sweep = replace(full_sweep().sweep, confirmation=None)
    bare = replace(full_sweep(), sweep=sweep, chosen=None, fresh=())
    assert told(bare).startswith("Nothing is confirmed: the sweep asks for no fresh seeds")
    assert "a front of several objectives is not put to fresh seeds" in told(front_sweep())
    assert told(all_failed()) == "No trial has a value, so there is nothing to choose."
    assert told(exploring_sweep()) == ""


def test_runs_that_came_to_nothing_are_counted():
    assert "2 runs came to nothing and were tried again" in counts_sentence(exploring_sweep())
    assert "again" not in counts_sentence(full_sweep())


def test_reasons_that_differ_in_a_detail_are_one_and_exit_codes_are_not():
    groups = failures_of(
        [
            (1, "FAILED", "exit code 1; last words: ValueError: bad shape (3, 4)"),
            (2, "FAILED", "exit code 1; last words: ValueError: bad shape (5, 9)"),
            (3, "FAILED", "exit code 2; last words: ValueError: bad shape (5, 9)"),
            (4, "INFEASIBLE", "the loss was nan at step 12"),
            (5, "INFEASIBLE", "the loss was nan at step 90"),
            (6, "INFEASIBLE", "the loss was nan at step 91"),
            (7, "COMPLETE", ""),
        ]
    )
    assert [g.trials for g in groups] == [(4, 5, 6), (1, 2), (3,)]
    assert groups[0].reason == "the loss was nan at step 12 (and alike)"
    assert groups[2].reason == "exit code 2; last words: ValueError: bad shape (5, 9)"


def test_each_scientific_setting_is_told_by_the_best_of_as_many_trials():
    story = scientific_sweep()
    found = levels_table(story)
    assert [row[:2] for row in found.rows] == [("none", "7"), ("batch", "7"), ("layer", "7")]
    for row in found.rows:
        group = [t for t in story.trials if t.settings["norm"] == row[0]][:7]
        best = max((t for t in group if t.values), key=lambda t: t.values[0])
        assert row[2] == f"trial {best.number}"
    assert levels_table(full_sweep()).rows == ()


def test_the_race_is_a_table_with_the_luck_of_each_config():
    table = standings_table(full_sweep())
    rows = {row[0]: row for row in table.rows}
    assert rows["trial 4"][-1] == "chosen" and rows["trial 4"][-2] == "91.19 (5)"
    assert rows[f"trial {LUCKY}"][5] == "+2.44"
    assert rows["base"][1] == "–"
    assert any("dropped after 2 seeds" in row[-1] for row in table.rows)


def test_an_outcome_reads_as_words():
    standing = replace(full_sweep().chosen.standings[1], state="tied with 4, dropped after 1")
    assert outcome_text(standing) == "tied with trial 4, dropped after 1 seed"


def test_the_trials_of_a_table_are_rounded_alike_and_a_setting_that_does_not_exist_is_a_dash():
    table = trials_table(full_sweep())
    assert {len(row[1].split(".")[1]) for row in table.rows} == {2}
    adam = next(row for row in table.rows if "adam" in row)
    assert adam[table.headers.index("momentum")] == "–"
    assert short(0.00539504) == "0.005395" and short(7) == "7" and short(True) == "true"


def test_the_space_tells_where_the_chosen_config_lies():
    table = space_table(full_sweep())
    rows = {row[0]: row for row in table.rows}
    assert table.headers == ("parameter", "chosen", "searched")
    assert rows["momentum"][2] == "0 to 0.99; when optimizer is sgd"
    assert "role" in space_table(scientific_sweep()).headers


def test_a_sweep_in_which_all_was_stopped_early_says_so():
    story = all_failed()
    trials = tuple(replace(t, state="PRUNED", reason="number 3 of 3 at step 9") for t in story.trials)
    story = replace(story, trials=trials)
    assert told(story).startswith("No trial went to its end: all 5 trials stopped early, so there is nothing to choose")
    assert "with a larger budget" in go_on(story)[1]


def test_costs_add_up():
    rows = cost_table(full_sweep()).rows
    assert rows[0][:3] == ("exploring", "24", "24")
    assert rows[1][:3] == ("fresh seeds", "5", "28")


def test_the_time_left_is_told_while_there_is_any():
    assert time_sentence(exploring_sweep()).endswith("about 7.0 minutes of training to go")
    assert "to go" not in time_sentence(full_sweep())


def test_the_command_to_go_on_depends_on_where_the_sweep_stands():
    assert go_on(exploring_sweep()) == (
        "surefoot sweep net.yaml --home here",
        "goes on where the sweep stands; nothing that is finished is trained again",
    )
    assert "with a larger budget" in go_on(full_sweep())[1]
    assert "once what failed is mended" in go_on(all_failed())[1]
    spaced = full_sweep(path="my sweep.yaml")
    assert go_on(spaced)[0] == "surefoot sweep 'my sweep.yaml' --home here"


def test_many_trials_are_listed_by_a_few():
    assert trials_text([3]) == "trial 3"
    assert trials_text([1, 2]) == "trials 1 and 2"
    assert trials_text(range(9), 4) == "trials 0, 1, 2, 3 and 5 more"


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (real("lr", 1e-4, 0.1, log=True), "0.0001 to 0.1, log"),
        (integer("layers", 1, 9, step=2), "1 to 9, in steps of 2"),
        (choice("norm", "none", "batch"), "one of none, batch"),
        (choice("norm", "none"), "always none"),
        (choice("n", *range(20)), "one of 0, 1, 2, 3, 4, 5, 6, 7 and 12 more"),
        (boolean("deep"), "true or false"),
    ],
)
def test_a_parameter_is_told_in_words(parameter, said):
    assert parameter_words(parameter) == said


def test_a_space_is_one_sentence():
    assert space_sentence(full_sweep().sweep.space).startswith("lr (0.0001 to 0.1, log), optimizer (one of adam, sgd)")


def expecting(low, high, against=None, **changes):
    sweep = replace(full_sweep().sweep, expectation=Expectation(low=low, high=high, against=against))
    return replace(full_sweep(), sweep=sweep, **changes)


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [(90.5, 91.5, "SUPPORTED"), (92.0, 93.0, "REFUTED"), (85.0, 86.0, "REFUTED"), (91.05, 91.06, "INCONCLUSIVE")],
)
def test_what_was_expected_is_answered_by_the_fresh_seeds(low, high, answer):
    story = expecting(low, high)
    assert f"was expected to come to {low:g}" in told(story) or answer == "INCONCLUSIVE"
    assert f": {answer}." in told(story)
    is_met = {"SUPPORTED": True, "REFUTED": False, "INCONCLUSIVE": None}[answer]
    assert sweep_json(story)["expectation"]["is_met"] is is_met


def test_what_was_to_be_beaten_is_told_by_the_interval():
    assert "It beats the 88" in told(expecting(90, 92, against=88.0))
    assert "It falls behind the 95" in told(expecting(90, 92, against=95.0))
    assert "It cannot be told apart from the 91" in told(expecting(90, 92, against=full_sweep().chosen.estimate))


def test_an_expectation_is_open_until_the_race_is_over():
    story = expecting(90, 92)
    racing = replace(story, chosen=replace(story.chosen, is_complete=False))
    assert "whether it does is not known yet" in told(racing)
    assert sweep_json(full_sweep())["expectation"] is None
