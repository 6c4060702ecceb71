"""What stopping trials early saved and cost."""

import numpy as np
import pytest

from analysis_cases import rows_of, view
from surefoot.analysis.stopped import stopping, stopping_section
from surefoot.trials import Curve, Trial


def sweep(correlation, n=60, rung=3, steps=20, seed=0):
    """Trials of which the worse half at the rung is stopped; an early value goes with the final one as told."""
    rng = np.random.default_rng(seed)
    final = rng.normal(size=n)
    early = correlation * final + np.sqrt(1 - correlation**2) * rng.normal(size=n)
    kinds = np.where(early + rng.normal(0, 0.3, n) > 0, "cnn", "context")
    trials = []
    for i in range(n):
        is_stopped = early[i] < np.median(early)
        length = rung if is_stopped else steps
        values = [early[i] - 0.1 * (rung - s) if s <= rung else final[i] for s in range(1, length + 1)]
        trials.append(
            Trial(
                name=str(i),
                state="PRUNED" if is_stopped else "COMPLETE",
                settings={"kind": str(kinds[i]), "lr": float(rng.uniform())},
                value=None if is_stopped else float(final[i]),
                last=(float(values[-1]), float(length)) if is_stopped else None,
                seconds=10.0 * length,
                curves={"acc": Curve(steps=tuple(map(float, range(1, length + 1))), values=tuple(map(float, values)))},
            )
        )
    return view(trials, "acc", "maximize")


def test_nothing_stopped_is_not_applicable():
    section = stopping_section(view(rows_of([1.0, 2.0], lr=[1, 2])))
    assert section.not_applicable == "because nothing was stopped early"


def test_the_saving_is_what_the_stopped_would_have_taken():
    saved = {each.what: each for each in stopping(sweep(0.9)).saved}
    assert saved["seconds"].spent == 30 * 30
    assert saved["seconds"].full == 200
    assert saved["steps"].share == pytest.approx(1 - 3 / 20)


def test_an_early_value_that_tells_the_final_one_is_believed_and_a_blind_one_is_not():
    (telling,), (blind,) = stopping(sweep(0.95)).rungs, stopping(sweep(0.0)).rungs
    assert telling.rho > 0.6
    assert abs(blind.rho) < 0.4
    assert telling.low_top < blind.top
    findings = stopping_section(sweep(0.0)).findings
    (finding,) = [f for f in findings if f.rule == "stopping.rank"]
    assert finding.severity == "warning"
    assert "not shown" in finding.sentence


def test_a_stopped_trial_above_a_later_winner_is_counted():
    seen = sweep(0.0)
    (rung,) = stopping(seen).rungs
    floor = min(t.curves["acc"].values[2] for t in seen.trials if t.value in sorted(seen.values)[-rung.top :])
    assert rung.floor == floor
    stopped = [t for t in seen.table.trials if t.state == "PRUNED"]
    assert rung.above_floor == sum(t.last[0] >= floor for t in stopped)


def test_a_level_that_was_stopped_more_often_is_named():
    findings = stopping_section(sweep(0.5)).findings
    (finding,) = [f for f in findings if f.rule == "stopping.leaning"]
    assert finding.subject == "kind"


def test_a_loss_is_read_the_other_way_round():
    seen = sweep(0.9)
    turned = []
    for t in seen.table.trials:
        curve = Curve(steps=t.curves["acc"].steps, values=tuple(-v for v in t.curves["acc"].values))
        value = None if t.value is None else -t.value
        last = None if t.last is None else (-t.last[0], t.last[1])
        turned.append(
            Trial(name=t.name, state=t.state, settings=t.settings, value=value, last=last, curves={"acc": curve})
        )
    (ours,), (theirs,) = stopping(view(turned, "acc", "minimize")).rungs, stopping(seen).rungs
    assert (ours.rho, ours.above_floor, ours.low_top) == (theirs.rho, theirs.above_floor, theirs.low_top)
    assert ours.floor == -theirs.floor


def test_trials_that_say_nothing_of_their_length_still_count_as_stopped():
    rows = [*rows_of([1.0, 2.0, 3.0], lr=[1, 2, 3]), {"lr": 4}]
    findings = stopping_section(view(rows)).findings
    assert findings[0].evidence["stopped"] == 1
    assert any("not known" in finding.sentence for finding in findings)


def test_a_sweep_of_stopped_trials_alone_never_crashes():
    rows = [Trial(name=str(i), state="PRUNED", settings={"lr": 0.1}, last=(None, 3.0)) for i in range(12)]
    assert stopping_section(view(rows)).findings
