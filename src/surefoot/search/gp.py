"""GP: a Gaussian process and its expected improvement."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

from optuna.samplers import GPSampler, RandomSampler

from surefoot.errors import MissingExtraError
from surefoot.search.modelled import Modelled


class Gp(Modelled):
    """A Gaussian process with log expected improvement (Ament et al. 2023), as Optuna 5.0 has it.

    It models what exists in every config. A pruned trial's last value is told as its final one.
    """

    name = "gp"

    def __init__(self, *arguments: Any) -> None:
        if not all(map(importlib.util.find_spec, ("torch", "threadpoolctl"))):
            raise MissingExtraError("method gp needs PyTorch: pip install 'surefoot[torch]', or choose method tpe")
        super().__init__(*arguments)

    def _proposed(self, number: int, attempt: int) -> dict[str, Any]:
        seed = self._sampler_seed(number, attempt)
        sampler = GPSampler(
            seed=seed,
            independent_sampler=RandomSampler(seed=seed),  # never asked
            n_startup_trials=0,  # counted here
            deterministic_objective=self._options["deterministic"],
            constraints_func=None,  # margins are told
            warn_independent_sampling=False,
        )
        trial = self._ledger.open(number)
        # With one thread sums have one order, whatever the machine; and beside busy workers it is three times as fast.
        with _threads_at_most(1):
            places = sampler.sample_relative(self._ledger.study, trial, self._everywhere())
        return self._built(number, attempt, places)

    def _own_notices(self, is_constrained: bool) -> Sequence[str]:
        conditional = [p for p in self._space.parameters if p.when]
        return self._left_to_chance("models no parameter that exists only under conditions", conditional)


def _threads_at_most(count: int) -> AbstractContextManager[Any]:
    from threadpoolctl import threadpool_limits

    return cast(AbstractContextManager[Any], threadpool_limits(limits=count))
