"""Which settings a config has, and which values each may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.errors import SpaceError, nearest, quoted
from surefoot.parameter import LARGEST, Parameter, boolean, integer, real
from surefoot.space import SearchSpace


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What may be set: a workload's parameters, or what a program's baseline names.

    A program says nothing of its settings, so `like` holds a value for each: others are of the same kind.
    Without `space` and without `like` there may be any setting with any value.
    """

    space: SearchSpace | None = None
    like: Mapping[str, Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The settings there are; none where there may be any."""
        if self.space is not None:
            return self.space.names()
        return tuple(self.like or ())

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name; None where it takes any text or list, or anything at all.

        Raises SpaceError for a setting that does not exist.
        """
        if self.space is not None:
            if not self.space.named(name):
                self.space.checked({name: None})  # raises, and says which there are
            return self.space.named(name)[0]
        if self.like is None:
            return None
        if name not in self.like:
            hint = nearest(name, self.like)
            listed = ", ".join(self.like) or "none"
            raise SpaceError(f"{name} is not a setting of the baseline (it names {listed}){'.' if hint else ''}{hint}")
        return _unbounded(name, self.like[name])

    def checked(self, name: str, value: Any) -> Any:
        """The value in the setting's own type; raises SpaceError where it does not belong."""
        if self.space is not None:
            return self.space.checked({name: value})[name]
        parameter = self.parameter(name)
        if parameter is not None:
            return parameter.checked(value)
        wanted = "" if self.like is None else _kind(self.like[name])
        if _kind(value) != (wanted or _kind(value)):
            raise SpaceError(f"{name} must be {wanted}, as in the baseline; got {quoted(value)}")
        return value


def plain_value_mistake(value: Any) -> str:
    """Why a program cannot be told it as the value of a setting; empty where it can."""
    if _is_plain(value):
        return ""
    return f"must be a plain value: a finite number, text, true, false, a list of these; got {quoted(value)}"


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= LARGEST)


def _unbounded(name: str, value: Any) -> Parameter | None:
    if isinstance(value, bool):
        return boolean(name)
    if isinstance(value, int):
        return integer(name)
    return real(name) if isinstance(value, float) else None


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else type(value).__name__
