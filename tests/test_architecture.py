"""The laws of the house: imports run downward, each foreign library has one door, help is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import surefoot

ROOT = Path(surefoot.__file__).parent
OURS = "surefoot"

# The floors of the house, the lowest first; a folder stands for all that is in it.
FLOORS = (
    ("errors", "stats", "reporting", "standins"),
    ("constraint", "parameter", "space", "run", "words", "finding", "thresholds"),
    ("program", "workload", "sweep", "search", "trials", "history"),
    ("plan", "files", "workloads", "analysis", "refining", "diagnosis"),
    ("comparison", "confounds", "verdict", "claim", "choosing", "ledger", "phases", "strategies"),
    ("execution", "reports", "storage", "records"),
    ("sweeping", "study"),
    ("cli",),
)
# On one floor a room may use another in this order only, from left to right.
ORDER = {
    "stats": ("errors",),
    "parameter": ("constraint",),
    "space": ("constraint", "parameter"),
    "words": ("run",),
    "workload": ("program",),
    "sweep": ("program", "workload"),
    "search": ("sweep",),
    "trials": ("sweep",),
    "history": ("trials",),
    "files": ("plan", "workloads", "analysis", "refining"),
    "refining": ("analysis",),
    "verdict": ("comparison",),
    "claim": ("comparison", "verdict"),
    "choosing": ("comparison",),
    "phases": ("ledger", "claim", "verdict", "comparison"),
    "strategies": ("phases", "ledger"),
    "study": ("sweeping",),
}
# A foreign library and the only rooms that may know it.
DOORS = {
    "torch": ("workloads",),
    "torchvision": ("workloads",),
    "sklearn": ("workloads", "analysis"),
    "mlflow": ("workloads",),
    "optuna": ("search",),
    "threadpoolctl": ("search", "analysis"),
    "ray": ("execution",),
    "sqlalchemy": ("storage",),
    "sqlite3": ("storage",),
    "psycopg": ("storage",),
    "filelock": ("storage",),
    "pydantic": ("files",),
    "pydantic_core": ("files",),
    "ruamel": ("files", "workloads"),
    "yaml": ("workloads",),
    "matplotlib": ("reports",),
    "plotly": ("reports",),
    "jinja2": ("reports",),
    "markupsafe": ("reports",),
    "rich": ("cli",),
    "argparse": ("cli",),
    "psutil": ("execution", "storage", "workloads"),
    "subprocess": ("execution", "workloads"),
    "multiprocessing": ("execution",),
    "urllib": ("workloads", "standins"),
    "scipy": ("stats", "search", "reports", "analysis", "refining"),
    "numpy": (
        "stats",
        "search",
        "comparison",
        "workloads",
        "execution",
        "reports",
        "analysis",
        "refining",
        "records",
        "diagnosis",
    ),
    "onnxruntime": ("workloads",),
    "onnx": ("workloads",),
    "safetensors": ("workloads",),
}
HEAVY = ("torch", "optuna", "mlflow", "ray", "pandas", "matplotlib", "plotly", "numpy", "scipy", "sklearn")

MODULES = sorted(
    ".".join((OURS, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)


def room(module: str) -> str:
    """ "plan_file" for surefoot.files.plan_file, "stats" for surefoot.stats.power, "" for surefoot itself."""
    return module.split(".")[1] if "." in module else ""


ROOMS = sorted({room(m) for m in MODULES} - {""})


def floor(name: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def source(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def imports(module: str, *, at_start_only: bool = False) -> frozenset[str]:
    """Every module that this one imports, inside functions and for type checkers too."""
    return frozenset(_imports(ast.parse(source(module).read_text()), at_start_only))


def _imports(tree: ast.AST, at_start_only: bool) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if at_start_only and (isinstance(node, ast.FunctionDef) or _is_for_type_checkers(node)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out in full"
            assert node.module is not None
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in inner)
        else:
            yield from _imports(node, at_start_only)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_every_room_has_a_floor_and_every_floor_stands():
    assert sorted(name for rooms in FLOORS for name in rooms) == ROOMS


@pytest.mark.parametrize("module", [m for m in MODULES if room(m)])
def test_imports_run_downward_only(module):
    here = room(module)
    for imported in imports(module):
        there = room(imported)
        if not imported.startswith(OURS) or there == here:
            continue
        assert there, f"{module} must import a room, not the public face"
        is_downward = floor(there) < floor(here) or there in ORDER.get(here, ())
        assert is_downward, f"{module} imports {imported}, which is not below it"


def test_no_module_waits_for_itself():
    graph = {m: {i for i in imports(m, at_start_only=True) if i in MODULES} for m in MODULES if m != OURS}
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the circle


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) == "stats"])
def test_stats_knows_nothing_of_ours_but_errors(module):
    ours = {i for i in imports(module) if i.startswith(OURS)}
    assert all(room(i) in ("errors", "stats") for i in ours)
    foreign = {i.split(".")[0] for i in imports(module) if not i.startswith(OURS)} - sys.stdlib_module_names
    assert foreign <= {"numpy", "scipy"}


def test_the_report_is_given_its_runs_and_never_touches_storage():
    assert not [m for m in MODULES if room(m) == "reports" and any(room(i) == "storage" for i in imports(m))]


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_foreign_library_has_one_door(library):
    users = {room(m) for m in MODULES if any(i.split(".")[0] == library for i in imports(m))}
    assert users <= set(DOORS[library])


def test_every_foreign_library_has_a_door():
    foreign = {i.split(".")[0] for m in MODULES for i in imports(m)} - sys.stdlib_module_names - {OURS}
    assert foreign <= set(DOORS)


def loaded_by(*arguments: str) -> set[str]:
    """The modules a fresh Python has loaded after running the command line (or importing, without arguments)."""
    script = (
        "import sys, surefoot\n"
        "if sys.argv[1:]:\n"
        "    from surefoot.cli import main\n"
        "    try: main(sys.argv[1:])\n"
        "    except SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return {name for line in done.stderr.splitlines() for name in (line, line.split(".")[0])}


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("run", "--help"), ("report", "--help")])
def test_importing_and_helping_load_nothing_heavy(arguments):
    assert not loaded_by(*arguments) & {*HEAVY, "sqlalchemy", "pydantic", "ruamel", "rich", "jinja2"}


def test_status_loads_only_what_reads_the_record(tmp_path):
    from surefoot.storage import Record

    with Record.open(tmp_path) as record:
        record.add_study("walk", "digits")
    loaded = loaded_by("status", "--home", str(tmp_path))
    assert "sqlalchemy" in loaded
    assert not loaded & {"torch", "matplotlib", "scipy.stats", "pydantic", "ruamel", "pandas", "sklearn", "jinja2"}


def test_checking_a_plan_loads_neither_torch_nor_matplotlib(tmp_path):
    loaded = loaded_by("check", str(ROOT.parents[1] / "examples" / "digits.yaml"), "--home", str(tmp_path))
    assert "pydantic" in loaded
    assert not loaded & {"torch", "matplotlib", "jinja2", "pandas"}
