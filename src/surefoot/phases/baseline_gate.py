"""The gate of the baseline: that it trained, learnt, and says how noisy it is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Final

from surefoot.phases.dossier import Dossier
from surefoot.phases.gate import Check
from surefoot.phases.question import Question, few, named
from surefoot.phases.trained import checkpoints_stand, run_ends, values_of
from surefoot.plan import exploring_seeds
from surefoot.run import Run
from surefoot.words import count, duration, listing, number, percent, unit_of

# Measured as validation is, the training loss falls for no other reason than learning.
TRAIN_LOSSES = ("clean_train_loss", "train_loss")
FEWEST_VALUES, ENOUGH_VALUES = 2, 3


def baseline_complete(dossier: Dossier) -> Check:
    """Whether every seed of the baseline is trained to its end."""
    ask = Question(predicate="baseline_complete", text="The baseline is trained to its end on every seed.")
    return run_ends(ask, dossier.baseline, exploring_seeds(dossier.plan.rule.seeds), "baseline")


def losses_finite(dossier: Dossier) -> Check:
    """Whether every loss of the curves, and every value the plan asks for, is a number."""
    ask = Question(predicate="losses_finite", text="Every loss that was measured is a finite number.")
    asked = {metric.name for metric in dossier.plan.metrics}
    silent = [run for run in dossier.baseline if not run.measurements]
    if silent or not dossier.baseline:
        who = listing(list(named(silent))) or "the baseline"
        return ask.blocked(f"Of {who} there are no curves on record: run it again.", *named(silent))
    wrong = []
    for run in dossier.baseline:
        for m in run.measurements:
            lost = [n for n, v in m.values.items() if ("loss" in n or n in asked) and not math.isfinite(v)]
            if lost:
                wrong.append(f"{lost[0]} of run {run.id} is {number(m.values[lost[0]])} at step {m.step:,}")
                break
    if wrong:
        told = few(wrong, "; ")
        return ask.blocked(f"{told}: a lower learning rate, or clip_norm, may hold it.", *named(dossier.baseline))
    many = sum(len(run.measurements) for run in dossier.baseline)
    return ask.satisfied(
        f"{count(many, 'measurement')} of {count(len(dossier.baseline), 'run')}.", *named(dossier.baseline)
    )


def loss_fell(dossier: Dossier) -> Check:
    """Whether the training loss fell by the share that the thresholds ask for."""
    ask = Question(predicate="loss_fell", text="The training loss fell.")
    least = dossier.plan.thresholds.least_loss_drop
    drops = {run.id: drop for run in dossier.baseline if (drop := _drop(run)) is not None}
    if not drops:
        return ask.not_applicable("No training loss was measured at two steps, so that its fall cannot be told.")
    runs = tuple(f"run {id_}" for id_ in drops)
    flat = [f"run {id_} ({_share(drop)})" for id_, drop in drops.items() if not (drop > 0 and drop >= least)]
    wanted = f"at least {percent(least)}" if least else "some"
    if flat:
        return ask.blocked(
            f"It lost less than asked ({wanted}) in {few(flat)}: nothing, or too little, was learnt.", *runs
        )
    lowest, highest = _share(min(drops.values())), _share(max(drops.values()))
    told = lowest if lowest == highest else f"{lowest} to {highest}"
    return ask.satisfied(f"It lost {told} of its first value ({count(len(drops), 'run')}; asked: {wanted}).", *runs)


def _share(drop: float) -> str:
    return percent(drop) if math.isfinite(drop) else "no number"


def _drop(run: Run) -> float | None:
    """The share of its first value that the training loss lost; NaN where it ended as no number."""
    for name in TRAIN_LOSSES:
        values = [m.values[name] for m in run.measurements if name in m.values]
        if len(values) >= 2 and values[0] != 0:
            return (values[0] - values[-1]) / abs(values[0])
    return None


def device_used(dossier: Dossier) -> Check:
    """Whether the device was busy with training; on a CPU this is told, and blocks nothing."""
    ask = Question(predicate="device_used", text="The device is busy while it trains.")
    limits = dossier.plan.thresholds
    found = _facts(dossier, "utilisation")
    if not found:
        return ask.not_applicable("The runs did not say how busy the device was.")
    mean = statistics.fmean(found.values())
    told = f"Busy {percent(mean)} of the time, the mean of {count(len(found), 'run')}"
    runs = tuple(f"run {id_}" for id_ in found)
    asked = percent(limits.utilisation_block)
    if mean < limits.utilisation_block and any(run.provenance.device == "cpu" for run in dossier.baseline):
        # The document speaks of GPUs, which wait for data; a CPU is shared, and who took it cannot be seen from here.
        return ask.noted(f"{told}, under {asked}: a CPU may have done the work of others meanwhile.", *runs)
    if mean < limits.utilisation_block:
        return ask.blocked(f"{told}; at least {asked} is asked: look at the loading of data.", *runs)
    if mean < limits.utilisation_note:
        return ask.noted(f"{told}, under {percent(limits.utilisation_note)}.", *runs)
    return ask.satisfied(f"{told}.", *runs)


def _facts(dossier: Dossier, name: str) -> dict[int, float]:
    """A fact that is a number, by the run that says it."""
    said = {run.id: run.facts.get(name) for run in dossier.baseline}
    return {id_: float(v) for id_, v in said.items() if isinstance(v, int | float) and math.isfinite(v)}


def baseline_checkpoints(dossier: Dossier) -> Check:
    """Whether the baseline's checkpoints are on disk, whole."""
    ask = Question(predicate="baseline_checkpoints", text="Best and last checkpoint of every run are on disk, whole.")
    return checkpoints_stand(ask, dossier.baseline, dossier)


def noise_known(dossier: Dossier) -> Check:
    """Whether the baseline says how far two runs of one config lie apart."""
    ask = Question(predicate="noise_known", text="There are seeds enough to know the noise.")
    metric = dossier.plan.metric(dossier.plan.primary)
    values = values_of(dossier.baseline, metric)
    runs = named(dossier.baseline)
    if len(values) < FEWEST_VALUES:
        return ask.blocked(
            f"{metric.name} has {count(len(values), 'finite value')}, and a spread needs {FEWEST_VALUES}: "
            "run the missing seeds, or ask for more.",
            *runs,
        )
    sd = statistics.stdev(values)
    if sd == 0:
        return ask.blocked(
            f"{metric.name} is {number(values[0])}{unit_of(metric)} on all {len(values)} seeds, so that no noise was "
            "measured and no gain can be tested; does the training use its seed?",
            *runs,
        )
    told = f"Standard deviation {number(sd)}{metric.difference_unit} over {len(values)} seeds"
    if len(values) < ENOUGH_VALUES:
        return ask.noted(f"{told}, which is a rough figure.", *runs)
    return ask.satisfied(f"{told}.", *runs)


def step_times_even(dossier: Dossier) -> Check:
    """Whether the runs took about the same time a step."""
    ask = Question(predicate="step_times_even", text="The runs take about the same time a step.")
    allowed = dossier.plan.thresholds.step_time_spread
    found = {id_: seconds for id_, seconds in _facts(dossier, "seconds_per_step").items() if seconds > 0}
    if len(found) < 2:
        return ask.not_applicable(f"The time a step is known of {count(len(found), 'run')}; two can be compared.")
    median = statistics.median(found.values())
    runs = tuple(f"run {id_}" for id_ in found)
    far = {id_: seconds / median - 1 for id_, seconds in found.items() if abs(seconds / median - 1) > allowed}
    if far:
        worst = max(far, key=lambda id_: abs(far[id_]))
        told = f"run {worst} took {percent(abs(far[worst]))} {'longer' if far[worst] > 0 else 'shorter'}"
        return ask.noted(
            f"{len(far)} of {count(len(found), 'run')} lie more than {percent(allowed)} from the median "
            f"{_milliseconds(median)}; {told}: the machine did other work too.",
            *runs,
        )
    return ask.satisfied(f"{count(len(found), 'run')} within {percent(allowed)} of {_milliseconds(median)}.", *runs)


def _milliseconds(seconds: float) -> str:
    return f"{number(1000 * seconds)} ms" if seconds < 1 else duration(seconds)


def provenance_recorded(dossier: Dossier) -> Check:
    """Whether each run says where and with what it was trained, and all say the same."""
    ask = Question(predicate="provenance_recorded", text="Each run says where, and with what, it was trained.")
    if not dossier.baseline:
        return ask.blocked("There is no run to ask; `surefoot run PLAN` trains the baseline.")
    silent = [run for run in dossier.baseline if not (run.provenance.versions and run.provenance.machine)]
    runs = named(dossier.baseline)
    if silent:
        return ask.blocked(f"{listing(list(named(silent)))} does not say machine and versions: run it again.", *runs)
    places = {
        (p.machine, p.device, p.threads, tuple(sorted(p.versions.items())))
        for p in (run.provenance for run in dossier.baseline)
    }
    if len(places) > 1:
        return ask.noted(
            f"The runs were trained in {len(places)} different places (machine, device, threads or versions), "
            "so that they need not come out the same bit for bit.",
            *runs,
        )
    return ask.satisfied(f"{count(len(dossier.baseline), 'run')}, all in one place.", *runs)


BASELINE_GATE: Final[tuple[Callable[[Dossier], Check], ...]] = (
    baseline_complete,
    losses_finite,
    loss_fell,
    device_used,
    baseline_checkpoints,
    noise_known,
    step_times_even,
    provenance_recorded,
)
