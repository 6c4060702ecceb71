"""What the page shows of a study's phases: the ribbon, the gates, the diagnosis, the rounds, the ledger, the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.phases.gate import PHASES, Check, Gate
from surefoot.reports.diagnosis_blocks import recommendations_table
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.phases_sentences import (
    check_text,
    diagnosis_sentences,
    final_sentences,
    gate_sentence,
    outlook_text,
    override_text,
    round_sentences,
    split_metrics,
    standing_sentence,
    threshold_sentences,
)
from surefoot.reports.phases_tables import (
    attribution_table,
    classes_table,
    exports_table,
    files_table,
    ledger_table,
    split_table,
)
from surefoot.reports.pictures import Picture
from surefoot.reports.story import Story
from surefoot.reports.tables import Table
from surefoot.words import count, sentence


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """A phase on the ribbon; `standing` is "done", "current", "ahead" or "skipped", `alarm` what is red about it."""

    name: str
    standing: str
    note: str = ""
    alarm: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateView:
    """A gate with the colour class, the word and the text of each of its predicates."""

    title: str
    said: str
    is_told: bool
    checks: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundView:
    """A round: its title, its sentences and which part did the work."""

    title: str
    told: tuple[str, ...]
    attribution: Table | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PhasePage:
    """Everything the page shows of the phases, as text, tables and pictures."""

    standing: str
    ribbon: tuple[Station, ...]
    overrides: tuple[str, ...]
    blocked: tuple[str, ...]
    turns: tuple[str, ...]
    gates: tuple[GateView, ...]
    diagnosis: tuple[str, ...]
    recommendations: Table | None
    rounds: tuple[RoundView, ...]
    ledger: Table
    ledger_picture: Picture | None
    decision: str
    final: tuple[str, ...]
    splits: tuple[Table, ...]
    classes: Table | None
    confusion_picture: Picture | None
    exports: Table | None
    files: Table | None


COLOURS = {"satisfied": "good", "noted": "note", "blocked": "bad", "overridden": "alarm", "not applicable": "plain"}


def phase_page(story: Story, pictures: Mapping[str, Picture]) -> PhasePage | None:
    """What the page shows; None for a study without phases."""
    phases = story.phases
    if phases is None:
        return None
    diagnosis, final = phases.diagnosis, phases.final
    found = diagnosis.recommendations if diagnosis is not None else ()
    return PhasePage(
        standing=standing_sentence(phases),
        ribbon=ribbon(phases),
        overrides=tuple(f"Gate of {gate.phase}. {override_text(c)}" for gate in phases.gates for c in gate.overridden),
        blocked=tuple(f"Gate of {g.phase}, {c.predicate}. {check_text(c)}" for g in phases.gates for c in g.blocked),
        turns=(*map(sentence, phases.turns), *threshold_sentences(phases)),
        gates=tuple(map(_gate, phases.gates)),
        diagnosis=tuple(diagnosis_sentences(diagnosis)) if diagnosis is not None else (),
        recommendations=recommendations_table(found, phases.baseline_config) if found else None,
        rounds=_rounds(story),
        ledger=ledger_table(phases.ledger),
        ledger_picture=pictures.get("ledger") if phases.ledger else None,
        decision=sentence(outlook_text(phases.decision)) if phases.decision is not None else "",
        final=tuple(final_sentences(final, story)) if final is not None else (),
        splits=tuple(split_table(final, n, story) for n in split_metrics(story, final)) if final is not None else (),
        classes=classes_table(final.per_class) if final is not None and final.per_class else None,
        confusion_picture=pictures.get("confusion") if final is not None else None,
        exports=exports_table(final.exports) if final is not None and final.exports else None,
        files=files_table(final) if final is not None and final.files else None,
    )


def ribbon(phases: PhaseStory) -> tuple[Station, ...]:
    """The five phases in their order, the current one marked; one passed by without its gate was skipped.

    Of a study without gates, which has an end alone, there is none.
    """
    if not phases.gates:
        return ()
    here = PHASES.index(phases.phase) if phases.phase in PHASES else len(PHASES)
    gates = {gate.phase: gate for gate in phases.gates}
    stations = []
    for i, name in enumerate(PHASES):
        gate = gates.get(name)
        is_over = name == PHASES[-1] and phases.final is not None and gate is not None and gate.is_open
        passed = "done" if gate is not None else "skipped"
        standing = passed if i < here or is_over else "current" if i == here else "ahead"
        stations.append(Station(name=name, standing=standing, note=_note(standing, gate), alarm=_alarm(gate)))
    return tuple(stations)


def _note(standing: str, gate: Gate | None) -> str:
    if gate is None:
        return {"skipped": "skipped", "ahead": "to come"}.get(standing, "now")
    return f"gate {'open' if gate.is_open else 'shut'}"


def _alarm(gate: Gate | None) -> str:
    if gate is None:
        return ""
    words = ((gate.blocked, "blocked"), (gate.overridden, "overridden"))
    return ", ".join(f"{len(checks)} {word}" for checks, word in words if checks)


def _gate(gate: Gate) -> GateView:
    # What needs a reader's eye stands first; within a state the order is the gate's own.
    order = ("blocked", "overridden", "noted", "satisfied", "not applicable")
    checks = sorted(gate.checks, key=lambda check: order.index(check.state))
    return GateView(
        title=f"{gate.phase}: {'open' if gate.is_open else 'shut'}, {count(len(checks), 'predicate')}",
        said=gate_sentence(gate),
        is_told=bool(gate.blocked or gate.overridden),
        checks=tuple((COLOURS[c.state], c.state, c.predicate, _check(c)) for c in checks),
    )


def _check(check: Check) -> str:
    # The badge says already that a person overrode it.
    said = override_text(check) if check.state == "overridden" else check_text(check)
    return said.removeprefix(f"OVERRIDDEN by a person, {check.predicate}. ")


def _rounds(story: Story) -> tuple[RoundView, ...]:
    assert story.phases is not None
    return tuple(
        RoundView(
            title=f"Round {found.number}",
            told=tuple(round_sentences(found, story)),
            attribution=attribution_table(found.attributions, story.primary) if found.attributions else None,
        )
        for found in story.phases.rounds
    )
