"""What a person sees while a sweep runs."""

from __future__ import annotations

from typing import TextIO

from surefoot.cli.screen import Screen, duration
from surefoot.execution import Outcome, Task
from surefoot.reports.sweep_sentences import chosen_sentences, standing_sentence, trial_sentence
from surefoot.reports.sweep_story import SweepStory
from surefoot.run import Status
from surefoot.sweeping.exploration import Exploration
from surefoot.sweeping.trials import Trial, TrialState


class SweepConsole:
    """Listens to a sweep and tells it on a screen."""

    def __init__(self, workers: int, stream: TextIO | None = None, *, is_terminal: bool | None = None) -> None:
        self._screen = Screen(stream, is_terminal=is_terminal)
        self._workers = workers

    def close(self) -> None:
        """Takes the bar off the screen."""
        self._screen.close()

    def sweep_begun(self, story: SweepStory) -> None:
        """Says what begins, and what is there already."""
        trials = story.sweep.budget.trials
        there = f", {len(story.trials)} are there" if story.trials else ""
        many = "trials" if trials is None else f"{trials} trial{'s' * (trials > 1)}"
        self._screen.say(
            f"sweep {story.sweep.name}: {many} by {story.sweep.method.name}{there}, {self._workers} at a time"
        )
        for notice in story.sweep.notices:
            self.noticed(notice)
        self._screen.start_bar(trials, "trials,")

    def trial_started(self, trial: Trial, task: Task) -> None:
        """Shows which trial trains."""
        self._screen.show(task.label, f", seed {task.seed}" if len(trial.finals) else "")

    def trial_ended(self, trial: Trial, exploration: Exploration) -> None:
        """A line for the trial and the time left."""
        left = exploration.runs_left
        mean = exploration.seconds / max(exploration.made, 1)
        time_left = f"{duration(mean * left / self._workers)} left" if left else ""
        line, is_best = trial_line(trial, exploration), exploration.best is trial
        if not self._screen.has_bar:
            self._screen.say(line + (f"; {time_left}" if time_left else ""))
            return
        self._screen.advance(exploration.made, exploration.sweep.budget.trials, time_left)
        if is_best or trial.state not in (TrialState.COMPLETE, TrialState.PAUSED, TrialState.PRUNED):
            self._screen.say(line)

    def explored(self, story: SweepStory) -> None:
        """Where the exploration ended."""
        self._screen.say(standing_sentence(story))

    def fresh_run_ended(self, label: str, outcome: Outcome) -> None:
        """A line for a run on a fresh seed."""
        said = str(outcome.status) if outcome.status is not Status.COMPLETE else "done"
        self._screen.say(f"fresh seeds: {label}, seed {outcome.task.seed}: {said}")

    def done(self, story: SweepStory) -> None:
        """What the fresh seeds said."""
        for sentence in chosen_sentences(story):
            self._screen.say(sentence)

    def noticed(self, text: str) -> None:
        """A notice, on a line of its own."""
        self._screen.say(f"note: {text}")


def trial_line(trial: Trial, exploration: Exploration) -> str:
    """ "trial 12: val_loss 0.3121 (best so far)"."""
    metrics = exploration.sweep.targets
    values = ", ".join(f"{m.name} {v:.5g}" for m, v in zip(metrics, trial.values(metrics) or [], strict=False))
    line = trial_sentence(trial.number, str(trial.state), trial.reason, values)
    return line + (" (best so far)" if exploration.best is trial and len(metrics) == 1 else "")
