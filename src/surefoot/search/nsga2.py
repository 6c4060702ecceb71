"""NSGA-II: generations that are crossed, mutated and sorted by fronts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.samplers import NSGAIISampler, nsgaii

from surefoot.search.generational import Generational

CROSSOVERS: Mapping[str, Callable[[bool, float], nsgaii.BaseCrossover]] = {
    "uniform": lambda is_single, swapping: nsgaii.UniformCrossover(swapping_prob=swapping),
    "blxalpha": lambda is_single, swapping: nsgaii.BLXAlphaCrossover(alpha=0.5),
    # Deb and Agrawal (1995): children nearer to their parents where there is a front to spread along.
    "sbx": lambda is_single, swapping: nsgaii.SBXCrossover(
        eta=2.0 if is_single else 20.0, uniform_crossover_prob=0.5, use_child_gene_prob=0.5
    ),
    "vsbx": lambda is_single, swapping: nsgaii.VSBXCrossover(
        eta=2.0 if is_single else 20.0, uniform_crossover_prob=0.5, use_child_gene_prob=0.5
    ),
    # None: the square roots of the dimension that their papers give.
    "spx": lambda is_single, swapping: nsgaii.SPXCrossover(epsilon=None),
    "undx": lambda is_single, swapping: nsgaii.UNDXCrossover(sigma_xi=0.5, sigma_eta=None),
}


class Nsga2(Generational):
    """NSGA-II (Deb et al. 2002); it crosses what exists in every config.

    What mutates is drawn anew, with its weights. A pruned trial's last value is told as its final one.
    """

    name = "nsga2"
    MARK = "NSGAIISampler:generation"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._with_parents = 0

    def _is_ready(self, number: int) -> bool:
        return self._generation() > 0

    def _proposed(self, number: int, attempt: int) -> dict[str, Any]:
        study, generation = self._ledger.study, self._generation()
        self._ledger.open(number)
        self._ledger.mark(number, self.MARK, generation)
        sampler = NSGAIISampler(
            population_size=self._population,
            mutation=None,  # drawn anew
            mutation_prob=self._options["mutation_rate"],
            crossover=CROSSOVERS[self._options["crossover"]](len(self._targets) == 1, self._options["swapping_rate"]),
            crossover_prob=self._options["crossover_rate"],
            swapping_prob=self._options["swapping_rate"],
            seed=self._sampler_seed(number, attempt),
            constraints_func=None,  # margins are told
            elite_population_selection_strategy=None,
            child_generation_strategy=None,
            after_trial_strategy=None,
        )
        # Parents come in another order when they are first chosen than ever after: nobody may be the first.
        while self._with_parents < generation:
            self._with_parents += 1
            sampler.get_parent_population(study, self._with_parents)
        drawn = sampler.sample_relative(study, self._ledger.open(number), self._everywhere())
        return self._built(number, attempt, drawn)

    def _proposing(self, number: int, origin: str) -> None:
        generation = self._generation()
        self._ledger.mark(number, self.MARK, generation)
        self._generation_of[number] = generation

    def _remember(self, number: int, origin: str) -> None:
        self._proposing(number, origin)

    def _own_notices(self, is_constrained: bool) -> Sequence[str]:
        conditional = [p for p in self._space.parameters if p.when]
        return self._left_to_chance("crosses no parameter that exists only under conditions", conditional)
