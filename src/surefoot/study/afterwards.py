"""Two arms of a study compared after the fact, and marked as such."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from surefoot.comparison import NoValue, Value
from surefoot.confounds import fact_differences
from surefoot.errors import StatisticsError, SurefootError, nearest, quoted
from surefoot.plan import Prediction
from surefoot.reports.story import ArmStory, Story
from surefoot.run import Metric, Status
from surefoot.verdict import Verdict, decide


def compare_arms(story: Story, a: str, b: str, *, metric_name: str | None = None) -> dict[str, Any]:
    """A against B over the seeds both have, as JSON; one fixed look at all of them.

    `a` and `b` name "baseline", "champion" or "experiment/arm". Nobody predicted this comparison
    before the data, so its p-value is one of many that could have been asked.
    """
    arms = _arms(story)
    first, second = _arm(arms, a), _arm(arms, b)
    metric = _metric(story, metric_name or story.primary.name)
    values_a, values_b = (dict(zip(arm.seeds, arm.values[metric.name], strict=True)) for arm in (first, second))
    seeds = [seed for seed in values_a if seed in values_b]
    if len(seeds) < 2:
        shared = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        raise StatisticsError(f"{a} and {b} have {shared} in common; a comparison needs at least two")
    verdict = decide(
        Prediction(arm=a, metric=metric.name, relation="better", is_registered=False),
        [values_a[s] for s in seeds],
        [values_b[s] for s in seeds],
        metric=metric,
        rule=dataclasses.replace(story.rule, looks=(len(seeds),)),
        noise=story.noise[metric.name],
        confounds=_confounds(story, first, second),
    )
    return {
        "study": story.study,
        "a": a,
        "b": b,
        "metric": metric.name,
        "unit": metric.unit,
        "is_registered": False,
        "seeds": seeds,
        "a_values": [_plain(values_a[s]) for s in seeds],
        "b_values": [_plain(values_b[s]) for s in seeds],
        "differs": {k: [second.config.get(k), v] for k, v in first.config.items() if v != second.config.get(k)},
        **_as_json(verdict),
    }


def _metric(story: Story, name: str) -> Metric:
    metrics = {m.name: m for m in story.metrics}
    if name not in metrics:
        hint = nearest(name, metrics)
        raise SurefootError(
            f"--metric must be one of {', '.join(metrics)}; got {quoted(name)}{'.' if hint else ''}{hint}"
        )
    return metrics[name]


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": str(verdict.answer),
        "cause": str(verdict.cause),
        "confounds": list(verdict.confounds),
        "reason": verdict.reason,
        "n": verdict.n,
        "estimate": verdict.estimate,
        "interval": list(verdict.interval) if verdict.interval else None,
        "p": verdict.p,
        "correlation": verdict.correlation,
        "sd_of_difference": verdict.sd_of_difference,
        "detectable": verdict.detectable,
        "method": verdict.method,
    }


def comparison_text(found: Mapping[str, Any]) -> str:
    """The comparison in a few lines, for a terminal."""
    unit = f" {found['unit']}" if found["unit"] else ""
    lines = [f"{found['a']} against {found['b']} on {found['metric']}, {len(found['seeds'])} common seeds"]
    for name in ("a", "b"):
        lines.append(f"  {found[name]}: " + ", ".join(_shown(v) for v in found[f"{name}_values"]))
    if found["differs"]:
        changes = ", ".join(f"{k} {old} → {new}" for k, (old, new) in found["differs"].items())
        lines.append(f"  settings: {changes}")
    if found["estimate"] is not None and found["interval"] is not None:
        low, high = found["interval"]
        lines.append(
            f"  difference {found['estimate']:+.4g}{unit}, 95 % interval {low:.4g} … {high:.4g}"
            + (f", p {found['p']:.3g} (one-sided, {found['method']})" if found["p"] is not None else "")
        )
    answer = f"{found['verdict']}{' (' + found['cause'] + ')' if found['cause'] else ''}"
    lines.append(f'  "{found["a"]} is better": {answer}{". " + found["reason"] if found["reason"] else ""}')
    if found["detectable"] is not None:
        lines.append(f"  {found['n']} seeds show a change of {found['detectable']:.3g}{unit} 80 % of the time")
    lines.append("  asked after the fact: nobody predicted it, so this is a hint and no claim")
    return "\n".join(lines) + "\n"


def _arms(story: Story) -> dict[str, ArmStory]:
    found: dict[str, ArmStory] = {}
    if story.baseline is not None:
        found["baseline"] = found["champion"] = story.baseline
    for experiment in story.experiments:
        for arm in experiment.arms:
            if arm.seeds:
                found[f"{experiment.id}/{arm.name}"] = arm
            if arm.config == story.champion_config and arm.seeds:
                found["champion"] = arm
    return found


def _arm(arms: Mapping[str, ArmStory], name: str) -> ArmStory:
    if name not in arms:
        hint = nearest(name, arms)
        there = ", ".join(arms) or "none yet"
        raise SurefootError(f"no arm {quoted(name)} has runs here (there is {there}){'.' if hint else ''}{hint}")
    return arms[name]


def _confounds(story: Story, first: ArmStory, second: ArmStory) -> tuple[str, ...]:
    """In what the two arms' runs differ although none of the settings between them says so."""
    changed = {k for k in first.config if first.config[k] != second.config.get(k)}
    complete = [[run for run in arm.runs if run.status is Status.COMPLETE] for arm in (first, second)]
    differences = fact_differences(*complete, changed=changed, drivers=story.drivers)
    return tuple(str(d) for d in differences if not d.is_declared)


def _plain(value: Value) -> float | str:
    return str(value) if isinstance(value, NoValue) else value


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.5g}"
