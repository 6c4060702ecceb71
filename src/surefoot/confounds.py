"""In what two arms differ beyond their declared change, read from what their runs really did."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.run import Run

# A run that stopped early by the study's own registered rule has its length as an outcome, not as a setting.
EARLY_STOP = "patience"
LENGTH_FACTS = ("steps", "samples", "schedule")


@dataclass(frozen=True, kw_only=True, slots=True)
class FactDifference:
    """A recorded fact that is not the same in arm and champion, and whether the declared change explains it."""

    fact: str
    arm: str
    champion: str
    is_declared: bool

    def __str__(self) -> str:
        return f"{self.fact} {self.champion} → {self.arm}"


def fact_differences(
    arm: Sequence[Run],
    champion: Sequence[Run],
    *,
    changed: Collection[str],
    drivers: Mapping[str, Sequence[str]],
    allow: Collection[str] = (),
) -> tuple[FactDifference, ...]:
    """The facts that differ between two arms' complete runs, in the workload's order of facts.

    A difference is declared when a changed setting drives that fact (`drivers`, of the workload),
    or the plan allows it. Data, code and device are compared always; nothing declares them.
    """
    stopped_early = any(str(run.facts.get("stop_reason", "")).startswith(EARLY_STOP) for run in (*arm, *champion))
    found = []
    for fact in (*drivers, "data", "code", "device"):
        if fact in LENGTH_FACTS and stopped_early:
            continue
        a, b = _shown(arm, fact), _shown(champion, fact)
        if a == b or not a or not b:
            continue
        is_declared = fact in allow or any(setting in changed for setting in drivers.get(fact, ()))
        found.append(FactDifference(fact=fact, arm=a, champion=b, is_declared=is_declared))
    return tuple(found)


def common_facts(runs: Sequence[Run], facts: Collection[str]) -> tuple[str, ...]:
    """The facts that are one and the same in all runs, in words: "steps 300"."""
    shown = [(fact, _shown(runs, fact)) for fact in (*facts, "data", "code", "device")]
    return tuple(f"{fact} {value}" for fact, value in shown if value and " or " not in value)


def _shown(runs: Sequence[Run], fact: str) -> str:
    values = {_spelled(_value(run, fact)) for run in runs}
    return " or ".join(sorted(values - {""}))


def _value(run: Run, fact: str) -> Any:
    if fact == "data":
        return run.provenance.data_fingerprint[:8]
    if fact == "code":
        return run.provenance.code_fingerprint[:8]
    if fact == "device":
        return run.provenance.device
    return run.facts.get(fact)


def _spelled(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
