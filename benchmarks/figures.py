"""A measured figure beside what it must reach; printed as a table, kept as JSON for docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One measured figure, what it must reach, and whether it did; `is_reached` None where it only informs."""

    cell: str
    what: str
    value: float
    target: str = ""
    is_reached: bool | None = None


def at_most(cell: str, what: str, value: float, bound: float) -> Figure:
    """The figure that must not exceed a bound."""
    return Figure(cell=cell, what=what, value=value, target=f"<= {bound:.4g}", is_reached=value <= bound)


def at_least(cell: str, what: str, value: float, bound: float) -> Figure:
    """The figure that must reach a bound."""
    return Figure(cell=cell, what=what, value=value, target=f">= {bound:.4g}", is_reached=value >= bound)


def between(cell: str, what: str, value: float, low: float, high: float) -> Figure:
    """The figure that must lie between two bounds."""
    return Figure(cell=cell, what=what, value=value, target=f"{low:.4g} to {high:.4g}", is_reached=low <= value <= high)


def must_fail(cell: str, what: str, value: float, bound: float) -> Figure:
    """A negative control: a rule that a test with teeth finds above the bound."""
    said = f"{what} [control: must fail]"
    return Figure(cell=cell, what=said, value=value, target=f"> {bound:.4g}", is_reached=value > bound)


def told(cell: str, what: str, value: float) -> Figure:
    """A figure that only informs."""
    return Figure(cell=cell, what=what, value=value)


def publish(title: str, figures: Sequence[Figure], json_file: Path | None = None, **about: object) -> int:
    """Prints the table, writes the JSON; 1 where a target is not reached, else 0."""
    print(f"{title}\n")
    print_table(figures)
    if json_file is not None:
        record = {"title": title, "machine": machine(), **about, "figures": [asdict(figure) for figure in figures]}
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(record, indent=1) + "\n")
    return 1 if any(figure.is_reached is False for figure in figures) else 0


def print_table(figures: Sequence[Figure]) -> None:
    """The figures as aligned lines, and how many targets were reached."""
    widths = [max(len(getattr(f, name)) for f in figures) for name in ("cell", "what", "target")]
    for f in figures:
        mark = {None: "", True: "reached", False: "NOT REACHED"}[f.is_reached]
        print(f"{f.cell:{widths[0]}}  {f.what:{widths[1]}}  {f.value:9.4f}  {f.target:{widths[2]}}  {mark}".rstrip())
    tested = [f for f in figures if f.is_reached is not None]
    print(f"\n{sum(bool(f.is_reached) for f in tested)} of {len(tested)} targets reached")


def machine() -> str:
    """The machine in a few words: processor, cores, memory, Python."""
    name = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        models = [
            line.split(":", 1)[1].strip() for line in cpu.read_text().splitlines() if line.startswith("model name")
        ]
        name = models[0] if models else name
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
