"""The gate of the end: the last training, the sealed split, the exported model, the bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final as Fixed

from surefoot.phases.dossier import Dossier
from surefoot.phases.export_checks import bundle_whole, export_accurate, export_agrees, export_fast, exported
from surefoot.phases.gate import Check
from surefoot.phases.question import Question, few, named
from surefoot.phases.sealed_checks import UNMEASURED, classes_served, confusion_agrees, splits_agree, target_met
from surefoot.phases.trained import AGAIN, NO_TRAINING, asks_for_final, checkpoints_stand
from surefoot.plan import confirming_seeds
from surefoot.run import Run, Status, config_hash
from surefoot.words import clause, config_change, count, listing, short_hash


def final_complete(dossier: Dossier) -> Check:
    """Whether the final training is complete on every seed that the plan asks for."""
    ask = Question(predicate="final_complete", text="The final training is complete on every seed asked for.")
    asked = dossier.plan.finalise.seeds if dossier.plan.finalise else 0
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    runs = _runs(dossier)
    ended = [f"run {r.id} is {r.status}{f': {clause(r.reason)}' if r.reason else ''}" for r in runs if not _is_whole(r)]
    if ended:
        return ask.blocked(f"{few(ended, '; ')}; {AGAIN}.", *named(runs))
    if len(runs) < asked:
        return ask.blocked(f"{len(runs)} of {count(asked, 'final run')} on record: {AGAIN}.", *named(runs))
    return ask.satisfied(f"{count(len(runs), 'run')}, all COMPLETE.", *named(runs))


def _runs(dossier: Dossier) -> tuple[Run, ...]:
    return dossier.final.runs if dossier.final else ()


def _is_whole(run: Run) -> bool:
    return run.status is Status.COMPLETE


def final_seeds_fresh(dossier: Dossier) -> Check:
    """Whether the final runs are on seeds that nothing was chosen on."""
    ask = Question(predicate="final_seeds_fresh", text="The final seeds are their own: nothing was chosen on them.")
    runs = _runs(dossier)
    if not runs:
        return ask.not_applicable("There is no final run yet." if asks_for_final(dossier) else NO_TRAINING)
    others = (*dossier.baseline, *dossier.champion, *(r for some in dossier.tried.values() for r in some))
    seen = {run.seed for run in others} | set(confirming_seeds(dossier.plan.rule.confirm_seeds))
    shared = sorted({run.seed for run in runs} & seen)
    seeds = listing([str(run.seed) for run in runs])
    if shared:
        return ask.blocked(
            f"Seed {listing([str(s) for s in shared])} was used for choosing before: train on seeds of their own.",
            *named(runs),
        )
    return ask.satisfied(f"Seed {seeds}." if len(runs) == 1 else f"Seeds {seeds}.", *named(runs))


def final_config_chosen(dossier: Dossier) -> Check:
    """Whether what was trained at the end is the champion's config."""
    ask = Question(predicate="final_config_chosen", text="What was trained at the end is the champion's config.")
    final = dossier.final
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    if final is None:
        return ask.blocked(f"No final config is on record: {AGAIN}.")
    others = [run for run in final.runs if config_hash(run.config) != config_hash(final.config)]
    if others:
        change = config_change(final.config, others[0].config)
        return ask.blocked(f"Run {others[0].id} was trained with {change}: {AGAIN}.", *named(others))
    champion = dossier.champion[0].config if dossier.champion else dossier.plan.baseline
    if config_hash(champion) != config_hash(final.config):
        return ask.blocked(
            f"It differs from the champion's: {config_change(champion, final.config)}; {AGAIN}.", *named(final.runs)
        )
    return ask.satisfied(f"Hash {short_hash(config_hash(final.config))}, the champion's.", *named(final.runs))


def final_checkpoints(dossier: Dossier) -> Check:
    """Whether the final checkpoints are on disk, best and last apart, and it is said which one counts."""
    ask = Question(
        predicate="final_checkpoints",
        text="The final checkpoints are on disk, whole, and the one that counts is named.",
    )
    final = dossier.final
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    if final is None:
        return ask.blocked(f"There is no final run: {AGAIN}.")
    found = checkpoints_stand(ask, final.runs, dossier)
    unknown = [run for run in final.runs if run.checkpoints and final.checkpoint not in run.checkpoints]
    if found.state in ("satisfied", "noted") and unknown:
        return ask.blocked(
            f"The {final.checkpoint} checkpoint is to count, and {listing(named(unknown))} has none: {AGAIN}."
        )
    if found.state == "satisfied":
        return ask.satisfied(f"{clause(found.evidence)}; the {final.checkpoint} one counts.", *found.rests_on)
    return found


def split_opened_once(dossier: Dossier) -> Check:
    """Whether the sealed split was opened at the end, and not before."""
    ask = Question(
        predicate="split_opened_once", text="The sealed test split was opened once, at the end, and not before."
    )
    if dossier.opened_before_finalise:
        return ask.blocked(
            "It was opened before the end, so that what it says is no longer fresh; only new test data would be."
        )
    if not asks_for_final(dossier):
        return ask.not_applicable(f"{NO_TRAINING} It was not opened before the end.")
    if "evaluate" not in dossier.measures and not (dossier.final and dossier.final.opened_at):
        return ask.not_applicable(UNMEASURED)
    if dossier.final is None or not dossier.final.opened_at:
        return ask.blocked(f"It is still sealed: {AGAIN.replace('trains it again', 'opens it at the end')}.")
    told = f"Opened {dossier.final.opened_at[:16].replace('T', ' ')}"
    if dossier.sealed_asks:
        return ask.noted(f"{told}; asked for before that, and refused, by {few(dossier.sealed_asks)}.", "opening")
    return ask.satisfied(f"{told}, never asked for before.", "opening")


FINALISE_GATE: Fixed[tuple[Callable[[Dossier], Check], ...]] = (
    final_complete,
    final_seeds_fresh,
    final_config_chosen,
    final_checkpoints,
    split_opened_once,
    splits_agree,
    target_met,
    confusion_agrees,
    classes_served,
    exported,
    export_agrees,
    export_accurate,
    export_fast,
    bundle_whole,
)
