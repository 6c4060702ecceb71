"""What `import surefoot` offers: all of it there, in the order of the method, and explained."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import surefoot

ROOT = Path(surefoot.__file__).parent
# The order of the method: what may vary, what is measured and trained, plan, run, decide, analyse.
HOMES = (
    "errors",
    "parameter",
    "space",
    "run",
    "program",
    "workload",
    "reporting",
    "plan",
    "sweep",
    "files",
    "storage",
    "execution",
    "study",
    "sweeping",
    "comparison",
    "verdict",
    "claim",
    "trials",
    "history",
    "records",
    "finding",
    "analysis",
    "refining",
    "reports",
    "thresholds",
    "diagnosis",
)


@pytest.mark.parametrize("name", surefoot.__all__)
def test_every_public_name_is_there_and_explained(name):
    value = getattr(surefoot, name)
    said = inspect.getdoc(value) or ""
    assert len(said.split()) >= 4, f"{name} does not say what it is"
    assert not said.startswith(f"{name}("), f"{name} has only the docstring that dataclasses make up"


def test_the_public_names_are_unique_and_listed_by_dir():
    assert len(set(surefoot.__all__)) == len(surefoot.__all__)
    assert set(surefoot.__all__) <= set(dir(surefoot))


def test_the_public_names_come_in_the_order_of_the_method():
    homes = [getattr(surefoot, name).__module__.split(".")[1] for name in surefoot.__all__]
    places = [HOMES.index(home) for home in homes]
    assert places == sorted(places)


def test_type_checkers_are_told_the_same_names():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == set(surefoot.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Plann'"):
        _ = surefoot.Plann


def documented() -> list[tuple[str, ast.AST]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in [tree, *ast.walk(tree)]:
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                name = getattr(node, "name", path.stem)
                if not name.startswith("_") or isinstance(node, ast.Module):
                    found.append((f"{path.relative_to(ROOT)}:{name}", node))
    return found


def test_every_docstring_opens_with_a_whole_sentence():
    bad = []
    for name, node in documented():
        said = ast.get_docstring(node)
        if said is not None and said.split("\n\n")[0].rstrip()[-1:] not in '.:?!"':
            bad.append(name)
    assert not bad


def test_every_module_opens_with_its_caption():
    bare = [str(p) for p in sorted(ROOT.rglob("*.py")) if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not bare


def test_all_modules_import():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        importlib.import_module(".".join(part for part in parts if part != "__init__"))
