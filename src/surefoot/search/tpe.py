"""TPE: tree-structured Parzen estimators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from surefoot.search.modelled import Modelled
from surefoot.space import Parameter


class Tpe(Modelled):
    """Tree-structured Parzen estimators: Bergstra et al. (2011), in Watanabe's reading (arXiv:2304.11127).

    Parameters that exist under the same conditions are modelled together, from the trials that have them:
    Optuna's `group`, told from the space instead of found out from the trials.
    """

    name = "tpe"
    takes_pruned = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        told = self._options["multivariate"]
        self._is_joint: bool = len(self._targets) == 1 if told is None else told
        self._mates: dict[str, dict[str, BaseDistribution]] = {}
        for p in self._space.parameters if self._is_joint else ():
            if not p.when or self._options["group"]:
                same = [self._axes[q.key] for q in self._space.ordered if q.when == p.when]
                self._mates[p.key] = {a.key: a.distribution for a in same if not a.is_single}

    def _is_ready(self, number: int) -> bool:
        counts = self._ledger.counts
        return counts[TrialState.COMPLETE] + counts[TrialState.PRUNED] >= int(self._options["startup"])

    def _proposed(self, number: int, attempt: int) -> dict[str, Any]:
        sampler, study, trial = self._sampler(number, attempt), self._ledger.study, self._ledger.open(number)
        places: dict[str, Any] = {}

        def choose(parameter: Parameter) -> Any:
            axis = self._axes[parameter.key]
            if axis.key not in places and axis.is_single:
                return parameter.value_at(0.5)
            if axis.key not in places and axis.key in self._mates:
                places.update(sampler.sample_relative(study, trial, self._mates[axis.key]))
            elif axis.key not in places:
                places[axis.key] = sampler.sample_independent(study, trial, axis.key, axis.distribution)
            return axis.value(places[axis.key])

        return self._space.build(choose)

    def _sampler(self, number: int, attempt: int) -> BaseSampler:
        return TPESampler(
            n_startup_trials=0,  # counted here
            n_ei_candidates=self._options["candidates"],
            seed=self._sampler_seed(number, attempt),
            multivariate=self._is_joint,
            group=False,  # grouped here
            constant_liar=self._options["constant_liar"],
            constraints_func=None,  # margins are told
            warn_independent_sampling=False,
            # As Optuna 5.0 has them by default: a prior that weighs as much as one trial, kernels no narrower
            # than the number of trials bears out, the ends of a range not taken for trials.
            consider_prior=True,
            prior_weight=1.0,
            consider_magic_clip=True,
            consider_endpoints=False,
            gamma=good_trials if len(self._targets) == 1 else good_trials_of_several,
            weights=fading,
        )


def good_trials(count: int) -> int:
    """How many of so many trials count as good ones: a tenth, at most 25, as in Optuna 5.0."""
    return min(math.ceil(0.1 * count), 25)


def good_trials_of_several(count: int) -> int:
    """The same with several targets, where a front may need more than 25 points."""
    return math.ceil(0.1 * count)


def fading(count: int) -> np.ndarray[Any, Any]:
    """How much each of so many trials weighs, the oldest first: the last 25 fully, those before less and less."""
    if count < 25:
        return np.ones(count)
    return np.concatenate([np.linspace(1 / count, 1.0, num=count - 25), np.ones(25)])
