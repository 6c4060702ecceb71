"""What may vary: parameters, their ranges, and the space they span."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from surefoot.errors import SpaceError, nearest, quoted

LARGEST = sys.float_info.max


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One setting and the values it may take; build it with `real`, `integer`, `choice` or `boolean`."""

    name: str
    kind: Literal["float", "int", "categorical", "bool"]
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()

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
        if not (self._low() <= value <= self._high()):
            return self._refuse(value, wanted)
        return int(value) if self.kind == "int" else float(value)

    def _low(self) -> float:
        return -math.inf if self.low is None else self.low

    def _high(self) -> float:
        return math.inf if self.high is None else self.high

    def _range(self) -> str:
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f" of at least {_spelled(self.low)}"
        if self.low is None:
            return f" of at most {_spelled(self.high)}"
        return f" from {_spelled(self.low)} to {_spelled(self.high)}"

    def _refuse(self, value: Any, wanted: str, hint: str = "") -> Any:
        raise SpaceError(f"{self.name} must be {wanted}; got {quoted(value)}{'.' if hint else ''}{hint}")


def real(name: str, low: float | None = None, high: float | None = None) -> Parameter:
    """A floating-point parameter between low and high, both included."""
    return Parameter(name=name, kind="float", low=low, high=high)


def integer(name: str, low: int | None = None, high: int | None = None) -> Parameter:
    """A whole-number parameter between low and high, both included."""
    return Parameter(name=name, kind="int", low=low, high=high)


def choice(name: str, *choices: Any) -> Parameter:
    """A parameter that takes one of the given values."""
    return Parameter(name=name, kind="categorical", choices=choices)


def boolean(name: str) -> Parameter:
    """A parameter that is true or false."""
    return Parameter(name=name, kind="bool")


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSpace:
    """The parameters of a workload, in the order a reader should meet them."""

    parameters: tuple[Parameter, ...]

    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(p.name for p in self.parameters)

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, each in its parameter's own type; raises SpaceError for an unknown or bad one."""
        known = {p.name: p for p in self.parameters}
        for name in settings:
            if name not in known:
                listed = ", ".join(known) or "none"
                hint = nearest(name, known)
                raise SpaceError(
                    f"{name} is not a setting of this workload (it has {listed}){'.' if hint else ''}{hint}"
                )
        return {name: known[name].checked(value) for name, value in settings.items()}


def _spelled(bound: float | None) -> str:
    """A bound as a person writes it: 1,000,000 stays 1000000, and 0.001 is not 1e-03."""
    return f"{bound:g}" if isinstance(bound, float) and not bound.is_integer() else f"{bound:.0f}"
