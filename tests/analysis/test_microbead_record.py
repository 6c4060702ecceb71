"""The 15 configs of the microbead search: every recomputed statistic, and "combined is best" answered."""

from __future__ import annotations

import pytest

from analysis_cases import microbead_table
from surefoot.analysis.direction import direction_section, directions, levels_of
from surefoot.analysis.view import view_of
from surefoot.stats.groups import group

LEVELS = {
    "learning_rate": {5e-5: (".1192", 3), 1e-4: (".1145", 7), 2e-4: (".1071", 5)},
    "batch_size": {4: (".1121", 7), 8: (".1138", 8)},
    "dropout": {0.0: (".1084", 4), 0.1: (".1228", 2), 0.2: (".0979", 3), 0.3: (".1203", 6)},
    "loss_type": {"combined": (".1047", 6), "focal": (".1233", 8), "dice": (".0798", 1)},
}
SPEARMAN = {"learning_rate": ("-0.26", "0.35"), "batch_size": ("0.03", "0.91"), "dropout": ("0.05", "0.85")}
ETA_SQUARED = {"learning_rate": "0.04", "batch_size": "0.001", "dropout": "0.17"}


@pytest.fixture(scope="module")
def view():
    return view_of(microbead_table())


@pytest.fixture(scope="module")
def found(view):
    return directions(view)


def test_mean_spread_and_median_of_all(view):
    all_of = group(view.values)
    assert (f"{all_of.mean:.5f}", f"{all_of.sd:.5f}", f"{all_of.median:.4f}") == ("0.11299", "0.02291", "0.1212")


@pytest.mark.parametrize("name", LEVELS)
def test_means_of_every_factor(view, name):
    levels = levels_of(view)[name]
    assert {at.level: (f"{at.mean:.4f}"[1:], at.n) for at in levels} == LEVELS[name]


def test_spreads_and_bests_of_the_losses(view):
    said = {at.level: (at.sd and f"{at.sd:.4f}", f"{at.best:.4f}") for at in levels_of(view)["loss_type"]}
    assert said == {"combined": ("0.0315", "0.1640"), "focal": ("0.0018", "0.1251"), "dice": (None, "0.0798")}


@pytest.mark.parametrize("name", SPEARMAN)
def test_spearman_and_eta_squared_of_numbers(found, name):
    row = {row.name: row for row in found.numbers}[name]
    assert (f"{row.rho:.2f}", f"{row.p_value:.2f}") == SPEARMAN[name]
    assert f"{row.eta_squared:.{len(ETA_SQUARED[name]) - 2}f}" == ETA_SQUARED[name]


def test_focal_against_combined(found):
    (loss,) = found.choices
    assert f"{loss.eta_squared:.2f}" == "0.32"
    assert (loss.pair.first, loss.pair.second) == ("focal", "combined")
    assert (f"{loss.pair.p_perm:.3f}", f"{loss.p_welch:.2f}", f"{loss.p_mannwhitney:.3f}") == ("0.054", "0.21", "0.043")


def test_combined_is_best_by_its_maximum_only_and_the_finding_says_so(found, view):
    (loss,) = found.choices
    assert (loss.best_by_max, loss.best_by_mean, loss.best_by_median) == ("combined", "focal", "focal")
    (said,) = [f for f in direction_section(view, found).findings if f.rule == "direction.best_trial"]
    assert said.severity == "warning" and said.subject == "loss_type"
    assert "by its best trial (0.1640) combined is best; by mean (0.1233) and median (0.1242) focal is best" in (
        said.sentence
    )
    assert "combined 6, focal 8 and dice 1" in said.sentence and "by luck alone" in said.sentence
    assert "p = .054, Welch p = .21, Mann–Whitney p = .043" in said.sentence
    assert "No difference between the values is shown" in said.sentence


def test_one_dice_trial_and_unequal_groups_are_flagged_and_no_direction_is_shown(found):
    (loss,) = found.choices
    assert {"single", "unbalanced"} <= set(loss.flags)
    assert found.shown == ()
