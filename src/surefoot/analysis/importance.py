"""Importance: how much of the variance each parameter explains, how sure that is, and what chance alone reaches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.analysis.chance import ALPHA
from surefoot.analysis.column import columns_of
from surefoot.analysis.crossing import Crossing
from surefoot.analysis.figure import Axis, Bar, BarsFigure
from surefoot.analysis.ped_anova import PedAnova, ped_anova
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.strata import strata_of
from surefoot.analysis.view import View
from surefoot.analysis.weighing import Fit, PairRow, Part, Weighed, part, tested, weighed, why_left_out
from surefoot.finding import Finding
from surefoot.words import count, listing, number, percent

__all__ = ["Fit", "Importance", "ImportanceRow", "PairRow", "importance", "importance_section"]

# A parameter is called dead where even its interval's upper end explains no more than this.
DEAD_SHARE = 0.02
DEAD_TRIALS = 100
MOST_BARS = 20
MOST_IN_TITLE = 3
TITLE = "Which parameters matter"
HEADERS = (
    "parameter", "importance", "sd", "method", "n", "condition", "ci_low", "ci_high", "null", "p", "is_real", "flags",
)  # fmt: skip


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
class Importance:
    """Rows from the largest share to the smallest, stratum by stratum: all trials, then each condition's.

    `pairs` are the strongest of each stratum, `fits` its forests, `crossings` what pairs do to what these leave
    unexplained; `n_pruned` trials stand in none of them.
    """

    rows: tuple[ImportanceRow, ...]
    pairs: tuple[PairRow, ...]
    fits: tuple[Fit, ...]
    n_top: int
    n_pruned: int
    crossings: tuple[Crossing, ...] = ()

    def fit(self, condition: str) -> Fit | None:
        """The forest of that condition, if there is one."""
        return next((f for f in self.fits if f.condition == condition), None)


def importance(view: View) -> Importance:
    """Functional ANOVA and PED-ANOVA of every parameter, within the trials where it was active."""
    rng = view.rng("importance")
    pruned = [t for t in view.table.trials if t.state == "PRUNED"]
    others = {c.key: c for c in columns_of(view.table.space, pruned)} if pruned else {}
    parts = [part(stratum, view, others) for stratum in strata_of(view)]
    families = max(1, sum(here.is_testable for here in parts))
    rows: list[ImportanceRow] = []
    pairs: list[PairRow] = []
    fits: list[Fit] = []
    crossed: list[Crossing] = []
    n_top = 0
    for here in parts:
        found, ped = weighed(here, families, rng), _ped(here, rng)
        rows += _rows(here, found, ped)
        pairs += found.pairs
        crossed += [dataclasses.replace(c, p=min(1.0, families * c.p)) for c in found.crossings]
        fits += [found.fit] if here.columns else []
        n_top = n_top or ped.n_top
    return Importance(
        rows=tuple(rows),
        pairs=tuple(pairs),
        fits=tuple(fits),
        n_top=n_top,
        n_pruned=len(pruned),
        crossings=tuple(crossed),
    )


def _ped(here: Part, rng: np.random.Generator) -> PedAnova:
    columns = [c.taken(here.stratum.rows) for c in here.columns]
    return ped_anova(columns, here.view.gains, rng=rng, others=here.pruned)


def _rows(here: Part, found: Weighed, ped: PedAnova) -> list[ImportanceRow]:
    """A row for each parameter that is ranked in the stratum, the largest share first, those left out last."""
    own = [c for c in here.stratum.columns if c.key in here.stratum.own]
    places = {c.key: j for j, c in enumerate(here.columns)}
    condition, n = here.stratum.condition, here.view.n
    rows = [_row(c.key, places[c.key], found, ped) for c in own if c.key in places]
    rows.sort(key=lambda row: -row.share)
    left_out = [_empty(c.key, condition, n, why_left_out(c, here.stratum)) for c in own if c.key not in places]
    return rows + left_out


def _row(key: str, j: int, found: Weighed, ped: PedAnova) -> ImportanceRow:
    fit, chance = found.fit, found.chance
    low, high = map(float, found.intervals[j])
    null, p = tested(chance, j)
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


def _is_dead(row: ImportanceRow, found: Weighed) -> bool:
    """Not beyond chance, explaining next to nothing at most, alone and in twos, in a forest that predicts."""
    is_in_a_pair = any(pair.is_real for pair in found.pairs if row.key in (pair.a, pair.b)) or row.key in found.crossed
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


def importance_section(view: View, found: Importance) -> Section:
    """What the importances say, and what they do not."""
    why = _why_silent(view, found)
    if why:
        return Section(key="importance", title=TITLE, not_applicable=f"because {why}")
    findings = [
        f for fit in found.fits for f in _findings_of(fit, [r for r in found.rows if r.condition == fit.condition])
    ]
    return Section(
        key="importance",
        title=TITLE,
        findings=(*findings, *_left_out(found), *_pruned(found)),
        sheets=(_sheet(found),),
        # Below the trials that are needed a bar would be read for what nobody knows.
        figures=tuple(_bars(fit, found, place) for place, fit in enumerate(found.fits) if fit.is_trusted),
        note=_note(found),
    )


def _why_silent(view: View, found: Importance) -> str:
    if view.n < 2:
        return f"there {'is only 1 complete trial' if view.n else 'is no complete trial'}"
    if not np.ptp(view.values) > 0:
        return f"all {view.n:,} complete trials have the same value"
    return "" if found.fits else "no parameter took more than one value"


def _findings_of(fit: Fit, rows: Sequence[ImportanceRow]) -> Iterator[Finding]:
    yield _trust(fit)
    where = f" where {fit.condition}" if fit.condition else ""
    for row in rows:
        if row.is_real and row.null is not None:
            yield Finding(
                rule="importance.real",
                subject=row.key,
                sentence=f"{row.key} explains {percent_of(row.share)} of the variance{where} ({_span(row.interval)}); "
                f"chance alone reaches {percent_of(row.null)}.",
                evidence=_evidence(row),
            )
    unseen = [r for r in rows if not r.is_real and not r.flags]
    if unseen and fit.is_trusted and fit.predicts > 0:
        be = "is" if len(unseen) == 1 else "are"
        yield Finding(
            rule="importance.not_shown",
            subject=listing([r.key for r in unseen]),
            sentence=f"{listing([r.key for r in unseen])} {be} not shown to matter{where} at n = {fit.n:,}.",
            evidence={r.key: _evidence(r) for r in unseen},
            advice="Not shown is not the same as without effect: more trials may show one.",
        )
    if dead := [r for r in rows if "dead" in r.flags]:
        are = "do next to nothing alone: none is" if len(dead) > 1 else "does next to nothing alone: it is not"
        most = percent_of(max(r.interval[1] for r in dead))
        yield Finding(
            rule="importance.dead",
            subject=listing([r.key for r in dead]),
            sentence=f"{listing([r.key for r in dead])} {are} beyond chance{where}, and none explains more than {most} "
            f"of the variance over {fit.n:,} trials. No sign was found that {'one' if len(dead) > 1 else 'it'} matters "
            "together with another either.",
            evidence={r.key: _evidence(r) for r in dead},
            advice="Fix them where it is cheapest, if nothing else speaks for them."
            if len(dead) > 1
            else "Fix it where it is cheapest, if nothing else speaks for it.",
        )


def _trust(fit: Fit) -> Finding:
    """Whether the forest is worth anything."""
    evidence = {"condition": fit.condition, "n": fit.n, "needed": fit.needed, "parameters": fit.parameters,
                "r2_out_of_bag": fit.predicts, "mains": fit.mains, "pairs": fit.pairs, "rest": fit.rest}  # fmt: skip
    where = f"Where {fit.condition}, " if fit.condition else ""
    if not fit.is_trusted:
        return Finding(
            rule="importance.few_trials",
            subject=fit.condition,
            severity="info" if fit.condition else "warning",
            sentence=f"{where or 'T'}{'t' if where else ''}here {'is' if fit.n == 1 else 'are'} "
            f"{count(fit.n, 'complete trial')} for {count(fit.parameters, 'parameter')}; "
            f"no importance is trusted below {fit.needed}, and none is called real.",
            evidence=evidence,
            advice=f"Run {count(fit.needed - fit.n, 'more trial')} before reading the shares.",
        )
    if fit.predicts <= 0:
        return Finding(
            rule="importance.predicts_nothing",
            subject=fit.condition,
            severity="info" if fit.condition else "warning",
            sentence=f"{where or 'N'}{'n' if where else ''}o parameter is shown to matter: a random forest fitted to "
            f"{fit.n:,} trials predicts those that it did not see no better than their mean would "
            f"(R² {number(fit.predicts, 2)}), so that its shares describe noise.",
            evidence=evidence,
            advice="That is not to say that none matters: more trials, or more seeds a trial, may show what does.",
        )
    return Finding(
        rule="importance.forest",
        subject=fit.condition,
        sentence=f"{where or 'A'}{'a' if where else ''} random forest explains {percent(fit.predicts)} of the "
        f"variance of trials that it did not see. Of its own predictions' variance, single parameters explain "
        f"{percent(fit.mains)}, pairs {percent(fit.pairs)}, and {percent(fit.rest)} takes more.",
        evidence=evidence,
    )


def _left_out(found: Importance) -> Iterator[Finding]:
    for row in found.rows:
        where = f" where {row.condition}" if row.condition else ""
        if "constant" in row.flags:
            yield Finding(
                rule="importance.constant",
                subject=row.key,
                sentence=f"{row.key} had one value in all {count(row.n, 'complete trial')}{where}: "
                "nothing can be said of it.",
                evidence={"n": row.n},
            )
        elif "too many levels" in row.flags:
            yield Finding(
                rule="importance.too_many_levels",
                subject=row.key,
                severity="warning",
                sentence=f"{row.key} took nearly as many values as there were trials{where} ({row.n:,}), "
                "so that it names trials rather than sets them, and is left out.",
                evidence={"n": row.n},
            )


def _pruned(found: Importance) -> Iterator[Finding]:
    """What leaving out pruned trials may hide, where there are any."""
    rows = [r for r in found.rows if r.condition == "" and r.ped_pruned is not None]
    if not found.n_pruned:
        return
    said = f"{count(found.n_pruned, 'pruned trial')} {'has' if found.n_pruned == 1 else 'have'} no final value"
    if not rows:
        yield Finding(
            rule="importance.pruned",
            subject="",
            severity="warning",
            sentence=f"{said} and {'is' if found.n_pruned == 1 else 'are'} left out of all shares.",
            evidence={"pruned": found.n_pruned},
        )
        return
    without = max(rows, key=lambda r: r.ped)
    among = max(rows, key=lambda r: r.ped_pruned or 0.0)
    same = f"{without.key} stays first" if without.key == among.key else f"{among.key} comes before {without.key}"
    yield Finding(
        rule="importance.pruned",
        subject=among.key,
        severity="info" if without.key == among.key else "warning",
        sentence=f"{said} and stand in no share of variance. Counted as not among the best, they leave "
        f"this in PED-ANOVA: {same}.",
        evidence={"pruned": found.n_pruned, **{r.key: {"ped": r.ped, "ped_with_pruned": r.ped_pruned} for r in rows}},
        advice=""
        if without.key == among.key
        else "Pruning chose which trials are complete; read the ranking with that in mind.",
    )


def _note(found: Importance) -> str:
    rows = max(fit.chance_rows for fit in found.fits)
    few = (
        f" Interval and chance stand on {rows:,} of the trials, drawn at random." if 0 < rows < found.fits[0].n else ""
    )
    return (
        "The share of the variance that each parameter explains alone, in a forest of 64 trees (functional ANOVA), "
        "with a 95 % interval over resampled trials. Chance is what shuffled values reach in one study of twenty, "
        "whatever the parameter; where one is found it is held and the rest is shuffled again. PED-ANOVA asks "
        f"instead what brings a trial among the best {count(found.n_top, 'trial')} (a tenth, with ties).{few}"
    )


def _sheet(found: Importance) -> Sheet:
    rows: list[tuple[object, ...]] = []
    for row in found.rows:
        last = (row.is_real, " ".join(f.replace(" ", "_") for f in row.flags))
        rows.append((row.key, row.share, row.sd, "fanova", row.n, row.condition, *row.interval, row.null, row.p, *last))
        rows.append(
            (
                row.key,
                row.ped,
                row.ped_sd,
                "ped_anova",
                row.n,
                row.condition,
                *row.ped_interval,
                None,
                row.ped_p,
                None,
                last[1],
            )
        )
        if row.ped_pruned is not None:
            rows.append(
                (row.key, row.ped_pruned, None, "ped_anova_with_pruned", row.n, row.condition, *[None] * 5, last[1])
            )
    return Sheet(name="param_importances", title="Importance of every parameter", headers=HEADERS, rows=tuple(rows))


def _bars(fit: Fit, found: Importance, place: int) -> BarsFigure:
    rows = [
        r for r in found.rows if r.condition == fit.condition and not {"constant", "too many levels"} & set(r.flags)
    ]
    bars = tuple(
        Bar(
            label=r.key, value=r.share, interval=r.interval if fit.chance_rows else None, null=r.null, is_sure=r.is_real
        )
        for r in rows[:MOST_BARS]
    )
    more = f" The {len(rows) - MOST_BARS} smallest are not drawn." if len(rows) > MOST_BARS else ""
    return BarsFigure(
        name="importance" if place == 0 else f"importance_{place}",
        title=_title(fit, rows),
        caption=f"The share of the variance that each explains alone: functional ANOVA over "
        f"{count(fit.n, 'trial')}, with 95 % intervals. "
        f"The mark is what chance alone reaches in one study of twenty.{more}",
        axis=Axis(label="share of the variance"),
        bars=bars,
    )


def _title(fit: Fit, rows: Sequence[ImportanceRow]) -> str:
    """What the bars show, in a sentence."""
    where = f"Where {fit.condition}, " if fit.condition else ""
    real = [row.key for row in rows if row.is_real]
    if not real:
        return f"{where or 'N'}{'n' if where else ''}o parameter is shown to explain more than chance"
    verb = "explains" if len(real) == 1 else "explain"
    named = listing(real) if len(real) <= MOST_IN_TITLE else f"{len(real)} parameters"
    return f"{where}{named} {verb} more of the variance than chance does"


def _evidence(row: ImportanceRow) -> dict[str, object]:
    return {
        "n": row.n,
        "share": row.share,
        "interval": list(row.interval),
        "null": row.null,
        "p": row.p,
        "ped": row.ped,
    }


def _span(interval: tuple[float, float]) -> str:
    return f"{number(100 * interval[0], 0)} … {percent(interval[1])}"


def percent_of(share: float) -> str:
    """A share as a percentage: whole, or with a decimal where it is below two."""
    return f"{number(100 * share, 1)} %" if 0 < share < 0.02 else percent(share)
