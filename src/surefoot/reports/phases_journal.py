"""The phases as blocks of the journal: where the study stands, its gates, diagnosis, rounds, promises and end."""

from __future__ import annotations

from surefoot.reports.diagnosis_blocks import recommendations_table
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_gates import gate_blocks
from surefoot.reports.phases_sentences import (
    diagnosis_sentences,
    final_sentences,
    ledger_sentences,
    outlook_sentence,
    round_sentences,
    standing_sentence,
    threshold_sentences,
)
from surefoot.reports.phases_tables import gates_table
from surefoot.reports.story import Story
from surefoot.words import sentence


def phase_blocks(story: Story) -> list[str]:
    """The section on the phases; nothing for a study without them."""
    if story.phases is None:
        return []
    phases = story.phases
    blocks = [heading(2, "Phases"), paragraph(standing_sentence(phases))]
    told = [*map(sentence, phases.turns), *threshold_sentences(phases)]
    blocks += [bullets(told)] if told else []
    blocks += _gates(story)
    if phases.diagnosis is not None:
        blocks += [heading(3, "Diagnosis"), bullets(diagnosis_sentences(phases.diagnosis))]
        found = phases.diagnosis.recommendations
        blocks += [table(recommendations_table(found, phases.baseline_config))] if found else []
    if phases.rounds:
        blocks += [heading(3, "Rounds"), *(bullets(round_sentences(found, story)) for found in phases.rounds)]
    if phases.ledger:
        blocks += [heading(3, "Promised and got"), bullets(ledger_sentences(phases.ledger))]
    if phases.decision is not None and (not phases.rounds or phases.rounds[-1].outlook != phases.decision):
        blocks.append(paragraph(outlook_sentence(phases.decision)))
    if phases.final is not None:
        blocks += [heading(3, "The end"), bullets(final_sentences(phases.final, story))]
    return blocks


def _gates(story: Story) -> list[str]:
    """The gates as a table, and in full those with something in the way, overridden or noted."""
    assert story.phases is not None
    gates = story.phases.gates
    if not gates:
        return []
    told = [gate for gate in gates if any(check.state in ("blocked", "overridden", "noted") for check in gate.checks)]
    return [table(gates_table(gates)), *(block for gate in told for block in gate_blocks(gate, 3))]
