"""The command line: `surefoot VERB …`; heavy libraries are loaded by the verb that needs them."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from surefoot.errors import RecordError, SurefootError, nearest, quoted

if TYPE_CHECKING:
    from surefoot.plan import Plan
    from surefoot.reports.story import Story
    from surefoot.storage import Record, StudyRow

DONE, FAILED, MISTAKEN, INTERRUPTED = 0, 1, 2, 130
DEFAULT_HOME = "surefoot-runs"
CUDA_DEVICE = Path("/dev/nvidiactl")
VERBS = ("init", "check", "run", "status", "journal", "report", "compare", "doctor")
A_YEAR = 365 * 86_400.0
EPILOG = """\
first steps:
  surefoot init digits --out plan.yaml    a commented plan; edit it
  surefoot check plan.yaml                what it means and what it could detect
  surefoot run plan.yaml                  train, decide, write the journal
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 the study or a run of it failed, 2 a mistake in what was asked, 130 interrupted."""
    try:
        _open_closed_streams()
        _print_any_character()
        return _answer(sys.argv[1:] if argv is None else list(argv))
    except SurefootError as error:
        _complain(" ".join(str(error).split()))
        return MISTAKEN
    except KeyboardInterrupt:
        _complain("interrupted; run again to go on")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has closed it (`| head`)
        return DONE
    finally:
        _forget_unwritten()


def _put(text: str) -> None:
    """Writes an answer on standard output; raises SurefootError where that is closed or full."""
    if sys.stdout is None:
        raise SurefootError("the answer must go to standard output, which is closed; open it, or send it to a file")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SurefootError(f"the answer cannot be written to standard output: {error.strerror or error}") from error


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"surefoot: {text}", file=sys.stderr)


def _open_closed_streams() -> None:
    """Lets the closed ones of the three standard streams lead nowhere.

    Else the next file that is opened, the record or a worker's socket, would take the stream's place.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _forget_unwritten() -> None:
    """Drops what standard output would not take; Python would complain of it once more at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_any_character() -> None:
    """A terminal that cannot show a character gets its code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _answer(argv: list[str]) -> int:
    parser = _parser()
    if not argv:
        parser.print_help()
        return DONE
    if argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version"):
        raise SurefootError(f"the verb must come first, its options after it; got {quoted(argv[0])}: surefoot VERB …")
    if not argv[0].startswith("-") and argv[0] not in VERBS:
        raise SurefootError(f'no verb "{argv[0]}" (there is {", ".join(VERBS)}).{nearest(argv[0], VERBS)}')
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        options = re.findall(r"--[a-z]+", arguments.usage)
        hint = nearest(unknown[0], options)
        listed = ", ".join(options)
        raise SurefootError(f"{argv[0]} does not know {unknown[0]} (it has {listed}){'.' if hint else ''}{hint}")
    return int(arguments.verb(arguments))


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, like every other mistake."""

    def error(self, message: str) -> NoReturn:
        """Raises SurefootError."""
        message = message.removeprefix("argument ").replace(": expected", " needs", 1).replace(": must", " must", 1)
        message = message.replace("the following arguments are required: ", "still needed: ")
        raise SurefootError(f"{message} (see `{self.prog} --help`)")

    def _print_message(self, message: str, file: Any = None) -> None:
        _put(message)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Lists the verbs without a line of its own for the word VERB."""

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        return text.split("\n", 1)[1] if action.nargs == argparse.PARSER else text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="surefoot",
        usage="surefoot VERB …",
        description="From a model's baseline to its target by verified steps.",
        epilog=EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"surefoot {_version('surefoot') or '0 (not installed)'}"
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _init_parser(verbs)
    _check_parser(verbs)
    _run_parser(verbs)
    for name, verb, says in (
        ("status", _status, "where the studies of this home stand"),
        ("journal", _journal, "the story so far, as Markdown"),
    ):
        found = _verb(verbs, name, verb, says, reports=True)
        found.add_argument(
            "study", nargs="?", help="the latest one by default" if name == "journal" else "all by default"
        )
    report = _verb(verbs, "report", _report, "the report as HTML, Markdown, figures and tables", reports=True)
    report.add_argument("study", nargs="?", help="the latest one by default")
    report.add_argument("--out", type=Path, metavar="DIR", help="where to write it (default: HOME/<study>/report)")
    compare = _verb(verbs, "compare", _compare, "one comparison with its verdict, after the fact", reports=True)
    compare.add_argument("source", metavar="SOURCE", help="a study")
    compare.add_argument("a", metavar="A", help="the arm: baseline, champion, or EXPERIMENT/ARM")
    compare.add_argument("b", metavar="B", help="what it is compared with")
    compare.add_argument("--metric", help="the study's primary metric by default")
    doctor = _verb(verbs, "doctor", _doctor, "what is installed, what is missing and how to get it", reports=True)
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
    found = _verb(verbs, "init", _init, "write a commented plan to start from")
    found.add_argument(
        "workload", nargs="?", default="digits", help="a workload (default: digits), or package.module:name"
    )
    found.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: standard output)")
    found.add_argument("--force", action="store_true", help="overwrite the file")


def _check_parser(verbs: Any) -> None:
    found = _verb(verbs, "check", _check, "read a plan and say what it means and what it could detect", reports=True)
    found.add_argument("plan", type=Path, nargs="?", help="the plan's file")
    found.add_argument("--data", type=Path, metavar="DIR", help="the data root (default: SUREFOOT_DATA)")
    found.add_argument("--schema", action="store_true", help="print the JSON Schema of a plan, for editors")


def _run_parser(verbs: Any) -> None:
    found = _verb(verbs, "run", _run, "do what the plan still needs; run it again to go on")
    found.add_argument("plan", type=Path, help="the plan's file")
    found.add_argument("--workers", type=_count, metavar="N", help="runs at a time (default: one for each core)")
    found.add_argument("--threads", type=_count, metavar="N", help="CPU threads a run (default: cores / workers)")
    found.add_argument("--data", type=Path, metavar="DIR", help="the data root (default: SUREFOOT_DATA)")
    found.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: auto)"
    )
    found.add_argument(
        "--wait", type=_seconds, default=0.0, metavar="SECONDS", help="wait for another run in this home"
    )


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got {quoted(text)}")
    return count


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= A_YEAR:
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more; got {quoted(text)}")
    return seconds


def _store(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(
            f"must be a database's URL; got {quoted(text)}. Leave it out for the home's own"
        )
    return text


def _init(arguments: argparse.Namespace) -> int:
    from surefoot.plan_template import plan_template
    from surefoot.workload import find_workload

    text = plan_template(find_workload(arguments.workload), arguments.workload)
    if arguments.out is None:
        _put(text)
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


def _check(arguments: argparse.Namespace) -> int:
    from surefoot.plan_file import plan_schema, read_plan
    from surefoot.study.forecast import forecast, forecast_text

    if arguments.schema:
        _print_json(plan_schema())
        return DONE
    if arguments.plan is None:
        raise SurefootError("check needs a plan's file: surefoot check PLAN")
    plan = read_plan(arguments.plan)
    found = forecast(plan, _story_if_any(arguments, plan), _data_root(arguments))
    if arguments.json:
        _print_json(found)
    else:
        _put(forecast_text(found))
    return MISTAKEN if found["problems"] else DONE


def _run(arguments: argparse.Namespace) -> int:
    from surefoot.console import Console
    from surefoot.execution import WorkerPool, available_cores
    from surefoot.plan_file import read_plan
    from surefoot.storage import Record, home_lock
    from surefoot.study.loop import Place, Study

    plan = read_plan(arguments.plan)
    workers = available_cores() if arguments.workers is None else arguments.workers
    place = Place(home=arguments.home, data_root=_data_root(arguments), device=_device(arguments.device))
    console = Console(workers)

    def say_waiting(owner: object) -> None:
        console.noticed(f"another surefoot run works in {arguments.home} ({owner}); waiting for it")

    # A polite kill is an interrupt too: what runs stops, what is finished stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        home_lock(arguments.home, arguments.wait, study=plan.study, on_wait=say_waiting),
        Record.open(arguments.store or arguments.home) as record,
        WorkerPool(workers, threads=arguments.threads) as pool,
    ):
        try:
            study = Study(plan, record, place)
            story = study.run(pool, console)
        finally:
            console.close()
        _write_journal(story, arguments.home / plan.study / "journal.md")
        return _ending(story, console, arguments, is_interrupted=pool.is_interrupted)


def _ending(story: Story, console: Any, arguments: argparse.Namespace, *, is_interrupted: bool) -> int:
    where = arguments.home / story.study / "journal.md"
    if is_interrupted:
        console.noticed(f"interrupted; the journal so far is in {where}. Run the same command again to go on")
        return INTERRUPTED
    next_command = shlex.join(["surefoot", "report", story.study, *_same_place(arguments)])
    console.noticed(f"the journal is in {where}; next: {next_command}")
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


def _same_place(arguments: argparse.Namespace) -> list[str]:
    """The options that lead another verb to the same home and record; a URL's password is for its owner to fill in."""
    home = [] if str(arguments.home) == DEFAULT_HOME else ["--home", str(arguments.home)]
    store = re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", arguments.store or "")
    return [*home, *(["--store", store] if store else [])]


def _status(arguments: argparse.Namespace) -> int:
    from surefoot.study.status import status_of, status_text

    with _record(arguments) as record:
        found = status_of(record, _study(record, arguments.study).name if arguments.study else None)
    if arguments.json:
        _print_json({"studies": found})
    else:
        _put(status_text(found))
    return DONE


def _journal(arguments: argparse.Namespace) -> int:
    story = _story(arguments, arguments.study)
    if arguments.json:
        from surefoot.reports.as_json import journal_json

        _print_json(journal_json(story))
    else:
        from surefoot.reports.journal import journal_markdown

        _put(journal_markdown(story))
    return DONE


def _report(arguments: argparse.Namespace) -> int:
    from surefoot.reports.write import write_report

    story = _story(arguments, arguments.study)
    folder = arguments.out or arguments.home / story.study / "report"
    try:
        written = write_report(story, folder)
    except OSError as error:
        raise SurefootError(f"the report cannot be written to {folder}: {error.strerror or error}") from error
    if arguments.json:
        _print_json({"study": story.study, "files": [str(path) for path in written]})
    else:
        _put(f"{folder / 'report.html'}\n")
    return DONE


def _compare(arguments: argparse.Namespace) -> int:
    from surefoot.study.afterwards import compare_arms, comparison_text

    found = compare_arms(_story(arguments, arguments.source), arguments.a, arguments.b, metric_name=arguments.metric)
    if arguments.json:
        _print_json(found)
    else:
        _put(comparison_text(found))
    return DONE


def _doctor(arguments: argparse.Namespace) -> int:
    from surefoot.doctor import examination_text, examine

    found = examine(arguments.home, _data_root(arguments), arguments.store)
    if arguments.json:
        _print_json({"checks": found})
    else:
        _put(examination_text(found))
    return FAILED if any(check["state"] == "broken" for check in found) else DONE


def _record(arguments: argparse.Namespace) -> Record:
    from surefoot.storage import Record

    return Record.open(arguments.store or arguments.home, read_only=True)


def _study(record: Record, name: str | None) -> StudyRow:
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


def _story(arguments: argparse.Namespace, name: str | None) -> Story:
    from surefoot.plan_file import parse_plan
    from surefoot.study.telling import read_story

    with _record(arguments) as record:
        study = _study(record, name)
        revisions = record.revisions(study.id)
        if not revisions:
            raise RecordError(f'study "{study.name}" has no plan on record yet; run it again')
        plan = parse_plan(revisions[-1].plan_text, revisions[-1].plan_path)
        return read_story(record, study.id, plan)


def _story_if_any(arguments: argparse.Namespace, plan: Plan) -> Story | None:
    """What this home already knows of the plan's study, for a forecast in the metric's own unit."""
    try:
        return _story(arguments, plan.study)
    except SurefootError:
        return None


def _data_root(arguments: argparse.Namespace) -> Path | None:
    if arguments.data is not None:
        return Path(arguments.data)
    return Path(root) if (root := os.environ.get("SUREFOOT_DATA")) else None


def _device(asked: str) -> str:
    """ "cuda" where the machine has such a device and torch was built for it; found without loading torch."""
    if asked != "auto":
        return asked
    build = _version("torch")
    return "cuda" if CUDA_DEVICE.exists() and build and not build.endswith("+cpu") else "cpu"


def _write_journal(story: Story, path: Path) -> None:
    from surefoot.reports.journal import journal_markdown
    from surefoot.reports.write import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, journal_markdown(story).encode())
    except OSError as error:
        raise SurefootError(f"the journal cannot be written to {path}: {error.strerror or error}") from error


def _print_json(document: Any) -> None:
    is_utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    _put(json.dumps(document, indent=2, ensure_ascii=not is_utf8, allow_nan=False) + "\n")


def _version(package: str) -> str:
    """The installed version; empty where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
