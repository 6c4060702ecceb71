"""The journal as JSON that other programs may rely on: raw values, verdicts, claims, revisions."""

from __future__ import annotations

from typing import Any

from surefoot.claim import Claim
from surefoot.comparison import Noise
from surefoot.plan import Prediction, Rule
from surefoot.reports.phases_json import phases_json
from surefoot.reports.plain_json import number_json, plain, values_json
from surefoot.reports.searched import search_json
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
            "config": plain(story.champion_config),
            "values": values_json(story.champion_values),
            "fresh_values": values_json(fresh_champion(story)),
        },
        "target": number_json(story.primary.target),
        "gap": number_json(story.target_gap),
        "experiments": [_experiment(e, story.primary) for e in story.experiments],
        "path": [_path_point(p) for p in story.path],
        "claims": [_claim(c) for c in story.claims],
        "overall": None if story.overall is None else _claim(story.overall),
        "test": {"opened_at": story.test_opened_at, "values": plain(story.test_values)},
        "expected_false_adopts": number_json(story.expected_false_adopts),
        "q_values": plain(story.q_values),
        "runs": plain(story.run_counts),
        "hours": number_json(story.hours),
        "notices": list(story.notices),
        "provenance": plain(story.provenance),
        **({} if story.phases is None else {"phases": phases_json(story.phases)}),
    }


def _experiment(e: ExperimentStory, primary: Metric) -> dict[str, Any]:
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
        "search": search_json(e, primary),
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
                "values": values_json(c.verdict.arm_values),
            }
            for c in e.contrasts
        ],
        "choice": None if e.choice is None else _choice(e.choice),
        "champion_before": plain(e.champion_before),
        "champion_after": plain(e.champion_after),
        "gap_before": number_json(e.gap_before),
        "gap_after": number_json(e.gap_after),
        "same": list(e.same),
        "differs": list(e.differs),
        "losses": list(e.losses),
        "cost": {"trained": e.runs_trained, "reused": e.runs_reused, "seconds": number_json(e.train_seconds)},
        "next": e.next,
    }


def _predicted_contrasts(e: ExperimentStory) -> list[Verdict]:
    return [c.verdict for c in e.contrasts if c.verdict.prediction.is_registered]


def _arm(arm: ArmStory) -> dict[str, Any]:
    return {
        "name": arm.name,
        "changes": plain(arm.changes),
        "config": plain(arm.config),
        "seeds": list(arm.seeds),
        "values": {name: values_json(values) for name, values in arm.values.items()},
        "seconds_a_step": values_json(arm.seconds_a_step),
    }


def _verdict(v: Verdict) -> dict[str, Any]:
    return {
        "arm": v.prediction.subject,
        "metric": v.prediction.metric,
        "verdict": v.answer.value if v.is_settled else "WAITING",
        "cause": v.cause.value,
        "decision": v.decision.value,
        "n": v.n,
        "estimate": number_json(v.estimate),
        "interval": None if v.interval is None else values_json(v.interval),
        "p": number_json(v.p),
        "detectable": number_json(v.detectable),
        "gain": number_json(v.gain),
        "threshold": number_json(v.threshold),
        "sd_of_difference": number_json(v.sd_of_difference),
        "correlation": number_json(v.correlation),
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
        "estimate": number_json(c.estimate),
        "interval": None if c.interval is None else values_json(c.interval),
        "p": number_json(c.p),
        "p_adjusted": number_json(c.p_adjusted),
        "wins": c.wins,
        "share_better": values_json(c.share_better),
        "is_meaningful": c.is_meaningful,
        "correlation": number_json(c.correlation),
        "detectable": number_json(c.detectable),
        "method": c.method,
        "before_values": values_json(c.step.before_values),
        "after_values": values_json(c.step.after_values),
    }


def _prediction(p: Prediction) -> dict[str, Any]:
    return {
        "about": p.subject,
        "metric": p.metric,
        "is": p.relation,
        "by": number_json(p.by),
        "within": number_json(p.within),
        "between": values_json((p.low, p.high)) if p.relation == "between" else None,
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
        "target": number_json(m.target),
        "min_effect": number_json(m.min_effect),
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
        "sd": number_json(noise.floor_sd),
        "n": noise.floor_n,
        "correlation": number_json(noise.correlation),
        "is_paired": noise.is_paired,
        "sd_of_difference": number_json(noise.difference_sd),
        "prior_df": number_json(noise.prior.df),
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
        "exploring": values_json(p.exploring),
        "fresh": values_json(p.fresh),
        "is_claimed": p.is_claimed,
    }
