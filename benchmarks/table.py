"""Writes docs/benchmarks.md from what the benchmarks printed.

python benchmarks/table.py FOLDER-OF-JSON docs/benchmarks.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ORDER = ("demo", "startup", "error_rates", "power", "landscapes", "coverage", "training", "recording")
HEAD = """\
# Measured

Written by `make docs` from the output of `make bench` and `make calibrate`; no figure here is typed by hand.
Each script in `benchmarks/` runs both sides in one go. Timings are of one shared machine: trust the ratios more
than the seconds.
"""


def page(folder: Path) -> str:
    """The whole page; a benchmark without figures is said to be missing."""
    parts = [HEAD]
    for name in ORDER:
        file = folder / f"{name}.json"
        parts.append(
            section(name, json.loads(file.read_text())) if file.exists() else f"## {name}\n\nNot measured yet.\n"
        )
    return "\n".join(parts)


def section(name: str, record: dict) -> str:
    """One benchmark: its title, what it ran on, its figures against their targets."""
    about = {k: v for k, v in record.items() if k not in ("title", "figures", "machine")}
    lines = [f"## {record['title']}", "", f"`benchmarks/{name}.py`: " + ", ".join(f"{k} {v}" for k, v in about.items())]
    lines += [f"Machine: {record['machine']}.", "", "| what | measured | target | |", "|---|---:|---:|---|"]
    for f in record["figures"]:
        mark = {None: "", True: "reached", False: "**not reached**"}[f["is_reached"]]
        target = f["target"].replace("<=", "≤").replace(">=", "≥")
        lines.append(f"| {f['cell']}: {f['what']} | {shown(f['value'])} | {target} | {mark} |")
    return "\n".join(lines) + "\n"


def shown(value: float) -> str:
    """A figure with four digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(page(Path(sys.argv[1])), encoding="utf-8")
