"""Gates and their checklists as Markdown: a box is ticked by evidence, never by hand."""

from __future__ import annotations

from surefoot.phases.gate import Check, Gate
from surefoot.phases.gates import BEYOND_THE_RECORD
from surefoot.reports.markdown import bullets, heading, paragraph
from surefoot.reports.phases_sentences import check_text, gate_sentence, override_text
from surefoot.reports.story import Story

BY_HAND = (
    "Nothing here can be ticked by hand: a box is ticked where the record holds the evidence, and the file is written "
    "anew from it. A predicate that blocks is let pass only by an override in the plan, with its reason, and stays "
    "marked for good."
)


def checklist(gate: Gate, story: Story) -> bytes:
    """One gate as a checklist: each predicate ticked or not, with its evidence."""
    blocks = [
        heading(1, f"Checklist of {story.study}: {gate.phase}"),
        paragraph(BY_HAND),
        strong(gate_sentence(gate)) if gate.blocked or gate.overridden else paragraph(gate_sentence(gate)),
        "\n".join(check_item(check) for check in gate.checks),
        paragraph(BEYOND_THE_RECORD),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def check_item(check: Check) -> str:
    """A predicate as an item of a task list; only what evidence satisfied is ticked."""
    if check.state == "overridden":
        return f"- [ ] {strong(override_text(check), indent='  ')}"
    if check.state == "blocked":
        return f"- [ ] {strong(f'BLOCKED, {check.predicate}. {check_text(check)}', indent='  ')}"
    if check.state == "not applicable":
        return f"- [ ] {paragraph(f'not applicable, {check.predicate}. {check_text(check)}', indent='  ')}"
    noted = " (noted)" if check.state == "noted" else ""
    return f"- [x] {paragraph(f'{check.predicate}{noted}. {check_text(check)}', indent='  ')}"


def strong(text: str, *, indent: str = "") -> str:
    """A paragraph in bold."""
    return f"**{paragraph(text, indent=indent)}**"


def document_gate_blocks(story: Story, phase: str) -> list[str]:
    """The phase's gate as a document tells it; nothing where it was not reached."""
    gate = next((gate for gate in gates_told(story) if gate.phase == phase), None)
    if gate is None:
        return []
    return [*gate_blocks(gate), paragraph(f"Each predicate stands with its evidence in checklists/{phase}.md.")]


def gate_blocks(gate: Gate, level: int = 2) -> list[str]:
    """A gate in short: counts, and in full whatever is no plain yes."""
    blocks = [heading(level, f"The gate of {gate.phase}"), paragraph(gate_sentence(gate))]
    items = [f"- {strong(override_text(check), indent='  ')}" for check in gate.overridden]
    items += [f"- {strong(f'BLOCKED, {check.predicate}. {check_text(check)}', indent='  ')}" for check in gate.blocked]
    if items:
        blocks.append("\n".join(items))
    noted = [f"Noted, {check.predicate}. {check_text(check)}" for check in gate.checks if check.state == "noted"]
    return [*blocks, *([bullets(noted)] if noted else [])]


def gates_told(story: Story) -> tuple[Gate, ...]:
    """The gates that were reached; none without phases."""
    return story.phases.gates if story.phases is not None else ()
