"""A refined sweep as a file that runs as it is: a reason at each line, what was not concluded, what is expected."""

from __future__ import annotations

import io
import math
import posixpath
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from surefoot.errors import SurefootError
from surefoot.files.plan_document import PlanDocument
from surefoot.files.refined_wandb import refined_wandb
from surefoot.files.wandb_sweep import is_wandb
from surefoot.files.yaml_words import comment, flow, scalar
from surefoot.parameter import Parameter
from surefoot.refining.line import Line, range_text
from surefoot.refining.refinement import Refinement, share_text
from surefoot.sweep import Sweep
from surefoot.trials import TrialTable
from surefoot.words import NOTHING, count, number, p_phrase, setting

# Keys of the old file that the new one says anew.
OWN_KEYS = (
    *("sweep", "description", "continues", "expect", "base", "first", "budget", "search_seed", "parameters"),
    *("objective", "constraints"),
)
HEAD = "Refined ("
ADVICE = (
    "Refining is for moving a range, or for leaving out what only costs: on eight measured tables 60 trials, refined, "
    "and 40 more came out no better than 100 in one sweep, refined aggressively a little worse (docs/benchmarks.md)."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a refined table trains, which no table says: a command, or a workload."""

    command: str = ""
    workload: str = ""


def refined_text(
    refinement: Refinement, table: TrialTable, *, name: str, trained: Trained | None = None, folder: str = ""
) -> str:
    """The file of the next sweep, in our format or in W&B's where the earlier one is.

    What the earlier sweep's file says beside its space is kept as it is, its comments included; a table's needs
    `trained`. `folder` is written down where a script is to run somewhere else than where the file lies.
    Raises SurefootError where nobody says what to train, or the format cannot.
    """
    sweep = table.sweep
    head = _head(refinement, table)
    if sweep is not None and is_wandb(PlanDocument(sweep.text, sweep.path or "sweep.yaml", kind="sweep").plain):
        if folder:
            raise SurefootError("a sweep of W&B's runs where its file lies; write the next one into the same folder")
        head += [text for line in refinement.lines for text in comment(line_text(line))]
        return refined_wandb(refinement, sweep, name=name, head=head)
    rest = _rest(sweep, table, trained)
    if folder and ("command" in rest or "function" in rest):
        rest["folder"] = posixpath.join(folder, rest.get("folder", ""))
    parts = [
        *head,
        f"sweep: {scalar(name)}",
        *_continuation(sweep),
        *_expectation(refinement),
        _dumped(rest),
        *_base(refinement, table),
        *_objective(table),
        *_budget(refinement, sweep),
        *_first(refinement, sweep),
        *_constraints(refinement, sweep),
        "",
        "parameters:",
        *_parameters(refinement),
    ]
    return "\n".join(parts) + "\n"


def _head(refinement: Refinement, table: TrialTable) -> list[str]:
    n = len(table.complete)
    told = f"{HEAD}{refinement.style}) from {table.source}: {n} complete of {count(len(table.trials), 'trial')}; "
    told += f"{share_text(refinement)}. {_carried(refinement)}."
    return [*comment(told), *(line for text in refinement.not_concluded for line in comment(f"Not concluded. {text}"))]


def _carried(refinement: Refinement) -> str:
    n = len(refinement.carried)
    return f"{count(n, 'earlier trial')} {'lies' if n == 1 else 'lie'} in it"


def _rest(sweep: Sweep | None, table: TrialTable, trained: Trained | None) -> CommentedMap:
    """What the new file says beside its space, in the order of the old one."""
    if sweep is not None:
        found = _loaded(sweep.text)
        for key in OWN_KEYS:
            found.pop(key, None)
        found.fa.set_block_style()
        return found
    if trained is None or not (trained.command or trained.workload):
        raise SurefootError("a sweep must say what to train; give a command or a workload")
    what = {"command": trained.command} if trained.command else {"workload": trained.workload}
    return CommentedMap({**what, "metrics": {table.metric.name: {"goal": table.metric.goal}}})


def _loaded(text: str) -> CommentedMap:
    """The old file with its comments, but for those at its head: they tell of the old sweep."""
    lines = text.splitlines(keepends=True)
    while lines and lines[0].lstrip("\ufeff").startswith("#"):
        lines.pop(0)
    reader = YAML(typ="rt", pure=True)
    reader.preserve_quotes = True
    found: CommentedMap = reader.load("".join(lines))
    return found


def _continuation(sweep: Sweep | None) -> list[str]:
    if sweep is None:
        return []
    number_of_round = sweep.continues.round + 1 if sweep.continues else 2
    if number_of_round == 2:
        return [f"continues: {scalar(sweep.name)}"]
    return [f"continues: {flow({'sweep': sweep.name, 'round': number_of_round})}"]


def _expectation(refinement: Refinement) -> list[str]:
    expected = refinement.expectation
    if expected is None:
        return []
    unit = 10.0 ** (math.floor(math.log10(expected.high - expected.low or 1.0)) - 2)
    low, high = math.floor(expected.low / unit) * unit, math.ceil(expected.high / unit) * unit
    told: dict[str, Any] = {"between": [float(f"{low:.12g}"), float(f"{high:.12g}")]}
    told |= {} if expected.against is None else {"against": float(f"{expected.against:.6g}")}
    reason = (
        "Nine times in ten the chosen config's mean on fresh seeds should lie here; the report will say if it does."
    )
    return [*comment(reason), f"expect: {flow(told)}"]


def _base(refinement: Refinement, table: TrialTable) -> list[str]:
    """The settings that do not vary: those of the old file, and those that vary no longer."""
    settings = {**_written_base(table), **refinement.fixed}
    return [f"base: {flow(settings)}"] if settings else []


def _written_base(table: TrialTable) -> dict[str, Any]:
    """The settings that the old file writes itself; a workload knows its other defaults."""
    sweep = table.sweep
    if sweep is None:
        return dict(table.base)
    written = PlanDocument(sweep.text, sweep.path or "sweep.yaml", kind="sweep").plain
    fixed = set(written["parameters"]) - set(sweep.space.names())
    return {name: value for name, value in sweep.base.items() if name in {*(written.get("base") or {}), *fixed}}


def _objective(table: TrialTable) -> list[str]:
    """Said where the space was refined for another metric than the file's first."""
    sweep = table.sweep
    is_first = sweep is None or table.metric.name == sweep.metrics[0].name
    return [] if is_first else [f"objective: {scalar(table.metric.name)}"]


def _budget(refinement: Refinement, sweep: Sweep | None) -> list[str]:
    """As much as the earlier sweep had; a grid has its own size. Another seed, so that no config is drawn again."""
    budget: dict[str, Any] = {} if sweep is not None and sweep.method.name == "grid" else {"trials": refinement.trials}
    if sweep is not None:
        told = {"runs": sweep.budget.runs, "hours": sweep.budget.hours, "run_minutes": sweep.budget.run_minutes}
        budget |= {name: value for name, value in told.items() if value is not None}
    lines = [f"budget: {flow(budget)}"] if budget else []
    return lines if sweep is None else [*lines, f"search_seed: {sweep.search_seed + 1}"]


def _first(refinement: Refinement, sweep: Sweep | None) -> list[str]:
    """The best configs so far, to be trained again where they cannot be carried over."""
    if sweep is not None or not refinement.first:
        return []
    return ["first:", *(f"  - {flow(config)}" for config in refinement.first)]


def _constraints(refinement: Refinement, sweep: Sweep | None) -> list[str]:
    """Those that still say something, as they were written."""
    if sweep is None or not sweep.space.constraints:
        return []
    written = PlanDocument(sweep.text, sweep.path or "sweep.yaml", kind="sweep").plain["constraints"]
    gone = set(sweep.space.names()) - set(refinement.space.names()) - set(refinement.fixed)
    left = [
        text
        for text, limit in zip(written, sweep.space.constraints, strict=True)
        if gone.isdisjoint(limit.names) and set(limit.names) - set(refinement.fixed)
    ]
    return ["constraints:", *(f"  - {scalar(text)}" for text in left)] if left else []


# --- parameters ------------------------------------------------------------------------------------------------------


def _parameters(refinement: Refinement) -> list[str]:
    told = [f"  {text}" for line in refinement.lines if line.after is None for text in comment(line_text(line))]
    by_name: dict[str, list[tuple[Line, Parameter]]] = {}
    for line in refinement.lines:
        if line.after is not None:
            by_name.setdefault(line.after.name, []).append((line, line.after))
    for name, some in by_name.items():
        if len(some) == 1:
            [(line, after)] = some
            told += [*(f"  {text}" for text in comment(line_text(line))), f"  {scalar(name)}: {_range(after)}"]
            continue
        told.append(f"  {scalar(name)}:")
        for line, after in some:
            told += [*(f"    {text}" for text in comment(line_text(line))), f"    - {_range(after)}"]
    return told


def _range(parameter: Parameter) -> str:
    """The parameter as the file writes it."""
    told: dict[str, Any] = {}
    if parameter.kind == "bool":
        told["type"] = "bool"
    elif parameter.kind == "categorical":
        told["choices"] = list(parameter.choices)
        told |= {"weights": list(parameter.weights)} if parameter.weights else {}
    else:
        mean, deviation = parameter.normal or (None, None)
        given = {"type": parameter.kind, "min": parameter.low, "max": parameter.high, "mu": mean, "sigma": deviation}
        given |= {"log": True if parameter.log else None, "step": parameter.step}
        told = {name: value for name, value in given.items() if value is not None}
    if parameter.when:
        told["when"] = {name: list(v) if len(v) > 1 else v[0] for name, v in parameter.when.items()}
    if parameter.role != "nuisance":
        told["role"] = parameter.role
    return flow(told["choices"] if list(told) == ["choices"] else told)


def _dumped(rest: CommentedMap) -> str:
    stream = io.StringIO()
    writer = YAML(typ="rt", pure=True)
    writer.width = 10_000
    writer.dump(rest, stream)
    return "\n".join(line for line in stream.getvalue().splitlines() if line.strip())


# --- for a person ----------------------------------------------------------------------------------------------------


def line_text(line: Line) -> str:
    """What became of a parameter and why: "lr: narrowed from 0.0001 … 0.03 (refine.elites, n 32, p = .003): …"."""
    p = "" if line.p is None else f", {p_phrase(line.p)}"
    was = f" from {spelled(line.before)}" if line.action in ("narrowed", "widened", "moved") else ""
    return f"{line.before.key}: {line.action}{was} ({line.rule}, n {line.n}{p}): {line.reason}."


def refinement_text(refinement: Refinement) -> str:
    """What became of the space, for a terminal: a line a parameter, how much is left, what was not concluded."""
    rows = [(line.before.key, line.action, _change(line)) for line in refinement.lines]
    first, second = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    told = [
        "  ".join([key.ljust(first), action.ljust(second), f"{change}({_why(line)})"])
        for (key, action, change), line in zip(rows, refinement.lines, strict=True)
    ]
    left = share_text(refinement)
    told += ["", f"{left[0].upper()}{left[1:]}. {_carried(refinement)}."]
    expected = refinement.expectation
    if expected is not None:
        beat = "" if expected.against is None else f"; the chosen config came to {number(expected.against)}"
        told.append(f"Expected on fresh seeds, nine times in ten: {range_text(expected.low, expected.high)}{beat}.")
    told += [f"Not concluded. {text}" for text in refinement.not_concluded]
    told.append(ADVICE)
    return "\n".join(" ".join(line.splitlines()) for line in told) + "\n"


def _change(line: Line) -> str:
    if line.action in ("narrowed", "widened", "moved") and line.after is not None:
        return f"{spelled(line.before)} → {spelled(line.after)}  "
    return f"{setting(line.value)}  " if line.action == "fixed" else ""


def _why(line: Line) -> str:
    return line.reason if line.p is None else f"{line.reason}; {p_phrase(line.p)}"


def spelled(parameter: Parameter) -> str:
    """Its range or its choices, as a person says them."""
    if parameter.kind in ("categorical", "bool"):
        return ", ".join(map(setting, parameter.levels()))
    ends = [NOTHING if end is None else setting(end) for end in (parameter.low, parameter.high)]
    if parameter.normal is not None:
        mean, deviation = map(setting, parameter.normal)
        is_cut = parameter.low is not None or parameter.high is not None
        return f"normal around {mean} ± {deviation}" + (f" within {ends[0]} … {ends[1]}" if is_cut else "")
    return f"{ends[0]} … {ends[1]}"
