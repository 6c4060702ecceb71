"""Where a sweep stands, as an entry of `status` and in words."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

from surefoot.reports.sweep_sentences import failures_text, retried_text, states_text, trials_text
from surefoot.run import Metric
from surefoot.storage import Record, StudyRow
from surefoot.sweeping.standing import BestSoFar, standing_of
from surefoot.words import count, decimals_of, duration, half_width, moment, number, setting, unit_of

MOST_FAILURES = 5
MOST_RUNNING = 8


def sweep_entry(record: Record, study: StudyRow) -> dict[str, Any]:
    """What `status` tells of a sweep whose trials it reads, in the keys of a study's entry and some of its own."""
    standing = standing_of(record, study)
    metric, best, chosen = standing.sweep.targets[0], standing.best, standing.chosen
    value = best.value if best else None
    baseline = None
    if chosen is not None and chosen.estimate is not None and chosen.gain is not None:
        baseline = chosen.estimate - chosen.gain
    return {
        "phase": standing.phase,
        "primary": metric.name,
        "unit": metric.unit,
        "baseline": baseline,
        "champion": value,
        "target": metric.target,
        "gap": None if value is None or metric.target is None else metric.sign * (metric.target - value),
        "is_claimed": bool(chosen is not None and chosen.is_complete and chosen.estimate is not None),
        "trials": dict(standing.trials),
        "best": None if best is None else _best_json(best),
        "failures": [
            {"state": f.state.lower(), "reason": f.reason, "count": len(f.trials), "trials": list(f.trials)}
            for f in standing.failures
        ],
        "retried": standing.retried,
        "running": [{"trial": r.trial, "seed": r.seed, "since": r.since} for r in standing.running],
        "front": list(standing.front),
        "left_out": standing.left_out,
        "ending": standing.ending,
        "seconds_left": standing.seconds_left,
        "trials_planned": standing.sweep.budget.trials,
        "luck": chosen.luck if chosen else None,
        "explored_best": None if chosen is None else {"trial": chosen.explored_number, "value": chosen.explored_best},
        "path": standing.sweep.path,
    }


def _best_json(best: BestSoFar) -> dict[str, Any]:
    return {
        "trial": best.trial,
        "value": best.value,
        "basis": best.basis,
        "n": best.n,
        "interval": None if best.interval is None else list(best.interval),
        "spread": best.spread,
        "settings": dict(best.settings),
    }


def sweep_lines(entry: Mapping[str, Any], place: str) -> list[tuple[str, str]]:
    """What a person wants to know of one sweep, as labels and texts; `place` are options to the same record."""
    metric = Metric(name=entry["primary"], goal="minimize", unit=entry["unit"], target=entry["target"])
    states = Counter(entry["trials"])
    of = f" of {entry['trials_planned']:,}" if entry["trials_planned"] else ""
    lines = [("trials", f"{sum(states.values()):,}{of}: {states_text(states) or 'none yet'}")]
    for i, f in enumerate(entry["failures"][:MOST_FAILURES]):
        lines.append(("failed" if i == 0 else "", f"{failures_text(f)} ({trials_text(f['trials'], 4)})"))
    more = len(entry["failures"]) - MOST_FAILURES
    if more > 0:
        lines.append(("", f"and for {count(more, 'other reason')}"))
    if entry["retried"]:
        lines.append(("retried", retried_text(entry["retried"])))
    if states["paused"]:
        lines.append(("paused", f"{count(states['paused'], 'trial')} may be promoted and go on from a checkpoint"))
    lines += _best_lines(entry, metric)
    lines += [("runs now", _running_text(entry))] if entry["running"] else []
    if entry["left_out"]:
        left_out = count(entry["left_out"], "earlier trial")
        lines.append(("left out", f"{left_out} on record {'does' if entry['left_out'] == 1 else 'do'} not count today"))
    if entry["ending"]:
        lines.append(("explored", entry["ending"]))
    lines.append(("left", _left_text(entry)))
    return [*lines, _next_line(entry, place)]


def _best_lines(entry: Mapping[str, Any], metric: Metric) -> list[tuple[str, str]]:
    best = entry["best"]
    if best is None:
        if entry["front"]:
            return [("front", f"{count(len(entry['front']), 'trial')}: {trials_text(entry['front'])}")]
        is_stopped = set(entry["trials"]) <= {"pruned", "paused"} and entry["trials"]
        return [("best", "none: no trial went to its end" if is_stopped else "none: no trial has a value")]
    settings = ", ".join(f"{name} {_short(value)}" for name, value in best["settings"].items())
    word = "chosen" if best["basis"] == "fresh seeds" else "best"
    lines = [(word, f"trial {best['trial']}: {metric.name} {_value(best, metric)}"), ("", settings)]
    if entry["luck"] is not None and entry["luck"] > 0:
        explored, digits = entry["explored_best"], _digits(best)
        shown = f"{number(explored['value'], digits)}{unit_of(metric)} of trial {explored['trial']}"
        amount = f"{number(entry['luck'], digits)}{metric.difference_unit}"
        lines.append(("luck", f"{amount} of the sweep's best, {shown}"))
    return lines


def _value(best: Mapping[str, Any], metric: Metric) -> str:
    """ "0.312 (95 % interval 0.309 … 0.315, 5 fresh seeds)"."""
    digits = _digits(best)
    value = f"{number(best['value'], digits)}{unit_of(metric)}"
    if best["basis"] == "one seed":
        return f"{value} (one seed: how far it is luck is unknown)"
    seeds = count(best["n"], best["basis"].removesuffix("s"))
    if best["interval"] is not None:
        low, high = (number(end, digits) for end in best["interval"])
        return f"{value} (95 % interval {low} … {high}, {seeds})"
    if best["spread"] is not None:
        return f"{value} ± {number(best['spread'], digits)} ({seeds}, which chose it)"
    return f"{value} ({seeds})"


def _digits(best: Mapping[str, Any]) -> int | None:
    interval = best["interval"]
    return decimals_of(half_width((interval[0], interval[1])) if interval else best["spread"])


def _short(value: Any) -> str:
    return setting(float(f"{value:.4g}")) if isinstance(value, float) else setting(value)


def _running_text(entry: Mapping[str, Any]) -> str:
    running = entry["running"]
    told = [f"{_name(r['trial'])}, seed {r['seed']}, since {moment(r['since'])[-9:]}" for r in running[:MOST_RUNNING]]
    more = len(running) - MOST_RUNNING
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _name(trial: int) -> str:
    return "the base" if trial < 0 else f"trial {trial}"


def _left_text(entry: Mapping[str, Any]) -> str:
    if entry["phase"] == "done":
        return "nothing: the sweep is done"
    if entry["seconds_left"] is None:
        return "unknown: no trial has ended yet, or the sweep has no limit"
    return f"about {duration(entry['seconds_left'])} of training, by what the trials took so far"


def _next_line(entry: Mapping[str, Any], place: str) -> tuple[str, str]:
    if entry["phase"] == "done":
        return "next", " ".join(p for p in ("surefoot report", shlex.quote(entry["study"]), place) if p)
    file = shlex.quote(entry["path"]) if entry["path"] else "SWEEP.yaml"
    return "next" if entry["running"] else "go on", " ".join(p for p in ("surefoot sweep", file, place) if p)
