"""The gates by phase, and a dossier's way through them, with what a person overrides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from surefoot.errors import nearest, quoted
from surefoot.phases.baseline_gate import BASELINE_GATE
from surefoot.phases.diagnose_gate import DIAGNOSE_GATE
from surefoot.phases.dossier import Dossier
from surefoot.phases.finalise_gate import FINALISE_GATE
from surefoot.phases.gate import Check, Gate
from surefoot.phases.optimise_gate import OPTIMISE_GATE
from surefoot.phases.plan_gate import PLAN_GATE
from surefoot.plan import Override

GATES: Final[Mapping[str, tuple[Callable[[Dossier], Check], ...]]] = {
    "plan": PLAN_GATE,
    "baseline": BASELINE_GATE,
    "diagnose": DIAGNOSE_GATE,
    "optimise": OPTIMISE_GATE,
    "finalise": FINALISE_GATE,
}
PREDICATES: Final[Mapping[str, tuple[str, ...]]] = {
    phase: tuple(predicate.__name__ for predicate in gate) for phase, gate in GATES.items()
}
# What a page of checks says of what it does not ask.
BEYOND_THE_RECORD = (
    "What only a person can know, such as whether somebody approved of the model, or whether it may be used by law, "
    "is no predicate: no record could satisfy it, and there is no box to tick."
)


def gate_of(phase: str, dossier: Dossier) -> Gate:
    """The gate of the phase, each predicate answered by the dossier, the plan's overrides applied.

    Only what is blocked can be overridden: where the evidence is there, it stands, and the override says nothing.
    """
    reasons = {o.predicate: o.because for o in dossier.plan.overrides if o.gate == phase}
    checks = (predicate(dossier) for predicate in GATES[phase])
    return Gate(phase=phase, checks=tuple(_overridden(check, reasons.get(check.predicate, "")) for check in checks))


def _overridden(check: Check, reason: str) -> Check:
    if check.state != "blocked" or not reason.strip():
        return check
    return replace(check, state="overridden", override=reason)


def unknown_overrides(overrides: Sequence[Override]) -> list[str]:
    """What is wrong with overrides of gates and predicates that are not there, a sentence each."""
    wrong = []
    for override in overrides:
        if override.gate not in PREDICATES:
            hint = nearest(override.gate, PREDICATES)
            names = ", ".join(PREDICATES)
            wrong.append(f"gate must be one of {names}; got {quoted(override.gate)}{'.' if hint else ''}{hint}")
        elif override.predicate not in PREDICATES[override.gate]:
            wrong.append(_unknown_predicate(override))
    return wrong


def _unknown_predicate(override: Override) -> str:
    here = PREDICATES[override.gate]
    elsewhere = [phase for phase, names in PREDICATES.items() if override.predicate in names]
    said = f"the gate {override.gate} has no predicate {quoted(override.predicate)}; it has {', '.join(here)}"
    if elsewhere:
        return f"{said}. It belongs to the gate {elsewhere[0]}"
    hint = nearest(override.predicate, here)
    return f"{said}{'.' if hint else ''}{hint}"
