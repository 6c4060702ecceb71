"""What moved together in a sweep."""

import itertools

import numpy as np
import pytest

from analysis_cases import arc_table, microbead_table, rows_of, view
from surefoot.analysis.confounds import confounds, confounds_section, expected_best
from surefoot.analysis.view import view_of
from surefoot.space import SearchSpace, choice, real
from surefoot.trials import Trial


def rules(section):
    return [finding.rule for finding in section.findings]


def of_trials(values, budgets, seconds=None, **settings):
    rows = [
        Trial(
            name=str(i),
            state="COMPLETE",
            settings={name: column[i] for name, column in settings.items()},
            value=value,
            budget={"epochs": budgets[i]} if budgets else {},
            seconds=None if seconds is None else seconds[i],
        )
        for i, value in enumerate(values)
    ]
    return view(rows, "acc", "maximize")


def test_parameters_that_moved_as_one_are_critical():
    lr = np.random.default_rng(0).uniform(size=40)
    seen = view(rows_of(np.random.default_rng(1).normal(size=40).tolist(), lr=lr.tolist(), decay=(lr**2).tolist()))
    (finding,) = [f for f in confounds_section(seen).findings if f.rule == "confounds.pair"]
    assert finding.severity == "critical"
    assert "the effects of one cannot be told from those of the other" in finding.sentence


def test_independent_parameters_are_rarely_called_confounded():
    flagged = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        settings = {f"x{i}": rng.uniform(size=30).tolist() for i in range(5)}
        seen = view(rows_of(rng.normal(size=30).tolist(), **settings), seed=seed)
        flagged += any(link.is_sure for link in confounds(seen).pairs)
    assert flagged <= 5


def test_a_child_and_its_parent_are_no_pair():
    space = SearchSpace(
        parameters=(
            choice("optimizer", "sgd", "adam", "adamw"),
            real("beta", 0, 1, when={"optimizer": ["adam", "adamw"]}),
            real("lr", 0, 1),
        )
    )
    rng = np.random.default_rng(0)
    rows = []
    for i in range(30):
        optimizer = ("sgd", "adam", "adamw")[i % 3]
        row = {"optimizer": optimizer, "lr": rng.uniform(), "loss": rng.normal()}
        rows.append(row | ({} if optimizer == "sgd" else {"beta": 0.9 * (optimizer == "adam")}))
    pairs = {frozenset((link.a, link.b)) for link in confounds(view(rows, space=space)).pairs}
    assert frozenset(("optimizer", "lr")) in pairs
    assert not [pair for pair in pairs if "optimizer" in pair and any(key.startswith("beta") for key in pair)]


def test_trials_that_only_trained_longer_are_named():
    rng = np.random.default_rng(0)
    epochs = rng.integers(2, 40, 40).astype(float)
    seen = of_trials(
        (epochs / 40 + rng.normal(0, 0.05, 40)).tolist(), epochs.tolist(), lr=rng.uniform(size=40).tolist()
    )
    (finding,) = [f for f in confounds_section(seen).findings if f.rule == "confounds.budget"]
    assert finding.severity == "warning"
    assert "trained longer" in finding.sentence


def test_levels_with_different_budgets_are_named():
    rng = np.random.default_rng(1)
    arch = ["big" if u else "small" for u in rng.integers(0, 2, 40)]
    epochs = [10.0 if a == "big" else 30.0 for a in arch]
    seen = of_trials(rng.normal(size=40).tolist(), epochs, arch=arch)
    (finding,) = [f for f in confounds_section(seen).findings if f.rule == "confounds.budget"]
    assert finding.subject == "arch"


def test_combined_leads_the_microbeads_by_its_best_and_focal_by_its_mean():
    findings = confounds_section(view_of(microbead_table())).findings
    (finding,) = [f for f in findings if f.rule == "confounds.group_best" and f.subject == "loss_type"]
    assert (finding.evidence["by_best"], finding.evidence["by_mean"]) == ("combined", "focal")


def test_the_expected_best_is_that_of_all_draws():
    gains = np.sort(np.random.default_rng(0).normal(size=7))
    for draws in (1, 3, 7):
        brute = np.mean([max(some) for some in itertools.combinations(gains, draws)])
        assert expected_best(gains, draws) == pytest.approx(brute, rel=1e-12)


def test_a_search_that_learns_drifts_and_the_arc_sweep_did():
    assert "confounds.drifting" in rules(confounds_section(view_of(arc_table())))


def test_a_table_without_order_says_nothing_of_drift():
    assert not confounds(view_of(microbead_table())).drifts


def test_the_same_table_and_seed_give_the_same_section():
    assert confounds_section(view_of(arc_table())) == confounds_section(view_of(arc_table()))


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_few_or_equal_values_never_crash(n):
    section = confounds_section(view(rows_of([1.0] * n, lr=[0.1] * n, kind=["a"] * n)))
    assert section.not_applicable or section.findings


def test_a_thousand_categories_are_no_confound():
    rng = np.random.default_rng(0)
    names = [f"name {i}" for i in range(1_000)]
    seen = view(rows_of(rng.normal(size=1_000).tolist(), label=names, lr=rng.uniform(size=1_000).tolist()))
    assert rules(confounds_section(seen)) == ["confounds.nothing"]
