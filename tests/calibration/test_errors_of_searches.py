"""A search on a landscape where nothing helps: its best looks far better, and is adopted no more often than stated."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from simulation import error_bound
from surefoot.plan import SEARCH_BLOCK, Experiment, Plan, Prediction, Rule, SearchPlan, exploring_seeds
from surefoot.reports.story import PickStory, SearchStory
from surefoot.run import Measurement, Metric, Provenance, Run, Status, config_hash
from surefoot.space import SearchSpace, real
from surefoot.study.walk import Material, Registration, Walk, walk
from surefoot.workload import Workload

STUDIES = 300
TRIALS = 30
SCORE = Metric(name="score", goal="maximize")
SPACE = SearchSpace(parameters=(real("x", 0.0, 1.0),))
PLACE = Provenance(code_fingerprint="code", data_fingerprint="data")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    x: float = 0.0


NULL = Workload(name="null", summary="noise", config=Config, metrics=(SCORE,), space=SPACE, train=lambda *_: None)


def study(top: int, rule: Rule) -> Plan:
    search = SearchPlan(space=SPACE, trials=TRIALS, top=top)
    better = Prediction(arm="best", metric="score", relation="better")
    tune = Experiment(
        id="tune", hypothesis="A better x is within reach.", arms=(), predictions=(better,), search=search
    )
    return Plan(
        study="null", workload="null", metrics=(SCORE,), primary="score", rule=rule, baseline={"x": 0.0},
        experiments=(tune,),
    )  # fmt: skip


class NullWorld:
    """Every config has the same mean; a run is noise, a part of it common to its seed.

    In one that `leaks` the search explores on the very seeds of the race.
    """

    def __init__(self, plan: Plan, seed: int, correlation: float, *, leaks: bool = False) -> None:
        self.plan, self.seed, self.correlation, self.leaks = plan, seed, correlation, leaks
        self.runs: dict[tuple[str, int], Run] = {}

    def value(self, config: Mapping[str, Any], seed: int) -> float:
        own = np.random.default_rng([self.seed, seed, int(config_hash(config)[:12], 16)]).standard_normal()
        common = np.random.default_rng([self.seed, seed]).standard_normal()
        return float(np.sqrt(self.correlation) * common + np.sqrt(1 - self.correlation) * own)

    def train(self, config: Mapping[str, Any], seed: int) -> None:
        measured = (Measurement(step=1, values={"score": self.value(config, seed)}),)
        self.runs[(config_hash(config), seed)] = Run(
            id=len(self.runs), key=str(len(self.runs)), workload="null", config=config, seed=seed,
            status=Status.COMPLETE, measurements=measured, provenance=PLACE,
        )  # fmt: skip

    def searched(self) -> SearchStory:
        """The best of single runs on the search's seed, as StudySearch picks them."""
        (tune,) = self.plan.experiments
        draw = np.random.default_rng([self.seed, 1])
        seeds = exploring_seeds(self.plan.rule.seeds) if self.leaks else exploring_seeds(1, SEARCH_BLOCK)
        found = [(self.explored(x, seeds), number, x) for number, x in enumerate(draw.random(TRIALS).tolist())]
        best = sorted(found, reverse=True)
        picks = tuple(
            PickStory(arm=arm, trial=number, changes={"x": x}, explored=value)
            for arm, (value, number, x) in zip(tune.search.arm_names, best, strict=False)
        )
        return SearchStory(method="random", trials={"complete": TRIALS}, picks=picks)

    def explored(self, x: float, seeds: tuple[int, ...]) -> float:
        return statistics.fmean(self.value({"x": x}, seed) for seed in seeds)

    def to_the_end(self) -> Walk:
        (tune,) = self.plan.experiments
        registered = Registration(revision=1, plan_hash="", registered_at="", rule=self.plan.rule)
        material = Material(
            plan=self.plan,
            workload=NULL,
            registrations={"tune": registered},
            find=lambda config, seed: self.runs.get((config_hash(config), seed)),
            searches={("tune", config_hash(self.plan.baseline), tune.search.hash): self.searched()},
        )
        while (found := walk(material)).wanted:
            for request in found.wanted:
                self.train(request.config, request.seed)
        return found


@pytest.mark.parametrize(("top", "correlation"), [(1, 0.0), (3, 0.5)])
def test_the_lucky_best_of_a_search_is_adopted_no_more_often_than_its_arms_may_be(top, correlation):
    plan = study(top, Rule())
    ends = [NullWorld(plan, seed, correlation).to_the_end() for seed in range(STUDIES)]
    adopted = sum(len(end.path) > 1 for end in ends)
    stated = top * plan.rule.adopt_alpha
    assert all(end.expected_false_adopts == pytest.approx(stated) for end in ends)
    assert adopted / STUDIES <= error_bound(stated, STUDIES)
    # One arm's error is its own, whichever trial it was: the race saw none of what chose it.
    assert sum(end.experiments[0].steps["best"].decision == "ADOPT" for end in ends) / STUDIES <= error_bound(
        plan.rule.adopt_alpha, STUDIES
    )
    claimed = sum(bool(end.overall and end.overall.is_confirmed) for end in ends)
    assert claimed / STUDIES <= error_bound(plan.rule.claim_alpha, STUDIES)


def test_the_sweeps_best_would_have_claimed_a_gain_that_is_not_there():
    plan = study(1, Rule())
    worlds = [NullWorld(plan, seed, 0.0) for seed in range(STUDIES)]
    (seed,) = exploring_seeds(1, SEARCH_BLOCK)
    shown = [w.searched().picks[0].explored - w.value(plan.baseline, seed) for w in worlds]
    assert statistics.fmean(shown) > 1.5
    assert sum(gain > 0 for gain in shown) / STUDIES > 0.9


def test_a_race_on_the_seeds_that_were_searched_would_adopt_too_often():
    ends = [NullWorld(study(1, Rule()), seed, 0.0, leaks=True).to_the_end() for seed in range(STUDIES)]
    assert sum(len(end.path) > 1 for end in ends) / STUDIES > error_bound(0.20, STUDIES)
