"""How long a person waits for `surefoot --help` and `surefoot status`, as whole processes.

python benchmarks/startup.py [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, at_most, publish

HEAVY = ("torch", "optuna", "mlflow", "ray", "pandas", "matplotlib", "scipy", "numpy")
REPEATS = 9
PLAN = """\
study: quick
workload: digits
metrics: {val_loss: {goal: minimize}}
seeds: 2
baseline: {steps: 5}
"""


def seconds(command: list[str]) -> float:
    """The median of nine whole processes."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def heavy_imports(arguments: list[str]) -> int:
    """How many heavy libraries a verb loads."""
    script = (
        "import sys, contextlib, io\n"
        "from surefoot.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main({arguments!r})\n"
        f"print(sum(name in sys.modules for name in {HEAVY!r}))"
    )
    return int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)


def main() -> int:
    """Measures, prints, and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    surefoot = [sys.executable, "-m", "surefoot.cli"]
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.yaml"
        plan.write_text(PLAN)
        home = f"{folder}/home"
        subprocess.run([*surefoot, "run", str(plan), "--home", home], check=True, capture_output=True)
        bare = seconds([sys.executable, "-c", "pass"])
        helping = seconds([*surefoot, "--help"])
        status = seconds([*surefoot, "status", "--home", home])
        figures = [
            Figure(cell="python -c pass", what="seconds", value=bare),
            at_most("surefoot --help", "seconds", helping, 0.3),
            at_most("surefoot --help", "heavy libraries loaded", heavy_imports(["--help"]), 0),
            at_most("surefoot status", "seconds", status, 0.8),
        ]
    return publish("Start-up: whole processes, the median of nine", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
