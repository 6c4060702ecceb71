"""The verbs that train: run, sweep."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.cli.answers import DONE, FAILED, INTERRUPTED, print_json, put
from surefoot.cli.places import data_root_of, device_of, same_place
from surefoot.errors import SurefootError

if TYPE_CHECKING:
    from surefoot.execution import Engine, Place
    from surefoot.reports.story import Story
    from surefoot.reports.sweep_story import SweepStory
    from surefoot.storage import Record


def run(arguments: argparse.Namespace) -> int:
    """Does what the plan still needs."""
    from surefoot.cli.study_console import StudyConsole
    from surefoot.files.plan_file import read_plan
    from surefoot.study.loop import Study

    plan = read_plan(arguments.plan)
    console = StudyConsole(_workers(arguments))
    with _training(arguments, plan.study, console.noticed) as (record, place, engine):
        try:

            def say_waiting(owner: object) -> None:
                console.noticed(f"another surefoot works on {plan.study} ({owner or 'unknown'}); waiting for it")

            study = Study(plan, record, place, wait_seconds=arguments.wait, on_wait=say_waiting)
            story = study.run(engine, console, wait_seconds=arguments.wait)
        finally:
            console.close()
        folder = arguments.home / plan.study
        _write_journal(story, folder / "journal.md")
        _write_documents(story, folder)
        if study.halted and not engine.is_interrupted:
            console.noticed(f"the journal is in {folder / 'journal.md'}, the gates with their evidence too")
            return FAILED
        return _ending(story, console, arguments, is_interrupted=engine.is_interrupted)


def sweep(arguments: argparse.Namespace) -> int:
    """Does what the sweep still needs."""
    from surefoot.cli.sweep_console import SweepConsole
    from surefoot.files.sweep_file import read_sweep, sweep_schema
    from surefoot.sweeping.forecast import forecast_text
    from surefoot.sweeping.loop import Sweeping, check_room

    if arguments.schema:
        print_json(sweep_schema())
        return DONE
    if arguments.sweep is None:
        raise SurefootError("sweep needs a sweep's file: surefoot sweep SWEEP.yaml")
    asked = read_sweep(arguments.sweep)
    check_room(asked)
    if arguments.dry_run:
        put(forecast_text(asked))
        return DONE
    console = SweepConsole(_workers(arguments))
    with _training(arguments, asked.name, console.noticed) as (record, place, engine):
        try:
            sweeping = Sweeping(asked, record, place, keeps_old=arguments.keep_trials)
            story = sweeping.run(engine, console, wait_seconds=arguments.wait)
            if not engine.is_interrupted:
                console.done(story)
        finally:
            console.close()
        where = arguments.home / asked.name / "journal.md"
        _write_journal(story, where)
        if engine.is_interrupted:
            console.noticed(f"interrupted; the journal so far is in {where}. Run the same command again to go on")
            return INTERRUPTED
        console.noticed(f"the journal is in {where}; next: {_next_command('report', asked.name, arguments)}")
        return DONE if story.best is not None else FAILED


@contextlib.contextmanager
def _training(
    arguments: argparse.Namespace, study: str, notice: Callable[[str], None]
) -> Iterator[tuple[Record, Place, Engine]]:
    """The record, the place and the engine, while this process alone works in the home.

    A home has one coordinator at a time, because two that train the same config and seed would write into one
    folder. A record that several homes share has one for each of its studies: see `Record.study_lock`.
    """
    from surefoot.execution import Place
    from surefoot.storage import Record, home_lock
    from surefoot.workloads.script import end_orphans

    def say_waiting(owner: object) -> None:
        notice(f"another surefoot works in {arguments.home} ({owner}); waiting for it")

    place = Place(home=arguments.home, data_root=data_root_of(arguments), device=device_of(arguments.device))
    # A polite kill is an interrupt too: what runs stops, what is finished stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        stack.enter_context(home_lock(arguments.home, arguments.wait, study=study, on_wait=say_waiting))
        record = stack.enter_context(
            Record.open(arguments.store or arguments.home, spool=arguments.home / "spool", on_trouble=notice)
        )
        for text in record.notices:
            notice(text)
        left = end_orphans(arguments.home)
        if left:
            notice(f"ended {left} processes that a surefoot which was killed had left behind")
        yield record, place, stack.enter_context(_engine(arguments, notice))


def _engine(arguments: argparse.Namespace, notice: Callable[[str], None]) -> AbstractContextManager[Engine]:
    """Worker processes on this machine, or a Ray cluster."""
    if arguments.engine == "ray":
        from surefoot.execution.ray_engine import RayEngine

        return RayEngine(
            arguments.ray_address,
            workers=arguments.workers,
            cpus_per_run=arguments.cpus_per_run,
            gpus_per_run=arguments.gpus_per_run,
            threads=arguments.threads,
            on_notice=notice,
        )
    from surefoot.execution import WorkerPool

    return WorkerPool(_workers(arguments), threads=arguments.threads)


def _workers(arguments: argparse.Namespace) -> int:
    from surefoot.execution import available_cores

    return available_cores() if arguments.workers is None else int(arguments.workers)


def _next_command(verb: str, study: str, arguments: argparse.Namespace) -> str:
    return shlex.join(["surefoot", verb, study, *same_place(arguments)])


def _ending(story: Story, console: Any, arguments: argparse.Namespace, *, is_interrupted: bool) -> int:
    where = arguments.home / story.study / "journal.md"
    if is_interrupted:
        console.noticed(f"interrupted; the journal so far is in {where}. Run the same command again to go on")
        return INTERRUPTED
    console.noticed(f"the journal is in {where}; next: {_next_command('report', story.study, arguments)}")
    if story.phase == "baseline":
        console.noticed("fewer than two baseline runs ended with a value, so nothing can be compared")
        return FAILED
    return FAILED if _has_lost_runs(story) else DONE


def _has_lost_runs(story: Story) -> bool:
    """Whether a value that the plan asks for is missing; a run that failed once and was trained again is none."""
    from surefoot.comparison import NoValue

    arms = [story.baseline, *(arm for e in story.experiments for arm in (e.champion, *e.arms))]
    values = [value for arm in arms if arm is not None for of_metric in arm.values.values() for value in of_metric]
    values += [value for c in story.claims for value in (*c.step.before_values, *c.step.after_values)]
    return NoValue.LOST in values


def _write_documents(story: Story, folder: Path) -> None:
    """The documents of the phases, generated from the record; none for a study without phases."""
    if story.phases is None:
        return
    from surefoot.reports.phases_documents import documents
    from surefoot.reports.write import write_whole

    try:
        for name, content in documents(story).items():
            write_whole(folder / name, content)
    except OSError as error:
        raise SurefootError(f"the documents cannot be written to {folder}: {error.strerror or error}") from error


def _write_journal(story: Story | SweepStory, path: Path) -> None:
    from surefoot.reports.either import as_markdown
    from surefoot.reports.write import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, as_markdown(story).encode())
    except OSError as error:
        raise SurefootError(f"the journal cannot be written to {path}: {error.strerror or error}") from error
