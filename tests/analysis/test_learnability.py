"""Whether anything was learnt: against trivial predictors and the best of n by luck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis_cases import arc_table, microbead_table, rows_of, table
from surefoot.analysis.learnability import learnability, learnability_section
from surefoot.analysis.noise import noise_floor
from surefoot.analysis.view import view_of
from surefoot.run import Metric
from surefoot.trials import Trivial

MAJORITY = Trivial(name="majority", value=21 / 73)


def finding(section, rule):
    return next(f for f in section.findings if f.rule == rule)


def arc(**others):
    return view_of(replace(arc_table(), **{"trivial": (MAJORITY,), "evaluated_on": 73, **others}))


def accuracies(hits, examples, goal="maximize", unit="", **settings):
    """A table of accuracies (or errors) over so many examples."""
    scale = 100.0 if unit == "%" else 1.0
    name = "val_accuracy" if goal == "maximize" else "val_error"
    settings = settings or {"lr": [0.01 * i for i in range(len(hits))]}
    made = table(rows_of([scale * h / examples for h in hits], name, **settings), name, goal, evaluated_on=examples)
    return replace(made, metric=Metric(name=name, goal=goal, unit=unit))


def test_the_best_of_the_arc_sweep_is_within_luck():
    section = learnability_section(arc(), None)
    found = finding(section, "learnability.luck")
    assert found.severity == "critical"
    assert "nothing is shown to have been learnt" in found.sentence
    assert "0.397 (29 right of 73, 95 %: 0.293 to 0.512" in found.sentence
    assert "0.389 by luck alone (5 to 95 %: 0.342 to 0.438)" in found.sentence
    assert found.evidence["single_p"] == pytest.approx(0.029, abs=5e-4)
    assert found.evidence["p"] == pytest.approx(0.4428, abs=5e-4)
    assert found.evidence["right"] == pytest.approx(29)
    assert "one config" in found.advice


def test_twelve_of_twenty_arc_trials_are_no_better_than_the_majority_and_all_context_trials_exactly_it():
    section = learnability_section(arc(), None)
    share = finding(section, "learnability.baseline")
    assert (share.evidence["no_better"], share.evidence["n"]) == (12, 20)
    level = finding(section, "learnability.level")
    assert level.sentence.startswith("All 5 trials with encoder_type context are exactly as good as majority")
    assert level.evidence["p"] == pytest.approx(792 / 15504)


def test_values_that_are_no_whole_counts_are_noticed_where_no_parts_explain_them():
    bare = arc_table()
    trials = tuple(replace(t, measured={}) for t in bare.trials)
    section = learnability_section(arc(trials=trials), None)
    assert finding(section, "learnability.not_whole").evidence["not_whole"] == 14
    assert finding(section, "learnability.luck").severity == "critical"


def test_a_net_that_learns_is_beyond_luck():
    rng = np.random.default_rng(0)
    given = replace(
        accuracies(rng.integers(8000, 9200, 50), 10_000, unit="%"),
        trivial=(Trivial(name="majority class", value=10.0),),
    )
    section = learnability_section(view_of(given), None)
    found = finding(section, "learnability.luck")
    assert found.severity == "info"
    assert found.sentence.endswith("that is more than luck explains.")
    assert finding(section, "learnability.baseline").evidence["no_better"] == 0


def test_guesses_are_called_learning_in_at_most_5_of_100():
    rng, called = np.random.default_rng(4), 0
    for _ in range(200):
        given = replace(accuracies(rng.binomial(60, 0.3, 15), 60), trivial=(Trivial(name="m", value=0.3),))
        called += not learnability(view_of(given), None).luck.is_within
    assert called / 200 <= 0.096


def test_an_error_rate_is_an_accuracy_turned_round():
    hits = [20, 25, 31, 22]
    right = replace(accuracies(hits, 73), trivial=(Trivial(name="m", value=21 / 73),))
    wrong = replace(
        accuracies([73 - h for h in hits], 73, goal="minimize"), trivial=(Trivial(name="m", value=52 / 73),)
    )
    one, other = (learnability(view_of(t), None) for t in (right, wrong))
    assert one.luck.p == pytest.approx(other.luck.p)
    assert one.luck.expected == pytest.approx(1 - other.luck.expected)
    assert one.luck.interval == pytest.approx([1 - end for end in reversed(other.luck.interval)])
    assert one.shares[0].no_better == other.shares[0].no_better == 1


def test_the_best_trivial_predictor_is_what_luck_starts_from():
    given = replace(
        accuracies([30, 40], 73), trivial=(Trivial(name="chance", value=0.11), Trivial(name="majority", value=0.29))
    )
    found = learnability(view_of(given), None)
    assert found.reference.name == "majority"
    assert [s.no_better for s in found.shares] == [0, 0]


def test_without_examples_luck_is_judged_by_the_noise_floor():
    beads = replace(microbead_table(), trivial=(Trivial(name="all foreground", value=0.1453),))
    given = view_of(beads)
    luck = learnability(given, noise_floor(given)).luck
    assert luck.by == "noise"
    # One pair of repeats knows the noise so poorly that even the winner is not beyond it.
    assert luck.is_within
    assert luck.single_p == pytest.approx(0.05, abs=0.005)


def test_without_examples_and_repeats_it_is_said_what_to_give():
    beads = replace(microbead_table(), trivial=(Trivial(name="all foreground", value=0.1453),))
    found = finding(learnability_section(view_of(beads), None), "learnability.luck")
    assert "cannot be said" in found.sentence and "--evaluated-on" in found.sentence
    assert finding(learnability_section(view_of(beads), None), "learnability.baseline").evidence["no_better"] == 14


def test_a_loss_between_0_and_1_is_no_share_of_examples():
    made = table(
        rows_of([0.31, 0.42, 0.55], lr=[0.1, 0.2, 0.3]), evaluated_on=73, trivial=(Trivial(name="c", value=0.5),)
    )
    assert learnability(view_of(made), None).luck is None


def test_without_a_trivial_predictor_it_is_said_how_to_give_one():
    section = learnability_section(view_of(arc_table()), None)
    assert section.not_applicable.startswith("because nothing says what val_acc")
    assert "--trivial majority=0.288 --evaluated-on 73" in section.not_applicable


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_trials_break_nothing(n):
    given = replace(accuracies([21] * n, 73), trivial=(MAJORITY,)) if n else replace(table([]), trivial=(MAJORITY,))
    section = learnability_section(view_of(given), None)
    if n == 0:
        assert section.not_applicable == "because no trial finished."
    else:
        assert finding(section, "learnability.baseline").severity == "critical"
        assert finding(section, "learnability.luck").severity == "critical"
