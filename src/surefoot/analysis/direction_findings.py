"""The findings of the direction tests, in sentences that say no more than the tests show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from surefoot import words
from surefoot.analysis.direction_tests import (
    SHOWN_BELOW,
    BooleanDirection,
    ChoiceDirection,
    Direction,
    Directions,
    NumberDirection,
)
from surefoot.analysis.levels import LevelStats
from surefoot.finding import Finding, Severity
from surefoot.run import Metric

LARGE_RHO = 0.4
WEAK_RHO = 0.2
LEANS_BELOW = 0.1
MOST_NAMED = 12
MOST_LEVELS_NAMED = 8
MOST_LEVELS_KEPT = 30
CONFIRM = "The trials were not drawn to compare this alone; confirm it by paired seeds before the setting is fixed."
BY_MEAN = "Compare the levels by mean or median, or try each as often."


def findings_of(found: Directions, metric: Metric) -> Iterator[Finding]:
    """What is shown, what misleads, what is not shown, what could not be tested."""
    for row in found.shown:
        if isinstance(row, NumberDirection):
            yield _number(row, metric)
        elif isinstance(row, BooleanDirection):
            yield _boolean(row, metric)
        else:
            yield _choice(row, metric)
    yield from (_leaders(row) for row in found.choices if _is_split(row))
    yield from (_few(row) for row in found.numbers if _looks_large(row))
    open_rows = [row for row in found.ranked if row.q_value is not None and row.q_value >= SHOWN_BELOW]
    if open_rows:
        yield _none(open_rows)
    untested = [row for row in found.ranked if row.p_perm is None]
    if untested:
        yield _untested(untested)


def _number(row: NumberDirection, metric: Metric) -> Finding:
    assert row.rho is not None and row.q_value is not None
    verb = "rises" if row.direction == "increase" else "falls"
    weak = ""
    if abs(row.rho) < WEAK_RHO:
        weak = f" It is weak: the ranks share {_share(row.rho**2)} of their variance."
    interval = "" if row.interval is None else f", 95 % interval {words.span(row.interval, 2)}"
    sentence = (
        f"{_where(row)}{metric.name} {verb} as {row.name} rises (ρ = {words.signed(row.rho, 2)}{interval}, "
        f"{words.count(row.n, 'trial')}, {_tested(row)}): {row.helps} looks better.{weak}"
    )
    return _finding("direction.number", row, sentence, advice=CONFIRM)


def _boolean(row: BooleanDirection, metric: Metric) -> Finding:
    assert row.mean_true is not None and row.mean_false is not None and row.delta is not None
    decimals = words.decimals_of(words.half_width(row.interval) or row.delta)
    true, false, delta = (words.number(x, decimals) for x in (row.mean_true, row.mean_false, abs(row.delta)))
    interval = "" if row.interval is None else f", 95 % interval {words.span(row.interval, decimals)}"
    sentence = (
        f"{_where(row)}{metric.name} is {'higher' if row.delta > 0 else 'lower'} by {delta} where {row.name} is true: "
        f"mean {true} over {words.count(row.n_true, 'trial')} against {false} over {row.n_false:,} where it is false "
        f"({_tested(row)}{interval}): {row.helps} looks better."
    )
    return _finding("direction.boolean", row, sentence, advice=CONFIRM)


def _choice(row: ChoiceDirection, metric: Metric) -> Finding:
    assert row.eta_squared is not None
    best, worst = row.level(row.best_by_mean), row.level(row.worst_by_mean)
    sentence = (
        f"{_where(row)}{metric.name} differs between the values of {row.name} by more than chance "
        f"({_share(row.eta_squared)} of the variance lies between them, {_tested(row)}): "
        f"{words.setting(best.level)} has the best mean, {_mean(best)}, "
        f"{words.setting(worst.level)} the worst, {_mean(worst)}.{_pair(row)}"
    )
    return _finding("direction.choice", row, sentence, advice=CONFIRM)


def _leaders(row: ChoiceDirection) -> Finding:
    """Mean, median and best trial name different levels; a warning where it is the best trial that differs."""
    leads: dict[str, list[str]] = {}
    decimals = words.decimals_of(row.level(row.best_by_mean).sd, row.level(row.best_by_max).sd)
    for how, level, value in (
        ("its best trial", row.best_by_max, row.level(row.best_by_max).best),
        ("mean", row.best_by_mean, row.level(row.best_by_mean).mean),
        ("median", row.best_by_median, row.level(row.best_by_median).median),
    ):
        leads.setdefault(words.setting(level), []).append(f"{how} ({words.number(value, decimals)})")
    said = "; ".join(f"by {words.listing(hows)} {level} is best" for level, hows in leads.items())
    sentence = f"{_where(row)}{row.name}: {said}.{_sizes(row.levels)}{_pair(row)}"
    if row.q_value is not None and row.q_value >= SHOWN_BELOW:
        sentence += f" No difference between the values is shown ({_tested(row)})."
    # In every other study of nothing some level leads by its best trial only: it misleads where trials lean against it.
    leans = row.pair is not None and row.pair.p_perm < LEANS_BELOW and row.pair.first != row.best_by_max
    severity: Severity = "warning" if leans else "info"
    return _finding("direction.best_trial", row, sentence, severity=severity, advice=BY_MEAN)


def _few(row: NumberDirection) -> Finding:
    assert row.rho is not None and row.p_perm is not None
    sentence = (
        f"{_where(row)}{row.name} has ρ = {words.signed(row.rho, 2)}, but over {words.count(row.n, 'trial')} only: "
        f"chance alone gives one as large in {_share(row.p_perm)} of cases ({_tested(row)}). No direction is shown."
    )
    return _finding("direction.few", row, sentence, severity="warning", advice=f"Do not rank {row.name} by its ρ.")


def _none(rows: Sequence[Direction]) -> Finding:
    q_values = {row.key: row.q_value for row in rows}
    low, high = (words.p_value(f(row.q_value for row in rows if row.q_value is not None)) for f in (min, max))
    said = f"q = {low}" if low == high and low[0] not in "<>" else f"q {low} to {high}" if low != high else f"q {low}"
    sentence = f"No direction is shown for {_names(rows)} ({said}). That is not to say that there is none."
    evidence = {"q_values": q_values, "p_perm": {row.key: row.p_perm for row in rows}}
    return Finding(rule="direction.none", subject=_subject(rows), sentence=sentence, evidence=evidence)


def _untested(rows: Sequence[Direction]) -> Finding:
    reasons: dict[str, list[Direction]] = {}
    for row in rows:
        reasons.setdefault(_reason(row), []).append(row)
    said = "; ".join(f"{_names(some)} ({reason})" for reason, some in reasons.items())
    return Finding(
        rule="direction.untested",
        subject=_subject(rows),
        sentence=f"Nothing could be tested for {said}.",
        evidence={"n": {row.key: row.n for row in rows}, "reasons": {row.key: _reason(row) for row in rows}},
    )


def _reason(row: Direction) -> str:
    if row.n == 0:
        return "in no complete trial"
    if row.n < 3:
        return f"in {words.count(row.n, 'trial')} only"
    if "constant" in row.flags:
        return "one value throughout, or one value of the metric"
    return "every value tried once"


def _is_split(row: ChoiceDirection) -> bool:
    """Whether mean, median and best trial do not agree on the best level, where levels can be compared."""
    is_one = row.best_by_max == row.best_by_mean == row.best_by_median
    return 2 <= len(row.levels) < row.n and not is_one and bool(row.delta)


def _looks_large(row: NumberDirection) -> bool:
    is_open = row.q_value is not None and row.q_value >= SHOWN_BELOW
    return is_open and "few" in row.flags and row.rho is not None and abs(row.rho) >= LARGE_RHO


def _tested(row: Direction) -> str:
    """ "permutation p = .012, q = .08", with what kind of p it is."""
    assert row.p_perm is not None and row.q_value is not None
    kind = {"exact": "exact permutation ", "drawn": "permutation "}.get(row.method, "")
    return f"{kind}{words.p_phrase(row.p_perm)}, q{words.p_phrase(row.q_value)[1:]}"


def _where(row: Direction) -> str:
    return f"Where {row.condition}: " if row.condition else ""


def _mean(level: LevelStats) -> str:
    return f"{words.number(level.mean, words.decimals_of(level.sd))} over {words.count(level.n, 'trial')}"


def _sizes(levels: Sequence[LevelStats]) -> str:
    """How often each level was tried, where that differs."""
    sizes = sorted({level.n for level in levels})
    if len(sizes) == 1:
        return " A best trial is one trial, and its luck is in it."
    if len(levels) <= MOST_LEVELS_NAMED:
        said = words.listing([f"{words.setting(level.level)} {level.n:,}" for level in levels])
        tried = f" They were tried unequally often ({said})"
    else:
        tried = f" They were tried unequally often, {sizes[0]:,} to {sizes[-1]:,} times"
    return f"{tried}: a value tried more often has a better best trial by luck alone."


def _pair(row: ChoiceDirection) -> str:
    """The best level against the next, as a sentence with the space before it."""
    if row.pair is None:
        return ""
    pair = row.pair
    sds = [row.level(level).sd for level in (pair.first, pair.second)]
    welch = "" if pair.p_welch is None else f", Welch {words.p_phrase(pair.p_welch)}"
    return (
        f" The two best means, {words.setting(pair.first)} against {words.setting(pair.second)}, differ by "
        f"{words.signed(pair.delta, words.decimals_of(*sds))} (one-sided permutation {words.p_phrase(pair.p_perm)}"
        f"{welch}, Mann–Whitney {words.p_phrase(pair.p_mannwhitney)})."
    )


def _names(rows: Sequence[Direction]) -> str:
    keys = [row.key for row in rows]
    if len(keys) <= MOST_NAMED:
        return words.listing(keys)
    return f"{', '.join(keys[:MOST_NAMED])} and {len(keys) - MOST_NAMED:,} more"


def _subject(rows: Sequence[Direction]) -> str:
    return rows[0].key if len(rows) == 1 else words.count(len(rows), "parameter")


def _share(share: float) -> str:
    """A share as a percentage with enough digits not to read 0 % or 100 %."""
    return f"{words.number(100 * share, 0 if 0.1 <= share <= 0.99 else 1)} %"


def _finding(rule: str, row: Direction, sentence: str, severity: Severity = "info", advice: str = "") -> Finding:
    return Finding(
        rule=rule, subject=row.key, sentence=sentence, severity=severity, evidence=_evidence(row), advice=advice
    )


def _evidence(row: Direction) -> Mapping[str, Any]:
    """The row as plain JSON."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(entry) for entry in value]
        if hasattr(value, "__dataclass_fields__"):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return value

    found = {f.name: plain(getattr(row, f.name)) for f in fields(row)}
    if len(found.get("levels", ())) > MOST_LEVELS_KEPT:
        # A thousand levels stand in the sheet; the finding keeps the ones that its sentence can name.
        named = [found.get(name) for name in ("best_by_mean", "best_by_median", "best_by_max", "worst_by_mean")]
        named += [found["pair"]["second"]] if found.get("pair") else []
        found["levels"] = [level for level in found["levels"] if level["level"] in named]
    return {"n": row.n, **found}
