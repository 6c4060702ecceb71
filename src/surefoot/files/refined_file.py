"""A refined sweep as a file that runs as it is: a reason at each line, what was not concluded, what is expected."""

from __future__ import annotations

import io
import json
import posixpath
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from surefoot.analysis.narrowing import Line
from surefoot.analysis.refinement import Refinement, share_text
from surefoot.errors import SurefootError
from surefoot.files.plan_document import PlanDocument
from surefoot.files.wandb_sweep import is_wandb
from surefoot.parameter import Parameter
from surefoot.sweep import Sweep
from surefoot.trials import TrialTable
from surefoot.words import p_phrase, setting

WIDTH = 116
# Keys of the old file that the new one says anew.
OWN_KEYS = ("sweep", "continues", "expect", "parameters", "first", "budget", "base", "description")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a refined table trains, which no table says: a command, or a workload; `folder` is where it runs."""

    command: str = ""
    workload: str = ""


def refined_text(
    refinement: Refinement, table: TrialTable, *, name: str, trained: Trained | None = None, folder: str = ""
) -> str:
    """The file of the next sweep.

    What the earlier sweep's file says beside its space is kept as it is, its comments included; a table's needs
    `trained`. `folder` is written down where a command is to run somewhere else than where the file lies.
    Raises SurefootError where nobody says what to train.
    """
    sweep = table.sweep
    rest = _rest(sweep, table, trained)
    if folder and ("command" in rest or "function" in rest):
        rest["folder"] = posixpath.join(folder, rest.get("folder", ""))
    parts = [
        _head(refinement, table),
        f"sweep: {_scalar(name)}",
        *_continuation(sweep),
        *_expectation(refinement, table),
        _dumped(rest).rstrip("\n"),
        _base(refinement, table),
        _budget(refinement, sweep),
        *_first(refinement, sweep),
        "",
        "parameters:",
        *_parameters(refinement),
    ]
    return "\n".join(part for part in parts if part is not None) + "\n"


def _head(refinement: Refinement, table: TrialTable) -> str:
    n = len(table.complete)
    told = f"Refined ({refinement.style}) from {table.source}: {n} complete of {len(table.trials)} trials; "
    told += f"{share_text(refinement)}. {len(refinement.carried)} earlier trials lie in it."
    lines = _comment(told)
    for text in refinement.not_concluded:
        lines += _comment(f"Not concluded. {text}")
    return "\n".join(lines)


def _rest(sweep: Sweep | None, table: TrialTable, trained: Trained | None) -> CommentedMap:
    """What the new file says beside its space, in the order of the old one."""
    if sweep is not None:
        if is_wandb(PlanDocument(sweep.text, sweep.path or "sweep.yaml", kind="sweep").plain):
            raise SurefootError(
                f"a sweep to refine must be in Surefoot's own format to be written again; {sweep.path or sweep.name} "
                "is in W&B's. `surefoot analyze` tells what its trials say"
            )
        found = YAML(typ="rt").load(sweep.text)
        return CommentedMap((key, value) for key, value in found.items() if key not in OWN_KEYS)
    if trained is None or not (trained.command or trained.workload):
        raise SurefootError(
            "a sweep must say what to train, which a table does not: give --command 'python train.py {args}' "
            "or --workload NAME"
        )
    what = {"command": trained.command} if trained.command else {"workload": trained.workload}
    return CommentedMap({**what, "metrics": {table.metric.name: {"goal": table.metric.goal}}})


def _continuation(sweep: Sweep | None) -> list[str]:
    if sweep is None:
        return []
    number = sweep.continues.round + 1 if sweep.continues else 2
    told = _scalar(sweep.name) if number == 2 else f"{{sweep: {_scalar(sweep.name)}, round: {number}}}"
    return [f"continues: {told}"]


def _expectation(refinement: Refinement, table: TrialTable) -> list[str]:
    expected = refinement.expectation
    if expected is None:
        return []
    against = "" if expected.against is None else f", against: {expected.against:.6g}"
    told = "Nine times in ten the chosen config's mean on fresh seeds should lie here; the report will say if it does."
    return [*_comment(told), f"expect: {{between: [{expected.low:.6g}, {expected.high:.6g}]{against}}}"]


def _base(refinement: Refinement, table: TrialTable) -> str | None:
    """The settings that do not vary: those of the old file, and those that vary no longer."""
    own = _written_base(table)
    settings = {**own, **refinement.fixed}
    return f"base: {_flow(settings)}" if settings else None


def _written_base(table: TrialTable) -> dict[str, Any]:
    """The settings that the old file writes itself; a workload knows its other defaults."""
    sweep = table.sweep
    if sweep is None:
        return dict(table.base)
    written = PlanDocument(sweep.text, sweep.path or "sweep.yaml", kind="sweep").plain
    names = {*(written.get("base") or {}), *written["parameters"]} - set(sweep.space.names())
    return {name: value for name, value in sweep.base.items() if name in names}


def _budget(refinement: Refinement, sweep: Sweep | None) -> str:
    budget: dict[str, Any] = {"trials": refinement.trials}
    if sweep is not None:
        told = {"runs": sweep.budget.runs, "hours": sweep.budget.hours, "run_minutes": sweep.budget.run_minutes}
        budget |= {name: value for name, value in told.items() if value is not None}
    return f"budget: {_flow(budget)}"


def _first(refinement: Refinement, sweep: Sweep | None) -> list[str]:
    """The best configs so far, to be trained again where they cannot be carried over."""
    if sweep is not None or not refinement.first:
        return []
    return ["first:", *(f"  - {_flow(config)}" for config in refinement.first)]


def _parameters(refinement: Refinement) -> list[str]:
    told: list[str] = []
    after = {line.before.key: line.after for line in refinement.lines if line.after is not None}
    names = list(dict.fromkeys(p.name for p in after.values()))
    for line in refinement.lines:
        if line.after is None:
            told += [f"  {text}" for text in _comment(line_text(line))]
    for name in names:
        lines = [line for line in refinement.lines if line.after is not None and line.before.name == name]
        if len(lines) == 1:
            told += [f"  {text}" for text in _comment(line_text(lines[0]))]
            told.append(f"  {_scalar(name)}: {_range(after[lines[0].before.key])}")
            continue
        told.append(f"  {_scalar(name)}:")
        for line in lines:
            told += [f"    {text}" for text in _comment(line_text(line))]
            told.append(f"    - {_range(after[line.before.key])}")
    return told


def line_text(line: Line) -> str:
    """What became of a parameter and why: "lr: narrowed from 0.0001 … 0.03 (refine.elites, n 32, p = .003): …"."""
    p = "" if line.p is None else f", {p_phrase(line.p)}"
    was = f" from {_spelled(line.before)}" if line.action in ("narrowed", "widened", "moved") else ""
    return f"{line.before.key}: {line.action}{was} ({line.rule}, n {line.n}{p}): {line.reason}."


def refinement_text(refinement: Refinement) -> str:
    """What became of the space, for a terminal: a line a parameter, how much is left, what was not concluded."""
    left = share_text(refinement)
    told = [line_text(line) for line in refinement.lines]
    told.append(f"{left[0].upper()}{left[1:]}; {len(refinement.carried)} earlier trials lie in it.")
    if refinement.expectation is not None:
        expected = refinement.expectation
        told.append(f"Expected on fresh seeds, nine times in ten: {expected.low:.4g} … {expected.high:.4g}.")
    told += [f"Not concluded. {text}" for text in refinement.not_concluded]
    return "\n".join(told) + "\n"


def _spelled(parameter: Parameter) -> str:
    if parameter.kind in ("categorical", "bool"):
        return ", ".join(map(setting, parameter.levels()))
    return f"{parameter.low:g} … {parameter.high:g}"


def _range(parameter: Parameter | None) -> str:
    """The parameter as the file writes it."""
    assert parameter is not None
    told: dict[str, Any] = {}
    if parameter.kind == "bool":
        told["type"] = "bool"
    elif parameter.kind == "categorical":
        told["choices"] = list(parameter.choices)
        if parameter.weights:
            told["weights"] = list(parameter.weights)
    else:
        told["type"] = parameter.kind
        told |= {"min": parameter.low, "max": parameter.high}
        if parameter.normal is not None:
            told |= {"mu": parameter.normal[0], "sigma": parameter.normal[1]}
        told |= {"log": True} if parameter.log else {}
        told |= {"step": parameter.step} if parameter.step is not None else {}
        told = {name: value for name, value in told.items() if value is not None}
    if parameter.when:
        told["when"] = {name: list(v) if len(v) > 1 else v[0] for name, v in parameter.when.items()}
    if parameter.role != "nuisance":
        told["role"] = parameter.role
    plain = parameter.kind == "categorical" and list(told) == ["choices"] and len(parameter.choices) > 1
    return _flow(told["choices"]) if plain else _flow(told)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(text.split()), WIDTH)]


def _flow(value: Any) -> str:
    """The value on one line: JSON, which YAML 1.2 reads, with keys bare where they can be."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _scalar(text: str) -> str:
    """The text bare where no YAML reader could take it for anything else."""
    is_bare = text.isascii() and text.replace("_", "a").replace("-", "a").isalnum() and text[0].isalpha()
    return text if is_bare and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def _dumped(rest: CommentedMap) -> str:
    stream = io.StringIO()
    writer = YAML(typ="rt")
    writer.width = 10_000
    writer.default_flow_style = None
    writer.dump(rest, stream)
    return stream.getvalue()
