"""What a person sees while a study runs."""

from __future__ import annotations

from typing import TextIO

from surefoot.cli.screen import Screen, duration
from surefoot.cli.sweep_console import trial_line
from surefoot.execution import Outcome, Task
from surefoot.reports.sentences import claim_sentence, decision_sentence, overall_sentence, verdict_sentences
from surefoot.reports.story import ExperimentStory, Story
from surefoot.run import Measurement, Metric, Status
from surefoot.sweeping.exploration import Exploration
from surefoot.sweeping.trials import Trial


class StudyConsole:
    """Listens to a study and tells it on a screen.

    The time left is an upper bound: most races end before their last look.
    """

    def __init__(self, workers: int, stream: TextIO | None = None, *, is_terminal: bool | None = None) -> None:
        self._screen = Screen(stream, is_terminal=is_terminal)
        self._workers = workers
        self._seconds: list[float] = []
        self._done = 0
        self._metric: Metric | None = None

    def close(self) -> None:
        """Takes the bar off the screen."""
        self._screen.close()

    def begun(self, story: Story, most_runs: int) -> None:
        """Says what begins and how many runs that is at most."""
        self._metric = story.primary
        left = f"at most {most_runs} runs left" if most_runs else "no run left to train"
        self._screen.say(f"study {story.study}, plan {story.plan_hash[:6]}: {left}, {self._workers} at a time")
        if most_runs:
            self._screen.start_bar(most_runs, "runs, at most")

    def run_started(self, task: Task) -> None:
        """Shows which run trains."""
        self._screen.show(task.label, f", seed {task.seed}")

    def run_measured(self, task: Task, measurement: Measurement) -> None:
        """Nothing: a line a measurement is more than anybody reads."""

    def run_ended(self, outcome: Outcome, most_runs: int) -> None:
        """A line for the run, and the time left."""
        self._done += 1
        self._seconds.append(outcome.provenance.wall_seconds)
        mean = sum(self._seconds) / len(self._seconds)
        left = mean * most_runs / self._workers
        took = f"{outcome.provenance.wall_seconds:.1f} s"
        what = f"{outcome.task.label}, seed {outcome.task.seed}: {self._ending(outcome)} ({took})"
        if self._screen.has_bar:
            self._screen.advance(self._done, self._done + most_runs, f"{duration(left)} left")
            if outcome.status is not Status.COMPLETE:
                self._screen.say(what)
        else:
            self._screen.say(f"{what}; {_left(most_runs, left)}" if most_runs else what)

    def trial_started(self, trial: Trial, task: Task) -> None:
        """Shows which trial of a search trains."""
        self._screen.show(task.label)

    def trial_ended(self, trial: Trial, exploration: Exploration) -> None:
        """A line for the trial, and whether it is the best so far."""
        self._screen.say(trial_line(trial, exploration))

    def decided(self, experiment: ExperimentStory, story: Story) -> None:
        """The verdicts and the decision, in sentences."""
        for sentence in (*verdict_sentences(experiment, story), decision_sentence(experiment, story)):
            self._screen.say(f"{experiment.id}: {sentence}")

    def claimed(self, story: Story) -> None:
        """What may be called a result, and what may not."""
        for claim in story.claims:
            self._screen.say(claim_sentence(claim, story))
        if story.overall is not None:
            self._screen.say(overall_sentence(story.overall, story.primary))

    def noticed(self, text: str) -> None:
        """A notice, on a line of its own."""
        self._screen.say(f"note: {text}")

    def _ending(self, outcome: Outcome) -> str:
        if outcome.status is not Status.COMPLETE or self._metric is None:
            return f"{outcome.status} ({outcome.reason})"
        name = self._metric.name
        values = [m.values[name] for m in outcome.measurements if name in m.values]
        unit = f" {self._metric.unit}" if self._metric.unit else ""
        return f"{name} {values[-1]:.5g}{unit}" if values else str(outcome.status)


def _left(most_runs: int, seconds: float) -> str:
    """ "at most 12 runs and 4 min left"."""
    return f"at most {most_runs} run{'s' if most_runs != 1 else ''} and {duration(seconds)} left"
