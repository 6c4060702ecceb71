"""Importance: how much of the variance each parameter explains, how sure that is, and what chance alone reaches."""

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
from surefoot.analysis.column import Column, Floats, columns_of
from surefoot.analysis.fanova import variance_shares
from surefoot.analysis.ped_anova import PedAnova, ped_anova
from surefoot.analysis.strata import Stratum, encoded, strata_of
from surefoot.analysis.view import View

# A choice with fewer trials a level is a name of the trial rather than a setting of it.
FEWEST_A_LEVEL = 2
# Below so many trials no pair stood out in simulations, not even one that explained everything.
PAIR_TRIALS = 30
MOST_PAIRED = 15
MOST_PAIRS = 20
# A parameter is called dead where even its interval's upper end explains no more than this.
DEAD_SHARE = 0.02
DEAD_TRIALS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportanceRow:
    """One parameter's importance over the `n` trials in which it existed.

    `share` is the fraction of the forest's variance that it explains alone, `interval` 95 % over resampled
    trials, `sd` their deviation, `null` the share that chance alone reaches in one of twenty studies, `p`
    family-wise over all parameters of all strata; both None where nothing was tested. `is_real`: beyond the
    null, in a forest that predicts something, on enough trials. `ped` is the share of PED-ANOVA, with its own
    interval and family-wise p within the stratum; `ped_pruned` the same with pruned trials counted as not among
    the best. `flags` are of "constant", "too many levels", "few trials" and "dead".
    """

    key: str
    condition: str
    n: int
    share: float
    interval: tuple[float, float]
    sd: float
    null: float | None
    p: float | None
    is_real: bool
    ped: float
    ped_interval: tuple[float, float]
    ped_sd: float
    ped_p: float | None
    ped_pruned: float | None = None
    flags: tuple[str, ...] = ()


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
class Importance:
    """Rows from the largest share to the smallest, stratum by stratum: all trials, then each condition's.

    `pairs` are the strongest of each stratum, `fits` its forests; `n_pruned` trials stand in none of them.
    """

    rows: tuple[ImportanceRow, ...]
    pairs: tuple[PairRow, ...]
    fits: tuple[Fit, ...]
    n_top: int
    n_pruned: int

    def fit(self, condition: str) -> Fit | None:
        """The forest of that condition, if there is one."""
        return next((f for f in self.fits if f.condition == condition), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A stratum with the columns that vary in it."""

    stratum: Stratum
    view: View
    columns: tuple[Column, ...]
    pruned: tuple[Column, ...]

    @property
    def is_testable(self) -> bool:
        varies = bool(self.columns) and bool(np.ptp(self.view.values) > 0)
        return varies and self.view.n >= trials_needed(len(self.columns))


def trials_needed(parameters: int) -> int:
    """Below how many trials no importance is trusted: 8 and half of one for each parameter, at least 10.

    So many let a single parameter that explains 80 % of the variance come first in at least 95 of 100
    simulations (benchmarks/importance_errors.py), whatever the number of parameters beside it.
    """
    return max(10, math.ceil(8 + parameters / 2))


def importance(view: View) -> Importance:
    """Functional ANOVA and PED-ANOVA of every parameter, within the trials where it was active."""
    rng = view.rng("importance")
    pruned = [t for t in view.table.trials if t.state == "PRUNED"]
    others = {c.key: c for c in columns_of(view.table.space, pruned)} if pruned else {}
    parts = [_part(stratum, view, others) for stratum in strata_of(view)]
    families = max(1, sum(part.is_testable for part in parts))
    rows: list[ImportanceRow] = []
    pairs: list[PairRow] = []
    fits: list[Fit] = []
    n_top = 0
    for part in parts:
        found, ped = _weighed(part, families, rng), _ped(part, rng)
        rows += _rows(part, found, ped)
        pairs += found.pairs
        fits += [found.fit] if part.columns else []
        n_top = n_top or ped.n_top
    return Importance(rows=tuple(rows), pairs=tuple(pairs), fits=tuple(fits), n_top=n_top, n_pruned=len(pruned))


def _part(stratum: Stratum, view: View, others: dict[str, Column]) -> _Part:
    here = view.among(stratum.rows)
    columns = tuple(c for c in stratum.columns if _why_left_out(c, stratum) == "")
    pruned = tuple(others[c.key] for c in columns) if others else ()
    return _Part(stratum=stratum, view=here, columns=columns, pruned=pruned)


def _why_left_out(column: Column, stratum: Stratum) -> str:
    """The flag of a column that no forest can weigh in this stratum, or nothing."""
    there = column.taken(stratum.rows)
    if there.distinct < 2:
        return "constant"
    is_name = there.kind != "number" and there.distinct * FEWEST_A_LEVEL > there.n
    return "too many levels" if is_name else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Weighed:
    """A stratum's fANOVA: one entry in each array for each of its varying columns."""

    shares: Floats
    intervals: Floats
    sd: Floats
    chance: Chance | None
    pairs: tuple[PairRow, ...]
    fit: Fit


def _weighed(part: _Part, families: int, rng: np.random.Generator) -> _Weighed:
    ground, count = _ground(part), len(part.columns)
    forest = ground.forest(TREES, rng)
    shares = variance_shares(forest).mains
    # The pairs of many parameters are too many to weigh: those of the strongest stand for them.
    strongest = sorted(np.argsort(-shares)[:MOST_PAIRED].tolist())
    paired = ground.asked(list(combinations(strongest, 2))).some(rng, MOST_PAIR_ROWS)
    both = forest if paired.n == ground.n else paired.forest(TREES, rng)
    found = variance_shares(both, paired.pairs)
    few = paired.some(rng, chance_rows(ground.n))
    shown = _strongest_pairs(part, paired.pairs, found.pairs)
    observed = np.concatenate([shares, found.pairs[shown]])
    intervals, sd = np.tile([0.0, 1.0], (len(observed), 1)), np.zeros(len(observed))
    mains = pairs = None
    if part.is_testable:
        spread = spread_of_shares(few.asked([paired.pairs[k] for k in shown]), observed, ground.n, rng)
        intervals, sd = spread.intervals, spread.sd
        mains = chance_of_mains(few, shares, families=families, rng=rng)
        if paired.pairs and ground.n >= PAIR_TRIALS:
            narrow = both if few.n == paired.n else few.forest(TREES, rng)
            pairs = chance_of_pairs(few, narrow, found.pairs, families=families, rng=rng)
    fit = Fit(
        condition=part.stratum.condition,
        n=ground.n,
        parameters=count,
        needed=trials_needed(count),
        predicts=explained(out_of_bag(forest, ground), ground.y),
        mains=float(found.mains.sum()),
        pairs=float(found.pairs.sum()),
        chance_rows=few.n if mains else 0,
    )
    rows = [
        _pair_row(part, paired.pairs[k], float(found.pairs[k]), intervals[count + i], _one(pairs, k), fit)
        for i, k in enumerate(shown)
    ]
    rows.sort(key=lambda row: (not row.is_real, -row.share))
    return _Weighed(shares=shares, intervals=intervals[:count], sd=sd[:count], chance=mains, pairs=tuple(rows), fit=fit)


def _strongest_pairs(part: _Part, pairs: Sequence[tuple[int, int]], shares: Floats) -> list[int]:
    """The places of the strongest pairs of which at least one parameter is ranked in the stratum."""
    own = [c.key in part.stratum.own for c in part.columns]
    found = [k for k in np.argsort(-shares, kind="stable").tolist() if own[pairs[k][0]] or own[pairs[k][1]]]
    return found[:MOST_PAIRS]


def _one(chance: Chance | None, place: int) -> tuple[float | None, float | None]:
    """The null's limit and the p of one share, both None where nothing was tested."""
    return (float(chance.limits[place]), float(chance.p[place])) if chance else (None, None)


def _ground(part: _Part) -> Ground:
    x, axes = encoded(dataclasses.replace(part.stratum, columns=part.columns), part.view)
    y = part.view.gains
    # Shares know no unit; numbers of size 1 have squares that no float is too small for.
    y = y / (np.abs(y).max(initial=0.0) or 1.0)
    y = y - y.mean() if len(y) else y
    return Ground(x=x, y=y / (np.abs(y).max(initial=0.0) or 1.0), axes=axes)


def _pair_row(
    part: _Part,
    pair: tuple[int, int],
    share: float,
    interval: Floats,
    tested: tuple[float | None, float | None],
    fit: Fit,
) -> PairRow:
    (null, p), low = tested, float(interval[0])
    is_beyond = null is not None and p is not None and p <= ALPHA and low > null
    return PairRow(
        a=part.columns[pair[0]].key,
        b=part.columns[pair[1]].key,
        condition=fit.condition,
        n=fit.n,
        share=share,
        interval=(low, float(interval[1])),
        null=null,
        p=p,
        is_real=is_beyond and fit.predicts > 0,
    )


def _ped(part: _Part, rng: np.random.Generator) -> PedAnova:
    columns = [c.taken(part.stratum.rows) for c in part.columns]
    return ped_anova(columns, part.view.gains, rng=rng, others=part.pruned)


def _rows(part: _Part, found: _Weighed, ped: PedAnova) -> list[ImportanceRow]:
    """A row for each parameter that is ranked in the stratum, the largest share first, those left out last."""
    own = [c for c in part.stratum.columns if c.key in part.stratum.own]
    places = {c.key: j for j, c in enumerate(part.columns)}
    condition, n = part.stratum.condition, part.view.n
    rows = [_row(c.key, places[c.key], found, ped) for c in own if c.key in places]
    rows.sort(key=lambda row: -row.share)
    left_out = [_empty(c.key, condition, n, _why_left_out(c, part.stratum)) for c in own if c.key not in places]
    return rows + left_out


def _row(key: str, j: int, found: _Weighed, ped: PedAnova) -> ImportanceRow:
    fit, chance = found.fit, found.chance
    low, high = map(float, found.intervals[j])
    null, p = _one(chance, j)
    is_real = p is not None and p <= ALPHA and fit.predicts > 0
    row = ImportanceRow(
        key=key,
        condition=fit.condition,
        n=fit.n,
        share=float(found.shares[j]),
        interval=(low, high),
        sd=float(found.sd[j]),
        null=null,
        p=p,
        is_real=is_real,
        ped=float(ped.shares[j]),
        ped_interval=(float(ped.intervals[j, 0]), float(ped.intervals[j, 1])),
        ped_sd=float(ped.sd[j]),
        ped_p=float(ped.p[j]) if chance else None,
        ped_pruned=float(ped.with_others[j]) if ped.with_others is not None else None,
        flags=() if chance else ("few trials",) if not fit.is_trusted else (),
    )
    return dataclasses.replace(row, flags=("dead",)) if _is_dead(row, found) else row


def _is_dead(row: ImportanceRow, found: _Weighed) -> bool:
    """Not beyond chance, explaining next to nothing at most, alone and in twos, in a forest that predicts."""
    is_in_a_pair = any(pair.is_real for pair in found.pairs if row.key in (pair.a, pair.b))
    is_small = row.interval[1] <= DEAD_SHARE and row.p is not None and row.p > ALPHA
    return is_small and row.n >= DEAD_TRIALS and found.fit.predicts > 0 and not is_in_a_pair


def _empty(key: str, condition: str, n: int, flag: str) -> ImportanceRow:
    return ImportanceRow(
        key=key,
        condition=condition,
        n=n,
        share=0.0,
        interval=(0.0, 1.0) if flag != "constant" else (0.0, 0.0),
        sd=0.0,
        null=None,
        p=None,
        is_real=False,
        ped=0.0,
        ped_interval=(0.0, 0.0),
        ped_sd=0.0,
        ped_p=None,
        flags=(flag,),
    )
