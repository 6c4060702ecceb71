"""What a person sees while a study runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from typing import Any, TextIO

from surefoot.execution import Outcome, Task
from surefoot.reports.sentences import claim_sentence, decision_sentence, overall_sentence, verdict_sentences
from surefoot.reports.story import ExperimentStory, Story
from surefoot.run import Measurement, Metric, Status

LONGEST_LABEL = 20  # a line of 80 characters has room for the bar beside it


class Console:
    """Listens to a study and tells it on a stream, standard error by default.

    The time left is an upper bound: most races end before their last look.
    """

    def __init__(self, workers: int, stream: TextIO | None = None, *, is_terminal: bool | None = None) -> None:
        self._stream = stream or sys.stderr
        self._workers = workers
        self._is_terminal = _is_terminal(self._stream) if is_terminal is None else is_terminal
        self._bar: Any = None
        self._bar_task: Any = None
        self._seconds: list[float] = []
        self._done = 0
        self._metric: Metric | None = None

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def begun(self, story: Story, most_runs: int) -> None:
        """Says what begins and how many runs that is at most."""
        self._metric = story.primary
        left = f"at most {most_runs} runs left" if most_runs else "no run left to train"
        self._say(f"study {story.study}, plan {story.plan_hash[:6]}: {left}, {self._workers} at a time")
        if self._is_terminal and most_runs:
            self._start_bar(most_runs)

    def run_started(self, task: Task) -> None:
        """Shows which run trains."""
        if self._bar is not None:
            label = task.label if len(task.label) <= LONGEST_LABEL else task.label[: LONGEST_LABEL - 1] + "…"
            self._bar.update(self._bar_task, description=f"{label}, seed {task.seed}")

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
        if self._bar is not None:
            self._bar.update(
                self._bar_task, completed=self._done, total=self._done + most_runs, left=f"{_duration(left)} left"
            )
            if outcome.status is not Status.COMPLETE:
                self._say(what)
        else:
            self._say(f"{what}; {_left(most_runs, left)}" if most_runs else what)

    def decided(self, experiment: ExperimentStory, story: Story) -> None:
        """The verdicts and the decision, in sentences."""
        for sentence in (*verdict_sentences(experiment, story), decision_sentence(experiment, story)):
            self._say(f"{experiment.id}: {sentence}")

    def claimed(self, story: Story) -> None:
        """What may be called a result, and what may not."""
        for claim in story.claims:
            self._say(claim_sentence(claim, story))
        if story.overall is not None:
            self._say(overall_sentence(story.overall, story.primary))

    def noticed(self, text: str) -> None:
        """A notice, on a line of its own."""
        self._say(f"note: {text}")

    def _ending(self, outcome: Outcome) -> str:
        if outcome.status is not Status.COMPLETE or self._metric is None:
            return f"{outcome.status} ({outcome.reason})"
        name = self._metric.name
        values = [m.values[name] for m in outcome.measurements if name in m.values]
        unit = f" {self._metric.unit}" if self._metric.unit else ""
        return f"{name} {values[-1]:.5g}{unit}" if values else str(outcome.status)

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            clock = time.strftime("%H:%M:%S")
            # A disk that fills up under the log is no reason to stop training.
            with contextlib.suppress(OSError):
                print(f"{clock} {text}", file=self._stream, flush=True)

    def _start_bar(self, most_runs: int) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("runs, at most {task.fields[left]}"),
            console=RichConsole(file=self._stream),
            transient=True,
        )
        self._bar_task = self._bar.add_task("starting", total=most_runs, left="…")
        self._bar.start()


def _is_terminal(stream: TextIO) -> bool:
    """Whether a bar can be drawn there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _left(most_runs: int, seconds: float) -> str:
    """ "at most 12 runs and 4 min left"."""
    return f"at most {most_runs} run{'s' if most_runs != 1 else ''} and {_duration(seconds)} left"


def _duration(seconds: float) -> str:
    """ "4 min", rounded up to what a person can use."""
    if seconds < 60:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    if seconds < 5400:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600 + 0.05:.1f} h"
