"""CMA-ES: a normal distribution that moves and stretches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.samplers import CmaEsSampler, RandomSampler
from optuna.trial import FrozenTrial

from surefoot.errors import PlanError
from surefoot.search.generational import Generational


class CmaEs(Generational):
    """CMA-ES (Hansen 2016, arXiv:1604.00772) over the numbers that exist in every config.

    Without margin (Hamano et al. 2022): where a point lay before it was rounded is on no record. Without
    restarts: Optuna 5.0 has none. A trial that breaks a constraint on a metric is told as the worst value seen.
    """

    name = "cmaes"
    takes_constraints = False
    MARK, STATE = "cma:generation", "cma:optimizer"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if len(self._targets) > 1:
            names = ", ".join(m.name for m in self._targets)
            raise PlanError(f"cmaes searches for one metric; got {names}. Use nsga2, gp or tpe for several")
        self._numbers = self._everywhere(numbers_only=True)
        if self._options["separable"]:
            self.MARK, self.STATE = "sepcma:generation", "sepcma:optimizer"
        # The generations whose optimizer a complete trial carries; Optuna reads it from no other.
        self._carried: set[int] = {0}

    @property
    def _population(self) -> int:
        # Hansen (2016), equation 48.
        return self._options["population"] or 4 + math.floor(3 * math.log(max(len(self._numbers), 1)))

    def _is_ready(self, number: int) -> bool:
        return bool(self._numbers) and super()._is_ready(number)

    def _proposed(self, number: int, attempt: int) -> dict[str, Any]:
        return self._built(number, attempt, self._sampled(self._ledger.open(number), number, attempt))

    def _sampled(self, trial: FrozenTrial, number: int, attempt: int) -> dict[str, Any]:
        seed = self._sampler_seed(number, attempt)
        sampler = CmaEsSampler(
            x0=None,  # the middle of the space
            sigma0=None,  # a sixth of every range
            n_startup_trials=0,  # counted here
            independent_sampler=RandomSampler(seed=seed),  # never asked
            warn_independent_sampling=False,
            seed=seed,
            consider_pruned_trials=False,  # told as complete ones: a generation would wait for ever under ASHA
            restart_strategy=None,
            inc_popsize=-1,
            popsize=self._population,
            use_separable_cma=bool(self._options["separable"]) and len(self._numbers) > 1,
            with_margin=False,
            lr_adapt=self._options["lr_adapt"],
            source_trials=None,
        )
        return sampler.sample_relative(self._ledger.study, trial, self._numbers)

    def _proposing(self, number: int, origin: str) -> None:
        if origin == self.name:
            self._generation_of[number] = int(self._ledger.open(number).system_attrs[self.MARK])
        else:  # what the model proposed was refused, and this is no point of its distribution
            self._ledger.mark(number, self.MARK, -1)

    def _remember(self, number: int, origin: str) -> None:
        """Counts the trial to its generation; the first of one makes the optimizer learn from the one before."""
        if origin != self.name:
            return
        if self._generation() in self._carried:
            self._ledger.mark(number, self.MARK, self._generation())
        else:
            self._sampled(self._ledger.open(number), number, 0)
        self._proposing(number, origin)

    def _completed(self, number: int) -> None:
        attributes = self._ledger.open(number).system_attrs
        if any(key.startswith(self.STATE) for key in attributes):
            self._carried.add(int(attributes[self.MARK]))
        super()._completed(number)

    def _own_notices(self, is_constrained: bool) -> Sequence[str]:
        others = [p for p in self._space.parameters if p.when or not self._axes[p.key].is_number]
        notices = self._left_to_chance("moves only numbers that exist in every config", others)
        said = "cmaes knows no constraints on metrics: a trial that breaks one counts as the worst seen"
        return (*notices, said) if is_constrained else notices
