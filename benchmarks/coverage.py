"""How often the 95 % interval from fresh seeds holds the true gain, after a race chose the arm."""

from __future__ import annotations

import math
import sys
from collections import defaultdict

import numpy as np

from figures import Figure, between, must_fail, told
from simulation import GAIN, main, parts, simulated_study, spread, summed, warm_thresholds
from surefoot.claim import Step, confirm
from surefoot.plan import Prediction, Rule
from surefoot.verdict import Decision, decide

RULE = Rule()
BETTER = Prediction(arm="arm", metric="score", relation="better")
CORRELATIONS = (0.0, 0.5, 0.8)
EFFECTS = (0.0, 0.5, 1.0)


def measure(repetitions: int, seed: int, workers: int) -> list[Figure]:
    warm_thresholds([RULE.looks])
    figures = []
    for i, rho in enumerate(CORRELATIONS):
        jobs = [(rho, n, [seed, i, j]) for j, n in enumerate(parts(repetitions))]
        count = summed(spread(adopted_steps, jobs, workers))
        cell = f"rho {rho:g}, adopted arms"
        figures.append(between(cell, "fresh-seed interval covers", _share(count, "covered", "adopted"), 0.935, 0.965))
        for kind in ("paired", "two-sample"):
            cases = count.get(kind, 0.0)
            if cases >= 0.05 * count["adopted"]:
                figures.append(told(cell, f"  of these {kind}", _share(count, f"{kind} covered", kind)))
        figures.append(told(cell, "  of these null arms", _share(count, "null covered", "null")))
        figures.append(told(cell, "exploring interval covers", _share(count, "exploring covered", "adopted")))
        missed = 1 - _share(count, "null exploring covered", "null")
        figures.append(must_fail(cell, "exploring interval of null arms misses", missed, 0.065))
        figures.append(told(cell, "fresh estimate minus truth, sd", _share(count, "fresh bias", "adopted")))
        figures.append(told(cell, "exploring estimate minus truth, sd", _share(count, "exploring bias", "adopted")))
    return figures


def _share(count: dict[str, float], part: str, whole: str) -> float:
    return count.get(part, 0.0) / count[whole] if count.get(whole) else math.nan


def adopted_steps(correlation: float, repetitions: int, seed: list[int]) -> dict[str, float]:
    """Counts over adopted arms whose true gain is 0, 0.5 or 1 sd of a paired difference."""
    rng = np.random.default_rng(seed)
    counts: dict[str, float] = defaultdict(float)
    for _ in range(repetitions):
        effect = float(rng.choice(EFFECTS))
        study = simulated_study(rng, looks=RULE.looks, correlation=correlation, shape="normal", gain_in_sds=effect)
        verdict = decide(BETTER, study.arm, study.champion, metric=GAIN, rule=RULE, noise=study.noise, is_screened=True)
        if verdict.decision is not Decision.ADOPT or verdict.interval is None or verdict.estimate is None:
            continue
        step = Step(
            name="step",
            before="champion",
            after="arm",
            before_values=tuple(study.fresh_champion),
            after_values=tuple(study.fresh_arm),
        )
        (claim,) = confirm([step], metric=GAIN, rule=RULE, noise=study.noise)
        sd = math.sqrt(2 * (1 - correlation))
        truth = effect * sd
        is_covered = claim.interval[0] <= truth <= claim.interval[1]
        kind = "two-sample" if "two-sample" in claim.method or "Welch" in claim.method else "paired"
        counts["adopted"] += 1
        counts["covered"] += is_covered
        counts[kind] += 1
        counts[f"{kind} covered"] += is_covered
        is_covered_before = verdict.interval[0] <= truth <= verdict.interval[1]
        counts["exploring covered"] += is_covered_before
        if effect == 0.0:
            counts["null"] += 1
            counts["null covered"] += is_covered
            counts["null exploring covered"] += is_covered_before
        counts["fresh bias"] += (claim.estimate - truth) / sd
        counts["exploring bias"] += (verdict.estimate - truth) / sd
    return dict(counts)


if __name__ == "__main__":
    sys.exit(main("Coverage of the confirmed interval", measure, 20_000))
