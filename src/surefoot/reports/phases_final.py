"""final_report.md: the whole way from the baseline to the end in two pages, with what is not claimed."""

from __future__ import annotations

from surefoot.reports.journal import chance_sentences, claim_groups, open_threads
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_gates import gates_told, strong
from surefoot.reports.phases_optimised import ledger_blocks, path_blocks
from surefoot.reports.phases_sentences import (
    check_text,
    diagnosis_sentences,
    final_sentences,
    gate_sentence,
    outlook_sentence,
    override_text,
    round_sentences,
    threshold_sentences,
)
from surefoot.reports.phases_tables import gates_table
from surefoot.reports.sentences import claim_sentence, standing_sentences
from surefoot.reports.story import Story
from surefoot.words import config_change, count, duration, listing, sentence, short_hash


def final_report(story: Story) -> bytes:
    """The report as Markdown."""
    blocks = [
        heading(1, f"Final report on {story.study}"),
        paragraph(opening_sentence(story)),
        *override_blocks(story),
        heading(2, "What was reached"),
        *map(paragraph, standing_sentences(story)),
        *reached_blocks(story),
        *claimed_blocks(story),
        heading(2, "The way"),
        bullets(way_sentences(story)),
        *path_blocks(story),
        *ledger_blocks(story),
        *gates_blocks(story),
        heading(2, "Limits"),
        bullets(limit_sentences(story)),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def opening_sentence(story: Story) -> str:
    """What was studied, under which plan, and what it took."""
    runs = listing([f"{n:,} {status}" for status, n in story.run_counts.items() if n]) or "none"
    about = f"Workload {story.workload}, plan {short_hash(story.plan_hash)}; runs: {runs}"
    took = f"{duration(3600 * story.hours)} of training"
    return f"{about}; {took}. Written from the record by surefoot; nothing in it was typed."


def override_blocks(story: Story) -> list[str]:
    """The gates that a person let pass, before anything else is told; and those that are shut."""
    gates = gates_told(story)
    told = [f"Gate of {gate.phase}. {override_text(check)}" for gate in gates for check in gate.overridden]
    told += [f"Gate of {gate.phase}. BLOCKED: {check_text(check)}" for gate in gates for check in gate.blocked]
    if not told:
        return []
    return [heading(2, "Read this first"), "\n".join(f"- {strong(text, indent='  ')}" for text in told)]


def reached_blocks(story: Story) -> list[str]:
    """What the final config changes, and the final models in sentences."""
    assert story.phases is not None
    final = story.phases.final
    if final is None:
        return []
    change = config_change(story.phases.baseline_config, story.phases.final_config or final.config)
    said = (
        f"Against the baseline the final config changes: {change}." if change else "The final config is the baseline's."
    )
    return [paragraph(said), bullets(final_sentences(final, story))]


def claimed_blocks(story: Story) -> list[str]:
    """What is claimed, and what is not."""
    claimed, unclaimed = claim_groups(story)
    blocks = [heading(2, "What is claimed")]
    if claimed:
        blocks.append(bullets([claim_sentence(claim, story) for claim in claimed]))
    else:
        blocks.append(paragraph("Nothing: no step was confirmed on fresh seeds."))
    waiting = [p.label for p in story.path[1:] if not p.is_claimed]
    told = [claim_sentence(claim, story) for claim in unclaimed]
    tested = {name for claim in unclaimed for name in (claim.step.name, claim.step.after)}
    points = [p for p in story.path[1:] if p.label in waiting and not {p.label, p.experiment} & tested]
    told += [f"{p.label}: adopted on exploring seeds, never tested on fresh ones." for p in points]
    return [
        *blocks,
        heading(2, "What is not claimed"),
        bullets(told) if told else paragraph("No step is left unclaimed."),
    ]


def way_sentences(story: Story) -> list[str]:
    """Why each phase followed the one before, the diagnosis, each round, and the decision."""
    assert story.phases is not None
    phases = story.phases
    told = [sentence(turn) for turn in phases.turns]
    if phases.diagnosis is not None:
        told.append(f"Diagnosis. {' '.join(diagnosis_sentences(phases.diagnosis))}")
    told += [" ".join(round_sentences(found, story)) for found in phases.rounds]
    if phases.decision is not None and not (phases.rounds and phases.rounds[-1].outlook == phases.decision):
        told.append(outlook_sentence(phases.decision))
    return told or ["Nothing has happened yet."]


def gates_blocks(story: Story) -> list[str]:
    """The gates as a table, and what was noted."""
    gates = gates_told(story)
    if not gates:
        return []
    noted = [
        f"{gate.phase}, {check.predicate}: {check_text(check)}"
        for gate in gates
        for check in gate.checks
        if check.state == "noted"
    ]
    told = [gate_sentence(gate) for gate in gates if not gate.is_open]
    blocks = [heading(2, "The gates"), table(gates_table(gates)), *map(paragraph, told)]
    return [*blocks, *([paragraph("Noted on the way:"), bullets(noted)] if noted else [])]


def limit_sentences(story: Story) -> list[str]:
    """What these figures cannot say."""
    assert story.phases is not None
    phases, final = story.phases, story.phases.final
    told = [f"Exploring seeds chose the champion, so their means flatter it; {_fresh(story)}"]
    if final is not None and final.runs:
        n = len(final.runs)
        over = (
            "one seed says nothing of the spread" if n == 1 else f"the spread is over {count(n, 'seed')} of one split"
        )
        told.append(f"The test split was seen once, by {count(n, 'final model')}; {over}.")
    if final is not None and final.confusion:
        told.append("Per-class figures and the confusion matrix are of the bundled model alone, so of a single seed.")
    told += threshold_sentences(phases)
    told += chance_sentences(story)
    told += [thread for thread in open_threads(story) if thread not in standing_sentences(story)]
    return told


def _fresh(story: Story) -> str:
    if story.overall is None:
        return "no test on fresh seeds corrects that here."
    return f"what {count(story.overall.n, 'fresh seed')} say is told beside them."
