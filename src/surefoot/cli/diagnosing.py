"""The verb that says what ails trainings: diagnose; where its histories come from and where its answer goes."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from surefoot.cli.analyzing import check_room
from surefoot.cli.answers import DONE, print_json, put
from surefoot.cli.places import open_record
from surefoot.errors import RecordError, SurefootError, nearest, quoted

if TYPE_CHECKING:
    from surefoot.diagnosis.symptom import Ground
    from surefoot.history import History
    from surefoot.reports.diagnosed import Examination
    from surefoot.run import Metric
    from surefoot.storage import Record, StudyRow
    from surefoot.study.diagnosing import Group
    from surefoot.thresholds import Thresholds

# What a file may be called so that it comes before a study of that name.
FILES = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson")
OF_FILES = ("goal", "trained_on", "evaluated_on", "classes")
MOST_NAMED = 8


def diagnose(arguments: argparse.Namespace) -> int:
    """Says what ails the trainings of a study, a sweep, a file or a folder, and writes it into a folder."""
    from surefoot.reports.diagnosis_json import diagnosis_json
    from surefoot.reports.diagnosis_page import diagnosis_text

    found, folder = examination_of(arguments)
    folder = arguments.out or folder
    is_written = not arguments.json or arguments.out is not None
    if is_written:
        check_room(folder, kind="diagnosis")
        _write(found, folder)
    if arguments.json:
        print_json(diagnosis_json(found))
    else:
        put(f"{diagnosis_text(found).rstrip()}\n\n{folder / 'diagnosis.html'}\n")
    return DONE


def _write(examination: Examination, folder: Path) -> None:
    from surefoot.reports.diagnosis_write import write_diagnosis

    try:
        write_diagnosis(examination, folder)
    except OSError as error:
        raise SurefootError(f"the diagnosis cannot be written to {folder}: {error.strerror or error}") from error


def examination_of(arguments: argparse.Namespace) -> tuple[Examination, Path]:
    """What ails the trainings that SOURCE means, and the folder where that goes unless --out says another.

    A study's name comes before that of a file or a folder, except where it ends as a file of histories does. Raises
    RecordError for a source that is none of these.
    """
    path = Path(arguments.source)
    is_file, is_folder = _what_is_there(path)
    if is_file and path.suffix.lower() in FILES:
        return _of_files(path, arguments)
    trouble = ""
    names: list[str] = []
    try:
        record = open_record(arguments)
    except RecordError as error:
        if arguments.store or (arguments.home / "record.db").exists():  # there is one, and it cannot be read
            raise
        trouble = f"there is no record in {arguments.home} yet" if not is_file else str(error)
    else:
        with record:
            studies = record.studies()
            names = [study.name for study in studies]
            study = next((s for s in studies if s.name == arguments.source), None)
            if study is not None:
                return _on_record(record, study, arguments), arguments.home / study.name / "diagnosis"
    if is_file or is_folder:
        return _of_files(path, arguments)
    known = trouble or (f"the record has {', '.join(names)}" if names else "the record has none")
    hint = nearest(arguments.source, names)
    raise RecordError(
        f"{quoted(arguments.source)} is neither a study or sweep on record ({known}) nor a file or folder of histories "
        f"(CSV, TSV, JSON, JSON lines){'.' if hint else ''}{hint}"
    )


def _what_is_there(path: Path) -> tuple[bool, bool]:
    try:
        return path.is_file(), path.is_dir()
    except (OSError, ValueError):  # a name that no file system takes
        return False, False


def _examined(
    name: str,
    source: str,
    metric: Metric | None,
    groups: Sequence[Group],
    notices: Sequence[str],
    thresholds: Thresholds | None = None,
) -> Examination:
    from surefoot.diagnosis.diagnosis import diagnose as diagnosis_of
    from surefoot.reports.diagnosed import Diagnosed, Examination
    from surefoot.thresholds import Thresholds

    compared_with = thresholds or Thresholds()
    return Examination(
        name=name,
        source=source,
        metric=metric,
        groups=tuple(
            Diagnosed(
                histories=group.histories,
                ground=group.ground,
                diagnosis=diagnosis_of(group.histories, group.ground, subject=group.subject, thresholds=compared_with),
            )
            for group in groups
        ),
        notices=tuple(notices),
    )


# ── on record ──


def _on_record(record: Record, study: StudyRow, arguments: argparse.Namespace) -> Examination:
    from surefoot.study.histories import histories_of_study, histories_of_sweep

    given = [name for name in OF_FILES if getattr(arguments, name) is not None]
    if given:
        raise SurefootError(
            f"--{given[0].replace('_', '-')} is for a file or a folder; {study.name} is on record, where that is known"
        )
    revisions = record.revisions(study.id)
    if not revisions:
        raise RecordError(f'"{study.name}" was interrupted before it came on record; run it again')
    data = Path(root) if (root := os.environ.get("SUREFOOT_DATA")) else None
    thresholds = None
    if study.kind == "sweep":
        source = histories_of_sweep(record, study, metric=arguments.metric, data_root=data)
    else:
        from surefoot.files.plan_file import parse_plan

        plan = parse_plan(revisions[-1].plan_text, revisions[-1].plan_path, is_on_record=True)
        source = histories_of_study(record, study, plan, metric=arguments.metric, data_root=data)
        thresholds = plan.thresholds
    metric, groups = source.metric, source.groups
    if arguments.target is not None and metric is not None:
        metric = dataclasses.replace(metric, target=arguments.target)
        groups = tuple(
            dataclasses.replace(group, ground=dataclasses.replace(group.ground, metric=metric)) for group in groups
        )
    kind = "sweep" if study.kind == "sweep" else "study"
    return _examined(study.name, f"the {kind} {study.name} on record", metric, groups, source.notices, thresholds)


# ── files and folders ──


def _of_files(path: Path, arguments: argparse.Namespace) -> tuple[Examination, Path]:
    from surefoot.records.histories import find_histories

    found = find_histories(path)
    metric = _metric(found.histories, arguments, path)
    groups = _groups(found.histories, metric, arguments)
    name = path.stem or path.resolve().name or "histories"
    examination = _examined(name, str(path), metric, groups, found.notices)
    return examination, Path(f"{name}-diagnosis")


def _metric(histories: Sequence[History], arguments: argparse.Namespace, path: Path) -> Metric | None:
    """The metric that was asked for; None where none was."""
    from surefoot.run import Metric

    if arguments.metric is None:
        if arguments.target is not None or arguments.goal is not None:
            option = "--target" if arguments.target is not None else "--goal"
            raise SurefootError(f"{option} is about one metric: name it with --metric")
        return None
    names = list(dict.fromkeys(name for history in histories for name in history.curves))
    if arguments.metric not in names:
        hint = nearest(arguments.metric, names)
        shown = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
        raise RecordError(f"{path} has no {quoted(arguments.metric)} (it has {shown}){'.' if hint else ''}{hint}")
    goal: Literal["minimize", "maximize"] | None = arguments.goal or _goal_of(arguments.metric)
    if goal is None:
        raise RecordError(
            f"say whether {arguments.metric} should be maximized or minimized: --goal maximize, or --goal minimize"
        )
    return Metric(name=arguments.metric, goal=goal, target=arguments.target)


def _goal_of(name: str) -> Literal["minimize", "maximize"] | None:
    """Which way a metric goes whose name leaves no doubt: a loss down, an accuracy up."""
    from surefoot.diagnosis.roles import is_accuracy, is_error, is_loss, role_of

    stem = role_of(name).stem
    if is_loss(stem) or is_error(stem):
        return "minimize"
    return "maximize" if is_accuracy(stem) else None


def _groups(histories: Sequence[History], metric: Metric | None, arguments: argparse.Namespace) -> list[Group]:
    """A group a history; those that differ in their seed alone are repeats, and one group."""
    from surefoot.study.diagnosing import Group

    together: dict[object, list[History]] = {}
    for place, history in enumerate(histories):
        key = place if history.seed is None else (history.name, repr(sorted(map(repr, history.config.items()))))
        together.setdefault(key, []).append(history)
    named = _named([some[0].name for some in together.values()])
    return [
        Group(subject=name, histories=tuple(some), ground=_ground(some[0], metric, arguments))
        for name, some in zip(named, together.values(), strict=True)
    ]


def _named(names: Sequence[str]) -> list[str]:
    """The names, those that come again with a number."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _ground(history: History, metric: Metric | None, arguments: argparse.Namespace) -> Ground:
    from surefoot.diagnosis.symptom import Ground

    return Ground(
        metric=metric,
        trained_on=arguments.trained_on,
        evaluated_on=arguments.evaluated_on,
        classes=arguments.classes,
        config=history.config,
    )
