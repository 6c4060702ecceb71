"""The verbs that only read the record: status, journal, report, compare, doctor."""

from __future__ import annotations

import argparse
import shlex

from surefoot.cli.answers import DONE, FAILED, print_json, put
from surefoot.cli.places import any_story_of, data_root_of, open_record, same_place, story_of, study_of
from surefoot.errors import SurefootError


def status(arguments: argparse.Namespace) -> int:
    """Prints where the studies stand."""
    from surefoot.study.status import status_of, status_text

    with open_record(arguments) as record:
        found = status_of(record, study_of(record, arguments.study).name if arguments.study else None)
    if arguments.json:
        print_json({"studies": found})
    else:
        put(status_text(found, shlex.join(same_place(arguments))))
    return DONE


def journal(arguments: argparse.Namespace) -> int:
    """Prints the story of a study or a sweep."""
    from surefoot.reports.either import as_json, as_markdown

    story = any_story_of(arguments, arguments.study)
    if arguments.json:
        print_json(as_json(story))
    else:
        put(as_markdown(story))
    return DONE


def report(arguments: argparse.Namespace) -> int:
    """Writes the report of a study or a sweep into a folder."""
    from surefoot.reports.either import name_of, write_report

    story = any_story_of(arguments, arguments.study)
    folder = arguments.out or arguments.home / name_of(story) / "report"
    try:
        written = write_report(story, folder)
    except OSError as error:
        raise SurefootError(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    if arguments.json:
        print_json({"study": name_of(story), "files": [str(path) for path in written]})
    else:
        put(f"{folder / 'report.html'}\n")
    return DONE


def compare(arguments: argparse.Namespace) -> int:
    """Prints one comparison of two arms, after the fact."""
    from surefoot.study.afterwards import compare_arms, comparison_text

    found = compare_arms(story_of(arguments, arguments.source), arguments.a, arguments.b, metric_name=arguments.metric)
    if arguments.json:
        print_json(found)
    else:
        put(comparison_text(found))
    return DONE


def doctor(arguments: argparse.Namespace) -> int:
    """Prints what is installed, what is missing and how to get it."""
    from surefoot.cli.doctor import examination_text, examine

    found = examine(arguments.home, data_root_of(arguments), arguments.store)
    if arguments.json:
        print_json({"checks": found})
    else:
        put(examination_text(found))
    return FAILED if any(check["state"] == "broken" for check in found) else DONE
