"""The verb that writes the next search space as a sweep that runs as it is."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.analyzing import analysis_of
from surefoot.cli.answers import DONE, print_json, put
from surefoot.errors import SurefootError
from surefoot.sweep import Sweep

if TYPE_CHECKING:
    from surefoot.space import SearchSpace


def refine(arguments: argparse.Namespace) -> int:
    """Writes a refined sweep and says what became of each parameter."""
    from surefoot.analysis.refinement import refine
    from surefoot.files.refined_file import Trained, refined_text, refinement_text
    from surefoot.files.sweep_file import parse_sweep

    analysis = analysis_of(arguments)
    table = analysis.view.table
    sweep = table.sweep
    if sweep is not None and len(sweep.targets) > 1:
        raise SurefootError(f"a space is refined for one objective; {sweep.name} searches for {len(sweep.targets)}")
    name = arguments.name or next_name(table.name)
    target = _target(arguments, name, sweep)
    refined = refine(
        analysis,
        style=arguments.style,
        trials=arguments.trials,
        limits=_limits(arguments, sweep),
        claim_seeds=sweep.confirmation.seeds if sweep is not None and sweep.confirmation is not None else 5,
    )
    trained = Trained(command=arguments.command or "", workload=arguments.workload or "")
    text = refined_text(refined, table, name=name, trained=trained, folder=_folder(target, sweep))
    parse_sweep(text, str(target))  # whatever is written runs as it is
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SurefootError(f"the refined sweep cannot be written to {target}: {error.strerror or error}") from error
    if arguments.json:
        print_json({"file": str(target), **refined.definition()})
    else:
        put(f"{refinement_text(refined)}{target}\n")
    return DONE


def next_name(name: str) -> str:
    """ "fashion-asha-2" after "fashion-asha", "fashion-asha-3" after that; what no folder can be called becomes "-"."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "refined"
    found = re.fullmatch(r"(.+)-(\d{1,4})", plain)
    return f"{found[1]}-{int(found[2]) + 1}" if found else f"{plain}-2"


def _target(arguments: argparse.Namespace, name: str, sweep: Sweep | None) -> Path:
    """The file to write: what was asked for, or the sweep's name beside the earlier sweep's file."""
    if arguments.out is not None:
        target = Path(arguments.out)
    else:
        beside = Path(sweep.path).parent if sweep is not None and sweep.path else Path()
        target = (beside if beside.is_dir() else Path()) / f"{name}.yaml"
    if target.exists() and not arguments.force:
        raise SurefootError(f"{target} is there already; write it elsewhere with --out FILE, or over it with --force")
    return target


def _folder(target: Path, sweep: Sweep | None) -> str:
    """Where a script runs that lay beside the earlier file, seen from the new one; empty where that is the same."""
    if sweep is None or not sweep.path:
        return ""
    earlier, later = Path(sweep.path).resolve().parent, target.resolve().parent
    return "" if earlier == later else os.path.relpath(earlier, later)


def _limits(arguments: argparse.Namespace, sweep: Sweep | None) -> SearchSpace | None:
    """How far the workload itself lets its settings go; None for a script, which says nothing."""
    from surefoot.workload import find_workload

    named = arguments.workload if sweep is None else sweep.workload
    if not isinstance(named, str) or not named:
        return None
    beside = Path(sweep.path).parent if sweep is not None and sweep.path else None
    return find_workload(named, beside=beside).space
