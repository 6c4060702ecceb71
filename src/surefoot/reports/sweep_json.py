"""A sweep as JSON that other programs may rely on: its definition, its trials, what fresh seeds said."""

from __future__ import annotations

from typing import Any

from surefoot.choosing import Chosen, is_expectation_met
from surefoot.reports.plain_json import number_json, plain, values_json
from surefoot.reports.sweep_sentences import failures_of
from surefoot.reports.sweep_story import SweepStory, TrialStory


def sweep_json(story: SweepStory) -> dict[str, Any]:
    """The sweep as one JSON document; no NaN and no infinity is in it."""
    return {
        "sweep": story.sweep.name,
        "kind": "sweep",
        "phase": story.phase,
        "ending": story.ending,
        "definition": plain(story.sweep.definition()),
        "best": story.best,
        "front": list(story.front),
        "chosen": None if story.chosen is None else _chosen(story.chosen),
        "expectation": _expectation(story),
        "fresh": [
            {
                "trial": f.number,
                "seeds": list(f.seeds),
                "values": values_json(f.values),
                "had_part_in_choosing": len(f.values) - f.claiming,
            }
            for f in story.fresh
        ],
        "runs": dict(story.runs),
        "fresh_runs": story.fresh_runs,
        "hours": number_json(story.hours),
        "seconds_left": number_json(story.seconds_left),
        "trials": [_trial(t) for t in story.trials],
        "failures": [
            {"state": f.state.lower(), "reason": f.reason, "trials": list(f.trials)}
            for f in failures_of((t.number, t.state, t.reason) for t in story.trials)
        ],
        "left_out": dict(story.left_out),
        "notices": list(story.notices),
        "provenance": plain(story.provenance),
    }


def _expectation(story: SweepStory) -> dict[str, Any] | None:
    expected = story.sweep.expectation
    if expected is None:
        return None
    is_met = is_expectation_met(expected, story.chosen)
    between = values_json((expected.low, expected.high))
    return {"between": between, "against": number_json(expected.against), "is_met": is_met}


def _trial(t: TrialStory) -> dict[str, Any]:
    return {
        "number": t.number,
        "state": t.state,
        "reason": t.reason,
        "origin": t.origin,
        "settings": plain(t.settings),
        "values": values_json(t.values),
        "per_seed": values_json(t.per_seed),
        "seeds": t.seeds,
        "attempts": t.attempts,
        "retried": t.retried,
        "seconds": number_json(t.seconds),
        "last_value": number_json(t.last_value),
        "barred_by": t.barred_by,
    }


def _chosen(chosen: Chosen) -> dict[str, Any]:
    return {
        "trial": chosen.number,
        "estimate": number_json(chosen.estimate),
        "interval": None if chosen.interval is None else values_json(chosen.interval),
        "n": chosen.n,
        "explored_trial": chosen.explored_number,
        "explored_best": number_json(chosen.explored_best),
        "luck": number_json(chosen.luck),
        "survives": chosen.survives,
        "gain": number_json(chosen.gain),
        "gain_interval": None if chosen.gain_interval is None else values_json(chosen.gain_interval),
        "is_complete": chosen.is_complete,
        "standings": [
            {
                "trial": s.number,
                "explored": number_json(s.explored),
                "n": s.n,
                "mean": number_json(s.mean),
                "interval": None if s.interval is None else values_json(s.interval),
                "state": s.state,
                "is_tied": s.is_tied,
            }
            for s in chosen.standings
        ],
    }
