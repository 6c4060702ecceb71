"""The noise floor of a table of trials, its ties and the best one's luck."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis_cases import arc_table, inferred, microbead_table, rows_of, table, view
from surefoot.analysis.noise import config_codes, copies_of, noise_floor, noise_section
from surefoot.analysis.view import view_of
from surefoot.trials import Trial


def finding(section, rule):
    return next(f for f in section.findings if f.rule == rule)


def with_seeds(rows, space=None):
    """A table of trials with the settings and values over seeds of each row."""
    trials = [
        Trial(name=str(i), state="COMPLETE", settings=settings, value=float(np.mean(values)), per_seed=tuple(values))
        for i, (settings, values) in enumerate(rows)
    ]
    return view_of(table(trials, space=space or inferred([s for s, _ in rows])))


def test_the_duplicate_of_the_microbead_search_makes_ranks_2_to_9_one_tie():
    noise = noise_floor(view_of(microbead_table()))
    assert noise.sd == pytest.approx(0.0030, abs=5e-5)
    assert noise.sd == pytest.approx((0.124896 - 0.120709) / math.sqrt(2), abs=1e-6)
    assert (noise.df, noise.source) == (1, "1 config tried more than once")
    assert [(tie.first, tie.last) for tie in noise.ties] == [(2, 9), (10, 11), (12, 15)]


def test_one_pair_of_repeats_is_said_to_know_little():
    given = view_of(microbead_table())
    section = noise_section(given, noise_floor(given))
    floor = finding(section, "noise.floor")
    assert floor.severity == "warning"
    assert "1 degree of freedom" in floor.sentence and "hardly known" in floor.sentence
    low, high = (floor.evidence["sd"] * math.sqrt(1 / stats.chi2.ppf(p, 1)) for p in (0.975, 0.025))
    assert (floor.evidence["low"], floor.evidence["high"]) == pytest.approx((low, high))
    rivals = finding(section, "noise.rivals")
    assert rivals.evidence["rivals"] == 10
    assert "not shown to be worse" in rivals.sentence


def test_without_repeats_nothing_is_guessed_and_what_it_would_take_is_said():
    given = view_of(arc_table())
    assert noise_floor(given) is None
    said = noise_section(given, None).not_applicable
    assert said.startswith("because no config was trained twice")
    assert "the best config (trial 18) and a middle one (trial 11) 3 times each" in said


def test_seeds_of_a_trial_give_the_noise_of_a_value_and_of_a_training():
    rng = np.random.default_rng(3)
    rows = [({"lr": 0.1 * i}, list(rng.normal(i, 2.0, 4))) for i in range(40)]
    noise = noise_floor(with_seeds(rows))
    pooled = math.sqrt(np.mean([np.var(values, ddof=1) for _, values in rows]))
    assert noise.run_sd == pytest.approx(pooled)
    assert noise.sd == pytest.approx(pooled / 2)
    assert (noise.runs, noise.df, noise.source) == (4, 120, "the seeds of 40 trials")


def test_a_column_of_seeds_tells_no_configs_apart():
    given = view(rows_of([1.0, 1.2, 3.0, 3.4], lr=[0.1, 0.1, 0.2, 0.2], seed=[1, 2, 1, 2]))
    codes = config_codes(given)
    assert codes[0] == codes[1] != codes[2] == codes[3]
    assert noise_floor(given).sd == pytest.approx(math.sqrt((0.02 + 0.08) / 2))


def test_conditional_settings_tell_configs_apart():
    rows = [{"opt": "sgd", "mom": 0.0, "loss": 1.0}, {"opt": "adam", "loss": 1.1}, {"opt": "adam", "loss": 1.3}]
    codes = config_codes(view(rows))
    assert codes[0] != codes[1] == codes[2]


def test_copies_are_no_repeats():
    given = view(rows_of([1.0, 1.0, 2.0, 3.0], lr=[0.1, 0.1, 0.2, 0.3]))
    assert copies_of(given) == ((0, 1),)
    assert noise_floor(given) is None
    assert "copies and say nothing" in noise_section(given, None).not_applicable


def test_repeats_without_any_spread_are_no_noise_floor():
    rows = rows_of([1.0, 1.0, 2.0], lr=[0.1, 0.1, 0.2], seconds=[3.0, 4.0, 5.0])
    given = view(rows, measured=["seconds"])
    assert noise_floor(given) is None
    assert "the same value to the last digit" in noise_section(given, None).not_applicable


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_trials_have_no_noise_floor_and_a_reason(n):
    given = view_of(table(rows_of([0.5] * n, lr=[0.1] * n), space=inferred([{"lr": 0.1}, {"lr": 0.2}])))
    assert noise_floor(given) is None
    assert noise_section(given, None).not_applicable.startswith("because")


def test_a_truly_best_config_is_called_worse_in_at_most_5_of_100():
    rng, lost = np.random.default_rng(7), 0
    settings = [{"lr": 0.1 * i} for i in range(5)]
    for _ in range(200):
        noise = noise_floor(with_seeds([(s, list(rng.normal(0.0, 1.0, 3))) for s in settings]))
        lost += 0 not in noise.rivals
    # Three standard errors of 200 tries at .05 are .046.
    assert lost / 200 <= 0.096


def test_a_config_far_behind_is_shown_to_be_worse():
    rng = np.random.default_rng(2)
    rows = [({"lr": 0.1 * i}, list(rng.normal(10.0 * (i > 1), 1.0, 5))) for i in range(6)]
    given = with_seeds(rows)
    noise = noise_floor(given)
    assert set(noise.rivals) <= {0, 1}
    assert noise.configs == 6
    assert noise.ties[0].rows[0] in noise.rivals


def test_a_new_try_of_the_best_comes_to_what_was_expected():
    rng, errors = np.random.default_rng(11), []
    for _ in range(150):
        truth = rng.normal(0.0, 1.0, 25)
        rows = [({"lr": 0.01 * i}, list(rng.normal(mean, 1.0, 2))) for i, mean in enumerate(truth)]
        lead = noise_floor(with_seeds(rows)).lead
        errors.append((lead.expected - truth[int(lead.trial)], lead.value - truth[int(lead.trial)]))
    expected, naive = np.mean(errors, axis=0)
    assert abs(expected) < 0.15
    assert naive < -0.4  # the smallest loss is lower than its config deserves


def test_where_noise_is_all_there_is_the_whole_lead_is_luck():
    rng = np.random.default_rng(5)
    given = with_seeds([({"lr": 0.01 * i}, list(rng.normal(0.0, 1.0, 2))) for i in range(30)])
    lead = noise_floor(given).lead
    assert lead.luck > 0.6 * abs(lead.value - lead.mean)
    assert finding(noise_section(given, noise_floor(given)), "noise.lead").severity == "warning"


def test_the_goal_turns_the_ranks_and_nothing_else():
    low = microbead_table()
    trials = tuple(replace(t, value=-t.value) for t in low.trials)
    turned = replace(low, trials=trials, metric=replace(low.metric, goal="minimize"))
    one, other = noise_floor(view_of(low)), noise_floor(view_of(turned))
    assert (one.sd, one.ties, one.rivals) == (other.sd, other.ties, other.rivals)
    assert one.lead.expected == pytest.approx(-other.lead.expected)
    assert one.lead.luck == pytest.approx(other.lead.luck)


def test_ten_thousand_trials_with_repeats_are_read():
    rng = np.random.default_rng(0)
    rows = rows_of(rng.normal(size=10_000).tolist(), lr=(rng.integers(0, 4000, 10_000) / 100).tolist())
    given = view(rows)
    noise = noise_floor(given)
    assert noise.sd == pytest.approx(1.0, abs=0.03)
    assert noise.configs == len(np.unique(config_codes(given)))
    assert noise_section(given, noise).figures[0].panels[0].points[0].x[-1] == 40.0
