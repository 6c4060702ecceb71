"""A commented plan to start from, written for any workload from its own defaults and space."""

from __future__ import annotations

import json
import re
from typing import Any

from surefoot.errors import SpaceError
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

LEARNING_RATES = ("lr", "learning_rate")


def plan_template(workload: Workload, name: str) -> str:
    """The text of a plan that runs as it is; `name` is how the plan names the workload."""
    defaults = workload.defaults()
    metrics = "\n".join(
        f"  {_yaml(m.name)}: {{goal: {m.goal}{_unit(m.unit)}}}" + ("    # target: …, min_effect: …" if i == 0 else "")
        for i, m in enumerate(workload.metrics)
    )
    lines = [(f"  {_yaml(p.name)}: {_yaml(defaults[p.name])}", _range(p)) for p in workload.space.parameters]
    width = max((len(line) for line, _ in lines), default=0) + 2
    baseline = "\n".join(f"{line:<{width}}# {says}" if says else line for line, says in lines)
    plain_name = "".join(c if c.isalnum() else "-" for c in workload.name).strip("-")
    return HEAD.format(
        study=f"{plain_name or 'my'}-study",
        workload=_yaml(name),
        metrics=metrics,
        primary=_yaml(workload.metrics[0].name),
        baseline=baseline or "  {}",
        experiment=_experiment(workload, defaults),
    )


def _experiment(workload: Workload, defaults: dict[str, Any]) -> str:
    found = next(((p, v) for p in _promising_first(workload) if (v := _another(p, defaults[p.name])) is not None), None)
    if found is None:
        return "  []  # this workload has no setting that can take a second value"
    p, value = found
    metric = workload.metrics[0].name
    hypothesis = f"{p.name} {_shown(value)} trains better than {p.name} {_shown(defaults[p.name])}."
    return (
        f"  - id: {_yaml(p.name)}\n"
        f"    hypothesis: {_yaml(hypothesis)}\n"
        "    because: Say here why you believe it.\n"
        "    arms:\n"
        f"      changed: {{{_yaml(p.name)}: {_yaml(value)}}}\n"
        "    expect:\n"
        "      # is: better or worse (by: …), same (within: …), or between: [low, high]\n"
        f"      - {{arm: changed, metric: {_yaml(metric)}, is: better}}"
    )


def _promising_first(workload: Workload) -> list[Parameter]:
    """The parameters in the order in which a first experiment would try them: rates, choices, sizes, switches.

    A learning rate comes before the other rates: it acts whatever the other settings are. Momentum comes after all:
    it does nothing with Adam, and no space says so.
    """
    kinds = ("float", "categorical", "int", "bool")

    def rank(p: Parameter) -> tuple[bool, int, bool]:
        return p.name == "momentum", kinds.index(p.kind), p.name not in LEARNING_RATES

    return sorted(workload.space.parameters, key=rank)


def _another(p: Parameter, default: Any) -> Any:
    """A second value: the other choice, or the number doubled, halved or one further; None where there is none."""
    if p.kind == "bool":
        return not default
    if p.kind == "categorical":
        return next((c for c in p.choices if c != default), None)
    if p.kind == "float" and default == 0:
        return None
    step = default // 2 if p.kind == "int" else default / 2
    for value in (default * 2, step, default + 1, default - 1, p.low, p.high):
        try:
            if value is not None and p.checked(value) != default:
                return value
        except SpaceError:
            continue
    return None


def _range(p: Parameter) -> str:
    if p.kind == "bool":
        return "true, false"
    if p.choices:
        return ", ".join(map(_yaml, p.choices))
    low = "" if p.low is None else f"from {p.low:.12g}"
    high = "" if p.high is None else f"to {p.high:.12g}"
    return " ".join(x for x in (low, high) if x)


def _unit(unit: str) -> str:
    return f", unit: {json.dumps(unit, ensure_ascii=False)}" if unit else ""


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _yaml(value: Any) -> str:
    """The value as YAML 1.2 reads it back: text is quoted where it would be something else."""
    if not isinstance(value, str):
        return _shown(value)
    is_plain = re.fullmatch(r"[A-Za-z_][\w ./=-]*(:[A-Za-z_]\w*)?\.?", value) and not value.endswith(" ")
    is_word = value.lower() in ("true", "false", "null")
    return value if is_plain and not is_word else json.dumps(value, ensure_ascii=False)
