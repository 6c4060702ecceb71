"""MODEL_CARD.md: what the bundled model is, how good, how chosen, and what is not known of it.

Source of the kind of page: Mitchell et al. (2019), "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

from surefoot.phases.final import Final
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_final import claimed_blocks, limit_sentences
from surefoot.reports.phases_sentences import metric_of, runs_text, share, split_metrics, split_sentence
from surefoot.reports.phases_tables import (
    class_names,
    classes_table,
    confusion_table,
    exports_table,
    split_table,
)
from surefoot.reports.sentences import standing_sentences
from surefoot.reports.story import Story
from surefoot.reports.tables import facts_table
from surefoot.run import Run
from surefoot.words import count, listing, mean_and_spread, moment, number, setting, unit_of

UNKNOWN = "not on record"
# What no record of a training can say; a reader must not take silence for an answer.
UNASKED = (
    "How it does on images from elsewhere than this data set was not measured, nor under noise or attack.",
    "Whether it does equally well for groups of people was not measured: the data set names none.",
    "Its scores were not calibrated: a softmax of its logits is no measured probability of being right.",
    "What the data set's licence allows is not on record here.",
)


def model_card(story: Story, final: Final) -> bytes:
    """The card as Markdown."""
    blocks = [
        heading(1, f"Model card: {story.study}"),
        paragraph("Written from the record by surefoot; no number in it was typed."),
        heading(2, "The model"),
        table(facts_table(model_facts(story, final), "The model")),
        heading(2, "How it was chosen"),
        *map(paragraph, [*standing_sentences(story), runs_sentence(final)]),
        *claimed_blocks(story),
        heading(2, "How good it is"),
        *measured_blocks(story, final),
        *class_blocks(final),
        heading(2, "The exported model"),
        *export_blocks(final),
        heading(2, "How to use it"),
        *use_blocks(final),
        heading(2, "Limits"),
        bullets([*limit_sentences(story), *UNASKED]),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def model_facts(story: Story, final: Final) -> list[tuple[str, str]]:
    """What it is, of what, trained how and when; what the record does not know is said to be so."""
    run = next((run for run in final.runs if run.seed == final.bundled_seed), None)
    names, tested = class_names(final) or final.classes, sum(map(sum, final.confusion))
    told: list[tuple[str, str]] = [("workload", story.workload)]
    told.append(("classes", f"{len(names)}: {listing(names)}" if names else UNKNOWN))
    told += [
        ("parameters", _fact(run, "parameters")),
        ("training examples", _fact(run, "train_examples")),
        ("validation examples", _fact(run, "evaluated_examples")),
        ("test examples", f"{tested:,}" if tested else UNKNOWN),
        ("data fingerprint", (run.provenance.data_fingerprint if run else "") or UNKNOWN),
        ("code fingerprint", (run.provenance.code_fingerprint if run else "") or UNKNOWN),
        ("plan hash", story.plan_hash or UNKNOWN),
        ("bundled seed", UNKNOWN if final.bundled_seed is None else str(final.bundled_seed)),
        ("checkpoint", final.checkpoint),
        ("trained", moment(run.provenance.ended_at) if run and run.provenance.ended_at else UNKNOWN),
        ("test split opened", moment(final.opened_at) if final.opened_at else UNKNOWN),
    ]
    return told


def runs_sentence(final: Final) -> str:
    """The final trainings and which of them is bundled."""
    if final.bundled_seed is None:
        return f"Final training: {runs_text(final)}."
    which = f"the bundled model is that of seed {final.bundled_seed}, its {final.checkpoint} checkpoint"
    return f"Final training of the config in config.yaml: {runs_text(final)}; {which}."


def measured_blocks(story: Story, final: Final) -> list[str]:
    """Validation and test of every seed, and their means; what was measured on one split only, too."""
    both, blocks = split_metrics(story, final), []
    for name in both:
        blocks += [paragraph(split_sentence(final, name, story)), table(split_table(final, name, story))]
    for split, values in (("validation", final.validation), ("test", final.test)):
        for name in values:
            if name not in both:
                told = f"{mean_and_spread(values[name])}{unit_of(metric_of(story, name))}"
                blocks.append(
                    paragraph(f"{name} on the {split} split: {told} over {count(len(values[name]), 'seed')}.")
                )
    return blocks or [paragraph("Neither split's values are on record.")]


def class_blocks(final: Final) -> list[str]:
    """The classes' scores and the confusion matrix, with their totals and what they agree with."""
    if not final.confusion:
        return [paragraph("There is no confusion matrix: the test split's predictions are not on record.")]
    n, right = sum(map(sum, final.confusion)), sum(row[i] for i, row in enumerate(final.confusion))
    told = f"The bundled model on the test split: {right:,} of {n:,} right, {share(right / n) if n else UNKNOWN}."
    return [
        heading(3, "Class by class"),
        paragraph("Of the bundled model alone. A rate with nothing to divide by is given as 0."),
        table(classes_table(final.per_class)),
        heading(3, "What is taken for what"),
        paragraph(f"{told} {_totals(final, n)}"),
        table(confusion_table(final)),
    ]


def export_blocks(final: Final) -> list[str]:
    """Every format beside the original, and how that was measured."""
    if not final.exports:
        return [paragraph("The model was not exported.")]
    told = "Each file was read back and asked for every test image; the original is the same checkpoint in torch."
    timed = [f"{e.file}: {e.latency_measured}" for e in final.exports if e.latency_measured]
    times = [paragraph("How the times were measured:"), bullets(timed)] if timed else []
    return [paragraph(told), table(exports_table(final.exports)), *times]


def use_blocks(final: Final) -> list[str]:
    """The commands that check the files and predict."""
    written = [export.file for export in final.exports if export.file and not export.error]
    commands = ["sha256sum -c SHA256SUMS"]
    blocks = []
    if written:
        commands.append("python predict.py images.npy")
        told = (
            f"In {listing(written)}, normalising is part of the model: what goes in are pixels as the data set holds "
            "them, float32 of shape (n, channels, height, width), what comes out is one logit a class. predict.py "
            "takes a .npy file of one image or many, and prints a class for each; a picture is first made such a file."
        )
        blocks.append(paragraph(told))
    else:
        blocks.append(paragraph("No exported model is in the bundle, so there is no script to predict with."))
    return ["```sh\n" + "\n".join(commands) + "\n```", *blocks]


def _totals(final: Final, n: int) -> str:
    supports = [score.support for score in final.per_class]
    if supports == [sum(row) for row in final.confusion] and sum(supports) == n:
        return f"The totals agree: each row sums to its class's examples, the rows to {n:,}."
    return "THE TOTALS DO NOT AGREE: rows and classes come from different predictions; do not rely on them."


def _fact(run: Run | None, name: str) -> str:
    value = run.facts.get(name) if run else None
    if value is None:
        return UNKNOWN
    return number(value) if isinstance(value, int) and not isinstance(value, bool) else setting(value)
