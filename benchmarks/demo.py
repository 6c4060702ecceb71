"""What `make demo` does once everything is installed: the digits study and its report, timed whole.

python benchmarks/demo.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, at_least, at_most, publish

PLAN = Path(__file__).resolve().parent.parent / "examples" / "digits.yaml"


def main() -> int:
    """Runs the demo in a new home, counts its verdicts, prints and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    surefoot = [sys.executable, "-m", "surefoot.cli"]
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        subprocess.run([*surefoot, "run", str(PLAN), "--home", home], check=True, capture_output=True)
        subprocess.run([*surefoot, "report", "digits", "--home", home], check=True, capture_output=True)
        taken = time.perf_counter() - began
        told = subprocess.run([*surefoot, "journal", "--json", "--home", home], check=True, capture_output=True)
    journal = json.loads(told.stdout)
    verdicts = [v for e in journal["experiments"] for v in e["verdicts"]]
    figures = [
        at_most("make demo", "seconds, whole", taken, 180),
        at_least("make demo", "verdicts from at least 5 pairs", sum((v["n"] or 0) >= 5 for v in verdicts), 4),
        Figure(cell="make demo", what="runs trained", value=journal["runs"]["complete"]),
    ]
    return publish("make demo: the digits study and its report, in a new home", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
