"""The documents of a study's phases by their path: configs, results, checklists; those whose phase was reached."""

from __future__ import annotations

from collections.abc import Callable

from surefoot.phases.gate import PHASES
from surefoot.reports.diagnosis_blocks import diagnosis_blocks
from surefoot.reports.markdown import heading, paragraph
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.phases_baseline import baseline_results
from surefoot.reports.phases_configs import final_config, optimization_config, training_config
from surefoot.reports.phases_final import final_report
from surefoot.reports.phases_gates import checklist
from surefoot.reports.phases_manifest import manifest
from surefoot.reports.phases_optimised import optimization_results
from surefoot.reports.phases_tested import test_results
from surefoot.reports.story import Story


def documents(story: Story) -> dict[str, bytes]:
    """Every document there is something to tell in, by its path inside the study's folder; none without phases."""
    if story.phases is None:
        return {}
    found = {name: write(story) for name, is_due, write in DOCUMENTS if is_due(story, story.phases)}
    return found | {f"checklists/{gate.phase}.md": checklist(gate, story) for gate in story.phases.gates}


def diagnostic_report(story: Story) -> bytes:
    """The baseline's diagnosis as Markdown, then those that the rounds began with."""
    assert story.phases is not None and story.phases.diagnosis is not None
    first = story.phases.diagnosis
    blocks = [
        heading(1, f"Diagnosis of {story.study}"),
        paragraph("Written from the record by surefoot; nothing in it was typed."),
        *diagnosis_blocks(first, story.phases.baseline_config, level=2),
    ]
    for found in story.phases.rounds:
        if found.diagnosis != first:
            blocks += [heading(2, f"Diagnosis before round {found.number}"), *diagnosis_blocks(found.diagnosis)]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def has_reached(phases: PhaseStory, phase: str) -> bool:
    """Whether the study is in this phase or beyond it."""
    return phases.phase not in PHASES or PHASES.index(phases.phase) >= PHASES.index(phase)


def _has_baseline(story: Story, phases: PhaseStory) -> bool:
    return has_reached(phases, "baseline") and story.baseline is not None and bool(story.baseline.runs)


def _is_diagnosed(story: Story, phases: PhaseStory) -> bool:
    return phases.diagnosis is not None


def _is_optimised(story: Story, phases: PhaseStory) -> bool:
    return bool(phases.rounds)


def _is_finalising(story: Story, phases: PhaseStory) -> bool:
    return phases.final is not None


# In the order of the phases: the name, whether there is anything to write in it, and what writes it.
DOCUMENTS: tuple[tuple[str, Callable[[Story, PhaseStory], bool], Callable[[Story], bytes]], ...] = (
    ("training_config.yaml", lambda story, phases: True, training_config),
    ("reproducibility_manifest.md", lambda story, phases: True, manifest),
    ("baseline_results.md", _has_baseline, baseline_results),
    ("diagnostic_report.md", _is_diagnosed, diagnostic_report),
    ("optimization_config.yaml", _is_optimised, optimization_config),
    ("optimization_results.md", _is_optimised, optimization_results),
    ("final_config.yaml", _is_finalising, final_config),
    ("test_results.md", _is_finalising, test_results),
    ("final_report.md", _is_finalising, final_report),
)
