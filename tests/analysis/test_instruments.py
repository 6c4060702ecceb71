"""Whether the metric measures what its name says."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis_cases import arc_table, microbead_table, rows_of, table, view
from surefoot.analysis.instruments import instruments, instruments_section
from surefoot.analysis.parts import parts_of, per_example, smallest_size
from surefoot.analysis.view import view_of

TRUE_SIZES = {"A1": 1, "A2": 5, "C1": 19, "C2": 5, "K1": 1, "L1": 4, "S1": 10, "S2": 7, "S3": 21}


def found(section, rule):
    return [finding for finding in section.findings if finding.rule == f"instruments.{rule}"]


def simulated(batch_matters, n=40, seed=0):
    """Accuracies over three groups of 20, 7 and 13 examples, of which `batch` shaves something off where it matters."""
    rng = np.random.default_rng(seed)
    sizes = np.array([20, 7, 13])
    batch = rng.choice([16, 32, 64], n)
    right = rng.integers(0, sizes + 1, (n, 3))
    right[: n // 3] = [20, 0, 0]
    accuracy = right.sum(axis=1) / 40
    value = accuracy * (1 - batch / 640) if batch_matters else accuracy
    rows = rows_of(value.tolist(), "acc", batch=batch.tolist(), lr=rng.uniform(size=n).tolist())
    for row, counts in zip(rows, right, strict=True):
        row |= {f"acc_{name}": c / s for name, c, s in zip("abc", counts, sizes, strict=True)}
    return view(rows, "acc", "maximize", measured=["acc_a", "acc_b", "acc_c"]), accuracy


def test_the_arc_sweep_is_found_to_depend_on_its_batch_size():
    seen = view_of(arc_table())
    instrument = instruments(seen)
    assert instrument.depends_on == "batch_size"
    readings = {r.level: r.value for r in instrument.dependence.readings}
    assert readings == {16: 0.2625, 32: 0.21875, 64: 0.1640625}
    finding = found(instruments_section(seen, instrument), "depends_on")[0]
    assert finding.severity == "critical"
    assert "0.2625, 0.2188 and 0.1641 at batch_size 16, 32 and 64" in finding.sentence


def test_per_example_the_arc_sweeps_only_sure_effect_is_gone():
    rows = {r.key.split("[")[0]: r for r in instruments(view_of(arc_table())).reranked}
    for key, rho, after in (
        ("batch_size", -0.669, -0.103),
        ("depth", 0.479, 0.070),
        ("label_smoothing", -0.407, -0.266),
    ):
        assert rows[key].rho == pytest.approx(rho, abs=5e-4)
        assert rows[key].rho_per_example == pytest.approx(after, abs=5e-4)
    assert rows["batch_size"].p_per_example == pytest.approx(0.66, abs=5e-3)
    assert rows["depth"].p_per_example == pytest.approx(0.80, abs=5e-3)


def test_inferred_sizes_rank_the_arc_trials_as_the_true_ones_do():
    seen = view_of(arc_table())
    inferred, given = per_example(seen), per_example(seen, sizes=TRUE_SIZES)
    assert spearmanr(inferred, given).statistic == pytest.approx(1)
    assert np.sort(given)[-1] == pytest.approx(29 / 73)
    assert not parts_of(seen).is_scaled
    assert parts_of(seen, sizes=TRUE_SIZES).is_scaled


def test_ten_of_the_arc_trials_answer_with_one_category():
    seen = view_of(arc_table())
    finding = found(instruments_section(seen, instruments(seen)), "collapsed")[0]
    assert finding.evidence["groups"] == {"S3": 10}


def test_a_metric_that_shaves_by_batch_depends_on_it():
    seen, accuracy = simulated(batch_matters=True)
    instrument = instruments(seen)
    assert instrument.depends_on == "batch"
    assert instrument.per_example == pytest.approx(accuracy)
    assert {part.name: part.size for part in instrument.parts.parts} == {"acc_a": 20, "acc_b": 7, "acc_c": 13}


def test_a_metric_that_is_the_mean_of_its_parts_depends_on_nothing():
    seen, _ = simulated(batch_matters=False)
    instrument = instruments(seen)
    assert instrument.depends_on is None
    assert instrument.is_mean_of_parts
    assert not [f for f in instruments_section(seen, instrument).findings if f.rule == "instruments.per_example"]


def test_a_metric_that_differs_for_a_reason_that_was_not_searched_blames_no_parameter():
    seen, _ = simulated(batch_matters=True)
    rows = [{**t.settings, **t.measured, "acc": t.value} for t in seen.trials]
    for i, row in enumerate(rows):
        row["batch"] = (16, 32)[i % 2]
    other = view(rows, "acc", "maximize", measured=["acc_a", "acc_b", "acc_c"])
    instrument = instruments(other)
    assert instrument.depends_on is None
    assert found(instruments_section(other, instrument), "unexplained")


def test_two_identical_trials_are_too_few_to_blame_a_parameter():
    rows = rows_of([0.5, 0.25, 0.75, 0.6], "acc", batch=[16, 32, 16, 32])
    for row, share in zip(rows, (0.5, 0.5, 0.75, 0.65), strict=True):
        row |= {"acc_a": share - 0.3, "acc_b": share + 0.2}
    assert instruments(view(rows, "acc", "maximize", measured=["acc_a", "acc_b"])).depends_on is None


@pytest.mark.parametrize("size", [1, 7, 19, 480, 4_999])
def test_the_size_of_a_group_follows_from_its_shares(size):
    shares = np.array([0, 1 / size, (size - 1) / size, 1.0])
    assert smallest_size(shares) == size


def test_single_precision_shares_give_their_size_and_real_numbers_none():
    assert smallest_size((np.arange(20) / 73).astype(np.float32).astype(float)) == 73
    assert smallest_size(np.random.default_rng(0).uniform(size=20)) is None


def test_percentages_are_shares_of_a_hundred():
    rows = rows_of([50.0, 30.0, 60.0, 40.0], "acc", lr=[0.1, 0.2, 0.3, 0.4])
    for row, (a, b) in zip(rows, ((40, 75), (20, 50), (60, 75), (40, 25)), strict=True):
        row |= {"acc/a": a, "acc/b": b}
    seen = view(rows, "acc", "maximize", measured=["acc/a", "acc/b"])
    assert [part.size for part in parts_of(seen).parts] == [5, 4]
    assert per_example(seen)[0] == pytest.approx(100 * 5 / 9)


@pytest.mark.parametrize(
    ("column", "formula"),
    [(lambda v: 1 - v, "1 − acc"), (lambda v: 100 * v, "100 × acc"), (lambda v: v, "acc")],
)
def test_the_metric_under_another_name_is_named(column, formula):
    values = np.random.default_rng(3).uniform(size=12)
    rows = rows_of(values.tolist(), "acc", lr=list(range(12)), acc_other=column(values).tolist())
    seen = view(rows, "acc", "maximize", measured=["acc_other"])
    (alias,) = instruments(seen).aliases
    assert (alias.name, alias.formula) == ("acc_other", formula)


def test_a_parameter_that_is_the_metric_is_critical():
    values = np.random.default_rng(3).uniform(size=12)
    seen = view(rows_of(values.tolist(), "acc", val_error=(1 - values).tolist()), "acc", "maximize")
    (finding,) = found(instruments_section(seen, instruments(seen)), "alias")
    assert finding.severity == "critical"
    assert "val_error" in finding.sentence


def test_the_microbead_epochs_are_one_number_not_two():
    seen = view_of(microbead_table())
    (finding,) = found(instruments_section(seen, instruments(seen)), "one_number")
    assert finding.sentence == "total_epochs = best_epoch + 20 in all 15 trials: one number, not two."


def test_a_value_that_every_fifth_trial_has_is_a_warning_and_names_the_baseline():
    from surefoot.trials import Trivial

    values = [0.25] * 6 + [0.3, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38]
    trivial = (Trivial(name="majority class", value=0.25),)
    seen = view_of(table(rows_of(values, "acc", lr=list(range(15))), "acc", "maximize", trivial=trivial))
    (finding,) = found(instruments_section(seen, instruments(seen)), "repeated")
    assert finding.severity == "warning"
    assert "majority class" in finding.sentence


def test_values_of_few_examples_state_their_resolution():
    rng = np.random.default_rng(2)
    values = (rng.integers(15, 30, 40) / 73).tolist()
    seen = view_of(table(rows_of(values, "acc", lr=list(range(40))), "acc", "maximize", evaluated_on=73))
    (finding,) = found(instruments_section(seen, instruments(seen)), "ties")
    assert "1/73" in finding.sentence


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.6], [0.5] * 9])
def test_few_or_equal_values_never_crash(values):
    rows = rows_of(values, "acc", lr=list(range(len(values))))
    for row in rows:
        row |= {"acc_a": 0.5, "acc_b": 0.5}
    seen = view(rows, "acc", "maximize", measured=["acc_a", "acc_b"])
    section = instruments_section(seen, instruments(seen))
    assert section.not_applicable or section.findings


def test_losses_that_went_astray_lie_on_no_line():
    values = [1e308, -1e308, 1e300, 1.0, 0.5, 0.2, 0.1]
    rows = rows_of(values, lr=[1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4], other=[v * 1e-300 for v in values])
    seen = view(rows, measured=["other"])
    assert all(alias.name == "other" for alias in instruments(seen).aliases)
