"""The verb that writes the next search space as a sweep that runs as it is."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.analyzing import trials_of
from surefoot.cli.answers import DONE, print_json, put
from surefoot.errors import SurefootError
from surefoot.sweep import Sweep

if TYPE_CHECKING:
    from surefoot.files.refined_file import Trained
    from surefoot.refining.refinement import Refinement
    from surefoot.space import SearchSpace
    from surefoot.trials import TrialTable


def refine(arguments: argparse.Namespace) -> int:
    """Writes a refined sweep and says what became of each parameter."""
    from surefoot.files.refined_file import refined_text, refinement_text

    table, _ = trials_of(arguments)
    name = arguments.name or next_name(table.name)
    target = _target(arguments, name, table)
    trained = _trained(arguments, table)
    limits = _limits(table, trained)
    refined = _refined(arguments, table, limits)
    text = refined_text(refined, table, name=name, trained=trained, folder=_folder(target, table.sweep))
    _check(text, target)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SurefootError(f"the refined sweep cannot be written to {target}: {error.strerror or error}") from error
    if arguments.json:
        print_json({"file": str(target), **refined.definition()})
    else:
        put(f"{refinement_text(refined)}\n{target}\n")
    return DONE


def next_name(name: str) -> str:
    """ "fashion-asha-2" after "fashion-asha", "fashion-asha-3" after that; what no folder can be called becomes "-"."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "refined"
    found = re.fullmatch(r"(.+)-(\d{1,4})", plain)
    return f"{found[1]}-{int(found[2]) + 1}" if found else f"{plain}-2"


def _refined(arguments: argparse.Namespace, table: TrialTable, limits: SearchSpace | None) -> Refinement:
    from surefoot.analysis.analysis import analyze
    from surefoot.refining.refinement import refine

    sweep = table.sweep
    confirmation = sweep.confirmation if sweep is not None else None
    found = refine(
        analyze(table, seed=arguments.seed),
        style=arguments.style,
        trials=arguments.trials,
        limits=limits,
        claim_seeds=confirmation.seeds if confirmation is not None else 5,
    )
    if sweep is None or confirmation is not None:
        return found
    # Nothing is claimed on fresh seeds there, so that a promise could never be held against anything.
    return replace(found, expectation=None)


def _trained(arguments: argparse.Namespace, table: TrialTable) -> Trained:
    """What the next sweep trains, as far as its source does not say it."""
    from surefoot.files.refined_file import Trained

    said = Trained(command=arguments.command or "", workload=arguments.workload or "")
    sweep = table.sweep
    if sweep is not None and len(sweep.targets) > 1:
        raise SurefootError(f"a space is refined for one objective; {sweep.name} searches for {len(sweep.targets)}")
    if sweep is not None and said != Trained():
        option = "--command" if said.command else "--workload"
        raise SurefootError(f"{option} is for a table; {sweep.name} is on record with what it trains")
    if said.command and said.workload:
        raise SurefootError("a sweep trains one thing; got --command and --workload. Give one of them")
    if sweep is None and said == Trained():
        if not table.workload:
            raise SurefootError(
                f"{table.name} does not say what to train; give --command 'python train.py {{args}}' or --workload NAME"
            )
        return Trained(workload=table.workload)
    return said


def _target(arguments: argparse.Namespace, name: str, table: TrialTable) -> Path:
    """The file to write: what was asked for, or the sweep's name beside the earlier file."""
    if arguments.out is not None:
        target = Path(arguments.out)
    else:
        earlier = table.sweep.path if table.sweep is not None else table.workload_path
        beside = Path(earlier).parent if earlier else Path()
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


def _limits(table: TrialTable, trained: Trained) -> SearchSpace | None:
    """How far the workload itself lets its settings go; None for a script, which says nothing."""
    from surefoot.workload import find_workload

    sweep = table.sweep
    named = trained.workload if sweep is None else sweep.workload
    if not isinstance(named, str) or not named:
        return None
    path = sweep.path if sweep is not None else table.workload_path
    return find_workload(named, beside=Path(path).parent if path else None).space


def _check(text: str, target: Path) -> None:
    """Whatever is written runs as it is; raises SurefootError where it would not."""
    from surefoot.files.sweep_file import parse_sweep

    try:
        parse_sweep(text, str(target))
    except SurefootError as error:
        raise SurefootError(f"no sweep that runs can be written of this: {error}") from error
