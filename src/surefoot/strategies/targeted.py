"""Targeted: the top recommendations as one experiment, together and each alone, and the ablation that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.plan import Arm, Experiment, Prediction, round_id, same_config
from surefoot.words import listing

TOGETHER = "all"
WITHOUT = "without "


def chosen(
    recommendations: Sequence[Recommendation],
    champion: Mapping[str, Any],
    most: int,
    tried: Sequence[Mapping[str, Any]] = (),
    refused: Callable[[Mapping[str, Any]], str] = lambda config: "",
) -> tuple[tuple[Recommendation, ...], tuple[tuple[Recommendation, str], ...]]:
    """The recommendations to put to the test, at most so many, and the others, each with the reason why not.

    Two that set the same setting cannot be told apart when they are tried together, so the first stands. `tried`
    are the patches of earlier rounds; `refused` says why the workload takes no such config, "" where it does.
    """
    taken: list[Recommendation] = []
    left: list[tuple[Recommendation, str]] = []
    for recommendation in recommendations:
        reason = _reason_against(recommendation, champion, taken, most, tried) or _refusal(
            recommendation, champion, taken, refused
        )
        if reason:
            left.append((recommendation, reason))
        else:
            taken.append(recommendation)
    return tuple(taken), tuple(left)


def _reason_against(
    recommendation: Recommendation,
    champion: Mapping[str, Any],
    taken: Sequence[Recommendation],
    most: int,
    tried: Sequence[Mapping[str, Any]],
) -> str:
    patch = recommendation.patch
    if not recommendation.is_applicable or not patch:
        return "this training has no such setting"
    if same_config({**champion, **patch}, champion):
        return "the champion has it already"
    if any(dict(patch) == dict(other) for other in tried):
        return "an earlier round tried it"
    rival = next((other for other in taken if other.patch.keys() & patch.keys()), None)
    if rival is not None:
        return f"it sets {listing(sorted(rival.patch.keys() & patch.keys()))}, as {rival.id} does"
    return "" if len(taken) < most else f"the round tries {most} at most"


def _refusal(
    recommendation: Recommendation,
    champion: Mapping[str, Any],
    taken: Sequence[Recommendation],
    refused: Callable[[Mapping[str, Any]], str],
) -> str:
    """Why it cannot be trained, alone or together with those that are taken."""
    alone = refused({**champion, **recommendation.patch})
    if alone or not taken:
        return alone
    together = refused({**champion, **_merged([*taken, recommendation])})
    return f"together with {listing([r.id for r in taken])}: {together}" if together else ""


def _merged(recommendations: Sequence[Recommendation]) -> dict[str, Any]:
    return {name: value for r in recommendations for name, value in r.patch.items()}


def targeted(
    number: int,
    diagnosis: Diagnosis,
    recommendations: Sequence[Recommendation],
    metric: str,
    drivers: Mapping[str, tuple[str, ...]],
) -> Experiment:
    """The round's experiment: each recommendation alone, and where there are several all of them together."""
    arms = [Arm(name=name, changes=dict(r.patch)) for name, r in arms_of(recommendations).items()]
    if len(recommendations) > 1:
        arms.insert(0, Arm(name=TOGETHER, changes=_merged(recommendations)))
    titles = listing([r.title for r in recommendations])
    primary = next((s for s in diagnosis.symptoms if s.rule == diagnosis.primary), None)
    return Experiment(
        id=round_id(number),
        hypothesis=f"What the diagnosis recommends makes {metric} better: {titles}.",
        because=primary.finding.sentence if primary else "",
        arms=tuple(arms),
        predictions=tuple(Prediction(arm=arm.name, metric=metric, relation="better") for arm in arms),
        allow=moved_facts([arm.changes for arm in arms], drivers),
    )


def arms_of(recommendations: Sequence[Recommendation]) -> dict[str, Recommendation]:
    """The recommendations by the name of the arm that tries each alone: its kind, with its id where two share it."""
    kinds = [r.kind for r in recommendations]
    return {(r.kind if kinds.count(r.kind) == 1 else f"{r.kind} {r.id}"): r for r in recommendations}


def ablation(
    number: int,
    recommendations: Sequence[Recommendation],
    before: Mapping[str, Any],
    metric: str,
    drivers: Mapping[str, tuple[str, ...]],
) -> Experiment:
    """The experiment on a champion that took all of them: each one taken away again, back to `before`."""
    arms = [
        Arm(name=f"{WITHOUT}{name}", changes={setting: before[setting] for setting in r.patch})
        for name, r in arms_of(recommendations).items()
    ]
    return Experiment(
        id=round_id(number, is_ablation=True),
        hypothesis=f"Each of {listing(list(arms_of(recommendations)))} does its part of what they did together.",
        because="Several changes were adopted in one step, and a step does not say which of them did the work.",
        arms=tuple(arms),
        predictions=tuple(Prediction(arm=arm.name, metric=metric, relation="worse") for arm in arms),
        allow=moved_facts([arm.changes for arm in arms], drivers),
    )


def moved_facts(patches: Sequence[Mapping[str, Any]], drivers: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The facts that such changes move besides those they are meant to.

    Another batch size at as many steps sees other numbers of samples: whoever recommends it means that too.
    """
    settings = {name for patch in patches for name in patch}
    return ("samples",) if "batch_size" in settings and "samples" in drivers else ()
