"""test_results.md: the final models on the sealed split, class by class, and the exports beside their original."""

from __future__ import annotations

from surefoot.phases.final import Final
from surefoot.reports.markdown import bullet, heading, paragraph, table
from surefoot.reports.phases_gates import document_gate_blocks, strong
from surefoot.reports.phases_sentences import export_sentence, metric_of, share, split_metrics, split_sentence
from surefoot.reports.phases_tables import (
    class_names,
    classes_table,
    confusion_table,
    exports_table,
    files_table,
    split_table,
)
from surefoot.reports.story import Story
from surefoot.reports.tables import Table
from surefoot.words import count, duration, listing, moment, number, short_hash


def test_results(story: Story) -> bytes:
    """What finalise came to, as Markdown."""
    assert story.phases is not None and story.phases.final is not None
    final = story.phases.final
    blocks = [
        heading(1, f"Test results of {story.study}"),
        paragraph("Written from the record by surefoot; nothing in it was typed."),
        paragraph(opening_sentence(final)),
        heading(2, "Final runs"),
        table(runs_table(final)),
        *split_blocks(final, story),
        *class_blocks(final, story),
        *export_blocks(final),
        *document_gate_blocks(story, "finalise"),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def opening_sentence(final: Final) -> str:
    """When the sealed split was opened, for which models."""
    when = f"was opened once, {moment(final.opened_at)}," if final.opened_at else "has not been opened yet"
    what = f" for the {final.checkpoint} checkpoint of {count(len(final.runs), 'final run')}" if final.opened_at else ""
    return f"The sealed test split {when}{what}."


def runs_table(final: Final) -> Table:
    """The final trainings: how each ended, how long it took, and the checkpoint that was measured."""
    rows = []
    for run in final.runs:
        digest = run.checkpoints.get(final.checkpoint, "")
        took = duration(run.provenance.wall_seconds)
        bundled = "bundled" if run.seed == final.bundled_seed else ""
        rows.append((str(run.seed), str(run.id), str(run.status), took, short_hash(digest) or "none", bundled))
    headers = ("seed", "run", "ended", "training time", f"{final.checkpoint}.pt, SHA-256", "")
    return Table(headers=headers, rows=tuple(rows), title="Final runs")


def split_blocks(final: Final, story: Story) -> list[str]:
    """Validation beside test, seed by seed, for every metric that both splits have."""
    names = split_metrics(story, final)
    blocks = [heading(2, "Validation and test")]
    for name in names:
        blocks += [table(split_table(final, name, story)), paragraph(split_sentence(final, name, story))]
    return blocks if names else [*blocks, paragraph("Nothing has been measured on both splits yet.")]


def class_blocks(final: Final, story: Story) -> list[str]:
    """Per class, and the confusion matrix whose totals are checked against everything else that counts the same."""
    blocks = []
    if final.per_class:
        whose = f" (model of seed {final.bundled_seed})" if final.bundled_seed is not None else ""
        blocks += [heading(2, f"Per class{whose}"), table(classes_table(final.per_class))]
    if final.confusion:
        blocks += [heading(2, "Confusion matrix"), table(confusion_table(final)), agreement_block(final, story)]
    return blocks


def agreement_block(final: Final, story: Story) -> str:
    """Whether the matrix, the per-class table and the test accuracy agree; in bold where they do not."""
    quarrels = disagreements(final, story)
    if quarrels:
        return "\n".join(f"- {strong(text, indent='  ')}" for text in quarrels)
    right, n = right_and_all(final)
    said = f"The matrix counts {n:,} images, {right:,} of them right: {share(right / n) if n else 'none'}."
    compared = ["the per-class table"] if {score.name for score in final.per_class} >= set(class_names(final)) else []
    compared += ["the measured test accuracy"] if bundled_accuracy(final, story) is not None else []
    return paragraph(f"{said} Its totals agree with {listing(compared)}." if compared else said)


def right_and_all(final: Final) -> tuple[int, int]:
    """How many test images the matrix counts as right, and how many in all."""
    return sum(row[i] for i, row in enumerate(final.confusion)), sum(map(sum, final.confusion))


def disagreements(final: Final, story: Story) -> list[str]:
    """What the matrix contradicts: the examples of a class, or the accuracy of the bundled model."""
    names = class_names(final)
    support = {score.name: score.support for score in final.per_class}
    found = [
        f"DISAGREES: class {name} has {sum(row)} images in the matrix and {support[name]} in the per-class table."
        for name, row in zip(names, final.confusion, strict=True)
        if name in support and support[name] != sum(row)
    ]
    right, n = right_and_all(final)
    measured = bundled_accuracy(final, story)
    if n and measured is not None and abs(100 * right / n - measured) > 50 / n:
        found.append(
            f"DISAGREES: the matrix says {share(right / n)} of {n:,} images, the test accuracy of the bundled model is "
            f"{number(measured)} %."
        )
    return found


def bundled_accuracy(final: Final, story: Story) -> float | None:
    """The bundled model's accuracy on the test split in percent, None where it was not measured."""
    for name, values in final.test.items():
        if name.endswith("accuracy") and metric_of(story, name).unit in ("%", ""):
            known = {run.seed: value for run, value in zip(final.runs, values, strict=False)}
            return known.get(final.bundled_seed) if final.bundled_seed is not None else None
    return None


def export_blocks(final: Final) -> list[str]:
    """The exported formats, a failed one in bold, and the bundle's files."""
    blocks = []
    if final.exports:
        failed = [e for e in final.exports if e.error]
        told = [bullet(export_sentence(e)) for e in final.exports if not e.error]
        told += [f"- {strong(export_sentence(e), indent='  ')}" for e in failed]
        blocks += [heading(2, "Exports"), table(exports_table(final.exports)), "\n".join(told)]
    if final.files:
        where = f"The folder {final.bundle} holds {count(len(final.files), 'file')}:"
        blocks += [heading(2, "Bundle"), paragraph(where), table(files_table(final))]
    return blocks
