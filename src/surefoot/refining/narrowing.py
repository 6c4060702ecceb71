"""One parameter's next range or choices: kept, narrowed, widened, moved or fixed, with the rule and the evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.analysis.analysis import Analysis
from surefoot.analysis.importance import ImportanceRow
from surefoot.parameter import Parameter, is_same
from surefoot.refining.case import Case, case_of
from surefoot.refining.line import Action, Care, Line, Style
from surefoot.refining.next_levels import next_levels
from surefoot.refining.next_range import next_range
from surefoot.space import SearchSpace
from surefoot.words import count, percent, setting

__all__ = ["Action", "Care", "Line", "Style", "next_line"]

FEWEST_TRIALS = 20  # in which the parameter existed, before anything of it is narrowed
# Fixing makes a sweep's trials with other values useless to the next one; not more of them than this are given up.
MOST_GIVEN_UP = 0.5


def next_line(
    analysis: Analysis, parameter: Parameter, *, style: Style, barred: str, limits: SearchSpace | None
) -> Line:
    """The line of one parameter; `barred` says why nothing is concluded at all, `limits` how far a range may go."""
    case = case_of(analysis, parameter, style=style, limits=limits)
    n = case.tried.n
    if parameter.role == "scientific":
        return case.kept("refine.scientific", "it is what the search is about")
    if barred:
        return case.kept("refine.barred", "nothing is concluded from these trials")
    if n < FEWEST_TRIALS:
        found = f"it existed in {count(n, 'trial')}" if n else "it existed in no trial"
        return case.kept("refine.few_trials", f"{found}, and {FEWEST_TRIALS} are the fewest to conclude from")
    if case.tried.distinct < 2:
        return case.kept("refine.one_value", "one value of it was tried")
    changed = next_levels(case) if parameter.kind in ("categorical", "bool") else next_range(case)
    if changed is not None and changed.action != "kept":
        return changed
    row = next((r for r in analysis.importance.rows if r.key == parameter.key), None)
    if row is not None and "dead" in row.flags:
        return _dead(case, row)
    return changed or _as_it_was(case, row)


def _as_it_was(case: Case, row: ImportanceRow | None) -> Line:
    """Kept, and whether it matters."""
    way = next((r for r in case.analysis.directions.shown if r.key == case.parameter.key), None)
    if (row is None or not row.is_real) and way is not None:
        reason = "a direction is shown of it, but the elites crowd no part of what was tried"
        return case.kept("refine.direction", reason, way.p_perm)
    if row is None or not row.is_real:
        return case.kept("refine.nothing_shown", "it is not shown to matter", None if row is None else row.p)
    if len(case.tried.levels) == 2 and case.parameter.kind in ("categorical", "bool"):
        reason = "it matters, but no value is fixed on a search alone: compare the two on paired seeds"
    else:
        reason = "it matters, but the elites crowd no part of what was tried"
    return case.kept("refine.matters", reason, row.p)


def _dead(case: Case, row: ImportanceRow) -> Line:
    """Fixed as in the best trial where the style does that and it costs no more than it is worth; else kept."""
    parameter = case.parameter
    said = f"it explains at most {percent(row.interval[1])} of the variance over {count(row.n, 'trial')}"
    if not case.care.fixes:
        return case.kept("refine.dead_kept", f"{said}; only the aggressive style fixes it", row.p)
    if case.is_shared or not _stands_alone(case):
        return case.kept("refine.dead_kept", f"{said}, but other parameters or conditions hang on it", row.p)
    value = case.leaders[0].settings[parameter.name]
    same = np.mean([is_same(t.settings[parameter.name], value) for t in case.analysis.view.trials])
    if case.analysis.view.table.sweep is not None and same < MOST_GIVEN_UP:
        reason = f"{said}, but only {percent(float(same))} of the trials could be carried over if it were fixed"
        return case.kept("refine.dead_kept", reason, row.p)
    line = case.kept("refine.dead", f"{said}; it stays at {setting(value)}, as in the best trial", row.p)
    return replace(line, after=None, action="fixed", value=value)


def _stands_alone(case: Case) -> bool:
    """Whether it always exists and no other one depends on it: only then is its absence of effect its own."""
    others = case.analysis.view.table.space.parameters
    return not case.parameter.when and not any(case.parameter.name in other.when for other in others)
