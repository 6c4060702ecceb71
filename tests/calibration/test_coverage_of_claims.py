"""The interval from fresh seeds covers the truth after a race chose the arm; the race's own does not."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest

# Loaded by its path, as the well-known package of that name may be installed.
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage.py"
spec = importlib.util.spec_from_file_location("benchmark_coverage", SCRIPT)
coverage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(coverage)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_confirmed_interval_covers_the_truth_as_often_as_stated(correlation):
    count = coverage.adopted_steps(correlation, 2500, [1])
    adopted = count["adopted"]
    slack = 3 * math.sqrt(0.05 * 0.95 / adopted)
    assert 0.935 - slack <= count["covered"] / adopted <= min(0.965 + slack, 0.995)
    assert abs(count["fresh bias"] / adopted) < 0.06


def test_the_exploring_estimate_of_an_adopted_arm_flatters_it():
    count = coverage.adopted_steps(0.5, 1500, [2])
    assert count["exploring bias"] / count["adopted"] > 0.1
    assert count["null exploring covered"] / count["null"] < 0.9
