"""A reproduction told: in a few lines for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from surefoot.reports.plain_json import number_json, plain
from surefoot.run import Status
from surefoot.study.likeness import PLACE_FACTS, TIMING_FACTS, MetricLikeness, Sameness, told_apart
from surefoot.study.reproducing import Reproduction
from surefoot.words import NOTHING, count, duration, listing, moment, number, sentence

HEADERS = ("metric", "compared", "not equal", "largest difference", "at step", "recorded", "now")
FINGERPRINTS = ("code",)


def reproduction_text(found: Reproduction) -> str:
    """The verdict, the metrics as a table, and in what the place differs."""
    lines = [verdict_sentence(found), _about(found), ""]
    if found.likeness.metrics:
        lines += [*_columns([HEADERS, *(_row(metric) for metric in found.likeness.metrics)]), ""]
    return "\n".join([*lines, *_remarks(found)]).rstrip() + "\n"


def verdict_sentence(found: Reproduction) -> str:
    """What the reproduction came to, and why."""
    address, like = found.recorded.address, found.likeness
    other = " (with other code)" if found.is_other_code else ""
    part = "" if found.last_step is None else f" up to step {found.last_step}, {_stopped(found.recorded.run.status)}"
    if found.sameness is Sameness.UNKNOWN:
        return sentence(f"whether {address} comes out the same cannot be told{other}: {found.reason}")
    if found.sameness is Sameness.DIFFERENT:
        what = f"it first differs {found.reason}" if found.reason.startswith("at step") else found.reason
        return f"{address} is NOT the same{part}{other}: {what}."
    if found.sameness is Sameness.EXACT:
        return f"{address} is the same, bit for bit{part}{other}: {_all_compared(found)}."
    return f"{address} is the same within tolerance{part}{other}: {_largest(like.largest)}."


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """All of it as JSON values."""
    run, like, again = found.recorded.run, found.likeness, found.again
    return {
        "run": {
            "id": run.id,
            "key": run.key,
            "address": found.recorded.address,
            "study": found.recorded.study,
            "arm": found.recorded.arm,
            "seed": run.seed,
            "workload": run.workload,
            "config": plain(run.config),
            "status": str(run.status),
            "attempt": run.attempt,
            "went_on_from": found.recorded.went_on_from,
            "started_at": run.provenance.started_at,
        },
        "verdict": str(found.sameness),
        "is_same": found.is_same,
        "sentence": verdict_sentence(found),
        "reason": found.reason,
        "tolerance": found.tolerance,
        "last_step": found.last_step,
        "is_other_code": found.is_other_code,
        "differences_of_place": [{"name": p.name, "recorded": p.recorded, "now": p.now} for p in found.places],
        "metrics": [_metric_json(metric) for metric in like.metrics],
        "facts": [
            {"name": f.name, "recorded": plain(f.recorded), "now": plain(f.again), "is_within": f.is_within}
            for f in like.facts
        ],
        "facts_not_compared": [name for name in (*TIMING_FACTS, *PLACE_FACTS) if name in run.facts],
        "checkpoints": dict(like.checkpoints),
        "told_by_one": list(like.told_by_one),
        "again": {
            "status": str(again.status),
            "reason": again.reason,
            "device": again.provenance.device,
            "threads": again.provenance.threads,
            "seconds": again.provenance.wall_seconds,
        },
    }


def _metric_json(metric: MetricLikeness) -> dict[str, Any]:
    is_apart = metric.unequal > 0
    return {
        "name": metric.name,
        "compared": metric.compared,
        "not_equal": metric.unequal,
        "largest_difference": number_json(metric.largest),
        "at_step": metric.at_step if is_apart else None,
        "recorded": number_json(metric.recorded) if is_apart else None,
        "now": number_json(metric.again) if is_apart else None,
        "first_outside_tolerance_at_step": metric.outside_at,
    }


def _all_compared(found: Reproduction) -> str:
    like = found.likeness
    told = [count(like.compared, "measured value")]
    facts = [name for name in found.recorded.run.facts if name not in (*TIMING_FACTS, *PLACE_FACTS)]
    if found.last_step is None and facts:
        told.append(count(len(facts), "fact"))
    if like.checkpoints:
        told.append(count(len(like.checkpoints), "checkpoint"))
    return f"{listing(told)} compared, {'all equal' if like.compared > 1 else 'equal'}"


def _largest(metric: MetricLikeness | None) -> str:
    if metric is None:
        return "every measured value is equal bit for bit, not everything else"
    old, new = told_apart(metric.recorded, metric.again)
    apart = number(metric.largest)
    return f"the largest difference is {apart} ({metric.name} at step {metric.at_step}: {old} then, {new} now)"


def _about(found: Reproduction) -> str:
    run, provenance = found.recorded.run, found.recorded.run.provenance
    begun = f", of {moment(provenance.started_at)}" if provenance.started_at else ""
    took = duration(found.again.provenance.wall_seconds)
    return f"run {run.id}, key {run.key[:12]}{begun}; trained again in {took}"


def _row(metric: MetricLikeness) -> tuple[str, ...]:
    numbers = (f"{metric.compared:,}", f"{metric.unequal:,}")
    if not metric.unequal:
        return (metric.name, *numbers, "0", NOTHING, NOTHING, NOTHING)
    old, new = told_apart(metric.recorded, metric.again)
    return (metric.name, *numbers, number(metric.largest), str(metric.at_step), old, new)


def _remarks(found: Reproduction) -> Iterator[str]:
    run, like = found.recorded.run, found.likeness
    if found.tolerance:
        yield (
            f"tolerance: a difference of at most {found.tolerance:g} + {found.tolerance:g} × the recorded value "
            "counts as none"
        )
    for place in found.places:
        old, new = (text[:12] if place.name in FINGERPRINTS else text for text in (place.recorded, place.now))
        yield f"{place.name} differs: {old} then, {new} now"
    if found.is_elsewhere and found.sameness is Sameness.DIFFERENT:
        yield (
            "where the place differs, a training may drift apart from its last bits: that it differs here does not "
            "show that it would there"
        )
    for fact in like.facts:
        yield f"the fact {fact.name} differs: {fact.recorded} then, {fact.again} now"
    for name, is_same in like.checkpoints.items():
        if not is_same:
            yield f"the file of the checkpoint {name} is not the same byte for byte"
    if like.told_by_one:
        yield f"told by one of the two only, and not compared: {listing(like.told_by_one)}"
    if found.recorded.went_on_from is not None:
        yield (
            f"the recorded run went on from a checkpoint at step {found.recorded.went_on_from}; the measurements up to "
            "there are an earlier attempt's, and trained again it never stopped"
        )
    if found.last_step is not None:
        reason = f" ({run.reason})" if run.reason else ""
        yield f"the recorded run {_stopped(run.status).removeprefix('where it ')} after step {found.last_step}{reason}"


def _stopped(status: Status) -> str:
    how = {Status.FAILED: "failed", Status.PRUNED: "was pruned"}.get(status, "was interrupted")
    return f"where it {how}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
