"""Writes what the README shows of other files: the tree with each file's caption, and the first study."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = {
    "first.yaml": ("yaml", "examples/first.yaml"),
    "first.out": ("", "docs/first.txt"),
    "svm.yaml": ("yaml", "examples/any_script/svm.yaml"),
    "analyze.out": ("", "docs/analyze.txt"),
    "refine.out": ("", "docs/refine.txt"),
    "cifar10_phases.yaml": ("yaml", "examples/cifar10_phases.yaml"),
    "phases.out": ("", "docs/phases.txt"),
    "bowl.py": ("python", "examples/own_model/bowl.py"),
}
# The order a newcomer should meet them in: the words, the work, the families.
ORDER = [
    *("__init__", "errors", "constraint", "parameter", "space", "run", "words", "finding", "thresholds"),
    *("program", "workload", "plan", "sweep", "trials", "history", "files"),
    *("comparison", "confounds", "verdict", "claim", "choosing", "search", "analysis", "refining", "diagnosis"),
    *("ledger", "phases", "strategies", "sweeping", "study"),
    *("execution", "storage", "records", "reports", "stats", "workloads", "reporting", "standins", "cli"),
]


def tree() -> str:
    """The tree as text, captions aligned."""
    rows = [("src/surefoot/", "")]
    rows += _rows(ROOT / "src" / "surefoot", "")
    width = max(len(left) for left, _ in rows) + 2
    return "\n".join(f"{left:<{width}}{caption}".rstrip() for left, caption in rows)


def readme_with(text: str) -> str:
    """The README's text with today's tree and files in it."""
    text = _between(text, "tree", "", tree())
    for name, (language, path) in SHOWN.items():
        text = _between(text, name, language, (ROOT / path).read_text(encoding="utf-8").rstrip())
    return text


def _between(text: str, name: str, language: str, content: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, rest = text.split(begin, 1)
    return f"{head}{begin}\n```{language}\n{content}\n```\n{end}{rest.split(end, 1)[1]}"


def _rows(folder: Path, indent: str) -> list[tuple[str, str]]:
    entries = sorted(_entries(folder), key=lambda path: _rank(path, folder))
    rows = []
    for i, path in enumerate(entries):
        is_last = i == len(entries) - 1
        branch, below = ("└── ", "    ") if is_last else ("├── ", "│   ")
        source = path / "__init__.py" if path.is_dir() else path
        rows.append((f"{indent}{branch}{path.name}{'/' if path.is_dir() else ''}", _caption(source)))
        if path.is_dir():
            rows += _rows(path, indent + below)
    return rows


def _entries(folder: Path) -> list[Path]:
    files = [p for p in folder.glob("*.py") if p.name != "__init__.py" or folder.name == "surefoot"]
    return files + [p for p in folder.iterdir() if (p / "__init__.py").exists()]


def _rank(path: Path, folder: Path) -> tuple[int, str]:
    is_top = folder.name == "surefoot"
    return (ORDER.index(path.stem) if is_top and path.stem in ORDER else len(ORDER), path.name)


def _caption(source: Path) -> str:
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0].rstrip(".") if text else ""


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(readme_with(readme.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(tree() + "\n")
