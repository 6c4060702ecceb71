"""Question: what a predicate asks of the record, and the four answers it may get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from surefoot.phases.gate import Check, State
from surefoot.run import Run
from surefoot.words import listing

MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A predicate's stable name, which is its function's, and what must hold."""

    predicate: str
    text: str

    def satisfied(self, evidence: str, *rests_on: str) -> Check:
        """The record shows that it holds."""
        return self._answered("satisfied", evidence, rests_on)

    def noted(self, evidence: str, *rests_on: str) -> Check:
        """It holds, or need not hold, and a reader must be told."""
        return self._answered("noted", evidence, rests_on)

    def blocked(self, evidence: str, *rests_on: str) -> Check:
        """The record does not show that it holds."""
        return self._answered("blocked", evidence, rests_on)

    def not_applicable(self, because: str) -> Check:
        """It cannot be asked here, and why."""
        return self._answered("not applicable", because, ())

    def _answered(self, state: State, evidence: str, rests_on: Sequence[str]) -> Check:
        return Check(
            predicate=self.predicate, question=self.text, state=state, evidence=evidence, rests_on=tuple(rests_on)
        )


def named(runs: Iterable[Run]) -> tuple[str, ...]:
    """The runs as evidence: "run 12" each."""
    return tuple(f"run {run.id}" for run in runs)


def few(items: Sequence[str], separator: str = ", ") -> str:
    """The first three of many, and how many more there are."""
    rest = len(items) - MOST_NAMED
    if rest <= 0:
        return listing(items) if separator == ", " else separator.join(items)
    return f"{separator.join(items[:MOST_NAMED])} and {rest} more"
