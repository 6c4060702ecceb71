"""The verbs and their options."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from surefoot.cli import analyzing, diagnosing, reading, refining, reproducing, training, writing
from surefoot.cli.answers import put, version_of
from surefoot.cli.places import DEFAULT_HOME
from surefoot.errors import SurefootError, quoted

VERBS = (
    "init",
    "check",
    "run",
    "sweep",
    "status",
    "journal",
    "report",
    "analyze",
    "refine",
    "diagnose",
    "compare",
    "reproduce",
    "doctor",
)
A_YEAR = 365 * 86_400.0
EPILOG = """\
first steps:
  surefoot init digits --out plan.yaml    a commented plan; edit it
  surefoot check plan.yaml                what it means and what it could detect
  surefoot run plan.yaml                  train, decide, write the journal
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, like every other mistake."""

    def error(self, message: str) -> NoReturn:
        """Raises SurefootError."""
        message = message.removeprefix("argument ").replace(": expected", " needs", 1).replace(": must", " must", 1)
        message = message.replace("the following arguments are required: ", "still needed: ")
        raise SurefootError(f"{message} (see `{self.prog} --help`)")

    def _print_message(self, message: str, file: Any = None) -> None:
        put(message)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Lists the verbs without a line of its own for the word VERB."""

    def add_argument(self, action: argparse.Action) -> None:
        """Makes room for the longest verb: argparse forgets that the verbs stand two columns further in."""
        super().add_argument(action)
        if action.nargs == argparse.PARSER:
            self._action_max_length = max(self._action_max_length, 4 + max(map(len, VERBS)))

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        return text.split("\n", 1)[1] if action.nargs == argparse.PARSER else text


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; each verb's function is in `arguments.verb`."""
    parser = _Parser(
        prog="surefoot",
        usage="surefoot VERB …",
        description="From a model's baseline to its target by verified steps.",
        epilog=EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"surefoot {version_of('surefoot') or '0 (not installed)'}"
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _init_parser(verbs)
    _check_parser(verbs)
    _run_parser(verbs)
    _sweep_parser(verbs)
    for name, verb, says in (
        ("status", reading.status, "where the studies of this home stand"),
        ("journal", reading.journal, "the story so far, as Markdown"),
    ):
        found = _verb(verbs, name, verb, says, reports=True)
        found.add_argument(
            "study", nargs="?", help="the latest one by default" if name == "journal" else "all by default"
        )
    report = _verb(verbs, "report", reading.report, "the report as HTML, Markdown, figures and tables", reports=True)
    report.add_argument("study", nargs="?", help="the latest one by default")
    report.add_argument("--out", type=Path, metavar="DIR", help="where to write it (default: HOME/<study>/report)")
    _analyze_parser(verbs)
    _refine_parser(verbs)
    _diagnose_parser(verbs)
    compare = _verb(verbs, "compare", reading.compare, "one comparison with its verdict, after the fact", reports=True)
    compare.add_argument("source", metavar="SOURCE", help="a study")
    compare.add_argument("a", metavar="A", help="the arm: baseline, champion, or EXPERIMENT/ARM")
    compare.add_argument("b", metavar="B", help="what it is compared with")
    compare.add_argument("--metric", help="the study's primary metric by default")
    _reproduce_parser(verbs)
    doctor = _verb(
        verbs, "doctor", reading.doctor, "what is installed, what is missing and how to get it", reports=True
    )
    doctor.add_argument("--data", type=Path, metavar="DIR", help="the data root (default: SUREFOOT_DATA)")
    for whole in verbs.choices.values():
        whole.set_defaults(usage=whole.format_usage())
    return parser


def _verb(
    verbs: Any, name: str, verb: Callable[[argparse.Namespace], int], says: str, *, reports: bool = False
) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = verbs.add_parser(
        name, help=says, description=says[0].upper() + says[1:] + ".", prog=f"surefoot {name}", allow_abbrev=False
    )
    home = os.environ.get("SUREFOOT_HOME", DEFAULT_HOME)
    found.add_argument(
        "--home", type=Path, default=Path(home), metavar="DIR", help=f"where runs are kept (default: {home})"
    )
    found.add_argument("--store", type=_store, metavar="URL", help="the record's database (default: HOME/record.db)")
    if reports:
        found.add_argument("--json", action="store_true", help="one JSON document on standard output")
    found.set_defaults(verb=verb)
    return found


def _init_parser(verbs: Any) -> None:
    found = _verb(verbs, "init", writing.init, "write a commented plan to start from")
    found.add_argument(
        "workload", nargs="?", default="digits", help="a workload (default: digits), or package.module:name"
    )
    found.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: standard output)")
    found.add_argument("--force", action="store_true", help="overwrite the file")


def _check_parser(verbs: Any) -> None:
    found = _verb(
        verbs, "check", writing.check, "read a plan and say what it means and what it could detect", reports=True
    )
    found.add_argument("plan", type=Path, nargs="?", help="the plan's file")
    found.add_argument("--data", type=Path, metavar="DIR", help="the data root (default: SUREFOOT_DATA)")
    found.add_argument("--schema", action="store_true", help="print the JSON Schema of a plan, for editors")


def _run_parser(verbs: Any) -> None:
    found = _verb(verbs, "run", training.run, "do what the plan still needs; run it again to go on")
    found.add_argument("plan", type=Path, help="the plan's file")
    _training_options(found, "run")


def _sweep_parser(verbs: Any) -> None:
    found = _verb(verbs, "sweep", training.sweep, "a search over a space, ours or W&B's sweep.yaml; again to go on")
    found.add_argument("sweep", type=Path, nargs="?", help="the sweep's file")
    _training_options(found, "trial")
    found.add_argument("--dry-run", action="store_true", help="say what the sweep means and train nothing")
    found.add_argument("--schema", action="store_true", help="print the JSON Schema of a sweep, for editors")
    found.add_argument(
        "--keep-trials", action="store_true", help="count earlier trials although the code or the data changed"
    )


def _analyze_parser(verbs: Any) -> None:
    found = _verb(
        verbs,
        "analyze",
        analyzing.analyze,
        "what trials say: what matters, how sure that is, what is luck",
        reports=True,
    )
    _source_options(found)
    found.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write it (default: HOME/<study>/analysis, or ./<table>-analysis; with --json: nowhere)",
    )


def _refine_parser(verbs: Any) -> None:
    found = _verb(
        verbs,
        "refine",
        refining.refine,
        "the next search space as a sweep that runs, a reason at each line",
        reports=True,
    )
    _source_options(found)
    found.add_argument(
        "--style",
        choices=("conservative", "aggressive"),
        default="conservative",
        help="how much evidence a narrower range asks for, and how much room it leaves (default: conservative)",
    )
    found.add_argument("--trials", type=_count, metavar="N", help="of the next sweep (default: as many as the last)")
    found.add_argument("--name", metavar="NAME", help="of the next sweep (default: NAME-2, then NAME-3)")
    found.add_argument(
        "--out", type=Path, metavar="FILE", help="the file to write (default: NAME.yaml beside the last sweep's file)"
    )
    found.add_argument("--force", action="store_true", help="overwrite the file")
    found.add_argument("--command", metavar="LINE", help="of a table: what to train, as 'python train.py {args}'")
    found.add_argument("--workload", metavar="NAME", help="of a table: the workload to train")


def _reproduce_parser(verbs: Any) -> None:
    found = _verb(
        verbs,
        "reproduce",
        reproducing.reproduce,
        "train a recorded run again, and say whether it is the same",
        reports=True,
    )
    found.add_argument(
        "run",
        metavar="RUN",
        help="STUDY, STUDY:ARM or STUDY:ARM:SEED (an arm is baseline, champion, EXPERIMENT/ARM; of a sweep best or "
        "'trial N'), a run's number, or the first 6 digits of its key or more",
    )
    found.add_argument("--data", type=Path, metavar="DIR", help="the data root (default: SUREFOOT_DATA)")
    found.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where to train (default: as recorded)")
    found.add_argument("--threads", type=_count, metavar="N", help="CPU threads (default: as recorded)")
    found.add_argument(
        "--tolerance",
        type=_amount,
        metavar="X",
        help="count a difference of X + X × the recorded value as none (default: 0 in the same place, 0.01 elsewhere)",
    )
    found.add_argument("--other-code", action="store_true", help="train although the code changed since")
    found.add_argument("--keep", type=Path, metavar="DIR", help="leave checkpoints and output there (new or empty)")


def _diagnose_parser(verbs: Any) -> None:
    found = _verb(
        verbs,
        "diagnose",
        diagnosing.diagnose,
        "what ails a training, read from its curves, and what to try",
        reports=True,
    )
    source = "a study or sweep on record, a file of histories (CSV, TSV, JSON, JSON lines) or a folder of them"
    found.add_argument("source", metavar="SOURCE", help=source)
    found.add_argument("--metric", metavar="NAME", help="what trainings are judged by (of a study: its primary one)")
    found.add_argument("--goal", choices=("maximize", "minimize"), help="of a file: which way the metric should go")
    found.add_argument("--target", type=_number, metavar="X", help="the metric's value that would be enough")
    found.add_argument("--trained-on", type=_count, metavar="N", help="of a file: how many training examples there are")
    found.add_argument("--evaluated-on", type=_count, metavar="N", help="of a file: how many validation examples")
    found.add_argument("--classes", type=_count, metavar="N", help="of a file: how many classes there are")
    found.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write it (default: HOME/<study>/diagnosis, or ./<file>-diagnosis; with --json: nowhere)",
    )


def _source_options(found: argparse.ArgumentParser) -> None:
    """SOURCE and how it is to be read."""
    found.add_argument("source", metavar="SOURCE", help="a study or sweep on record, or a table of trials (CSV, TSV)")
    found.add_argument("--metric", metavar="NAME", help="of a study: its primary metric by default")
    found.add_argument("--value", metavar="COLUMN", help="of a table: the column of the objective")
    found.add_argument("--goal", choices=("maximize", "minimize"), help="of a table: which way the value should go")
    for option, what in (("--parameters", "the searched settings, and no others"), ("--results", "no settings")):
        found.add_argument(option, action="append", metavar="A,B", help=f"of a table: columns that are {what}")
    found.add_argument("--rows", type=_count, metavar="N", help="of a table: read the first N rows only")
    found.add_argument(
        "--trivial", action="append", metavar="NAME=VALUE", help="what a predictor that learns nothing comes to"
    )
    found.add_argument("--evaluated-on", type=_count, metavar="N", help="how many examples a value rests on")
    found.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the analysis's own draws (default: 0)")


def _training_options(found: argparse.ArgumentParser, what: str) -> None:
    """The options of the verbs that train: where, on what, how many at a time."""
    found.add_argument("--workers", type=_count, metavar="N", help=f"{what}s at a time (default: one for each core)")
    found.add_argument("--threads", type=_count, metavar="N", help="CPU threads a run (default: cores / workers)")
    found.add_argument("--data", type=Path, metavar="DIR", help="the data root (default: SUREFOOT_DATA)")
    found.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: auto)"
    )
    found.add_argument(
        "--wait", type=_seconds, default=0.0, metavar="SECONDS", help="wait for another coordinator of this study"
    )
    found.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="worker processes here, or a Ray cluster"
    )
    found.add_argument(
        "--ray-address", metavar="HOST:PORT", help="the cluster (default: RAY_ADDRESS, or one started here)"
    )
    found.add_argument("--cpus-per-run", type=_amount, default=1.0, metavar="N", help="of the cluster (default: 1)")
    found.add_argument("--gpus-per-run", type=_amount, default=0.0, metavar="N", help="of the cluster (default: 0)")


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got {quoted(text)}")
    return count


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number; got {quoted(text)}")
    return number


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if seed < 0:
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more; got {quoted(text)}")
    return seed


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= A_YEAR:
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more; got {quoted(text)}")
    return seconds


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= 1e6:
        raise argparse.ArgumentTypeError(f"must be a number, 0 or more; got {quoted(text)}")
    return amount


def _store(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(
            f"must be a database's URL; got {quoted(text)}. Leave it out for the home's own"
        )
    return text
