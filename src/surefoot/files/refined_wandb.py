"""A refined sweep in W&B's own format: its file with other ranges, and the reasons at its head."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from surefoot.files.yaml_words import comment
from surefoot.parameter import Parameter
from surefoot.refining.refinement import Refinement
from surefoot.sweep import Sweep

UNSAID = (
    "W&B's format has no words for what a sweep goes on from, nor for what is expected of it: no trial is carried over "
    "from the earlier one, and no promise is written down."
)


def refined_wandb(refinement: Refinement, sweep: Sweep, *, name: str, head: Sequence[str]) -> str:
    """The text of W&B's file for the next sweep; all but its name, its ranges and its run_cap is as it was.

    `head` are the comments at its top. A normal distribution stays as it was, which W&B cannot cut off.
    """
    reader = YAML(typ="rt", pure=True)
    reader.preserve_quotes = True
    tree = reader.load(sweep.text)
    nesting = {} if isinstance(sweep.workload, str) else dict(sweep.workload.nesting)
    unsaid = [UNSAID]
    for line in refinement.lines:
        where = nesting.get(line.before.name, (line.before.name,))
        if line.action == "fixed":
            _put(tree, where, {"value": line.value})
        elif line.after is not None and line.after != line.before:
            if line.after.normal is not None:
                unsaid.append(f"{line.before.name} stays as it was: W&B's normal distributions have no bounds.")
                continue
            _put(tree, where, wandb_block(line.after, is_grid=sweep.method.name == "grid"))
    if "name" in tree:
        tree["name"] = name
    else:
        tree.insert(0, "name", name)
    if sweep.method.name != "grid":
        tree["run_cap"] = refinement.trials
    return "\n".join([*head, *comment(" ".join(unsaid)), _dumped(tree)])


def wandb_block(parameter: Parameter, *, is_grid: bool) -> dict[str, Any]:
    """The parameter in W&B's words: what `read_parameter` takes for the same one again."""
    if parameter.kind in ("categorical", "bool"):
        shares = {"probabilities": list(parameter.weights)} if parameter.weights else {}
        return {"values": list(parameter.levels()), **shares}
    low, high, step = parameter.low, parameter.high, parameter.step
    if is_grid and step is not None:
        # W&B's grid leaves the last value out.
        end = Decimal(str(high)) + Decimal(str(step))
        most = int(end) if parameter.kind == "int" else float(end)
        return {"distribution": "q_uniform", "min": low, "max": most, "q": step}
    if step is None and parameter.kind == "int" and not parameter.log:
        return {"distribution": "int_uniform", "min": low, "max": high}
    kind = "log_uniform_values" if parameter.log else "uniform"
    if step is None and parameter.kind == "float":
        return {"distribution": kind, "min": low, "max": high}
    return {"distribution": f"q_{kind}", "min": low, "max": high, "q": 1 if step is None else step}


def _put(tree: CommentedMap, where: Sequence[str], block: dict[str, Any]) -> None:
    """Writes the block where the parameter stands, on one line."""
    node = tree
    for key in where:
        parents, node = node["parameters"], node["parameters"][key]
    found = CommentedMap(block)
    found.fa.set_flow_style()
    parents[where[-1]] = found


def _dumped(tree: CommentedMap) -> str:
    stream = io.StringIO()
    writer = YAML(typ="rt", pure=True)
    writer.width = 10_000
    writer.dump(tree, stream)
    return stream.getvalue()
