"""Where proposals come from: what every method of search does, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors import SpaceError
from surefoot.run import Status
from surefoot.space import SearchSpace

# In a row, before a space counts as left empty by its constraints.
MOST_REJECTED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a trial; `last` is the last step of its curve with a finite value, and that value."""

    number: int
    status: Status
    values: Sequence[float] | None = None
    last: tuple[int, float] | None = None
    margins: Sequence[float] = field(default=())


class Source:
    """Draws configs; one that does not learn needs no more than `draw`."""

    notices: tuple[str, ...] = ()
    # How often it is asked again for a number whose proposals break a constraint, before chance decides.
    most_tries: int = 1

    def draw(self, number: int, attempt: int) -> tuple[dict[str, Any], str] | None:
        """Settings and who made them, the same for the same number, attempt and past; None: nothing is left."""
        raise NotImplementedError

    def settle(self) -> None:
        """Takes in what it was told since the last proposal."""

    def add(self, number: int, settings: Mapping[str, Any], origin: str) -> None:
        """The trial is proposed with these settings."""

    def recall(self, number: int, settings: Mapping[str, Any], origin: str) -> None:
        """The trial was proposed before this process began."""

    def tell(self, answer: Answer) -> None:
        """What became of a trial."""


def nothing_admitted(space: SearchSpace) -> SpaceError:
    """The error of a space whose constraints leave (nearly) nothing."""
    texts = " and ".join(f'"{c.text}"' for c in space.config_constraints)
    return SpaceError(f"a space must hold configs that keep {texts}; none of {MOST_REJECTED:,} drawn ones does")
