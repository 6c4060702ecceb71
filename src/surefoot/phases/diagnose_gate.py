"""The gate of the diagnosis: that it rests on the baseline and ends in something to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.ledger import difference_unit, promised_range
from surefoot.phases.dossier import Dossier
from surefoot.phases.gate import Check
from surefoot.phases.question import Question, few, named
from surefoot.run import Run, config_hash
from surefoot.words import count, listing, percent, settings

AGAIN = "`surefoot run PLAN` diagnoses again"
NONE = "There is no diagnosis on record."
NOTHING_ASKED = "The diagnosis recommends nothing."


def diagnosis_recorded(dossier: Dossier) -> Check:
    """Whether a diagnosis is on record, and rests on every run of what it diagnoses."""
    ask = Question(predicate="diagnosis_recorded", text="A diagnosis is on record, of every run it is about.")
    found = dossier.diagnosis
    if found is None:
        return ask.blocked(f"There is no diagnosis on record: {AGAIN}.")
    runs, n = _diagnosed(dossier), found.histories
    if runs is not None and n != len(runs):
        return ask.blocked(
            f"It rests on {count(n, 'training')}, the record has {count(len(runs), 'run')}: {AGAIN}.", *named(runs)
        )
    return ask.satisfied(f"It rests on {count(n, 'run')} of {found.subject or 'the baseline'}.", *named(runs or ()))


def _diagnosed(dossier: Dossier) -> tuple[Run, ...] | None:
    """The runs that the diagnosis is about; None where the champion may have moved on since."""
    if not dossier.rounds or dossier.diagnosis == dossier.rounds[0].diagnosis:
        return dossier.baseline
    return None if dossier.diagnosis == dossier.rounds[-1].diagnosis else dossier.champion


def primary_named(dossier: Dossier) -> Check:
    """Whether the symptom to treat first is named, or that there is none."""
    ask = Question(
        predicate="primary_named", text="The symptom to treat first is named, or the training called healthy."
    )
    found = dossier.diagnosis
    if found is None:
        return ask.blocked(NONE)
    if found.is_healthy:
        beside = [s.rule for s in found.symptoms if s.finding.severity != "info"]
        if beside:
            return ask.noted(f"No symptom is to be treated first, though {listing(beside)} matched.", "diagnosis")
        return ask.satisfied("Nothing is to be treated.", "diagnosis")
    primary = _primary(found)
    if primary is None:
        return ask.blocked(f"It names {found.primary}, of which it shows no evidence: {AGAIN}.", "diagnosis")
    return ask.satisfied(primary.finding.sentence, "diagnosis")


def _primary(diagnosis: Diagnosis) -> Symptom | None:
    return next((s for s in diagnosis.symptoms if s.rule == diagnosis.primary), None)


def confidence_stated(dossier: Dossier) -> Check:
    """Whether each symptom says how sure it is, and the primary one is sure enough."""
    ask = Question(predicate="confidence_stated", text="Each symptom says how sure it is; the primary one is no noise.")
    found = dossier.diagnosis
    if found is None:
        return ask.blocked(NONE)
    unsaid = [s.rule for s in found.symptoms if not 0 <= s.confidence <= 1]
    if unsaid:
        return ask.blocked(f"{listing(unsaid)} gives no confidence from 0 to 1: {AGAIN}.", "diagnosis")
    primary = _primary(found)
    if primary is None:
        return ask.not_applicable("No symptom is to be treated.")
    told = f"{primary.rule}: {percent(primary.confidence)} sure, seen in {percent(primary.share)} of the runs"
    if primary.is_noise:
        return ask.noted(f"{told}; at this size of the splits it could be noise.", "diagnosis")
    if primary.confidence < dossier.plan.thresholds.confident:
        return ask.noted(f"{told}, under {percent(dossier.plan.thresholds.confident)}.", "diagnosis")
    return ask.satisfied(f"{told}.", "diagnosis")


def limits_stated(dossier: Dossier) -> Check:
    """Whether everything could be told that the rules ask."""
    ask = Question(
        predicate="limits_stated", text="The curves tell all that the rules ask, or what they cannot tell is said."
    )
    found = dossier.diagnosis
    if found is None:
        return ask.blocked(NONE)
    if found.notes:
        return ask.noted(" ".join(found.notes), "diagnosis")
    return ask.satisfied("Every rule found what it needs.", "diagnosis")


def recommendations_concrete(dossier: Dossier) -> Check:
    """Whether each recommendation says which setting should have which value."""
    ask = Question(
        predicate="recommendations_concrete", text="Each recommendation names settings and their new values."
    )
    found = dossier.diagnosis
    if found is None:
        return ask.blocked(NONE)
    asked = found.recommendations
    if not asked:
        if found.is_healthy:
            return ask.not_applicable(NOTHING_ASKED)
        return ask.noted(f"There is none for {found.primary}: nothing is known to try.", "diagnosis")
    vague = [r.id for r in asked if r.is_applicable and not r.patch]
    if vague:
        return ask.blocked(f"{listing(vague)} names no setting: {AGAIN}.", "diagnosis")
    told = count(sum(bool(r.patch) for r in asked), "change")
    by_hand = [f"{r.id} ({r.title})" for r in asked if not r.patch]
    if by_hand:
        return ask.noted(f"{told}; {listing(by_hand)} is work by hand, and no setting.", "diagnosis")
    return ask.satisfied(f"{told}: {few([f'{r.id} {settings(r.patch)}' for r in asked], '; ')}.", "diagnosis")


def recommendations_applicable(dossier: Dossier) -> Check:
    """Whether the training has the settings that the recommendations change, at other values."""
    ask = Question(
        predicate="recommendations_applicable",
        text="The training has these settings, and at other values than advised.",
    )
    asked = dossier.diagnosis.recommendations if dossier.diagnosis else ()
    if dossier.diagnosis is None:
        return ask.blocked(NONE)
    if not asked:
        return ask.not_applicable(NOTHING_ASKED)
    idle = [r.id for r in asked if r.is_applicable and r.patch and not _changes(r, dossier)]
    if idle:
        return ask.blocked(
            f"{listing(idle)} would change nothing of the config diagnosed: {AGAIN}.", "diagnosis", "plan"
        )
    foreign = [f"{r.id} ({r.title})" for r in asked if not r.is_applicable]
    if foreign:
        return ask.noted(f"{len(asked) - len(foreign)} of {len(asked)}; not {few(foreign)}.", "diagnosis", "plan")
    return ask.satisfied(f"All {len(asked)} of them.", "diagnosis", "plan")


def _changes(recommendation: Recommendation, dossier: Dossier) -> bool:
    """Whether the patch changes what was diagnosed, as far as that can be told."""
    runs = _diagnosed(dossier)
    if runs is None:
        return True
    before = runs[0].config if runs else dossier.plan.baseline
    return config_hash({**before, **recommendation.patch}) != config_hash(before)


def promises_stated(dossier: Dossier) -> Check:
    """Whether each recommendation promises a gain, as a range, beside impact, effort and risk."""
    ask = Question(
        predicate="promises_stated",
        text="Each recommendation promises a gain as a range, with impact, effort and risk.",
    )
    if dossier.diagnosis is None:
        return ask.blocked(NONE)
    asked = dossier.diagnosis.recommendations
    if not asked:
        return ask.not_applicable(NOTHING_ASKED)
    wrong = [r.id for r in asked if r.promise and not -math.inf < r.promise.low <= r.promise.high < math.inf]
    if wrong:
        return ask.blocked(f"{listing(wrong)} promises no range of finite numbers: {AGAIN}.", "diagnosis")
    told = [_promise(r) for r in asked if r.promise]
    silent = [r.id for r in asked if r.promise is None]
    if silent:
        beside = f"; {few(told, '; ')}" if told else ""
        return ask.noted(f"Nobody can say what {listing(silent)} would gain{beside}.", "diagnosis")
    return ask.satisfied(f"{few(told, '; ')}.", "diagnosis")


def _promise(recommendation: Recommendation) -> str:
    promise = recommendation.promise
    assert promise is not None
    said = f"{promised_range((promise.low, promise.high))}{difference_unit(promise.unit)}"
    r = recommendation
    return f"{r.id} {said} (impact {r.impact}, effort {r.effort}, risk {r.risk})"


DIAGNOSE_GATE: Final[tuple[Callable[[Dossier], Check], ...]] = (
    diagnosis_recorded,
    primary_named,
    confidence_stated,
    limits_stated,
    recommendations_concrete,
    recommendations_applicable,
    promises_stated,
)
