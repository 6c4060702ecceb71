"""What a refinement is drawn from, without the sections of the report, which take their time."""

from surefoot.analysis.analysis import Analysis
from surefoot.analysis.boundaries import boundaries
from surefoot.analysis.direction import Directions
from surefoot.analysis.elites import elites
from surefoot.analysis.importance import Importance, importance
from surefoot.analysis.noise import noise_floor
from surefoot.analysis.view import view_of
from surefoot.run import Metric
from surefoot.sweep import Method, Sweep

NOTHING_SHOWN = Directions(numbers=(), booleans=(), choices=())


def analyzed(table, *, is_weighed=False, seed=0):
    """An analysis whose sections and directions are left out, and unless asked for the importances too."""
    view = view_of(table, seed=seed)
    weights = importance(view) if is_weighed else Importance(rows=(), pairs=(), fits=(), n_top=0, n_pruned=0)
    best = elites(view)
    dead = frozenset(row.key for row in weights.rows if "dead" in row.flags)
    return Analysis(
        view=view,
        instrument=None,
        noise=noise_floor(view),
        importance=weights,
        directions=NOTHING_SHOWN,
        elites=best,
        boundaries=boundaries(view, best, dead=dead),
        sections=(),
    )


def a_sweep(space, method="tpe"):
    metrics = (Metric(name="loss", goal="minimize"),)
    return Sweep(name="s", workload="w", metrics=metrics, objectives=("loss",), space=space, method=Method(name=method))
