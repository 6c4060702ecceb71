"""A sweep in sentences: where it stands, what a trial came to, what the fresh seeds said."""

from __future__ import annotations

from surefoot.reports.sweep_story import SweepStory, TrialStory
from surefoot.reports.words import count, listing


def trial_sentence(number: int, state: str, reason: str, values: str) -> str:
    """ "trial 12: val_loss 0.3121", "trial 13: FAILED (exit code 3)"."""
    if state == "COMPLETE":
        return f"trial {number}: {values}"
    return f"trial {number}: {state}" + (f" ({reason})" if reason else "")


def counts_sentence(story: SweepStory) -> str:
    """ "40 trials: 31 complete, 7 pruned, 2 failed"."""
    states = [t.state.lower() for t in story.trials]
    order = ("complete", "pruned", "paused", "infeasible", "failed", "running", "waiting")
    told = listing([f"{states.count(state)} {state}" for state in order if state in states])
    return f"{count(len(story.trials), 'trial')}: {told}" if told else "no trial yet"


def standing_sentence(story: SweepStory) -> str:
    """How many trials of what kind, why the exploration ended, and the best so far."""
    parts = [counts_sentence(story)]
    if story.ending:
        parts.append(f"the exploration ended: {story.ending}")
    best = story.best_trial
    if len(story.sweep.targets) > 1:
        if story.front:
            parts.append(f"{count(len(story.front), 'trial')} on the Pareto front")
    elif best is not None:
        parts.append(f"the best by exploring is trial {best.number}, {value_text(story, best)}")
    return "; ".join(parts)


def value_text(story: SweepStory, trial: TrialStory) -> str:
    """ "val_loss 0.3121 (one seed, so luck is part of it)"."""
    metric = story.sweep.targets[0]
    unit = f" {metric.unit}" if metric.unit else ""
    if trial.seeds > 1:
        return f"{metric.name} {trial.values[0]:.5g}{unit}, the mean of {trial.seeds} seeds"
    return f"{metric.name} {trial.values[0]:.5g}{unit} (one seed, so luck is part of it)"


def chosen_sentences(story: SweepStory) -> list[str]:
    """What the fresh seeds said of the best few; that nothing is confirmed where they said nothing."""
    if story.chosen is not None:
        return [story.chosen.sentence]
    if story.best_trial is None:
        return ["no trial has a value, so there is nothing to choose"]
    return ["nothing is confirmed: no trial was trained on fresh seeds"] if story.phase == "done" else []
