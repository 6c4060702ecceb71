"""The journal as JSON that other programs may rely on: raw values, verdicts, claims, revisions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from surefoot.claim import Claim
from surefoot.comparison import Noise, NoValue, Value
from surefoot.plan import Prediction, Rule
from surefoot.reports.sentences import fresh_champion
from surefoot.reports.story import ArmStory, ExperimentStory, PathPoint, RevisionStory, Story
from surefoot.run import Metric
from surefoot.verdict import Choice, Verdict


def journal_json(story: Story) -> dict[str, Any]:
    """The whole story as plain JSON values; no NaN and no infinity is among them."""
    return {
        "study": story.study,
        "workload": story.workload,
        "phase": story.phase,
        "plan": {"hash": story.plan_hash, "path": story.plan_path},
        "primary": story.primary.name,
        "metrics": [_metric(m) for m in story.metrics],
        "rule": _rule(story.rule),
        "revisions": [_revision(r) for r in story.revisions],
        "baseline": None if story.baseline is None else _arm(story.baseline),
        "noise": {name: _noise(noise) for name, noise in story.noise.items()},
        "champion": {
            "config": _plain(story.champion_config),
            "values": _values(story.champion_values),
            "fresh_values": _values(fresh_champion(story)),
        },
        "target": _number(story.primary.target),
        "gap": _number(story.target_gap),
        "experiments": [_experiment(e) for e in story.experiments],
        "path": [_path_point(p) for p in story.path],
        "claims": [_claim(c) for c in story.claims],
        "overall": None if story.overall is None else _claim(story.overall),
        "test": {"opened_at": story.test_opened_at, "values": _plain(story.test_values)},
        "expected_false_adopts": _number(story.expected_false_adopts),
        "q_values": _plain(story.q_values),
        "runs": _plain(story.run_counts),
        "hours": _number(story.hours),
        "notices": list(story.notices),
        "provenance": _plain(story.provenance),
    }


def _experiment(e: ExperimentStory) -> dict[str, Any]:
    return {
        "number": e.number,
        "id": e.id,
        "hypothesis": e.hypothesis,
        "because": e.because,
        "state": e.state,
        "note": e.note,
        "registered": {
            "revision": e.revision,
            "plan_hash": e.plan_hash,
            "at": e.registered_at,
            "already_known": list(e.known),
        },
        "repeats": e.repeats,
        "rule": _rule(e.rule),
        "noise": _noise(e.noise),
        "predictions": [_prediction(p) for p in e.predictions],
        "champion": None if e.champion is None else _arm(e.champion),
        "arms": [_arm(a) for a in e.arms],
        "verdicts": [_verdict(v) for v in (*e.verdicts, *_predicted_contrasts(e))],
        "steps": {name: _verdict(v) for name, v in e.steps.items()},
        "contrasts": [
            {
                "label": c.label,
                "factors": list(c.factors),
                **_verdict(c.verdict),
                "values": _values(c.verdict.arm_values),
            }
            for c in e.contrasts
        ],
        "choice": None if e.choice is None else _choice(e.choice),
        "champion_before": _plain(e.champion_before),
        "champion_after": _plain(e.champion_after),
        "gap_before": _number(e.gap_before),
        "gap_after": _number(e.gap_after),
        "same": list(e.same),
        "differs": list(e.differs),
        "losses": list(e.losses),
        "cost": {"trained": e.runs_trained, "reused": e.runs_reused, "seconds": _number(e.train_seconds)},
        "next": e.next,
    }


def _predicted_contrasts(e: ExperimentStory) -> list[Verdict]:
    return [c.verdict for c in e.contrasts if c.verdict.prediction.is_registered]


def _arm(arm: ArmStory) -> dict[str, Any]:
    return {
        "name": arm.name,
        "changes": _plain(arm.changes),
        "config": _plain(arm.config),
        "seeds": list(arm.seeds),
        "values": {name: _values(values) for name, values in arm.values.items()},
        "seconds_a_step": _values(arm.seconds_a_step),
    }


def _verdict(v: Verdict) -> dict[str, Any]:
    return {
        "arm": v.prediction.subject,
        "metric": v.prediction.metric,
        "verdict": v.answer.value if v.is_settled else "WAITING",
        "cause": v.cause.value,
        "decision": v.decision.value,
        "n": v.n,
        "estimate": _number(v.estimate),
        "interval": None if v.interval is None else _values(v.interval),
        "p": _number(v.p),
        "detectable": _number(v.detectable),
        "gain": _number(v.gain),
        "threshold": _number(v.threshold),
        "sd_of_difference": _number(v.sd_of_difference),
        "correlation": _number(v.correlation),
        "more_seeds": v.more_seeds,
        "wanted": v.wanted,
        "end": v.end.value,
        "reason": v.reason,
        "method": v.method,
        "confounds": list(v.confounds),
        "prediction": _prediction(v.prediction),
    }


def _claim(c: Claim) -> dict[str, Any]:
    return {
        "name": c.step.name,
        "before": c.step.before,
        "after": c.step.after,
        "metric": c.metric,
        "is_claimed": c.is_confirmed,
        "reason": c.reason,
        "n": c.n,
        "estimate": _number(c.estimate),
        "interval": None if c.interval is None else _values(c.interval),
        "p": _number(c.p),
        "p_adjusted": _number(c.p_adjusted),
        "wins": c.wins,
        "share_better": _values(c.share_better),
        "is_meaningful": c.is_meaningful,
        "correlation": _number(c.correlation),
        "detectable": _number(c.detectable),
        "method": c.method,
        "before_values": _values(c.step.before_values),
        "after_values": _values(c.step.after_values),
    }


def _prediction(p: Prediction) -> dict[str, Any]:
    return {
        "about": p.subject,
        "metric": p.metric,
        "is": p.relation,
        "by": _number(p.by),
        "within": _number(p.within),
        "between": _values((p.low, p.high)) if p.relation == "between" else None,
        "is_registered": p.is_registered,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "decision": choice.decision.value,
        "arm": choice.arm,
        "reason": choice.reason,
        "more_seeds": choice.more_seeds,
    }


def _metric(m: Metric) -> dict[str, Any]:
    return {
        "name": m.name,
        "goal": m.goal,
        "unit": m.unit,
        "target": _number(m.target),
        "min_effect": _number(m.min_effect),
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "looks": list(rule.looks),
        "adopt_alpha": rule.adopt_alpha,
        "support_alpha": rule.support_alpha,
        "claim_alpha": rule.claim_alpha,
        "confirm_seeds": rule.confirm_seeds,
        "is_screened": rule.is_screened,
    }


def _noise(noise: Noise) -> dict[str, Any]:
    return {
        "sd": _number(noise.floor_sd),
        "n": noise.floor_n,
        "correlation": _number(noise.correlation),
        "is_paired": noise.is_paired,
        "sd_of_difference": _number(noise.difference_sd),
        "prior_df": _number(noise.prior.df),
    }


def _revision(r: RevisionStory) -> dict[str, Any]:
    return {
        "number": r.number,
        "plan_hash": r.plan_hash,
        "registered_at": r.registered_at,
        "changes": list(r.changes),
        "already_known": list(r.known),
    }


def _path_point(p: PathPoint) -> dict[str, Any]:
    return {
        "label": p.label,
        "experiment": p.experiment,
        "exploring": _values(p.exploring),
        "fresh": _values(p.fresh),
        "is_claimed": p.is_claimed,
    }


def _values(values: Iterable[Value]) -> list[Any]:
    return [v.value if isinstance(v, NoValue) else _number(v) for v in values]


def _number(value: float | None) -> float | int | str | None:
    """A finite number as it is; what JSON cannot hold, as the text "NaN", "Infinity" or "-Infinity"."""
    if value is None or isinstance(value, bool | int) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, NoValue):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    return _number(value) if isinstance(value, float) else str(value)
