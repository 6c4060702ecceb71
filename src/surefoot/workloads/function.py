"""A function as a workload: called in the worker with its config, it reports, yields or returns its metrics."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from surefoot import reporting
from surefoot.errors import WorkloadError, nearest, quoted
from surefoot.program import Program
from surefoot.run import Measurement
from surefoot.workload import Facts, RunContext


def train_function(program: Program, config: Any, context: RunContext) -> Generator[Measurement, None, Facts]:
    """The function's run: what it yields and returns is measured, what it reports is told on the way."""
    function = function_of(program)
    returned = function(**_keywords(function, program, config, context))
    if not hasattr(returned, "__next__"):
        return (yield from _told_at_last(program, returned))
    step = 0
    try:
        while True:
            try:
                yielded = next(returned)
            except StopIteration as end:
                return (yield from _told_at_last(program, end.value, step=step))
            measurement = _measurement(program, yielded, step + 1)
            step = measurement.step
            yield measurement
    finally:
        returned.close()


def function_of(program: Program) -> Callable[..., Any]:
    """The function, its module imported. Raises WorkloadError."""
    module_name, _, name = program.function.partition(":")
    _look_beside(program)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
        said = " ".join(str(error).split()) or "no reason given"
        raise WorkloadError(f'cannot import "{module_name}": {type(error).__name__}: {said}') from error
    function = getattr(module, name, None)
    if not callable(function):
        raise _no_function(program, [key for key, value in vars(module).items() if inspect.isfunction(value)])
    found: Callable[..., Any] = function
    return found


def _keywords(function: Callable[..., Any], program: Program, config: Any, context: RunContext) -> dict[str, Any]:
    """How the function is called: with a `config`, or with each setting by its name; `seed` and `context` if it asks.

    Its one required parameter takes the config too, whatever it is called, if it is not the name of a setting.
    """
    settings = program.told(config)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some written in C
        return settings
    parameters = signature.parameters
    extra = {"seed": context.seed, "context": context}
    if program.seed_as:
        extra[program.seed_as] = context.seed
    given = {name: value for name, value in extra.items() if name in parameters and name not in settings}
    own = [parameter for name, parameter in parameters.items() if name not in given]
    required = [p for p in own if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    has_config = "config" in parameters and parameters["config"].kind is not inspect.Parameter.VAR_KEYWORD
    whole = "config" if has_config else required[0].name if len(required) == len(own) == 1 else ""
    keywords = {whole: settings, **given} if whole and whole not in settings else {**settings, **given}
    try:
        signature.bind(**keywords)
    except TypeError as error:
        listed = ", ".join(settings) or "(none)"
        raise WorkloadError(
            f"{program.function}{signature} must take the settings {listed}, or one config: {error}"
        ) from None
    return keywords


def _told_at_last(program: Program, returned: Any, step: int = 0) -> Generator[Measurement, None, Facts]:
    """Measures the numbers that the function returned; the rest of it is the run's facts."""
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        returned = _only(program, returned)
    values = {name: value for name, value in returned.items() if _is_number(value)}
    if values and not reporting.tell(None, values):
        yield Measurement(step=step + 1, values=values)
    return {name: value for name, value in returned.items() if name not in values}


def _measurement(program: Program, yielded: Any, step: int) -> Measurement:
    if isinstance(yielded, Measurement):
        return yielded
    values = dict(yielded) if isinstance(yielded, Mapping) else _only(program, yielded)
    return Measurement(step=values.pop("step", step), values=values)


def _only(program: Program, value: Any) -> dict[str, Any]:
    """The value under the name of the program's only metric."""
    if len(program.metrics) != 1 or not _is_number(value):
        names = ", ".join(metric.name for metric in program.metrics)
        raise WorkloadError(
            f"{program.function} must give a mapping of {names}, or a number where it has one metric; "
            f"got {quoted(value)}"
        )
    return {program.metrics[0].name: value}


def _is_number(value: Any) -> bool:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_function(program: Program) -> None:
    """Raises WorkloadError where the module is not there, or has no such function in its text; imports nothing."""
    module, colon, name = program.function.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), name)):
        raise WorkloadError(f'a function must be written "package.module:function"; got {quoted(program.function)}')
    path = module_file(program)
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise WorkloadError(f'cannot import "{module}": {type(error).__name__}: {error}') from None
    names, is_open = _names_in(tree)
    if name not in names and not is_open:
        raise _no_function(program, sorted(names))


def _names_in(tree: ast.Module) -> tuple[set[str], bool]:
    """What a module binds at its top, and whether it may bind more than its text shows."""
    names: set[str] = set()
    is_open = False
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
            is_open |= any(alias.name == "*" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("globals", "setattr"):
            is_open = True
    return names, is_open or "__getattr__" in names


def _no_function(program: Program, there: list[str]) -> WorkloadError:
    module, _, name = program.function.partition(":")
    hint = nearest(name, there)
    return WorkloadError(f"{module} has no function {quoted(name)}{'.' if hint else ''}{hint}")


def _look_beside(program: Program) -> None:
    for folder in filter(None, (program.folder, os.getcwd())):
        if os.path.abspath(folder) not in sys.path:
            sys.path.append(os.path.abspath(folder))


def module_file(program: Program) -> Path:
    """The file of the function's module; raises WorkloadError where it cannot be found."""
    module = program.function.partition(":")[0]
    _look_beside(program)
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # the package that it is in is absent, or breaks when it is imported
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise WorkloadError(
            f'the module "{module}" must be importable, or lie in {program.folder or os.getcwd()}; it is neither'
        )
    return Path(spec.origin)
