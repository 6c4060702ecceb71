"""The verb that asks trials what they say: analyze; where its trials come from and where its answer goes."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.answers import DONE, print_json, put
from surefoot.cli.places import open_record
from surefoot.errors import RecordError, SurefootError, nearest, quoted

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis
    from surefoot.storage import Record, StudyRow
    from surefoot.trials import TrialTable, Trivial

TABLES = (".csv", ".tsv", ".tab", ".txt")
OF_TABLES = ("value", "goal", "parameters", "results", "rows")


def analyze(arguments: argparse.Namespace) -> int:
    """Says what the trials of a study, a sweep or a table show, and writes it into a folder."""
    from surefoot.reports.analysis_json import analysis_json
    from surefoot.reports.analysis_page import analysis_text

    table, folder = trials_of(arguments)
    folder = arguments.out or folder
    is_written = not arguments.json or arguments.out is not None
    if is_written:
        check_room(folder)  # before the work, not after it
    found = _analyzed(table, arguments)
    if is_written:
        _write(found, folder)
    if arguments.json:
        print_json(analysis_json(found))
    else:
        put(f"{analysis_text(found).rstrip()}\n\n{folder / 'analysis.html'}\n")
    return DONE


def _analyzed(table: TrialTable, arguments: argparse.Namespace) -> Analysis:
    from surefoot.analysis import analysis

    return analysis.analyze(table, seed=arguments.seed)


def _write(analysis: Analysis, folder: Path) -> None:
    from surefoot.reports.analysis_write import write_analysis

    try:
        write_analysis(analysis, folder)
    except OSError as error:
        raise SurefootError(f"the analysis cannot be written to {folder}: {error.strerror or error}") from error


def trials_of(arguments: argparse.Namespace) -> tuple[TrialTable, Path]:
    """The trials that SOURCE means, and the folder where an analysis of them goes unless --out says another.

    A study's name comes before that of a file, except where it ends as a table does. Raises RecordError for a
    source that is neither.
    """
    path = Path(arguments.source)
    is_file, is_folder = _what_is_there(path)
    if is_file and path.suffix.lower() in TABLES:
        return _table_of_file(path, arguments)
    trouble = ""
    names: list[str] = []
    try:
        record = open_record(arguments)
    except RecordError as error:
        if arguments.store or _has_record(arguments.home):  # there is one, and it cannot be read
            raise
        trouble = f"there is no record in {arguments.home} yet" if not is_file else str(error)
    else:
        with record:
            studies = record.studies()
            names = [study.name for study in studies]
            study = next((s for s in studies if s.name == arguments.source), None)
            if study is not None:
                return _table_on_record(record, study, arguments), arguments.home / study.name / "analysis"
    if is_file or is_folder:
        return _table_of_file(path, arguments)
    known = trouble or (f"the record has {', '.join(names)}" if names else "the record has none")
    hint = nearest(arguments.source, names)
    raise RecordError(
        f"{quoted(arguments.source)} is neither a study or sweep on record ({known}) nor a file of trials (CSV or TSV)"
        f"{'.' if hint else ''}{hint}"
    )


def check_room(folder: Path, kind: str = "analysis") -> None:
    """Raises SurefootError where the folder holds anything but an earlier one: nothing foreign is overwritten."""
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        told = json.loads((folder / f"{kind}.json").read_text("utf-8")) if folder.is_dir() else None
        is_ours = isinstance(told, dict) and told.get("kind") == kind
    except (OSError, ValueError):
        is_ours = False
    if not is_ours:
        what = f"holds files that are no {kind}" if folder.is_dir() else "is a file"
        raise SurefootError(f"{folder} {what}; nothing is written there. Name a new or empty folder with --out")


def _table_of_file(path: Path, arguments: argparse.Namespace) -> tuple[TrialTable, Path]:
    from surefoot.records.table import read_trials

    if arguments.metric is not None:
        raise SurefootError(f"--metric is for a study on record; {path} is a table: name its column with --value")
    table = read_trials(
        path,
        value=arguments.value,
        goal=arguments.goal,
        parameters=columns_said(arguments.parameters, "--parameters"),
        results=columns_said(arguments.results, "--results"),
        trivial=trivial_said(arguments.trivial),
        evaluated_on=arguments.evaluated_on,
        rows=arguments.rows,
    )
    return table, Path(f"{path.stem or path.name}-analysis")


def _table_on_record(record: Record, study: StudyRow, arguments: argparse.Namespace) -> TrialTable:
    given = [name for name in OF_TABLES if getattr(arguments, name) is not None]
    if given:
        raise SurefootError(
            f"--{given[0]} is for a table; {study.name} is on record, where its settings and metrics are known: "
            "choose a metric with --metric"
        )
    revisions = record.revisions(study.id)
    if not revisions:
        raise RecordError(f'"{study.name}" was interrupted before it came on record; run it again')
    data = Path(root) if (root := os.environ.get("SUREFOOT_DATA")) else None
    if study.kind == "sweep":
        from surefoot.sweeping.tables import table_of_sweep

        table = table_of_sweep(record, study, metric=arguments.metric, data_root=data)
    else:
        from surefoot.files.plan_file import parse_plan
        from surefoot.study.tables import table_of_plan

        plan = parse_plan(revisions[-1].plan_text, revisions[-1].plan_path, is_on_record=True)
        table = table_of_plan(record, study.id, plan, metric=arguments.metric, data_root=data)
    said = trivial_said(arguments.trivial)
    own = {trivial.name for trivial in said}
    return dataclasses.replace(
        table,
        trivial=(*said, *(trivial for trivial in table.trivial if trivial.name not in own)),
        evaluated_on=table.evaluated_on if arguments.evaluated_on is None else arguments.evaluated_on,
    )


def columns_said(given: Sequence[str] | None, option: str) -> list[str] | None:
    """The column names of an option that may come several times, each with several names between commas."""
    if given is None:
        return None
    names = [name.strip() for text in given for row in csv.reader([text]) for name in row]
    if not names or not all(names):
        raise SurefootError(f"{option} must name columns, as {option} lr,batch_size; got {quoted(', '.join(given))}")
    return names


def trivial_said(given: Sequence[str] | None) -> tuple[Trivial, ...]:
    """The trivial predictors of "name=value" texts; the last "=" parts them."""
    from surefoot.trials import Trivial

    found = []
    for text in given or ():
        name, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (equals and name.strip() and math.isfinite(number)):
            raise SurefootError(
                f'--trivial must be a name and a value, as --trivial "majority class=0.288"; got {quoted(text)}'
            )
        found.append(Trivial(name=name.strip(), value=number))
    return tuple(found)


def _what_is_there(path: Path) -> tuple[bool, bool]:
    """Whether a file, and whether a folder is there."""
    try:
        return path.is_file(), path.is_dir()
    except (OSError, ValueError):  # a name that no file system takes
        return False, False


def _has_record(home: Path) -> bool:
    return (home / "record.db").exists()
