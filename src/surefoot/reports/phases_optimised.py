"""optimization_results.md: the rounds from what was recommended to what was decided, and which part did the work."""

from __future__ import annotations

from surefoot.comparison import numbers_in
from surefoot.phases.round import Round
from surefoot.reports.diagnosis_words import headline
from surefoot.reports.journal import entry_close, entry_tables
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_gates import document_gate_blocks, strong
from surefoot.reports.phases_sentences import (
    gain_text,
    ledger_sentences,
    outlook_sentence,
    recommendation_text,
)
from surefoot.reports.phases_tables import attribution_table, ledger_table
from surefoot.reports.sentences import belief_sentences, verdict_sentences
from surefoot.reports.story import ExperimentStory, PathPoint, Story
from surefoot.reports.tables import Table
from surefoot.words import clause, config_change, mean_and_spread, number, sentence, unit_of


def optimization_results(story: Story) -> bytes:
    """The whole phase as Markdown."""
    assert story.phases is not None
    phases = story.phases
    change = config_change(phases.baseline_config, story.champion_config)
    blocks = [
        heading(1, f"Optimising {story.study}"),
        paragraph("Written from the record by surefoot; nothing in it was typed."),
        strong(outlook_sentence(phases.decision)) if phases.decision else paragraph("No decision has been made yet."),
        paragraph(
            f"Against the baseline the champion changes: {change}." if change else "The champion is the baseline."
        ),
        *path_blocks(story),
        *(block for found in phases.rounds for block in round_blocks(found, story)),
        *ledger_blocks(story),
        *document_gate_blocks(story, "optimise"),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def path_blocks(story: Story) -> list[str]:
    """The champion's steps on exploring and on fresh seeds, at the last step of each run."""
    if not story.path:
        return []
    unit = unit_of(story.primary)

    def cells(point: PathPoint) -> tuple[str, ...]:
        shown = (f"{mean_and_spread(v)}{unit}" if v else "not measured" for v in (point.exploring, point.fresh))
        return (point.label, *shown, "claimed" if point.is_claimed else "")

    headers = (f"{story.primary.name}, mean ± sd", "exploring seeds", "fresh seeds", "")
    found = Table(headers=headers, rows=tuple(map(cells, story.path)), title="The path")
    told = "All values are of the last step of each run; exploring seeds chose the steps and flatter them."
    return [heading(2, "From baseline to champion"), table(found), paragraph(told)]


def round_blocks(found: Round, story: Story, level: int = 2) -> list[str]:
    """One round: what it began with, what it tried and left, its experiments, its attribution and its decision."""
    blocks = [heading(level, f"Round {found.number}: {found.strategy}")]
    of = f" of {clause(found.diagnosis.subject)}" if found.diagnosis.subject else ""
    blocks.append(paragraph(f"It began with this diagnosis{of}: {headline(found.diagnosis)}."))
    if found.tried:
        blocks += [paragraph("Tried:"), bullets([recommendation_text(r) for r in found.tried])]
    if found.skipped:
        left = [f"{recommendation_text(r)} Not tried: {clause(because)}." for r, because in found.skipped]
        blocks += [paragraph("Not tried:"), bullets(left)]
    for experiment in story.experiments:
        if experiment.id in found.experiments:
            blocks += experiment_blocks(experiment, story, level + 1)
    blocks += attribution_blocks(found, story, level + 1)
    unit = story.primary.difference_unit
    step = f"Adopted: {found.adopted}, {gain_text(found.gain, found.interval, found.n, unit)}." if found.adopted else ""
    blocks.append(paragraph(step or "Nothing of it was adopted."))
    blocks.append(paragraph(outlook_sentence(found.outlook)) if found.outlook else paragraph("This round still runs."))
    return blocks


def experiment_blocks(experiment: ExperimentStory, story: Story, level: int) -> list[str]:
    """An experiment's belief, tables, verdicts and decision."""
    blocks = [heading(level, f"Experiment {experiment.id}"), *map(paragraph, belief_sentences(experiment, story))]
    if not experiment.arms or experiment.state in ("waiting", "skipped"):
        return [*blocks, paragraph(sentence(experiment.note or experiment.state))]
    blocks += [table(found) for found in entry_tables(experiment, story)]
    blocks.append(bullets(verdict_sentences(experiment, story)))
    return [*blocks, *map(paragraph, entry_close(experiment, story)), *curve_blocks(experiment, story)]


def curve_blocks(experiment: ExperimentStory, story: Story) -> list[str]:
    """Every arm's last value beside the mean of its best steps, so that neither is taken for the other."""
    metric, rows = story.primary, []
    for arm in ([experiment.champion] if experiment.champion else []) + list(experiment.arms):
        curves = [[m.values[metric.name] for m in run.measurements if metric.name in m.values] for run in arm.runs]
        best = [max(curve, key=lambda v: metric.sign * v) for curve in curves if curve]
        last = numbers_in(arm.values.get(metric.name, ()))
        if best and last:
            rows.append(
                (arm.name, mean_and_spread(last), mean_and_spread(best), number(sum(map(len, curves)) / len(curves), 0))
            )
    headers = (
        f"{metric.name}, curves",
        "at the last step (counts)",
        "at each run's best step (flatters)",
        "measurements a run",
    )
    return [table(Table(headers=headers, rows=tuple(rows), title="Curves"))] if rows else []


def attribution_blocks(found: Round, story: Story, level: int) -> list[str]:
    """Which recommendation did the work, as a table and in sentences."""
    if not found.attributions:
        return []
    told = [sentence(a.says) for a in found.attributions if a.says]
    return [
        heading(level, "Which part did the work"),
        table(attribution_table(found.attributions, story.primary)),
        *([bullets(told)] if told else []),
    ]


def ledger_blocks(story: Story, level: int = 2) -> list[str]:
    """Every promise beside what came of it."""
    assert story.phases is not None
    rows = story.phases.ledger
    if not rows:
        return []
    return [heading(level, "Promised and got"), table(ledger_table(rows)), bullets(ledger_sentences(rows))]
