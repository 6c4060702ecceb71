"""The verb that trains a recorded run again and says whether it came out the same: reproduce."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from surefoot.cli.answers import DONE, FAILED, INTERRUPTED, complain, print_json, put
from surefoot.cli.places import data_root_of, device_of, open_record
from surefoot.errors import WorkloadError

if TYPE_CHECKING:
    from surefoot.cli.screen import Screen
    from surefoot.execution import Task
    from surefoot.run import Measurement
    from surefoot.study.run_address import RecordedRun


def reproduce(arguments: argparse.Namespace) -> int:
    """Trains the run again, prints what came of it; 0 where it is the same, 1 where it is not or cannot be told."""
    from surefoot.study.reproducing import Asked
    from surefoot.study.reproducing import reproduce as trained_again
    from surefoot.study.reproduction_text import reproduction_json, reproduction_text
    from surefoot.study.run_address import find_run

    # A polite kill is an interrupt too: what was trained so far is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_record(arguments) as record:
        recorded = find_run(record, arguments.run)
    asked = Asked(
        data_root=data_root_of(arguments),
        device=_device(arguments, recorded),
        threads=arguments.threads,
        tolerance=arguments.tolerance,
        is_other_code_welcome=arguments.other_code,
        keep=arguments.keep,
    )
    try:
        with _screen() as screen:
            steps = _Progress(screen, recorded)
            found = trained_again(recorded, asked, on_begin=steps.begun, on_measurement=steps.measured)
    except KeyboardInterrupt:
        complain("interrupted; what was trained so far is removed, and the record is as it was")
        return INTERRUPTED
    if arguments.json:
        print_json(reproduction_json(found))
    else:
        put(reproduction_text(found))
    return DONE if found.is_same else FAILED


def _device(arguments: argparse.Namespace, recorded: RecordedRun) -> str:
    """The device that was asked for; without a word the recorded one, which must be here."""
    if arguments.device is not None:
        return device_of(arguments.device)
    device = recorded.run.provenance.device
    if device == "cuda" and device_of("auto") != "cuda":
        raise WorkloadError(
            f"{recorded.address} was trained on cuda, which this machine does not have; "
            "--device cpu trains it here, and compares within the tolerance"
        )
    return device


@contextmanager
def _screen() -> Iterator[Screen]:
    from surefoot.cli.screen import Screen

    screen = Screen()
    try:
        yield screen
    finally:
        screen.close()


class _Progress:
    """Says on a screen what is trained, and how far it is."""

    def __init__(self, screen: Screen, recorded: RecordedRun) -> None:
        self._screen, self._recorded = screen, recorded
        self._done = 0

    def begun(self, task: Task) -> None:
        from surefoot.words import duration

        run = self._recorded.run
        took = duration(run.provenance.wall_seconds)
        self._screen.say(f"training {task.label} again (run {run.id}, {run.workload}); it took {took} then")
        self._screen.start_bar(len(run.measurements), "measurements")

    def measured(self, measurement: Measurement) -> None:
        self._done += 1
        self._screen.show(self._recorded.address, f", step {measurement.step}")
        self._screen.advance(self._done, max(self._done, len(self._recorded.run.measurements)), "")
