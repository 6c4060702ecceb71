"""Where a verb looks: the home, its record, the data, the device."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.answers import version_of
from surefoot.errors import RecordError, SurefootError, nearest, quoted

if TYPE_CHECKING:
    from surefoot.plan import Plan
    from surefoot.reports.story import Story
    from surefoot.reports.sweep_story import SweepStory
    from surefoot.storage import Record, StudyRow

DEFAULT_HOME = "surefoot-runs"
CUDA_DEVICE = Path("/dev/nvidiactl")


def same_place(arguments: argparse.Namespace) -> list[str]:
    """The options that lead another verb to the same home and record; a URL's password is for its owner to fill in."""
    home = [] if str(arguments.home) == DEFAULT_HOME else ["--home", str(arguments.home)]
    if not arguments.store:
        return home
    from surefoot.storage import without_password

    return [*home, "--store", without_password(arguments.store)]


def open_record(arguments: argparse.Namespace) -> Record:
    """The record of the home or of --store, to be read."""
    from surefoot.storage import Record

    return Record.open(arguments.store or arguments.home, read_only=True)


def study_of(record: Record, name: str | None) -> StudyRow:
    """The study of that name, the latest without one."""
    studies = record.studies()
    if not studies:
        raise RecordError("no study is on record here yet; `surefoot run PLAN` begins one")
    if name is None:
        return studies[0]
    for study in studies:
        if study.name == name:
            return study
    names = [s.name for s in studies]
    hint = nearest(name, names)
    raise RecordError(f"no study {quoted(name)} is on record (there is {', '.join(names)}){'.' if hint else ''}{hint}")


def story_of(arguments: argparse.Namespace, name: str | None) -> Story:
    """The story of a study with a plan; raises RecordError for a sweep, which has none."""
    from surefoot.files.plan_file import parse_plan
    from surefoot.study.telling import read_story

    with open_record(arguments) as record:
        study = study_of(record, name)
        if study.kind == "sweep":
            raise RecordError(f'"{study.name}" is a sweep: it has no arms; its journal ranks its trials')
        revisions = record.revisions(study.id)
        if not revisions:
            raise RecordError(f'study "{study.name}" has no plan on record yet; run it again')
        plan = parse_plan(revisions[-1].plan_text, revisions[-1].plan_path, is_on_record=True)
        return read_story(record, study.id, plan)


def any_story_of(arguments: argparse.Namespace, name: str | None) -> Story | SweepStory:
    """The story of a study or of a sweep."""
    from surefoot.sweeping.telling import read_sweep_story

    with open_record(arguments) as record:
        study = study_of(record, name)
        if study.kind == "sweep":
            place = shlex.join(same_place(arguments))
            return dataclasses.replace(read_sweep_story(record, study), place=place)
    return story_of(arguments, study.name)


def story_if_any(arguments: argparse.Namespace, plan: Plan) -> Story | None:
    """What this home already knows of the plan's study, for a forecast in the metric's own unit."""
    try:
        return story_of(arguments, plan.study)
    except SurefootError:
        return None


def data_root_of(arguments: argparse.Namespace) -> Path | None:
    """The data root of --data, or of SUREFOOT_DATA."""
    if arguments.data is not None:
        return Path(arguments.data)
    return Path(root) if (root := os.environ.get("SUREFOOT_DATA")) else None


def device_of(asked: str) -> str:
    """ "cuda" where the machine has such a device and torch was built for it; found without loading torch."""
    if asked != "auto":
        return asked
    build = version_of("torch")
    return "cuda" if CUDA_DEVICE.exists() and build and not build.endswith("+cpu") else "cpu"
