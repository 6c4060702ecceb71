"""Rounds as the walk finds them: what each adopted, what every recommendation did, and the rows of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.ledger import LedgerRow
from surefoot.phases.attribution import attribution, effect_alone, effect_within
from surefoot.phases.round import Attribution, Round
from surefoot.reports.story import ExperimentStory
from surefoot.run import Metric
from surefoot.strategies.targeted import TOGETHER, WITHOUT, arms_of
from surefoot.study.phase_log import PhaseLog, RoundEntry
from surefoot.verdict import Decision, Verdict

DECIDED = ("decided", "skipped")


def rounds_of(log: PhaseLog, experiments: Sequence[ExperimentStory], metric: Metric) -> tuple[Round, ...]:
    """Every round so far, with what the engine decided of it."""
    stories = {story.id: story for story in experiments}
    found = [_round(log, entry, stories, metric) for _, entry in sorted(log.rounds.items())]
    if found and max(log.outlooks, default=0) > found[-1].number:  # the next round found nothing to try
        found[-1] = replace(found[-1], outlook=log.decision)
    return tuple(found)


def needs_ablation(entry: RoundEntry, story: ExperimentStory) -> bool:
    """Whether several changes were adopted in one step, so that none can be said to have done the work."""
    return len(entry.tried) > 1 and adopted_arm(story) == TOGETHER


def adopted_arm(story: ExperimentStory | None) -> str:
    """The arm the champion moved to, "" where it stayed."""
    choice = story.choice if story is not None else None
    return choice.arm if choice is not None and choice.decision is Decision.ADOPT else ""


def ledger_rows(
    study: str, entry: RoundEntry, stories: Mapping[str, ExperimentStory], metric: Metric
) -> tuple[LedgerRow, ...]:
    """What every recommendation of the round promised, beside what it did alone; none for one without a promise."""
    story = stories.get(entry.experiment.id)
    rows = []
    for arm, recommendation in arms_of(entry.tried).items():
        promise = recommendation.promise
        if promise is None or promise.metric != metric.name:
            continue
        verdict = story.steps.get(arm) if story is not None else None
        rows.append(
            LedgerRow(
                study=study,
                experiment=entry.experiment.id,
                arm=arm,
                recommendation=recommendation.id,
                kind=recommendation.kind,
                title=recommendation.title,
                metric=metric.name,
                unit=metric.unit,
                first_promised=entry.first_promises.get(recommendation.id, (promise.low, promise.high)),
                promised=(promise.low, promise.high),
                got=verdict.gain if verdict is not None else None,
                interval=gained(verdict, metric),
                n=verdict.n if verdict is not None else 0,
                verdict=said(verdict),
            )
        )
    return tuple(rows)


def gained(verdict: Verdict | None, metric: Metric) -> tuple[float, float] | None:
    """The verdict's 95 % interval, counted as a gain."""
    if verdict is None or verdict.interval is None:
        return None
    low, high = sorted(metric.sign * bound for bound in verdict.interval)
    return low, high


def said(verdict: Verdict | None) -> str:
    """The engine's word and cause."""
    if verdict is None:
        return ""
    return f"{verdict.answer}{f' ({verdict.cause})' if verdict.cause else ''}"


def _round(log: PhaseLog, entry: RoundEntry, stories: Mapping[str, ExperimentStory], metric: Metric) -> Round:
    story = stories.get(entry.experiment.id)
    removed = log.ablations.get(entry.number)
    names = [entry.experiment.id, *([removed.id] if removed else [])]
    arm = adopted_arm(story)
    step = story.steps.get(arm) if story is not None and arm else None
    return Round(
        number=entry.number,
        strategy=entry.strategy,
        diagnosis=log.diagnoses[entry.number],
        tried=entry.tried,
        skipped=entry.skipped,
        experiments=tuple(names),
        adopted=arm,
        gain=step.gain if step else None,
        interval=gained(step, metric),
        n=step.n if step else 0,
        attributions=_attributions(entry, story, stories.get(removed.id) if removed else None, metric),
        outlook=log.outlooks.get(entry.number),
    )


def _attributions(
    entry: RoundEntry, story: ExperimentStory | None, removed: ExperimentStory | None, metric: Metric
) -> tuple[Attribution, ...]:
    if story is None or entry.experiment.search is not None or story.state not in DECIDED:
        return ()
    return tuple(
        _attribution(recommendation, story.steps.get(arm), _step(removed, f"{WITHOUT}{arm}"), metric)
        for arm, recommendation in arms_of(entry.tried).items()
    )


def _step(story: ExperimentStory | None, arm: str) -> Verdict | None:
    return story.steps.get(arm) if story is not None and story.state in DECIDED else None


def _attribution(
    recommendation: Recommendation, alone: Verdict | None, without: Verdict | None, metric: Metric
) -> Attribution:
    return attribution(
        recommendation,
        alone=effect_alone(alone, metric) if alone is not None else None,
        within=effect_within(without, metric) if without is not None else None,
        metric=metric,
    )
