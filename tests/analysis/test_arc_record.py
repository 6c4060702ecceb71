"""The first 20 trials of the ARC sweep: every printed coefficient, p-value and mean, and what they do not show."""

from __future__ import annotations

import pytest

from analysis_cases import arc_table
from surefoot.analysis.direction import direction_section, directions
from surefoot.analysis.view import view_of

# rho, p and n as the report printed them.
PRINTED = {
    "batch_size": ("-0.669", "0.001", 20),
    "ctx_n_head": ("0.625", "0.260", 5),
    "depth": ("0.479", "0.071", 15),
    "ctx_dropout": ("0.447", "0.450", 5),
    "label_smoothing": ("-0.407", "0.075", 20),
    "weight_decay": ("0.366", "0.112", 20),
    "width_mult": ("0.289", "0.297", 15),
    "mlp_hidden": ("0.232", "0.405", 15),
    "temperature": ("0.205", "0.741", 5),
    "lr": ("-0.148", "0.534", 20),
    "embed_dim": ("0.050", "0.834", 20),
}
# True and false: mean and number of trials.
BOOLEANS = {
    "use_scheduler": ("0.275", 15, "0.225", 5),
    "use_cosine": ("0.251", 5, "0.266", 15),
    "use_coords": ("0.247", 4, "0.281", 11),
}
CHOICES = {
    "demo_agg": {"flatten": ("0.286", 12), "mean": ("0.215", 3)},
    "encoder_type": {"cnn": ("0.272", 15), "context": ("0.234", 5)},
}


@pytest.fixture(scope="module")
def view():
    return view_of(arc_table())


@pytest.fixture(scope="module")
def found(view):
    return directions(view)


@pytest.mark.parametrize("name", PRINTED)
def test_spearman_and_its_p_come_out_as_printed(found, name):
    row = {row.name: row for row in found.numbers}[name]
    assert (f"{row.rho:.3f}", f"{row.p_value:.3f}", row.n) == PRINTED[name]


@pytest.mark.parametrize("name", BOOLEANS)
def test_true_and_false_means_come_out_as_printed(found, name):
    row = {row.name: row for row in found.booleans}[name]
    assert (f"{row.mean_true:.3f}", row.n_true, f"{row.mean_false:.3f}", row.n_false) == BOOLEANS[name]
    assert row.delta == row.mean_true - row.mean_false


@pytest.mark.parametrize("name", CHOICES)
def test_means_of_choices_come_out_as_printed(found, name):
    row = {row.name: row for row in found.choices}[name]
    assert {level.level: (f"{level.mean:.3f}", level.n) for level in row.levels} == CHOICES[name]


def test_the_batch_size_alone_is_beyond_chance(found):
    (row,) = found.shown
    assert (row.key, row.direction, row.helps) == ("batch_size", "decrease", "smaller")
    # Benjamini and Hochberg over all 19 tests, where the report made 14 comparisons and corrected for none.
    assert found.tests == 19 and row.q_value < 0.05
    assert all(other.q_value > 0.15 for other in found.all if other is not row)


def test_five_trials_are_no_rank_two(found, view):
    names = [row.key for row in found.ranked]
    assert names.index("ctx_n_head[encoder_type=context]") > names.index("embed_dim")
    said = {f.subject: f for f in direction_section(view, found).findings if f.rule == "direction.few"}
    heads = said["ctx_n_head[encoder_type=context]"]
    assert heads.severity == "warning" and heads.evidence["p_perm"] == 0.4
    assert "over 5 trials only" in heads.sentence and "No direction is shown" in heads.sentence


def test_nothing_is_said_to_help_that_is_not_shown(found, view):
    sentences = [f.sentence for f in direction_section(view, found).findings if f.subject != "batch_size"]
    assert not any("looks better" in said or "hurt" in said or "help" in said for said in sentences)


def test_the_sheets_have_their_stable_columns_and_the_conditions(found, view):
    sheets = {sheet.name: sheet for sheet in direction_section(view, found).sheets}
    assert sheets["directionality_continuous"].headers[:10] == (
        *("parameter", "n", "rho", "p_value", "q_value", "ci_low", "ci_high", "direction", "condition", "flags"),
    )
    assert sheets["directionality_boolean"].headers[:11] == (
        *("parameter", "n_true", "n_false", "mean_true", "mean_false", "delta", "ci_low", "ci_high", "p_perm"),
        *("q_value", "flags"),
    )
    assert sheets["directionality_categorical_detail"].headers[:7] == (
        *("parameter", "choice", "n", "mean", "sd", "median", "best"),
    )
    assert sheets["directionality_categorical_summary"].headers[:11] == (
        *("parameter", "best_choice", "best_mean", "best_n", "worst_choice", "worst_mean", "worst_n", "delta"),
        *("p_perm", "q_value", "flags"),
    )
    rows = {row[0]: row for row in sheets["directionality_continuous"].rows}
    assert rows["depth"][8:10] == ("encoder_type is cnn", "conditional, ties")
    assert all(len(row) == len(sheet.headers) for sheet in sheets.values() for row in sheet.rows)


def test_the_best_trial_is_in_its_group_and_no_groups_mean(found):
    agg = {row.name: row for row in found.choices}["demo_agg"]
    assert agg.level("flatten").best == 0.3625 and agg.level("flatten").mean == pytest.approx(0.286, abs=5e-4)
