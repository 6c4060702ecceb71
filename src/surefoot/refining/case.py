"""Case: one parameter with all that the trials say of it, as it is asked what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.analysis.analysis import Analysis
from surefoot.analysis.boundaries import Boundary
from surefoot.analysis.column import Column, columns_of
from surefoot.analysis.edge import natural_bound
from surefoot.analysis.exposure import JUDGED
from surefoot.analysis.view import View
from surefoot.parameter import Parameter
from surefoot.refining.line import CARES, Care, Line, Style
from surefoot.space import SearchSpace
from surefoot.trials import Trial

FEWEST_ELITES = 5  # a range drawn around fewer is a range drawn around luck


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One parameter before its next range.

    `tried` is its column over all trials that came to something. `leaders` are the trials that the next space must
    hold: the one that fresh seeds chose where there is one, and the best. `is_shared`: it is tuned for several values
    of a scientific parameter alike, so that the best of them alone must not narrow it. `limits` is the workload's
    own space.
    """

    analysis: Analysis
    parameter: Parameter
    tried: Column
    care: Care
    leaders: tuple[Trial, ...]
    is_shared: bool
    limits: SearchSpace | None = None

    def kept(self, rule: str, reason: str, p: float | None = None) -> Line:
        """The line that changes nothing."""
        same = self.parameter
        return Line(before=same, after=same, action="kept", rule=rule, reason=reason, n=self.tried.n, p=p)

    @property
    def hits(self) -> tuple[Boundary, ...]:
        """Its edges that the next search should look beyond."""
        return tuple(b for b in self.analysis.boundaries if b.key == self.parameter.key and b.may_widen)

    def is_possible(self, value: float) -> bool:
        """Whether a number beyond the old bounds makes sense, and the workload takes it."""
        low, high = natural_limits(self.parameter)
        own = self.limits.named(self.parameter.name) if self.limits else ()
        return low <= value <= high and (not self.limits or any(p.admits(value) for p in own))


def case_of(analysis: Analysis, parameter: Parameter, *, style: Style, limits: SearchSpace | None) -> Case:
    """The case of one parameter of the analysis's space."""
    table = analysis.view.table
    judged = [trial for trial in table.trials if trial.state in JUDGED]
    [tried] = columns_of(SearchSpace(parameters=(parameter,)), judged)
    scientific = {p.name for p in table.space.parameters if p.role == "scientific"}
    return Case(
        analysis=analysis,
        parameter=parameter,
        tried=tried,
        care=CARES[style],
        leaders=leaders(analysis.view),
        is_shared=any(len(parameter.when.get(name, ())) != 1 for name in scientific),
        limits=limits,
    )


def leaders(view: View) -> tuple[Trial, ...]:
    """The trial that fresh seeds chose, where there is one, and the one with the best value."""
    if not view.n:
        return ()
    best = view.trials[int(view.gains.argmax())]
    fresh = {t.name: view.table.fresh[t.name] for t in view.trials if view.table.fresh.get(t.name)}

    def place(trial: Trial) -> tuple[int, float]:
        values = fresh[trial.name]
        return len(values), view.metric.sign * sum(values) / len(values)

    chosen = max((t for t in view.trials if t.name in fresh), key=place, default=best)
    return (chosen,) if chosen is best else (chosen, best)


def natural_limits(parameter: Parameter) -> tuple[float, float]:
    """How far numbers of its kind go: nothing that was an amount falls below 0, no count below 1, no share over 1.

    Where the range lies at or beyond such a limit already, it is none.
    """
    numbers = [v for v in (parameter.low, parameter.high, *parameter.choices) if isinstance(v, int | float)]
    if not numbers:
        return float("-inf"), float("inf")
    is_whole = all(isinstance(v, int) for v in numbers)
    low = 1.0 if is_whole and min(numbers) >= 1 else 0.0 if min(numbers) >= 0 else float("-inf")
    is_share = bool(natural_bound(parameter, "high", 1)) and max(numbers) <= 1
    return low, 1.0 if is_share else float("inf")
