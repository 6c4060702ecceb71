"""How far a search had come, and how its trainings ended."""

import csv

import numpy as np
import pytest

from analysis_cases import arc_table, data_root, microbead_rows, rows_of, view
from surefoot.analysis.convergence import convergence, convergence_section, objective_curve
from surefoot.analysis.view import view_of
from surefoot.trials import Curve, Trial

BEST = "convergence.best"


def finding_of(section, rule):
    return next(finding for finding in section.findings if finding.rule == rule)


def trained(curves, seconds=None, name="acc", read=max):
    rows = []
    for i, values in enumerate(curves):
        curve = Curve(steps=tuple(float(s + 1) for s in range(len(values))), values=tuple(map(float, values)))
        spent = None if seconds is None else seconds[i]
        settings = {"lr": 0.1 * (i + 1)}
        value = float(read(values))
        rows.append(
            Trial(name=str(i), state="COMPLETE", settings=settings, value=value, curves={name: curve}, seconds=spent)
        )
    return view(rows, "acc", "maximize")


def microbeads():
    """The microbead search with its histories; the value is the best of the curve val_jacard_coef."""
    rows = []
    for i, row in enumerate(microbead_rows()):
        settings = {n: row[n] for n in ("learning_rate", "batch_size", "dropout", "loss_type")}
        name = "history_lr{learning_rate}_bs{batch_size}_dr{dropout}_{loss_type}.csv".format(
            **settings | {"dropout": float(row["dropout"])}
        )
        with (data_root() / "records" / "microbead_search" / name).open(newline="") as file:
            values = tuple(float(line["val_jacard_coef"]) for line in csv.DictReader(file))
        curve = Curve(steps=tuple(float(s + 1) for s in range(len(values))), values=values)
        value, curves = row["best_val_jacard"], {"val_jacard_coef": curve}
        rows.append(Trial(name=f"#{i + 1}", state="COMPLETE", settings=settings, value=value, curves=curves))
    return view(rows, "best_val_jacard", "maximize", is_in_order=False)


def test_the_best_of_the_arc_sweep_came_as_number_nineteen_of_twenty():
    evidence = finding_of(convergence_section(view_of(arc_table())), BEST).evidence
    assert (evidence["place"], evidence["n"], evidence["waited"]) == (19, 20, 1)


def test_the_wait_for_a_new_best_is_as_likely_in_shuffled_trials_as_stated():
    rng = np.random.default_rng(0)
    waits = []
    for _ in range(2_000):
        values = rng.normal(size=20)
        waits.append(19 - int(values.argmax()) >= 12)
    seen = view(rows_of([*range(8), *[0.0] * 12], "acc", lr=list(range(20))), "acc", "maximize")
    assert convergence(seen).so_far.p_waited == pytest.approx(8 / 20)
    assert np.mean(waits) == pytest.approx(8 / 20, abs=0.04)


def test_the_next_trials_best_is_that_of_resampling():
    values = np.random.default_rng(0).normal(size=30)
    so_far = convergence(view(rows_of(values.tolist(), lr=list(range(30))))).so_far
    drawn = np.random.default_rng(1).choice(values, (20_000, so_far.ahead)).min(axis=1)
    assert so_far.next_best == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 140)
    assert so_far.p_next == pytest.approx(10 / 40)


def test_hours_after_the_best_are_told():
    curves = [[0.1, 0.2], [0.1, 0.9], [0.1, 0.3], [0.1, 0.4]]
    evidence = finding_of(convergence_section(trained(curves, [3600] * 4)), "convergence.hours").evidence
    assert (evidence["hours"], evidence["found_after_hours"]) == (4, 2)


def test_the_microbead_winners_drop_is_the_maximum_of_a_noisy_series():
    seen = microbeads()
    assert objective_curve(seen) == "val_jacard_coef"
    evidence = finding_of(convergence_section(seen), "convergence.peak").evidence
    assert evidence["plateau_mean"] == pytest.approx(0.1399, abs=5e-5)
    assert evidence["plateau_sd"] == pytest.approx(0.0202, abs=5e-5)
    assert evidence["excess_sd"] == pytest.approx(1.2, abs=0.05)
    assert evidence["p"] > 0.5


def test_a_noisy_plateau_is_rarely_called_overfitting_and_a_fall_is():
    rng = np.random.default_rng(0)
    flat = trained(rng.normal(0.5, 0.02, (40, 60)).tolist())
    assert sum(peak.is_beyond_noise for peak in convergence(flat).peaks) <= 2
    rise, fall = np.linspace(0, 1, 20), np.linspace(1, 0.3, 40)
    falling = trained((np.concatenate([rise, fall]) + rng.normal(0, 0.02, (6, 60))).tolist())
    assert finding_of(convergence_section(falling), "convergence.after_peak").severity == "warning"


def test_trainings_that_end_at_their_best_were_still_improving():
    rng = np.random.default_rng(0)
    rising = trained((np.linspace(0, 1, 30) + rng.normal(0, 0.001, (8, 30))).tolist())
    assert finding_of(convergence_section(rising), "convergence.still_improving").evidence["last"] == 8
    flat = trained(rng.normal(0.5, 0.02, (8, 30)).tolist())
    assert "convergence.still_improving" not in [f.rule for f in convergence_section(flat).findings]


def test_a_loss_peaks_at_its_lowest():
    values = [1.0, 0.5, 0.2, *[0.4, 0.5, 0.6, 0.45, 0.55, 0.5, 0.52, 0.6]]
    curve = Curve(steps=tuple(map(float, range(11))), values=tuple(values))
    rows = [Trial(name=n, state="COMPLETE", settings={"lr": 0.1}, value=0.2, curves={"loss": curve}) for n in "ab"]
    peak = convergence(view(rows)).peaks[0]
    assert (peak.value, peak.step, peak.final) == (0.2, 2.0, 0.6)


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_few_or_equal_values_never_crash(n):
    section = convergence_section(view(rows_of([1.0] * n, lr=[0.1] * n)))
    assert section.not_applicable or section.findings


def test_without_order_and_curves_it_says_why_not():
    seen = view(rows_of([1.0, 2.0, 3.0], lr=[1, 2, 3]), is_in_order=False)
    assert convergence_section(seen).not_applicable.startswith("because")
