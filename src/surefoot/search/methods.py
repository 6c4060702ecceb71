"""The options of the search methods, their defaults and the reasons for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.errors import PlanError, nearest, quoted
from surefoot.sweep import METHODS, Method

CROSSOVERS = ("uniform", "blxalpha", "sbx", "spx", "undx", "vsbx")


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option: its default, what it takes, and what it does; a default of None is worked out from the space."""

    default: Any
    meaning: str
    least: float | None = None
    most: float | None = None
    choices: tuple[Any, ...] = ()
    is_whole: bool = False

    @property
    def wanted(self) -> str:
        """What it takes, in words."""
        if self.choices:
            return "one of " + ", ".join(str(c).lower() if isinstance(c, bool) else str(c) for c in self.choices)
        number = "a whole number" if self.is_whole else "a number"
        return f"{number} of at least {self.least:g}" if self.most is None else f"{number} from {self.least:g} to 1"

    def admits(self, value: Any) -> bool:
        """Whether it takes the value."""
        if value is None:
            return self.default is None
        if self.choices:
            return any(type(value) is type(c) and value == c for c in self.choices)
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def _count(default: int | None, least: int, meaning: str) -> Option:
    return Option(default=default, least=least, is_whole=True, meaning=meaning)


def _switch(default: bool | None, meaning: str) -> Option:
    return Option(default=default, choices=(True, False), meaning=meaning)


def _share(default: float | None, meaning: str) -> Option:
    return Option(default=default, least=0, most=1, meaning=meaning)


METHOD_OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "grid": {},
    "random": {},
    "sobol": {
        # Scrambled, no two seeds walk the same points, and no point lies at a corner.
        "scramble": _switch(True, "scramble the sequence by the seed (Owen 1998)"),
    },
    "tpe": {
        # Ten are Optuna's, and what Bergstra et al. (2011) come to with few parameters; fewer fit a model to chance.
        "startup": _count(10, 1, "so many trials are drawn before the model speaks"),
        "candidates": _count(24, 1, "of so many draws from the good trials' density the best is proposed"),
        # As Optuna 5.0 by default: joint for one target, one by one for several.
        "multivariate": _switch(None, "model the parameters jointly"),
        "group": _switch(True, "model jointly those that exist under the same conditions; else one by one"),
        # Without it, workers that ask at the same time are sent to the same place.
        "constant_liar": _switch(True, "count running trials as bad ones, so that workers keep apart"),
    },
    "gp": {
        "startup": _count(10, 1, "so many trials are drawn before the model speaks"),
        # Trainings are noisy: the same config with another seed comes to another value.
        "deterministic": _switch(False, "the same config always comes to the same value"),
    },
    "cmaes": {
        "startup": _count(1, 1, "so many trials are drawn before the evolution begins"),
        "population": _count(None, 2, "trials a generation; 4 + 3 ln(number of parameters) by default"),
        "separable": _switch(False, "scales only, no correlations: for many parameters that do not interact"),
        "lr_adapt": _switch(False, "adapt the learning rate: for noisy or many-peaked targets (Nomura et al. 2023)"),
    },
    "nsga2": {
        # Optuna's 50 would spend a budget of 100 on two generations: on ZDT1 and ZDT2 (6 parameters, 60 to 200
        # trials) its fronts cover less than those of 20 throughout.
        "population": _count(20, 3, "trials a generation"),  # some crossovers take three parents
        "crossover": Option(default="uniform", choices=CROSSOVERS, meaning="how two parents are mixed"),
        "crossover_rate": _share(0.9, "how often a child has more than one parent"),
        "swapping_rate": _share(0.5, "how often a uniform crossover takes the second parent's value"),
        "mutation_rate": _share(None, "how often a value is drawn anew; 1 / number of parameters by default"),
    },
}


def check_method(method: Method) -> None:
    """Raises PlanError, in one line, for an unknown method, an unknown option or a value that it does not take."""
    if method.name not in METHOD_OPTIONS:
        hint = nearest(method.name, METHODS)
        listed = ", ".join(METHODS)
        raise PlanError(f"method must be one of {listed}; got {quoted(method.name)}{'.' * bool(hint)}{hint}")
    options = METHOD_OPTIONS[method.name]
    for name, value in method.options.items():
        if name not in options:
            hint = nearest(name, options)
            listed = ", ".join(options) or "none"
            raise PlanError(f"{method.name} has no option {quoted(name)} (it has {listed}){'.' * bool(hint)}{hint}")
        if not options[name].admits(value):
            raise PlanError(f"{name} of {method.name} must be {options[name].wanted}; got {quoted(value)}")
    if method.name == "cmaes" and method.options.get("separable") and method.options.get("lr_adapt"):
        raise PlanError("cmaes adapts its learning rate for whole covariances only: leave out separable or lr_adapt")


def filled(method: Method) -> dict[str, Any]:
    """Every option of the method, the defaults where the sweep says nothing."""
    defaults = {name: option.default for name, option in METHOD_OPTIONS[method.name].items()}
    return {**defaults, **method.options}
