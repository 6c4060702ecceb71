"""The report as Markdown, with its figures as PNG files beside it."""

from __future__ import annotations

from collections.abc import Mapping

from surefoot.reports.journal import (
    baseline_blocks,
    chance_blocks,
    claims_blocks,
    entry,
    open_blocks,
    opening_blocks,
    revisions_blocks,
    split_blocks,
)
from surefoot.reports.markdown import escaped, heading, paragraph, table
from surefoot.reports.phases_journal import phase_blocks
from surefoot.reports.pictures import Picture
from surefoot.reports.story import Story
from surefoot.reports.tables import cost_table, facts_table


def report_markdown(story: Story, pictures: Mapping[str, Picture]) -> str:
    """What the HTML page tells, in its order; pictures are linked as figures/NAME.png."""
    parts = [*opening_blocks(story, "Report on"), heading(2, "The path"), *_figure(pictures["path"])]
    if story.phases is not None:
        parts += [*phase_blocks(story), *_figure(pictures["ledger"]), *_figure(pictures["confusion"])]
    parts += [*claims_blocks(story), *split_blocks(story), *chance_blocks(story)]
    for experiment in story.experiments:
        parts += [*entry(experiment, story), *_figure(pictures[f"curves-{experiment.number}"])]
    parts += [heading(2, "All effects"), *_figure(pictures["forest"])]
    parts += [*baseline_blocks(story), *_figure(pictures["noise"])]
    parts += [heading(2, "Cost"), *_figure(pictures["cost"])]
    costs = cost_table(story)
    parts += [table(costs)] if costs.rows else []
    parts += open_blocks(story)
    if story.provenance:
        parts += [heading(2, "Provenance"), table(facts_table(tuple(story.provenance.items()), "Provenance"))]
    parts += revisions_blocks(story)
    return "\n\n".join(p for p in parts if p) + "\n"


def _figure(drawing: Picture) -> list[str]:
    if not drawing.png:
        return [paragraph(drawing.caption)]
    return [f"![{escaped(drawing.title)}](figures/{drawing.name}.png)", paragraph(drawing.caption)]
