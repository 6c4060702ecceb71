"""The verbs that prepare a plan: init, check."""

from __future__ import annotations

import argparse
import shlex
import sys

from surefoot.cli.answers import DONE, MISTAKEN, print_json, put
from surefoot.cli.places import data_root_of, story_if_any
from surefoot.errors import SurefootError


def init(arguments: argparse.Namespace) -> int:
    """Writes a commented plan to start from."""
    from surefoot.files.plan_template import plan_template
    from surefoot.workload import find_workload

    text = plan_template(find_workload(arguments.workload), arguments.workload)
    if arguments.out is None:
        put(text)
        return DONE
    try:
        with arguments.out.open("w" if arguments.force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise SurefootError(f"{arguments.out} exists; choose another name with --out, or --force") from error
    except OSError as error:
        raise SurefootError(f"{arguments.out} cannot be written: {error.strerror}") from error
    print(f"wrote {arguments.out}; next: surefoot check {shlex.quote(str(arguments.out))}", file=sys.stderr)
    return DONE


def check(arguments: argparse.Namespace) -> int:
    """Says what a plan means, what it could detect, and what is wrong with it."""
    from surefoot.files.plan_file import plan_schema, read_plan
    from surefoot.study.forecast import forecast, forecast_text

    if arguments.schema:
        print_json(plan_schema())
        return DONE
    if arguments.plan is None:
        raise SurefootError("check needs a plan's file: surefoot check PLAN")
    plan = read_plan(arguments.plan)
    found = forecast(plan, story_if_any(arguments, plan), data_root_of(arguments))
    if arguments.json:
        print_json(found)
    else:
        put(forecast_text(found))
    return MISTAKEN if found["problems"] else DONE
