"""How a config becomes an argument vector, an environment and a file; W&B's macros mean what they mean there.

Notable choices:
- No shell ever reads a command: a value is one argument, whatever characters it holds.
- `${interpreter}` is the Python that Surefoot runs with, where W&B takes the first `python` on the path.
- `${envvar:X}` of a variable that is not set is an error, where W&B puts the variable's name.
- What the command names itself, by a macro or by `{lr}`, is passed there; the rest is passed as `passing` says.
- `$${now}` and `{{name}}` are `${now}` and `{name}` literally: Hydra has such words too.
- Nested settings are nested in the files and in W&B's macros (as there: --optimizer={'lr': 0.1}), and written
  with dots everywhere else.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.errors import WorkloadError, nearest, quoted
from surefoot.program import Program

Values = Mapping[str, Any]

JSON_FILE, YAML_FILE, ARGUMENTS_FILE = "config.json", "config.yaml", "arguments.json"
MACRO = re.compile(r"(?<!\$)\$\{([^{}]*)\}")
PLACEHOLDER = re.compile(r"(?<![${])\{([A-Za-z_][\w.\-/]*)\}")
LITERAL = re.compile(r"\$(\$\{[^{}]*\})|\{(\{[A-Za-z_][\w.\-/]*\})\}")
ENVIRONMENT_MACRO = "envvar:"
# These stand for several arguments, so each must be an argument of its own; the others may be part of one.
SEVERAL: Mapping[str, Callable[[Values], list[str]]] = {
    "args": lambda values: [f"--{name}={value}" for name, value in values.items()],
    "args_no_hyphens": lambda values: [f"{name}={value}" for name, value in values.items()],
    "args_no_boolean_flags": lambda values: [
        f"--{name}" if value is True else f"--{name}={value}" for name, value in values.items() if value is not False
    ],
    "args_no_equals": lambda values: [word for name, value in values.items() for word in (f"--{name}", str(value))],
    "args_append_hydra": lambda values: [f"+{name}={value}" for name, value in values.items()],
    "args_override_hydra": lambda values: [f"++{name}={value}" for name, value in values.items()],
}
SINGLE = ("env", "interpreter", "program", "args_json", "args_json_file")
OWN = ("args", JSON_FILE, YAML_FILE, "run_folder")
# A setting must not become one of these: the script would not find its own libraries.
GUARDED = ("PATH", "HOME", "USER", "SHELL", "PWD", "TMPDIR", "LANG")
GUARDED_BEGINNINGS = ("LD_", "DYLD_", "PYTHON", "SUREFOOT_", "CUDA_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken:
    """What a command is told: its argument vector, and the variables to add to its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def split_command(command: str | Iterable[Any]) -> tuple[str, ...]:
    """The argument vector of a command written as one line (quoted as for a shell) or as a list."""
    if not isinstance(command, str):
        return tuple(str(part) for part in command)
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise WorkloadError(f"a command must have its quotes in pairs; got {quoted(command)} ({error})") from None


def spoken(program: Program, config: Values, *, seed: int, folder: Path) -> Spoken:
    """The command with this config filled in; writes the config's files into the run's folder as they are needed.

    `config.json` is always there. Raises WorkloadError for what the command names and this config has not.
    """
    values = dict(config)
    if program.seed_as and program.seed_as not in values:
        values[program.seed_as] = seed
    _write(folder / JSON_FILE, json.dumps(program.told(values)))
    filled = _Filling(program, values, seed, folder)
    arguments = [word for part in program.command for word in filled.words(part)]
    rest = {} if filled.is_all_told else {name: value for name, value in values.items() if name not in filled.told}
    environment: dict[str, str] = {}
    if program.passing == "flags":
        arguments += SEVERAL["args"](rest)
    elif program.passing == "key=value":
        arguments += SEVERAL["args_no_hyphens"](rest)
    elif program.passing == "env":
        environment = {variable(name): str(value) for name, value in rest.items()}
    elif program.passing in ("json", "yaml") and not filled.is_all_told:
        arguments.append(f"--config={filled.file(f'config.{program.passing}')}")
    return Spoken(arguments=tuple(arguments), environment=environment)


def check_command(program: Program, names: Iterable[str] = ()) -> None:
    """Raises WorkloadError where the command holds a macro or placeholder that means nothing.

    `names` are the settings that a config may have; without any, placeholders of settings pass unseen.
    """
    known = set(names)
    for part in program.command:
        for macro in MACRO.findall(part):
            _check_macro(macro, part)
        for name in PLACEHOLDER.findall(part):
            if known and name not in {*known, *OWN, "seed", program.seed_as}:
                hint = nearest(name, {*known, *OWN, "seed"})
                raise WorkloadError(f"the command names {{{name}}}, which is no setting of this sweep.{hint}")
    if program.passing == "env":
        names_of: dict[str, str] = {}
        for name in sorted(known):
            other = names_of.setdefault(variable(name), name)
            if other != name:
                raise WorkloadError(
                    f"passed as environment, {other} and {name} would both be the variable {variable(name)}; "
                    "rename one of them or pass them otherwise"
                )


def variable(name: str) -> str:
    """The environment variable of a setting: "optimizer.lr" is OPTIMIZER_LR. Raises WorkloadError for a guarded one."""
    found = re.sub(r"\W", "_", name).upper()
    found = f"_{found}" if found[:1].isdigit() else found
    if found in GUARDED or found.startswith(GUARDED_BEGINNINGS):
        raise WorkloadError(
            f"passed as environment, {name} would replace the variable {found}, which scripts need as it is; "
            "rename the setting or pass it otherwise"
        )
    return found


def interpreted(part: str, program: Program) -> str:
    """The argument with the macros filled in that no config moves: ${env}, ${interpreter}, ${program}, ${envvar:X}."""
    fixed = {"env": "/usr/bin/env", "interpreter": sys.executable, "program": program.program}

    def value(found: re.Match[str]) -> str:
        macro = found[1]
        if macro.startswith(ENVIRONMENT_MACRO):
            return os.environ.get(macro.removeprefix(ENVIRONMENT_MACRO), "")
        return fixed.get(macro, found[0])

    return MACRO.sub(value, part)


class _Filling:
    """Guards the filling in of one command, and remembers what of the config it has told."""

    def __init__(self, program: Program, values: Values, seed: int, folder: Path):
        self.told: set[str] = set()
        self.is_all_told = False
        self._program, self._values, self._seed, self._folder = program, values, seed, folder

    def words(self, part: str) -> list[str]:
        """The arguments that one part of the command stands for: several, or none, where it is a macro of that kind."""
        whole = MACRO.fullmatch(part)
        if whole and whole[1] in SEVERAL:
            self.is_all_told = True
            return SEVERAL[whole[1]](self._program.told(self._values))
        if part == "{args}":
            self.is_all_told = True
            return SEVERAL["args_no_hyphens" if self._program.passing == "key=value" else "args"](self._values)
        for macro in MACRO.findall(part):
            _check_macro(macro, part)
        # In one pass, so that a value which looks like a macro stays a value.
        return [re.sub(f"{MACRO.pattern}|{PLACEHOLDER.pattern}|{LITERAL.pattern}", self._filled, part)]

    def file(self, name: str) -> str:
        """The path of one of the config's files, written now."""
        path = self._folder / name
        if name == YAML_FILE:
            _write(path, as_yaml(self._program.told(self._values)))
        elif name == ARGUMENTS_FILE:
            _write(path, json.dumps(self._program.told(self._values)))
        return str(path)

    def _filled(self, found: re.Match[str]) -> str:
        macro, name, *literals = found.groups()
        if macro is not None:
            return self._macro(macro, found[0])
        return self._placeholder(name) if name is not None else "".join(text for text in literals if text)

    def _macro(self, macro: str, part: str) -> str:
        if macro in ("args_json", "args_json_file"):
            self.is_all_told = True
            if macro == "args_json_file":
                return self.file(ARGUMENTS_FILE)
            return json.dumps(self._program.told(self._values))
        return interpreted(part, self._program)

    def _placeholder(self, name: str) -> str:
        if name in self._values:
            self.told.add(name)
            return str(self._values[name])
        if name == "seed":
            self.told.add(self._program.seed_as)
            return str(self._seed)
        if name == "run_folder":
            return str(self._folder)
        if name in (JSON_FILE, YAML_FILE):
            self.is_all_told = True
            return self.file(name)
        hint = nearest(name, [*self._values, *OWN, "seed"])
        raise WorkloadError(
            f"the command names {{{name}}}, and this config has no such setting (a conditional one needs {{args}})"
            f"{'.' if hint else ''}{hint}"
        )


def as_yaml(config: Values) -> str:
    """The config as YAML, readable alike by parsers of YAML 1.1 and 1.2."""
    return "".join(f"{_yaml(str(name))}: {_yaml(value)}\n" for name, value in config.items())


def _yaml(value: Any) -> str:
    """A value in flow style. YAML 1.1 takes 1e-05 for text and 1.0e-05 for a number."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(str(name))}: {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, float):
        if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    return json.dumps(value)


def _escaped(letter: str) -> str:
    """A letter between YAML's double quotes: as in JSON, but YAML knows no surrogates."""
    if letter.isascii() or (ord(letter) < 2**16 and not letter.isprintable()):
        return json.dumps(letter)[1:-1]
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _check_macro(macro: str, part: str) -> None:
    if macro.startswith(ENVIRONMENT_MACRO):
        name = macro.removeprefix(ENVIRONMENT_MACRO)
        if name not in os.environ:
            raise WorkloadError(f"the command needs the environment variable {name}, which is not set")
    elif macro in SEVERAL:
        if part != f"${{{macro}}}":
            raise WorkloadError(
                f"${{{macro}}} stands for several arguments and must be one of its own; got {quoted(part)}"
            )
    elif macro not in SINGLE:
        hint = nearest(macro, [*SEVERAL, *SINGLE])
        raise WorkloadError(
            f"${{{macro}}} is no macro (there are {', '.join([*SINGLE, *SEVERAL, 'envvar:NAME'])}), and no shell reads "
            f"the command.{hint}"
        )


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n" if not text.endswith("\n") else text, encoding="utf-8")
