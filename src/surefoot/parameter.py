"""What may vary in one setting: its range, scale, condition and role."""

from __future__ import annotations

import itertools
import json
import math
import sys
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import NormalDist
from typing import Any, Literal

from surefoot.errors import SpaceError, nearest, quoted

LARGEST = sys.float_info.max
MOST_LEVELS = 1_000_000
# How far from its place a value may lie, in steps: what arithmetic in floats leaves.
STEP_TOLERANCE = 1e-6

Role = Literal["scientific", "nuisance"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One setting and the values it may take; build it with `real`, `integer`, `choice` or `boolean`.

    Numbers lie between `low` and `high`, both included, on a grid of `step` counted from `low` (from 0
    without one); `log` makes them as likely in every decade. `weights` are the probabilities of the
    `choices`. `normal` holds mean and standard deviation, with `log` those of the value's natural
    logarithm; bounds cut it off. `when` says under which values of which other parameters this one
    exists: all must hold.
    """

    name: str
    kind: Literal["float", "int", "categorical", "bool"]
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    log: bool = False
    step: float | None = None
    weights: tuple[float, ...] = ()
    normal: tuple[float, float] | None = None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)
    role: Role = "nuisance"

    @property
    def key(self) -> str:
        """What tells it from every other: its name with its conditions, as "momentum[optimizer=sgd]"."""
        if not self.when:
            return self.name
        said = [f"{name}={'|'.join(sorted(map(_word, values)))}" for name, values in sorted(self.when.items())]
        return f"{self.name}[{','.join(said)}]"

    @property
    def is_continuous(self) -> bool:
        """Whether there is a value between any two: a float without step."""
        return self.kind == "float" and self.step is None

    @property
    def level_count(self) -> int | None:
        """How many values it takes; None where they cannot be counted."""
        if self.kind == "bool":
            return 2
        if self.kind == "categorical":
            return len(self.choices)
        if self.is_continuous or self.low is None or self.high is None:
            return None
        return math.floor((self.high - self.low) / self._step() + STEP_TOLERANCE) + 1

    def checked(self, value: Any) -> Any:
        """The value in this parameter's own type; raises SpaceError where it does not belong."""
        if self.kind == "bool":
            return value if isinstance(value, bool) else self._refuse(value, "true or false")
        if self.kind == "categorical":
            for choice in self.choices:
                if type(choice) is type(value) and choice == value:
                    return choice
            return self._refuse(value, "one of " + ", ".join(map(str, self.choices)), nearest(value, self.choices))
        wanted = f"a {'whole ' if self.kind == 'int' else ''}number{self._range()}"
        # Compared before anything is converted: a whole number may be larger than any float.
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
        if not is_number or (self.kind == "int" and value != int(value)):
            return self._refuse(value, wanted)
        if not (self._low() <= value <= self._high()) or not self._is_on_grid(value):
            return self._refuse(value, wanted)
        return int(value) if self.kind == "int" else float(value)

    def admits(self, value: Any) -> bool:
        """Whether the value is one that this parameter takes."""
        try:
            self.checked(value)
        except SpaceError:
            return False
        return True

    def exists(self, chosen: Mapping[str, Any]) -> bool:
        """Whether all of its conditions hold under what was chosen for the parameters before it."""
        for name, values in self.when.items():
            if name not in chosen or not any(is_same(chosen[name], value) for value in values):
                return False
        return True

    @property
    def condition(self) -> str:
        """Its conditions as a person says them: "optimizer is sgd or adam, and nesterov is true"."""
        said = (f"{name} is {' or '.join(map(_word, values))}" for name, values in self.when.items())
        return ", and ".join(said)

    def definition(self) -> dict[str, Any]:
        """The parameter as JSON, without what is as usual."""
        usual = Parameter(name="", kind="float")
        found = {name: getattr(self, name) for name in Parameter.__slots__}
        told = {k: value for k, value in found.items() if k in ("name", "kind") or value != getattr(usual, k)}
        if self.when:
            told["when"] = {name: list(values) for name, values in self.when.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    def value_at(self, u: float) -> Any:
        """The value below which the share `u` (from 0 up to 1) of its distribution lies.

        A uniform u gives: the weights of the choices; every step equally often; with `log` the same share
        to every decade; or the normal distribution, rounded where there are steps.
        """
        if self.kind == "bool":
            return u >= 0.5
        if self.kind == "categorical":
            return self._choice_at(u)
        if self.normal is None and (self.low is None or self.high is None):
            raise SpaceError(f"{self.name} {UNBOUNDED}")
        if self.is_continuous:
            return min(max(self._real_at(u, self.low, self.high), self._low()), self._high())
        count = self.level_count
        if self.normal is None and not self.log:
            assert count is not None
            return self._level(min(int(u * count), count - 1))
        place = round((self._real_at(u, *self._edges()) - self._origin()) / self._step())
        if self.low is not None:
            place = max(place, 0)
        return self._level(place if self.high is None else min(place, self._last_place()))

    def levels(self) -> tuple[Any, ...]:
        """Every value it takes, in order; raises SpaceError where they cannot be counted, or are too many."""
        if self.kind == "bool":
            return False, True
        if self.kind == "categorical":
            return self.choices
        count = self.level_count
        if count is None:
            raise SpaceError(f"{self.name} {UNCOUNTED}")
        if count > MOST_LEVELS:
            raise SpaceError(f"{self.name} has {count:,} values, too many for a grid; give it a step, or values")
        return tuple(self._level(place) for place in range(count))

    def mistakes(self) -> Iterator[str]:
        """What keeps it from being searched, each as the rest of a sentence that its name begins."""
        if not self.name:
            yield "must have a name"
        if self.kind == "categorical":
            yield from self._mistakes_of_choices()
        elif self.kind != "bool":
            yield from self._mistakes_of_range()

    def _mistakes_of_choices(self) -> Iterator[str]:
        if not self.choices:
            yield "must have at least one choice; got none"
        for value, other in itertools.combinations(self.choices, 2):
            if is_same(value, other):
                yield f"must have different choices; {quoted(value)} stands twice. To make it likelier use weights"
        if any(isinstance(value, float) and not math.isfinite(value) for value in self.choices):
            yield "must have finite numbers as choices"
        if not self.weights:
            return
        if len(self.weights) != len(self.choices):
            yield f"must have one weight for each of its {len(self.choices)} choices; got {len(self.weights)}"
        if not all(0 <= w < math.inf for w in self.weights) or not sum(self.weights) > 0:
            yield f"must have weights of 0 and more, not all 0; got {list(self.weights)}"

    def _mistakes_of_range(self) -> Iterator[str]:
        low, high, step = self.low, self.high, self.step
        if self.normal is None and (low is None or high is None):
            yield UNBOUNDED
        if any(bound is not None and not abs(bound) <= LARGEST for bound in (low, high)):
            yield f"must have finite bounds; got {low} and {high}"
            return
        if low is not None and high is not None and low >= high:
            advice = ". Write a single value to fix it" if low == high else ""
            yield f"must have a low bound below its high one; got {_spelled(low)} and {_spelled(high)}{advice}"
        if self.kind == "int" and any(bound is not None and bound != int(bound) for bound in (low, high)):
            yield f"must have whole numbers as bounds; got {low} and {high}"
        if self.log and low is not None and low <= 0:
            yield f"must have a low bound above 0 for a log scale; got {_spelled(low)}"
        if self.normal is not None and not (math.isfinite(self.normal[0]) and 0 < self.normal[1] < math.inf):
            yield f"must have a finite mean and a standard deviation above 0; got {list(self.normal)}"
        if step is None:
            return
        if not 0 < step < math.inf or (self.kind == "int" and step != int(step)):
            yield f"must have a {'whole number' if self.kind == 'int' else 'number'} above 0 as its step; got {step:g}"
        elif low is not None and high is not None and step > high - low > 0:
            yield f"must have a step within its range {_spelled(low)} to {_spelled(high)}; got {step:g}"

    def _choice_at(self, u: float) -> Any:
        if not self.weights:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        place = bisect_right(list(itertools.accumulate(self.weights)), u)
        likely = [i for i, weight in enumerate(self.weights) if weight > 0]
        return self.choices[min(place, likely[-1])]

    def _real_at(self, u: float, low: float | None, high: float | None) -> float:
        """Where a real number between the bounds lies at `u`, before any rounding."""
        if self.normal is not None:
            return self._normal_at(u, low, high)
        assert low is not None and high is not None
        if self.log:
            return math.exp((1 - u) * math.log(low) + u * math.log(high))
        return (1 - u) * low + u * high

    def _normal_at(self, u: float, low: float | None, high: float | None) -> float:
        assert self.normal is not None
        mean, deviation = self.normal

        def score(bound: float | None, otherwise: float) -> float:
            if bound is None or (self.log and bound <= 0):
                return otherwise
            return ((math.log(bound) if self.log else bound) - mean) / deviation

        found = mean + deviation * _normal_score(u, score(low, -math.inf), score(high, math.inf))
        return math.exp(min(found, math.log(LARGEST))) if self.log else found

    def _edges(self) -> tuple[float | None, float | None]:
        """The bounds half a step further out, so that rounding leaves the outermost steps their share."""
        half = self._step() / 2
        low = None if self.low is None else self.low - half
        if self.log and self.low is not None:
            low = max(self.low - half, self.low / 2)
        return low, None if self.high is None else self.high + half

    def _step(self) -> float:
        return 1 if self.step is None else self.step

    def _origin(self) -> float:
        return 0 if self.low is None else self.low

    def _last_place(self) -> int:
        assert self.high is not None
        return math.floor((self.high - self._origin()) / self._step() + STEP_TOLERANCE)

    def _level(self, place: int) -> Any:
        """The value `place` steps from the lowest, in the decimals a person would write."""
        if self.kind == "int":
            return int(self._origin()) + place * int(self._step())
        found = float(Decimal(str(float(self._origin()))) + place * Decimal(str(float(self._step()))))
        return min(max(found, self._low()), self._high())

    def _is_on_grid(self, value: float) -> bool:
        if self.step is None:
            return True
        place = (value - self._origin()) / self.step
        return abs(place - round(place)) <= STEP_TOLERANCE

    def _low(self) -> float:
        return -math.inf if self.low is None else self.low

    def _high(self) -> float:
        return math.inf if self.high is None else self.high

    def _range(self) -> str:
        steps = "" if self.step is None else f" in steps of {self.step:g}"
        if self.low is None and self.high is None:
            return steps
        if self.high is None:
            return f" of at least {_spelled(self.low)}{steps}"
        if self.low is None:
            return f" of at most {_spelled(self.high)}{steps}"
        return f" from {_spelled(self.low)} to {_spelled(self.high)}{steps}"

    def _refuse(self, value: Any, wanted: str, hint: str = "") -> Any:
        raise SpaceError(f"{self.name} must be {wanted}; got {quoted(value)}{'.' if hint else ''}{hint}")


UNBOUNDED = "must have a lowest and a highest value (min and max) to be searched"
UNCOUNTED = "has no end of values, which no grid can hold; give it a step, or values"


def real(
    name: str,
    low: float | None = None,
    high: float | None = None,
    *,
    log: bool = False,
    step: float | None = None,
    when: Mapping[str, Any] | None = None,
    role: Role = "nuisance",
) -> Parameter:
    """A floating-point parameter between low and high, both included."""
    return Parameter(name=name, kind="float", low=low, high=high, log=log, step=step, when=_conditions(when), role=role)


def integer(
    name: str,
    low: int | None = None,
    high: int | None = None,
    *,
    log: bool = False,
    step: int | None = None,
    when: Mapping[str, Any] | None = None,
    role: Role = "nuisance",
) -> Parameter:
    """A whole-number parameter between low and high, both included."""
    return Parameter(name=name, kind="int", low=low, high=high, log=log, step=step, when=_conditions(when), role=role)


def choice(
    name: str,
    *choices: Any,
    weights: Collection[float] = (),
    when: Mapping[str, Any] | None = None,
    role: Role = "nuisance",
) -> Parameter:
    """A parameter that takes one of the given values; weights need not sum to 1."""
    total = math.fsum(weights)
    shares = tuple(weight / total for weight in weights) if 0 < total < math.inf else tuple(weights)
    return Parameter(name=name, kind="categorical", choices=choices, weights=shares, when=_conditions(when), role=role)


def boolean(name: str, *, when: Mapping[str, Any] | None = None, role: Role = "nuisance") -> Parameter:
    """A parameter that is true or false."""
    return Parameter(name=name, kind="bool", when=_conditions(when), role=role)


def is_same(value: Any, other: Any) -> bool:
    """Equal as a person sees it: 1 and 1.0 are, 1 and true are not, and the last digit of a float is no matter."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, float | int) and isinstance(other, float | int):
        is_float = max(abs(value), abs(other)) <= LARGEST
        return value == other or (is_float and math.isclose(value, other, rel_tol=1e-12))
    return bool(value == other)


def _normal_score(u: float, low: float, high: float) -> float:
    """The standard normal's value at the share `u` of what lies between two scores."""
    if low > 0:  # where the distribution function is too near 1 to tell values apart
        return -_normal_score(1 - u, -high, -low)
    # NormalDist.cdf is 1 + erf, which is nothing in the far tail where erfc still has all its digits.
    below, above = math.erfc(-low / math.sqrt(2)) / 2, math.erfc(-high / math.sqrt(2)) / 2
    # inv_cdf refuses 0 and 1.
    share = min(max(below + u * (above - below), sys.float_info.min), 1 - sys.float_info.epsilon / 2)
    return min(max(NormalDist().inv_cdf(share), low), high)


def _conditions(when: Mapping[str, Any] | None) -> dict[str, tuple[Any, ...]]:
    """The conditions with a tuple of values each; a single value may stand alone."""
    return {
        name: tuple(values) if isinstance(values, tuple | list) else (values,) for name, values in (when or {}).items()
    }


def parameter_of(definition: Mapping[str, Any]) -> Parameter:
    """The parameter that `Parameter.definition` told."""
    found = dict(definition)
    for name in ("choices", "weights", "normal"):
        if name in found:
            found[name] = tuple(found[name])
    return Parameter(**{**found, "when": _conditions(found.get("when"))})


def _word(value: Any) -> str:
    """A value within a key: text as it is, unless it could be taken for another value."""
    if not isinstance(value, str):
        return json.dumps(value, sort_keys=True)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)


def _spelled(bound: float | None) -> str:
    """A bound as a person writes it: 1,000,000 stays 1000000, and 0.001 is not 1e-03."""
    return f"{bound:g}" if isinstance(bound, float) and not bound.is_integer() else f"{bound:.0f}"
