"""Any script as a workload: a command that is started for each run, or a function that is called.

Notable choices:
- A script is read while it runs: its report file, its output and its MLflow run, so that it can be pruned.
- A metric that never came is a failed run which says what came instead; a number that is not finite is no
  failure but INFEASIBLE, as in every workload.
- The fingerprint of a command is that of the files named in it which lie in its folder, and of the module named
  after -m. What these import is not seen: name it in the command, or begin a new sweep after changing it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import json
import os
import re
import signal
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from surefoot import reporting
from surefoot.errors import RunFailed, WorkloadError, nearest, quoted
from surefoot.program import Program
from surefoot.run import Measurement
from surefoot.space import SearchSpace
from surefoot.workload import THREAD_VARIABLES, Facts, RunContext, Workload
from surefoot.workloads.arguments import JSON_FILE, check_command, interpreted, spoken
from surefoot.workloads.function import check_function, module_file, train_function
from surefoot.workloads.metric_readers import Curve, MlflowRun, Reports, check_readers, text_readers
from surefoot.workloads.script import FOLDER_VARIABLE, WORKER_VARIABLE, Output, Script, located

REPORTS_FILE, PROGRESS_FILE, OUTPUT_FILE = "metrics.jsonl", "told.json", "output.txt"
INTERPRETER = re.compile(r"(python|pypy)\d*(\.\d+)?|ba?sh|zsh|Rscript|julia|perl|node")
# Options of python and of the shells whose value is the next argument.
WITH_VALUE = ("-W", "-X", "-o", "--check-hash-based-pycs")
WORDS_LENGTH = 200
PASSWORD = re.compile(r"://[^/@\s:]*:(?!\$\{)[^/@\s]+@")  # of a URL, written out


def workload_of(program: Program) -> Workload:
    """The program as a workload: its config is any dict, and it has no space of its own."""
    train = train_function if program.function else _train_command
    return Workload(
        name=program.name,
        summary="a function" if program.function else "a command",
        config=dict,
        metrics=program.metrics,
        space=SearchSpace(parameters=()),
        train=functools.partial(train, program),
        missing=lambda data_root: mistake_in(program),
        requires={"mlflow": "mlflow"} if any(reader.kind == "mlflow" for reader in program.readers) else {},
        resumes=program.resumes,
        code=functools.partial(code_fingerprint, program),
    )


def check_program(program: Program, names: tuple[str, ...] = ()) -> None:
    """Raises WorkloadError for what can be known to be wrong before anything runs: a script that is not there, a
    macro or pattern that means nothing, a metric nobody could tell, a password in a URL that would come on record.
    `names` are the settings a config may have.
    """
    if bool(program.command) == bool(program.function):
        raise WorkloadError(
            "a program must have a command or a function; got " + ("both" if program.command else "none")
        )
    if not program.metrics:
        raise WorkloadError("a program must name the metrics it tells; got none")
    check_readers(program)
    _check_passwords(program)
    if program.function:
        check_function(program)
    else:
        check_command(program, names)
        _check_script(program)


def _check_passwords(program: Program) -> None:
    said = [(f"the variable {name}", value) for name, value in program.environment.items()]
    for where, text in (*said, *(("the command", part) for part in program.command)):
        if PASSWORD.search(text):
            raise WorkloadError(
                f"what is kept on record must hold no password; take the URL's out of {where}, and give it to surefoot "
                "by a variable of its own environment: the script inherits that, and a command may say ${envvar:NAME}"
            )


def mistake_in(program: Program) -> str:
    """What `check_program` would raise, in a sentence; empty where nothing is wrong."""
    try:
        check_program(program)
    except WorkloadError as error:
        return str(error)
    return ""


def code_fingerprint(program: Program) -> str:
    """SHA-256 (hex) of the function's module, or of the files named in the command that lie in its folder."""
    digest = hashlib.sha256()
    files = [module_file(program)] if program.function else _files_named(program)
    for path in sorted(set(files)):
        digest.update(os.path.relpath(path, program.folder or ".").encode() if not program.function else b"")
        status = path.stat()
        digest.update(_hash_of(str(path), status.st_mtime_ns, status.st_size, status.st_ino))
    return digest.hexdigest()


# --- a command -------------------------------------------------------------------------------------------------------


def _train_command(program: Program, config: Any, context: RunContext) -> Generator[Measurement, None, Facts]:
    folder = context.artifacts
    wanted = frozenset(metric.name for metric in program.metrics)
    curve = Curve(wanted=wanted, told_before=_told_before(folder, context.resume))
    told = spoken(program, config, seed=context.seed, folder=folder)
    environment = {**_environment(program, context), **told.environment, **program.environment}
    reports = Reports(folder / REPORTS_FILE, curve, goes_on=context.resume)
    words = text_readers(program, curve)
    output = Output(
        folder / OUTPUT_FILE,
        kept_bytes=program.output_bytes,
        readers=[reports, *words],
        is_last_line_wanted=any(reader.kind == "last" for reader in program.readers),
    )
    with contextlib.ExitStack() as stack:
        stack.callback(output.close)
        logged = [
            stack.enter_context(MlflowRun(reader, curve, folder, sorted(wanted), beside=program.folder))
            for reader in program.readers
            if reader.kind == "mlflow"
        ]
        for run in logged:
            environment |= run.environment
        script = stack.enter_context(
            Script(told.arguments, environment=environment, folder=program.folder, output=output)
        )
        if program.resumes:
            stack.callback(lambda: _keep_progress(folder, curve.last_step))
        stack.callback(lambda: script.end(program.grace_seconds) if not script.has_ended else None)
        yield from _heard(program, context, script, curve, [reports, *logged])
        outlived = script.end(program.grace_seconds)
        output.close()
        for run in logged:
            run.finish(is_good=script.code == 0)
        for reader in [reports, *(words if script.code == 0 else [])]:
            reader.finish()
        yield from curve.rest()
    facts = _facts(script, output, curve, outlived)
    if script.code != 0:
        raise RunFailed(_end_of(script, output), signal=max(0, -script.code), facts=facts)
    missing = sorted(wanted - curve.found)
    if missing:
        trouble = [run.trouble() for run in logged] or [reader.trouble() for reader in words]
        raise RunFailed(_without(missing, output, trouble, bool(logged)), facts=facts)
    return facts


def _heard(
    program: Program, context: RunContext, script: Script, curve: Curve, watched: Sequence[Reports | MlflowRun]
) -> Iterator[Measurement]:
    """The measurements of the script while it runs. Raises Stopped where it should end, RunFailed where it hangs."""
    while not script.has_ended:
        script.wait()
        if any([source.look() for source in watched]):
            script.heard_at = time.monotonic()
        yield from curve.ready()
        if context.is_stopping():
            raise reporting.Stopped("told to end")
        _check_silence(program, script, curve)


def _environment(program: Program, context: RunContext) -> dict[str, str]:
    """What the script is told by its environment, beside what this process has in its own."""
    found = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(context.threads))}
    found["PATH"] = _path()
    if program.stand_ins:
        folder = importlib.util.find_spec("surefoot.standins")
        places = list(folder.submodule_search_locations or []) if folder else []
        found["PYTHONPATH"] = os.pathsep.join([*places, *filter(None, [found.get("PYTHONPATH")])])
    if context.data_root is not None:
        found["SUREFOOT_DATA"] = str(context.data_root.absolute())
    return {
        **found,
        "PYTHONUNBUFFERED": "1",
        reporting.METRICS_FILE: str((context.artifacts / REPORTS_FILE).absolute()),
        FOLDER_VARIABLE: str(context.artifacts.absolute()),
        WORKER_VARIABLE: str(os.getpid()),
        "SUREFOOT_CONFIG": str((context.artifacts / JSON_FILE).absolute()),
        "SUREFOOT_SEED": str(context.seed),
        "SUREFOOT_DEVICE": context.device,
        "SUREFOOT_THREADS": str(context.threads),
        "SUREFOOT_RESUME": "1" if context.resume else "0",
    }


def _path() -> str:
    """Where programs are looked for: last beside our own Python, for whoever's own path has no python."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)])


def _check_silence(program: Program, script: Script, curve: Curve) -> None:
    limit = program.silence_seconds
    if limit is not None and time.monotonic() - script.heard_at > limit and not script.has_ended:
        place = f"after step {curve.last_step}" if curve.found else "before the first measurement"
        raise RunFailed(f"silent for {limit:g} s {place}; taken for hung, and ended")


def _facts(script: Script, output: Output, curve: Curve, outlived: int) -> Facts:
    facts: Facts = {"exit_code": script.code, "output_bytes": output.bytes, "last_step": curve.last_step}
    seldom = {
        "output_bytes_left_out": output.left_out_bytes,
        "processes_ended": outlived,
        "steps_begun_anew": curve.begun_anew,
        "values_left_out": curve.left_out,
    }
    return facts | {name: count for name, count in seldom.items() if count}


def _end_of(script: Script, output: Output) -> str:
    """'exit code 3; last words: ValueError: bad shape'."""
    if script.code < 0:
        how = f"killed by signal {-script.code} ({signal.strsignal(-script.code)})"
    elif script.code > 128 and signal.strsignal(script.code - 128):
        how = f"exit code {script.code}, as of signal {script.code - 128} ({signal.strsignal(script.code - 128)})"
    else:
        how = f"exit code {script.code}"
    return f"{how}; last words: {_short(output.last_line)}" if output.last_line else f"{how}, without a word"


def _without(missing: list[str], output: Output, trouble: list[str], is_logged: bool) -> str:
    """'printed no val_loss: 214 lines of output, none matched …; the last line was "done"'."""
    what = ", ".join(missing)
    if is_logged:
        return f"logged no {what}: {'; '.join(trouble)}"
    if not output.lines:
        return f"told no {what}: it ended without printing or reporting anything"
    lines = f"{output.lines:,} line{'s' if output.lines > 1 else ''} of output"
    return f"printed no {what}: {lines}, {', and '.join(trouble)}; the last line was {quoted(_short(output.last_line))}"


def _short(words: str) -> str:
    return words if len(words) <= WORDS_LENGTH else words[: WORDS_LENGTH - 1] + "…"


def _told_before(folder: Path, is_resumed: bool) -> int:
    """The last step that an earlier part of this run told; -1 where there is none."""
    if not is_resumed:
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
        return -1
    try:
        return int(json.loads((folder / PROGRESS_FILE).read_text())["last_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1


def _keep_progress(folder: Path, last_step: int) -> None:
    with contextlib.suppress(OSError):
        (folder / PROGRESS_FILE).write_text(json.dumps({"last_step": last_step}))


def _check_script(program: Program) -> None:
    if program.folder and not os.path.isdir(program.folder):
        raise WorkloadError(f"the command's folder must be there; {program.folder} is not")
    words = _static_words(program)
    if not words:
        raise WorkloadError("a command must name what to run; got only macros that stand for its settings")
    located(
        words[0], os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)]), program.folder
    )
    script, is_module = _script_of(words)
    if not script:
        return
    if is_module:
        is_there = _file_of_module(script, program.folder) or _is_installed(script.partition(".")[0])
        if not is_there and os.path.realpath(located(words[0], os.environ.get("PATH", ""), program.folder)) == (
            os.path.realpath(sys.executable)
        ):
            raise WorkloadError(
                f"the command runs the module {script}, which is neither in {_place(program)} nor installed"
            )
        return
    if not os.path.exists(os.path.join(program.folder, script)):
        near = nearest(script, (path.name for path in Path(program.folder or ".").glob(f"*{Path(script).suffix}")))
        raise WorkloadError(f"the command runs {script}, which is not there (looked in {_place(program)}).{near}")


def _static_words(program: Program) -> list[str]:
    """The command's words with what stands for settings left out, and ${env} too, which only looks up the next one."""
    words = [interpreted(part, program) for part in program.command if part != "${env}"]
    return [word for word in words if not ("${" in word or re.search(r"\{[A-Za-z_][\w.\-/]*\}", word))]


def _script_of(words: list[str]) -> tuple[str, bool]:
    """What an interpreter is given to run, and whether that is a module; empty where no interpreter is called."""
    if not INTERPRETER.fullmatch(os.path.basename(words[0])):
        return "", False
    rest = iter(words[1:])
    for word in rest:
        if word == "-m":
            return next(rest, ""), True
        if word == "-c" or word == "-":
            return "", False
        if word in WITH_VALUE:
            next(rest, "")
        elif not word.startswith("-"):
            return word, False
    return "", False


def _files_named(program: Program) -> list[Path]:
    """The files in the command's folder that its words name, after a = too, and the module after -m."""
    folder = Path(program.folder or ".").resolve()
    words = _static_words(program)
    script, is_module = _script_of(words) if words else ("", False)
    found = [_file_of_module(script, program.folder)] if is_module else []
    for word in words:
        for name in (word, word.partition("=")[2]):
            path = (folder / name).resolve() if name and "\0" not in name else folder
            if path.is_relative_to(folder) and path.is_file():
                found.append(path)
    return [path for path in found if path is not None]


def _file_of_module(module: str, folder: str) -> Path | None:
    """The module's file in the folder; None where it is not there."""
    place = Path(folder or ".").resolve().joinpath(*module.split("."))
    tried = (place.with_name(f"{place.name}.py"), place / "__main__.py", place / "__init__.py")
    return next((path for path in tried if path.is_file()), None)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:  # a package that breaks when it is looked for
        return True


def _place(program: Program) -> str:
    return program.folder or os.getcwd()


@functools.lru_cache(maxsize=1024)
def _hash_of(path: str, changed_at: int, size: int, inode: int) -> bytes:
    """The file's SHA-256; asked anew when its time, size or inode is another."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
