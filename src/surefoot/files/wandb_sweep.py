"""A sweep file of W&B, read as it is: what means the same here becomes a Sweep, what does not is a notice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surefoot.errors import nearest, quoted
from surefoot.files.entry import folder_name_mistake
from surefoot.files.plan_document import Path_, PlanDocument, kind_of
from surefoot.files.wandb_parameter import Found, read_parameter
from surefoot.parameter import Parameter, choice
from surefoot.program import Program, Reader
from surefoot.run import Metric
from surefoot.space import SearchSpace
from surefoot.sweep import Method, Stopping, Sweep, SweepBudget

# The keys of W&B's schema: sweeps 0.3.0, config/schema.json.
TOP_KEYS = (
    *("program", "command", "method", "metric", "metrics", "parameters", "early_terminate", "run_cap"),
    *("name", "description", "project", "entity", "controller", "scheduler", "job", "image_uri", "kind", "apiVersion"),
)
METRIC_KEYS = ("name", "goal", "target", "impute", "impute_while_running")
STOPPING_KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
METHODS = {"grid": "grid", "random": "random", "bayes": "tpe", "custom": "tpe"}
# Keys by which our own sweep files are known.
OURS = ("sweep", "workload", "function", "study")
MACROS = (
    *("env", "interpreter", "program", "args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags"),
    *("args_json", "args_json_file", "args_append_hydra", "args_override_hydra"),
)
DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")
ETA = 3

BAYES = (
    "method: bayes means TPE here; W&B's is a Gaussian process. TPE also handles choices, and many parameters and "
    "trials. A run counts with the last value of its metric; W&B's bayes takes the best one"
)


def is_wandb(plain: Mapping[str, Any]) -> bool:
    """Whether a file's content is a W&B sweep rather than one of ours."""
    if any(key in plain for key in OURS):
        return False
    has_method = isinstance(plain.get("method"), str) and plain["method"] in METHODS
    return has_method or ("program" in plain and ("parameters" in plain or "metric" in plain))


def parse_wandb_sweep(document: PlanDocument, path: str) -> Sweep:
    """The sweep that W&B's file asks for; raises PlanError with file and line for what breaks W&B's format.

    Runs happen in the file's folder. Sources: sweeps 0.3.0 (config/schema.json, params.py, grid_search.py,
    hyperband_stopping.py) and wandb 0.31.0 (wandb_agent.py, sdk/launch/sweeps/utils.py).
    """
    return _SweepFile(document, path).sweep()


@dataclass(slots=True)
class _SweepFile:
    """Guards the reading of one file: where a mistake stands, and the notices so far."""

    document: PlanDocument
    path: str
    notices: list[str] = field(default_factory=list)
    plain: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.plain = _with_booleans(self.document)

    def sweep(self) -> Sweep:
        """All of it."""
        self._only_known((), self.plain, TOP_KEYS, "W&B's sweep format")
        self._server_keys()
        metrics = self._metrics()
        method = self._method()
        found = self._parameters(("parameters",), self.plain.get("parameters"), ())
        parameters, base = _split(found)
        self.notices += _notices_of(found)
        program = self._program(metrics, {f.name: f.place for f in found if len(f.place) > 1})
        return Sweep(
            name=self._name(),
            description=self._text("description"),
            workload=program,
            metrics=metrics,
            objectives=tuple(m.name for m in metrics),
            space=SearchSpace(parameters=parameters),
            base=base,
            method=Method(name="nsga2" if len(metrics) > 1 else method),  # type: ignore[arg-type]
            stopping=self._stopping(metrics[0].name),
            budget=SweepBudget(trials=self._run_cap()),
            notices=tuple(self.notices),
            text=self.document.text,
            path=self.path,
        )

    # --- keys --------------------------------------------------------------------------------------------------------

    def refuse(self, where: Path_, message: str) -> Any:
        self.document.refuse(where, message)

    def _only_known(self, where: Path_, block: Mapping[str, Any], known: Sequence[str], of: str) -> None:
        for key in block:
            if key not in known:
                hint = nearest(key, known)
                listed = "" if hint else f" (it has {', '.join(known)})"
                self.refuse((*where, key), f"is not a key of {of}{listed}{'.' * bool(hint)}{hint}")

    def _block(self, where: Path_, value: Any, example: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            self.refuse(where, f"must be keys with values ({example}); got {kind_of(value)}")
        return dict(value)

    def _text(self, key: str) -> str:
        value = self.plain.get(key)
        if value is not None and not isinstance(value, str | int | float):
            self.refuse((key,), f"must be text; got {kind_of(value)}")
        return "" if value is None else str(value)

    def _number(self, where: Path_, value: Any, *, is_whole: bool = False, above: float | None = None) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (is_whole and value != int(value)) or (above is not None and value <= above):
            floor = "" if above is None else f" above {above:g}"
            self.refuse(where, f"must be a {'whole ' * is_whole}number{floor}; got {kind_of(value)}")
        return int(value) if is_whole else value

    def _word(self, where: Path_, value: Any, known: Sequence[str]) -> str:
        if value not in known:
            hint = nearest(str(value), known)
            self.refuse(where, f"must be one of {', '.join(known)}; got {kind_of(value)}{'.' * bool(hint)}{hint}")
        return str(value)

    def _name(self) -> str:
        """The sweep's name, as a folder can have it; without one the file's."""
        name = re.sub(r"[/\\]", "-", self._text("name") or Path(self.path).stem).strip(" .-") or "sweep"
        mistake = folder_name_mistake(name)
        if mistake:
            self.refuse(("name",), mistake)
        return name

    # --- what only a server does -------------------------------------------------------------------------------------

    def _server_keys(self) -> None:
        names = [key for key in ("entity", "project") if self.plain.get(key)]
        if names:
            verb = "has" if len(names) == 1 else "have"
            self.notices.append(f"{' and '.join(names)} {verb} no meaning here: nothing is sent to W&B")
        if "kind" in self.plain:
            self._word(("kind",), self.plain["kind"], ("sweep",))
        if "controller" in self.plain:
            block = self._block(("controller",), self.plain["controller"], "type: local")
            if self._word(("controller", "type"), block.get("type"), ("local", "cloud")) == "cloud":
                self.notices.append("controller: type: cloud is not honoured: configs are proposed on this machine")
        if "scheduler" in self.plain:
            block = self._block(("scheduler",), self.plain["scheduler"], "engine: wandb")
            if "parameters" not in self.plain:
                self.refuse(
                    ("scheduler",),
                    "describes its space in Python, which is not run here; write it out under parameters",
                )
            asked = f" (engine: {block['engine']})" if "engine" in block else ""
            self.notices.append(f"scheduler{asked} is not used: Surefoot proposes the configs and begins the runs")
        launched = [key for key in ("job", "image_uri") if self.plain.get(key)]
        if launched and not self.plain.get("program") and not self.plain.get("command"):
            self.refuse(
                (launched[0],), "is on W&B's server, which is not asked; name the script instead: program: train.py"
            )
        self.notices += [f"{key} is not fetched from W&B: the program beside this file runs" for key in launched]

    # --- metric and method -------------------------------------------------------------------------------------------

    def _metrics(self) -> tuple[Metric, ...]:
        if "metrics" in self.plain:
            listed = self.plain["metrics"]
            if "metric" in self.plain:
                self.refuse(("metrics",), "cannot stand beside metric; leave one of them")
            if not isinstance(listed, list) or len(listed) < 2:
                self.refuse(("metrics",), f"must be a list of two or more metrics; got {kind_of(listed)}")
            if self.plain.get("method") != "custom":
                self.refuse(("metrics",), "needs method: custom, as with W&B")
            return tuple(self._metric(("metrics", i), block) for i, block in enumerate(listed))
        if "metric" not in self.plain:
            self.refuse(
                (),
                "must name the metric that the trials are ranked by, which W&B leaves open; "
                "add metric: {name: loss, goal: minimize}",
            )
        return (self._metric(("metric",), self.plain["metric"]),)

    def _metric(self, where: Path_, value: Any) -> Metric:
        block = self._block(where, value, "name: loss, goal: minimize")
        self._only_known(where, block, METRIC_KEYS, "a metric")
        name = block.get("name")
        if not isinstance(name, str) or not name:
            self.refuse((*where, "name"), f"must be the name that the script reports; got {kind_of(name)}")
        goal = self._word((*where, "goal"), block.get("goal", "minimize"), ("minimize", "maximize"))
        target = block.get("target")
        for key in ("impute", "impute_while_running"):
            if key in block:
                words = ("latest", "best", "worst", "false")[: 4 if key == "impute_while_running" else 3]
                asked = str(block[key]).lower() if isinstance(block[key], bool) else block[key]
                if self._word((*where, key), asked, words) == "false":
                    continue
                whose = "a run that failed" if key == "impute" else "a run that still trains"
                self.notices.append(f"{key}: {asked} is not done: {whose} is given no value")
        return Metric(
            name=str(name),
            goal=goal,  # type: ignore[arg-type]
            target=None if target is None else float(self._number((*where, "target"), target)),
        )

    def _method(self) -> str:
        if "method" not in self.plain:
            self.refuse((), f"must have a method: one of {', '.join(METHODS)}")
        asked = self._word(("method",), self.plain["method"], tuple(METHODS))
        if asked == "bayes":
            self.notices.append(BAYES)
        elif asked == "custom":
            is_several = "metrics" in self.plain
            self.notices.append(f"method: custom means {'NSGA-II' if is_several else 'TPE'} here")
        return METHODS[asked]

    def _run_cap(self) -> int | None:
        if "run_cap" in self.plain:
            return int(self._number(("run_cap",), self.plain["run_cap"], is_whole=True, above=0))
        if self.plain["method"] != "grid":
            self.notices.append("no run_cap: as with W&B the sweep goes on until it is stopped (Ctrl-C)")
        return None

    # --- parameters --------------------------------------------------------------------------------------------------

    def _parameters(self, where: Path_, value: Any, above: tuple[str, ...]) -> list[Found]:
        block = self._block(where, value, "lr: {min: 0.001, max: 0.1}")
        found: list[Found] = []
        for name, one in block.items():
            if not re.fullmatch(r"[^\s=-][^\s=]*", name):
                self.refuse((*where, name), "must have a name without spaces and =, and not begin with a hyphen")
            place = (*above, name)
            if isinstance(one, dict) and "parameters" in one:
                self._only_known((*where, name), one, ("parameters",), "nested parameters")
                found += self._parameters((*where, name, "parameters"), one["parameters"], place)
            else:
                some = self._block((*where, name), one, "value, values, or min and max")
                found.append(
                    read_parameter(place, some, is_grid=self.plain["method"] == "grid", refuse=self._at(where, name))
                )
        names = [f.name for f in found]
        for one in found:
            if names.count(one.name) > 1:
                self.refuse(where, f"hold {one.name} twice, once nested and once with a dot in its name; rename one")
        # W&B's grid goes by the names; the last varies fastest there and here.
        return sorted(found, key=lambda f: f.place) if self.plain["method"] == "grid" else found

    def _at(self, where: Path_, name: str) -> Any:
        return lambda key, message: self.refuse((*where, name, key) if key else (*where, name), message)

    # --- early termination -------------------------------------------------------------------------------------------

    def _stopping(self, metric: str) -> Stopping | None:
        where: Path_ = ("early_terminate",)
        if "early_terminate" not in self.plain:
            return None
        block = self._block(where, self.plain["early_terminate"], "type: hyperband, min_iter: 3")
        self._only_known(where, block, STOPPING_KEYS, "early_terminate")
        self._word((*where, "type"), block.get("type"), ("hyperband",))
        eta = self._number((*where, "eta"), block.get("eta", ETA), above=1)
        bands = self._bands(where, block, eta)
        whole = max(2, round(eta))
        if whole != eta:
            self.notices.append(f"early_terminate: eta {eta:g} is taken for {whole}: only whole numbers are known here")
        if block.get("strict") is False:
            self.notices.append(
                "early_terminate: strict: false is not honoured: a run is judged by its value where it is judged, "
                "not by its best one so far"
            )
        ours = [bands[0] * whole**k for k in range(len(bands))]
        shown = f"{', '.join(map(str, ours))}{', …' if 'max_iter' not in block else ''}"
        theirs = f" (W&B: {', '.join(map(str, bands))})" if "max_iter" in block and ours != bands else ""
        self.notices.append(
            f"early_terminate: after {shown}{theirs} measurements of {metric} a run ends that is not among the best "
            f"1/{whole} so far; W&B lets one more go on, and judges again after every measurement"
        )
        return Stopping(
            rule="asha",
            promotes=False,
            min_steps=bands[0],
            max_steps=ours[-1] * whole if "max_iter" in block else None,
            eta=whole,
            counts="measurements",
        )

    def _bands(self, where: Path_, block: Mapping[str, Any], eta: float) -> list[int]:
        """After how many measurements W&B judges; with min_iter the first three of what has no end."""
        if "max_iter" not in block:
            if "min_iter" not in block:
                self.refuse(where, "must have min_iter, or max_iter and s")
            first = self._number((*where, "min_iter"), block["min_iter"], is_whole=True, above=0)
            return [int(first * eta**k) for k in range(3)]
        most = self._number((*where, "max_iter"), block["max_iter"], is_whole=True, above=0)
        if "s" not in block:
            self.refuse((*where, "max_iter"), "must have s beside it: how many times runs are judged before")
        times = int(self._number((*where, "s"), block["s"], above=0))
        bands = sorted(int(most / eta**k) for k in range(1, times + 1) if most / eta**k >= 1)
        if not bands:
            self.refuse((*where, "max_iter"), f"leaves no point at which runs are judged; got {most} with eta {eta:g}")
        return bands

    # --- the script --------------------------------------------------------------------------------------------------

    def _program(self, metrics: tuple[Metric, ...], nesting: Mapping[str, tuple[str, ...]]) -> Program:
        program, command = self._text("program"), self._command()
        if not program and "${program}" in command:
            self.refuse((), "must name the script: program: train.py")
        folder = Path(self.path).resolve().parent
        return Program(
            command=command,
            program=program,
            passing="placeholders",
            seed_as="",
            metrics=metrics,
            # What such a script prints beside may be of another step, or of a part of one.
            readers=(Reader(kind="report"),) if _imports_wandb(folder, program, command) else (),
            environment={"WANDB_MODE": "offline", "WANDB_SWEEP_ID": self._name()},
            folder=str(folder),
            nesting=nesting,
            stand_ins=("wandb",),
        )

    def _command(self) -> tuple[str, ...]:
        if self.plain.get("command") is None:
            return DEFAULT_COMMAND
        listed = self.plain["command"]
        if not isinstance(listed, list) or not listed:
            self.refuse(("command",), f"must be a list, one part of the command line an item; got {kind_of(listed)}")
        for i, part in enumerate(listed):
            if isinstance(part, dict | list):
                self.refuse(("command", i), f"must be one part of the command line; got {kind_of(part)}")
            macro = re.fullmatch(r"\$\{(.*)\}", str(part))
            if macro and macro[1] not in MACROS and not re.fullmatch(r"envvar:[A-Z0-9_]*", macro[1]):
                hint = nearest(macro[1], MACROS)
                listed_macros = "" if hint else f" (it has {', '.join(MACROS)}, envvar:NAME)"
                self.refuse(("command", i), f"must be a macro of W&B{listed_macros}; got {quoted(str(part))}.{hint}")
        return tuple(_literally(str(part)) for part in listed)


def _literally(part: str) -> str:
    """A part of a command in our spelling: W&B takes every ${…} and {…} within other text as it stands."""
    if re.fullmatch(r"\$\{.*\}", part):
        return part
    part = re.sub(r"\$\{(?!envvar:)", "$${", part)
    return re.sub(r"(?<!\$)\{[A-Za-z_][\w.\-/]*\}", r"{\g<0>}", part)


def _imports_wandb(folder: Path, program: str, command: Sequence[str]) -> bool:
    """Whether the script that the command names is there and imports wandb."""
    names = [program, f"{program.replace('.', '/')}.py", *(part for part in command if part.endswith(".py"))]
    texts = (path.read_text("utf-8", "replace") for name in names if name and (path := folder / name).is_file())
    return any(re.search(r"^\s*(import|from)\s+wandb\b", text, re.MULTILINE) for text in texts)


def _split(found: Sequence[Found]) -> tuple[tuple[Parameter, ...], dict[str, Any]]:
    """What varies, and the settings that do not; where nothing varies, the constants are choices of one."""
    varied = tuple(f.parameter for f in found if f.parameter is not None)
    fixed = {f.name: f.value for f in found if f.parameter is None}
    return (varied, fixed) if varied else (tuple(choice(name, value) for name, value in fixed.items()), {})


def _notices_of(found: Sequence[Found]) -> list[str]:
    """The notices of all parameters, those that say the same of several put together."""
    names: dict[str, list[str]] = {}
    for one in found:
        for notice in one.notices:
            names.setdefault(notice, []).append(one.name)
    return [f"{', '.join(some)}: {notice}" for notice, some in names.items()]


def _with_booleans(document: PlanDocument) -> dict[str, Any]:
    """The file's content with yes, no, on and off as booleans where they stand without quotes.

    W&B reads YAML 1.1 (PyYAML), where these words are booleans; everything else that people write in
    sweeps is read alike.
    """
    words = {word: value for value, some in ((True, "yes on"), (False, "no off")) for word in some.split()}
    lines = document.text.splitlines()

    def walk(node: Any, plain: Any) -> Any:
        if isinstance(plain, dict):
            return {key: one(node, key, "value", value) for key, value in plain.items()}
        return [one(node, i, "item", value) for i, value in enumerate(plain)] if isinstance(plain, list) else plain

    def one(parent: Any, key: Any, kind: str, value: Any) -> Any:
        if isinstance(value, dict | list):
            return walk(parent[key], value)
        if (
            not isinstance(value, str)
            or value.lower() not in words
            or value not in (value.lower(), value.title(), value.upper())
        ):
            return value
        line, column = getattr(parent.lc, kind)(key)
        is_quoted = lines[line][column : column + 1] in ("'", '"') if line < len(lines) else True
        return value if is_quoted else words[value.lower()]

    return dict(walk(document.tree, document.plain))
