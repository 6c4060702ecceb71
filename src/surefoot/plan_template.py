"""A commented plan to start from, written for any workload from its own defaults and space."""

from __future__ import annotations

from typing import Any

from surefoot.space import Parameter
from surefoot.workload import Workload

HEAD = """\
# A study: from this baseline towards the target, by verified steps. `surefoot check` reads it,
# `surefoot run` does what it still needs; run it again after any interruption.
study: {study}
workload: {workload}

# Which way each metric should go; `target` is where the study wants it, `min_effect` the
# smallest change worth having, both in the metric's own unit.
metrics:
{metrics}
primary: {primary}

# The most paired seeds an arm gets. A race looks at 3, 5 and 8 of them and stops early where it can.
seeds: 8

# What may be spent on training, summed over runs. Delete what should not be limited.
budget: {{runs: 120, hours: 2}}

# Where the study starts. A setting left out has the default shown here.
baseline:
{baseline}

# Write down what you believe, why, and what it should do to the numbers: before anything trains.
experiments:
{experiment}
"""


def plan_template(workload: Workload, name: str) -> str:
    """The text of a plan that runs as it is; `name` is how the plan names the workload."""
    defaults = workload.defaults()
    metrics = "\n".join(
        f"  {m.name}: {{goal: {m.goal}{_unit(m.unit)}}}" + ("    # target: …, min_effect: …" if i == 0 else "")
        for i, m in enumerate(workload.metrics)
    )
    lines = [(f"  {p.name}: {_yaml(defaults[p.name])}", _range(p)) for p in workload.space.parameters]
    width = max(len(line) for line, _ in lines) + 2
    baseline = "\n".join(f"{line:<{width}}# {says}" if says else line for line, says in lines)
    return HEAD.format(
        study=f"{workload.name.replace('_', '-')}-study",
        workload=name,
        metrics=metrics,
        primary=workload.metrics[0].name,
        baseline=baseline,
        experiment=_experiment(workload, defaults),
    )


def _experiment(workload: Workload, defaults: dict[str, Any]) -> str:
    setting, value = _another_value(workload, defaults)
    metric = workload.metrics[0].name
    return (
        f"  - id: {setting}\n"
        f"    hypothesis: A {setting} of {value} trains better than {_yaml(defaults[setting])}.\n"
        "    because: Say here why you believe it.\n"
        "    arms:\n"
        f"      changed: {{{setting}: {value}}}\n"
        "    expect:\n"
        "      # is: better or worse (by: …), same (within: …), or between: [low, high]\n"
        f"      - {{arm: changed, metric: {metric}, is: better}}"
    )


def _another_value(workload: Workload, defaults: dict[str, Any]) -> tuple[str, str]:
    """A setting to vary first, and a second value for it: a float doubled or halved, else another choice."""
    for p in workload.space.parameters:
        default = defaults[p.name]
        if p.kind == "float" and default:
            for value in (default * 2, default / 2):
                if (p.low is None or value >= p.low) and (p.high is None or value <= p.high):
                    return p.name, _yaml(value)
    for p in workload.space.parameters:
        others = [c for c in p.choices if c != defaults[p.name]]
        if others:
            return p.name, _yaml(others[0])
    first = workload.space.parameters[0]
    return first.name, _yaml(defaults[first.name])


def _range(p: Parameter) -> str:
    if p.kind == "bool":
        return "true, false"
    if p.choices:
        return ", ".join(map(_yaml, p.choices))
    low = "" if p.low is None else f"from {p.low:g}"
    high = "" if p.high is None else f"to {p.high:g}"
    return " ".join(x for x in (low, high) if x)


def _unit(unit: str) -> str:
    return f', unit: "{unit}"' if unit else ""


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
