"""A method that learns: one of Optuna's samplers, asked without a memory of its own.

Optuna's samplers draw from a generator that lives as long as they do, GP keeps its last fit, CMA-ES and
NSGA-II keep their generations with the trials. None of that would survive a resume. So a sampler is made anew
for every proposal, seeded by (seed, number, attempt), and what generation a trial is of is worked out again
from the trials told before it. Every option is given, those that Optuna means to drop included: its
defaults have changed before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from surefoot.run import Metric
from surefoot.search.axis import axis_of
from surefoot.search.drawn import Point, Random, Sobol, whole_number_from
from surefoot.search.ledger import Ledger
from surefoot.search.quiet import quietly
from surefoot.search.source import Answer, Source
from surefoot.space import Parameter, SearchSpace

# Streams of random numbers beside the drawn ones, which have (seed, number, attempt).
MODEL, REST = 1, 2


class Modelled(Source):
    """What the four have in common: first draws along a Sobol sequence, then the model, trial by trial.

    The first draws honour weights and normal distributions, as do those of parameters that the model leaves out.
    """

    name = ""
    most_tries = 4
    takes_pruned = False
    takes_constraints = True

    def __init__(
        self,
        space: SearchSpace,
        targets: Sequence[Metric],
        constraints: Sequence[str],
        options: Mapping[str, Any],
        seed: int,
    ) -> None:
        self._space, self._options, self._seed = space, options, seed
        self._targets = targets
        self._axes = {p.key: axis_of(p) for p in space.parameters}
        self._start, self._rest = Sobol(space, seed), Random(space, whole_number_from(seed, REST))
        self._ledger = Ledger(
            targets, constraints, takes_pruned=self.takes_pruned, takes_constraints=self.takes_constraints
        )
        self._recalled: dict[int, tuple[Mapping[str, Any], str]] = {}
        self._answers: dict[int, Answer] = {}
        self.notices = (*self._weight_notices(), *self._own_notices(bool(constraints)))

    def draw(self, number: int, attempt: int) -> tuple[dict[str, Any], str] | None:
        """The model's config, or a first draw."""
        if not self._is_ready(number):
            return self._start.draw(number, attempt)
        with quietly():
            return self._proposed(number, attempt), self.name

    def settle(self) -> None:
        """Writes down trials and answers in the order of their numbers, so that their timing does not matter."""
        with quietly():
            for number in sorted({*self._recalled, *self._answers}):
                if number in self._recalled:
                    self._enter(number, *self._recalled[number])
                    self._remember(number, self._recalled[number][1])
                if number in self._answers:
                    for complete in self._ledger.tell(self._answers[number]):
                        self._completed(complete)
        self._recalled, self._answers = {}, {}

    def add(self, number: int, settings: Mapping[str, Any], origin: str) -> None:
        """Writes down what is proposed; whoever asks meanwhile keeps away from it."""
        with quietly():
            self._enter(number, settings, origin)
            self._proposing(number, origin)

    def recall(self, number: int, settings: Mapping[str, Any], origin: str) -> None:
        """Kept until the next proposal."""
        self._recalled[number] = (settings, origin)

    def tell(self, answer: Answer) -> None:
        """Kept until the next proposal."""
        self._answers[answer.number] = answer

    def _proposed(self, number: int, attempt: int) -> dict[str, Any]:
        raise NotImplementedError

    def _is_ready(self, number: int) -> bool:
        """Whether the model has seen enough to speak."""
        return self._ledger.counts[TrialState.COMPLETE] >= int(self._options["startup"])

    def _proposing(self, number: int, origin: str) -> None:
        """A new trial is written down."""

    def _remember(self, number: int, origin: str) -> None:
        """A recalled trial is written down; all that was told of the trials before it is, too."""

    def _completed(self, number: int) -> None:
        """A trial has become complete."""

    def _own_notices(self, is_constrained: bool) -> Sequence[str]:
        return ()

    def _weight_notices(self) -> Sequence[str]:
        weighted = [p.key for p in self._space.parameters if p.weights]
        if not weighted:
            return ()
        return (
            f"{self.name} takes the choices of {', '.join(weighted)} for equally likely: no weights are known to it",
        )

    def _enter(self, number: int, settings: Mapping[str, Any], origin: str) -> None:
        active = self._space.active(settings)
        self._ledger.enter(number, settings, [self._axes[p.key] for p in active], [p.name for p in active])

    def _sampler_seed(self, number: int, attempt: int) -> int:
        return whole_number_from(self._seed, number, attempt, MODEL)

    def _built(self, number: int, attempt: int, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """A config with these places under these keys, and chance for the rest."""
        rest: Point = self._rest.point(number, attempt)

        def choose(parameter: Parameter) -> Any:
            key = parameter.key
            return self._axes[key].value(drawn[key]) if key in drawn else rest.value(parameter)

        return self._space.build(choose)

    def _everywhere(self, *, numbers_only: bool = False) -> dict[str, BaseDistribution]:
        """The distributions of what exists in every config and can be chosen."""
        axes = [self._axes[p.key] for p in self._space.ordered if not p.when]
        return {a.key: a.distribution for a in axes if not a.is_single and (a.is_number or not numbers_only)}

    def _left_to_chance(self, why: str, parameters: Sequence[Parameter]) -> tuple[str, ...]:
        keys = ", ".join(p.key for p in parameters)
        return (f"{self.name} {why}: {keys} {'is' if len(parameters) == 1 else 'are'} drawn at random",) if keys else ()
