"""What a plan means before it runs: how many runs, what each experiment could detect, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from surefoot.comparison import Noise
from surefoot.errors import SurefootError
from surefoot.files.program_entry import is_seed_told
from surefoot.phases.gates import unknown_overrides
from surefoot.plan import Experiment, Plan, Rule, SearchPlan, same_config
from surefoot.program import Program
from surefoot.reports.story import Story
from surefoot.stats.power import detectable_effect
from surefoot.stats.sequential import race_thresholds
from surefoot.strategies.sweep import ARMS as SWEEP_ARMS
from surefoot.workload import check_requirements, find_workload

# With fewer trials for each scientific setting, a comparison of them compares luck.
FEWEST_TRIALS = 5


def forecast(plan: Plan, story: Story | None, data_root: Path | None) -> dict[str, Any]:
    """The plan's meaning as JSON: runs, experiments with their detectable effects, warnings and problems.

    Effects are in the metric's unit once `story` knows the baseline's noise, else in standard
    deviations of a paired difference.
    """
    noise = story.noise.get(plan.primary, Noise()) if story else Noise()
    experiments = [_experiment(plan, e, noise) for e in plan.experiments]
    metric = plan.metric(plan.primary)
    rounds = _rounds(plan)
    steps = len(plan.experiments) + (2 * rounds["rounds"] if rounds else 0)
    confirming = plan.rule.confirm_seeds * (1 + steps) if steps else 0
    final = plan.finalise.seeds if plan.finalise else 0
    optimising = rounds["most_runs"] if rounds else 0
    most = plan.rule.seeds + sum(e["most_runs"] for e in experiments) + optimising + confirming + final
    return {
        "study": plan.study,
        "plan_hash": plan.hash,
        "workload": plan.workload_shown,
        "primary": plan.primary,
        "unit": metric.unit,
        "target": metric.target,
        "baseline_runs": plan.rule.seeds,
        "confirmation_runs_most": confirming,
        "most_runs": most,
        "looks": list(plan.rule.looks),
        "noise_sd": noise.floor_sd or None,
        "experiments": experiments,
        "optimising": rounds,
        "final_runs": final,
        "warnings": [*_warnings(plan, most, noise), *_missing(plan, data_root)],
        "problems": _problems(plan, data_root),
    }


def forecast_text(found: Mapping[str, Any]) -> str:
    """The forecast in sentences, for a terminal."""
    unit = f" {found['unit']}" if found["unit"] else ""
    lines = [
        f"study {found['study']}, plan {found['plan_hash'][:6]}: {found['workload']}, primary metric {found['primary']}"
        + (f", target {found['target']:g}{unit}" if found["target"] is not None else ""),
        f"baseline: {found['baseline_runs']} runs, the noise floor"
        + (f" (a run's spread here: {found['noise_sd']:.3g}{unit})" if found["noise_sd"] else ""),
    ]
    for e in found["experiments"]:
        arms = "1 arm" if e["arms"] == 1 else f"{e['arms']} arms"
        looks = f"{_search(e['search'])}, then " if e["search"] else ""
        lines.append(f"{e['id']}: {looks}{arms}, at most {e['most_runs']} runs; {_detects(e, unit)}")
    if found["optimising"]:
        lines.append(_optimising(found["optimising"]))
    lines.append(f"confirmation: at most {found['confirmation_runs_most']} runs on fresh seeds, fewer with fewer steps")
    if found["final_runs"]:
        lines.append(f"final: {found['final_runs']} runs on seeds of their own, then the test split is opened")
    lines.append(f"at most {found['most_runs']} runs in all; races that end early make it fewer")
    lines += [f"warning: {text}" for text in found["warnings"]]
    lines += [f"problem: {text}" for text in found["problems"]]
    if not found["problems"]:
        lines.append("the plan is sound")
    return "\n".join(lines) + "\n"


def _experiment(plan: Plan, experiment: Experiment, noise: Noise) -> dict[str, Any]:
    rule = plan.rule_of(experiment)
    n = rule.seeds
    sds, sd = _detectable_sds(rule, noise), noise.difference_sd
    arms = [a for a in experiment.arms if not same_config({**plan.baseline, **a.changes}, plan.baseline)]
    search = experiment.search
    many = len(arms) if search is None else experiment.most_arms
    return {
        "id": experiment.id,
        "arms": experiment.most_arms,
        "search": search and {"method": search.method.name, "trials": search.trials, "arms": list(search.arm_names)},
        "most_runs": n * many + (search.trials if search else 0),
        "seeds": n,
        "detectable_sd": sds,
        "detectable": sds * sd if sd else None,
        "support_alpha": rule.support_alpha,
        "adopt_alpha": rule.adopt_alpha,
    }


def _rounds(plan: Plan) -> dict[str, Any] | None:
    """What the rounds of optimising may train; what they try is not known before the diagnosis."""
    asked = plan.optimise
    if asked is None or asked.strategy == "none":
        return None
    if asked.strategy == "sweep":
        each = max(asked.trials, SWEEP_ARMS) + SWEEP_ARMS * plan.rule.seeds
    else:
        arms = asked.recommendations + (asked.recommendations > 1)
        taken_away = asked.recommendations if asked.recommendations > 1 else 0
        each = (arms + taken_away) * plan.rule.seeds
    return {"strategy": asked.strategy, "rounds": asked.rounds, "most_runs": asked.rounds * each}


def _optimising(rounds: Mapping[str, Any]) -> str:
    many = f"{rounds['rounds']} round{'s' if rounds['rounds'] != 1 else ''}"
    return (
        f"optimising, {rounds['strategy']}: at most {many} of what the diagnosis recommends, {rounds['most_runs']} runs"
    )


def _search(search: Mapping[str, Any]) -> str:
    trials = f"{search['trials']} trial{'s' if search['trials'] != 1 else ''}"
    return f"a search of {trials} by {search['method']}, one seed each"


def _detectable_sds(rule: Rule, noise: Noise) -> float:
    """What the race's last look shows with power 0.8 at least, in standard deviations of a difference."""
    n, prior_df = rule.seeds, noise.prior.df
    limit = race_thresholds(rule.looks, rule.support_alpha, prior_df)[-1]
    return detectable_effect(1.0, n, prior_df + n - 1, alpha=limit)


def _detects(experiment: Mapping[str, Any], unit: str) -> str:
    if experiment["detectable"] is not None:
        change = f"{experiment['detectable']:.3g}{unit}"
    else:
        change = f"{experiment['detectable_sd']:.2f} standard deviations of a paired difference"
    return f"{experiment['seeds']} pairs would show a change of {change} (at least 80 % of the time)"


def _warnings(plan: Plan, most: int, noise: Noise) -> list[str]:
    found = []
    if not plan.experiments and plan.optimise is None:
        found.append("there is no experiment: only the baseline will train")
    if plan.metric(plan.primary).target is None:
        found.append(f"{plan.primary} has no target, so no gap can be stated")
    if plan.budget.runs is not None and plan.budget.runs < most:
        found.append(
            f"the budget of {plan.budget.runs} runs may end the study before its last experiment ({most} at most)"
        )
    if plan.rule.seeds < 5 and (plan.experiments or plan.optimise):
        found.append(f"{plan.rule.seeds} seeds show only large effects; 8 show half of that")
    if isinstance(plan.workload, Program) and not is_seed_told(plan.workload):
        found.append(
            "the script is not told its seed (there is no {seed} in the command), so repeats differ only as it likes"
        )
    pauses = find_workload(plan.workload).resumes
    for e in plan.experiments:
        found += _of_search(e.id, e.search, pauses=pauses) if e.search is not None else []
    min_effect = plan.metric(plan.primary).min_effect
    if min_effect is not None and noise.difference_sd:
        n = plan.rule.seeds
        shown = _detectable_sds(plan.rule, noise) * noise.difference_sd
        if shown > min_effect:
            found.append(
                f"the smallest effect worth having ({min_effect:g}) is below what {n} pairs would show ({shown:.3g})"
            )
    return found


def _of_search(name: str, search: SearchPlan, *, pauses: bool) -> Iterator[str]:
    arms = len(search.arm_names)
    if search.space.scientific_levels() != ({},) and search.trials < FEWEST_TRIALS * arms:
        yield f"{name} tunes each of its {arms} settings with {search.trials // arms} trials; that finds little"
    stopping = search.stopping
    if pauses and stopping and stopping.rule in ("asha", "hyperband") and stopping.promotes is not False:
        yield f"{name} counts a paused trial that goes on as a further run, so its search may take more than said"


def _missing(plan: Plan, data_root: Path | None) -> list[str]:
    missing = find_workload(plan.workload).missing_data(data_root)
    return [missing] if missing else []


def _problems(plan: Plan, data_root: Path | None) -> list[str]:
    workload = find_workload(plan.workload)
    found = list(unknown_overrides(plan.overrides))
    try:
        check_requirements(workload)
        workload.code_fingerprint()
        if not workload.missing_data(data_root):
            workload.data_fingerprint(data_root)
    except SurefootError as error:
        found.append(str(error))
    return found
