"""A stratum weighed: how much its parameters and pairs of them explain, how sure that is, what chance reaches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from surefoot.analysis.chance import (
    ALPHA,
    MOST_PAIR_ROWS,
    TREES,
    Chance,
    Ground,
    chance_of_mains,
    chance_of_pairs,
    chance_rows,
    explained,
    out_of_bag,
    spread_of_shares,
)
from surefoot.analysis.column import Column, Floats
from surefoot.analysis.crossing import Crossing, crossings
from surefoot.analysis.fanova import variance_shares
from surefoot.analysis.strata import Stratum, encoded
from surefoot.analysis.view import View

# A choice with fewer trials a level is a name of the trial rather than a setting of it.
FEWEST_A_LEVEL = 2
# Below so many trials no pair stands out of what noise makes of mains alone.
PAIR_TRIALS = 30
MOST_PAIRED = 15
MOST_PAIRS = 20
# So little is a sign already: it only keeps a parameter from being called dead.
SIGN = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRow:
    """What two parameters explain together beyond what each does alone; the fields are those of a row.

    `is_real`: beyond the null, the interval's lower end too.
    """

    a: str
    b: str
    condition: str
    n: int
    share: float
    interval: tuple[float, float]
    null: float | None
    p: float | None
    is_real: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How well the forest of one stratum stands, `needed` being the trials below which none is trusted.

    `predicts` is the share of the variance that trees explain in trials they did not see (R², below 0 where the
    mean would be nearer). `mains` and `pairs` are the shares that all parameters explain alone and in twos.
    `chance_rows` is on how many trials shuffles and resamples stand; 0 where nothing was tested.
    """

    condition: str
    n: int
    parameters: int
    needed: int
    predicts: float
    mains: float
    pairs: float
    chance_rows: int

    @property
    def is_trusted(self) -> bool:
        """Whether there were enough trials."""
        return self.n >= self.needed

    @property
    def rest(self) -> float:
        """The share of the forest's variance that neither parameters nor pairs of them explain."""
        return min(max(1.0 - self.mains - self.pairs, 0.0), 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A stratum with the columns that vary in it."""

    stratum: Stratum
    view: View
    columns: tuple[Column, ...]
    pruned: tuple[Column, ...]

    @property
    def is_testable(self) -> bool:
        """Whether chance can be asked: there are enough trials, and parameters and values that vary."""
        varies = bool(self.columns) and bool(np.ptp(self.view.values) > 0)
        return varies and self.view.n >= trials_needed(len(self.columns))


def trials_needed(parameters: int) -> int:
    """Below how many trials no importance is trusted: 8 and half of one for each parameter, at least 10.

    So many let a single parameter that explains 80 % of the variance come first in at least 95 of 100
    simulations (benchmarks/importance_errors.py), whatever the number of parameters beside it.
    """
    return max(10, math.ceil(8 + parameters / 2))


def part(stratum: Stratum, view: View, others: dict[str, Column]) -> Part:
    """The stratum's trials and the columns that vary in it; `others` are the columns over pruned trials, by key."""
    here = view.among(stratum.rows)
    columns = tuple(c for c in stratum.columns if why_left_out(c, stratum) == "")
    pruned = tuple(others[c.key] for c in columns) if others else ()
    return Part(stratum=stratum, view=here, columns=columns, pruned=pruned)


def why_left_out(column: Column, stratum: Stratum) -> str:
    """The flag of a column that no forest can weigh in this stratum, or nothing."""
    there = column.taken(stratum.rows)
    if there.distinct < 2:
        return "constant"
    is_name = there.kind != "number" and there.distinct * FEWEST_A_LEVEL > there.n
    return "too many levels" if is_name else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """A stratum's fANOVA: one entry in each array for each of its varying columns."""

    shares: Floats
    intervals: Floats
    sd: Floats
    chance: Chance | None
    pairs: tuple[PairRow, ...]
    fit: Fit
    crossings: tuple[Crossing, ...]

    @property
    def crossed(self) -> frozenset[str]:
        """The parameters of which there is a sign that they act with another."""
        return frozenset(key for c in self.crossings if c.p <= SIGN for key in (c.a, c.b))


def weighed(here: Part, families: int, rng: np.random.Generator) -> Weighed:
    """The functional ANOVA of a part; its error rate is shared with that of all `families` parts."""
    ground, count = _ground(here), len(here.columns)
    forest = ground.forest(TREES, rng)
    shares = variance_shares(forest).mains
    # The pairs of many parameters are too many to weigh: those of the strongest stand for them.
    strongest = sorted(np.argsort(-shares)[:MOST_PAIRED].tolist())
    paired = ground.asked(list(combinations(strongest, 2))).some(rng, MOST_PAIR_ROWS)
    both = forest if paired.n == ground.n else paired.forest(TREES, rng)
    found = variance_shares(both, paired.pairs)
    few = paired.some(rng, chance_rows(ground.n))
    shown = _strongest_pairs(here, paired.pairs, found.pairs)
    observed = np.concatenate([shares, found.pairs[shown]])
    intervals, sd = np.tile([0.0, 1.0], (len(observed), 1)), np.zeros(len(observed))
    mains = pairs = None
    if here.is_testable:
        spread = spread_of_shares(few.asked([paired.pairs[k] for k in shown]), observed, ground.n, rng)
        intervals, sd = spread.intervals, spread.sd
        mains = chance_of_mains(few, shares, families=families, rng=rng)
        if paired.pairs and ground.n >= PAIR_TRIALS:
            narrow = both if few.n == paired.n else few.forest(TREES, rng)
            pairs = chance_of_pairs(few, narrow, found.pairs, families=families, rng=rng)
    unseen = out_of_bag(forest, ground)
    fit = Fit(
        condition=here.stratum.condition,
        n=ground.n,
        parameters=count,
        needed=trials_needed(count),
        predicts=explained(unseen, ground.y),
        mains=float(found.mains.sum()),
        pairs=float(found.pairs.sum()),
        chance_rows=few.n if mains else 0,
    )
    rows = [
        _pair_row(here, paired.pairs[k], float(found.pairs[k]), intervals[count + i], tested(pairs, k), fit)
        for i, k in enumerate(shown)
    ]
    rows.sort(key=lambda row: (not row.is_real, -row.share))
    crossed = crossings(here.columns, ground.y - unseen, fit.condition, rng) if here.is_testable else ()
    return Weighed(
        shares=shares,
        intervals=intervals[:count],
        sd=sd[:count],
        chance=mains,
        pairs=tuple(rows),
        fit=fit,
        crossings=crossed,
    )


def _strongest_pairs(here: Part, pairs: Sequence[tuple[int, int]], shares: Floats) -> list[int]:
    """The places of the strongest pairs of which at least one parameter is ranked in the stratum."""
    own = [c.key in here.stratum.own for c in here.columns]
    found = [k for k in np.argsort(-shares, kind="stable").tolist() if own[pairs[k][0]] or own[pairs[k][1]]]
    return found[:MOST_PAIRS]


def tested(chance: Chance | None, place: int) -> tuple[float | None, float | None]:
    """The null's limit and the p of one share, both None where nothing was tested."""
    return (float(chance.limits[place]), float(chance.p[place])) if chance else (None, None)


def _ground(here: Part) -> Ground:
    x, axes = encoded(dataclasses.replace(here.stratum, columns=here.columns), here.view)
    y = here.view.gains
    # Shares know no unit; numbers of size 1 have squares that no float is too small for.
    y = y / (np.abs(y).max(initial=0.0) or 1.0)
    y = y - y.mean() if len(y) else y
    return Ground(x=x, y=y / (np.abs(y).max(initial=0.0) or 1.0), axes=axes)


def _pair_row(
    here: Part,
    pair: tuple[int, int],
    share: float,
    interval: Floats,
    against: tuple[float | None, float | None],
    fit: Fit,
) -> PairRow:
    (null, p), low = against, float(interval[0])
    is_beyond = null is not None and p is not None and p <= ALPHA and low > null
    return PairRow(
        a=here.columns[pair[0]].key,
        b=here.columns[pair[1]].key,
        condition=fit.condition,
        n=fit.n,
        share=share,
        interval=(low, float(interval[1])),
        null=null,
        p=p,
        is_real=is_beyond and fit.predicts > 0,
    )
