"""The configs of a study as YAML that reads as a page: each setting with what it means, what was new, what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.files.yaml_words import comment, flow, scalar
from surefoot.ledger import LedgerRow
from surefoot.phases.round import Round
from surefoot.reports.diagnosis_words import promise_text
from surefoot.reports.phases_sentences import ledger_sentences, runs_text
from surefoot.reports.story import ExperimentStory, Story
from surefoot.words import clause, count, short_hash

# What a setting is and in which unit, where its name says so in every workload; others stand without a comment.
MEANINGS: Mapping[str, str] = {
    "lr": "learning rate, a step's factor",
    "learning_rate": "learning rate, a step's factor",
    "weight_decay": "pull of the weights towards zero, a step's factor",
    "momentum": "share of the last step that is kept, 0 to 1",
    "dropout": "share of activations dropped while training, 0 to 1",
    "batch_size": "examples a step",
    "steps": "updates of the weights, at most",
    "epochs": "passes over the training examples, at most",
    "eval_every": "steps between two measurements",
    "patience": "measurements without a better one before training stops, 0 is never",
    "clip_norm": "gradient norm above which the gradient is shortened, 0 is never",
    "warmup": "share or steps over which the learning rate rises",
    "train_examples": "training examples used",
    "crop_padding": "pixels of padding for random crops, 0 is off",
    "flip": "whether images are mirrored at random",
    "jitter": "strength of random colours, 0 is off",
    "cutout": "side of the square cut out, pixels, 0 is off",
    "mixup": "alpha of the Beta distribution that mixes two images, 0 is off",
    "mixed_precision": "whether half precision is used where it is safe",
    "optimizer": "rule of the updates",
    "schedule": "course of the learning rate over training",
    "norm": "normalisation between layers",
    "width": "channels of the first stage",
    "filters": "channels of the first layer",
    "depth": "blocks a stage",
    "layers": "layers",
    "hidden": "units of a hidden layer",
}
OFF: tuple[Any, ...] = (None, "", "none", "off")
DERIVED = "Written from the record by surefoot; editing this file changes nothing."


def training_config(story: Story) -> bytes:
    """The baseline's whole config."""
    assert story.phases is not None
    lines = [*_head(story, "The baseline's config"), ""]
    for name, value in story.phases.baseline_config.items():
        lines.append(setting_line(name, value, MEANINGS.get(name, "")))
    return _file(lines, is_empty=not story.phases.baseline_config)


def optimization_config(story: Story) -> bytes:
    """The champion's whole config: what was off before is NEW, what was otherwise is CHANGED, and by what."""
    assert story.phases is not None
    head = [*_head(story, "The champion's config after optimising"), *_searched(story)]
    return changed_config(story, story.champion_config, head)


def final_config(story: Story) -> bytes:
    """The config of the final training, with what differs from the baseline."""
    assert story.phases is not None
    final = story.phases.final
    head = _head(story, "The config of the final training")
    if final is not None:
        head += comment(f"Final training: {runs_text(final)}; the {final.checkpoint} checkpoint counts.")
    config = story.phases.final_config or (final.config if final is not None else {}) or story.champion_config
    return changed_config(story, config, head)


def changed_config(story: Story, config: Mapping[str, Any], head: Sequence[str]) -> bytes:
    """The config beside the baseline's: every setting in its place, the changed ones with their cause."""
    assert story.phases is not None
    before = story.phases.baseline_config
    lines = [*head, *comment(_counted(before, config)), ""]
    for name, value in config.items():
        if _has(before, name, value):
            lines.append(setting_line(name, value, MEANINGS.get(name, "")))
        else:
            causes, told = cause_of(name, value, story)
            lines += [line for sentence in told for line in comment(sentence)]
            lines.append(setting_line(name, value, _tag(name, before) + (f", by {causes}" if causes else "")))
    gone = [f"REMOVED: {name}, was {value_text(before[name])}" for name in before if name not in config]
    return _file([*lines, *(line for text in gone for line in comment(text))], is_empty=not config)


def setting_line(name: str, value: Any, remark: str = "") -> str:
    """ "dropout: 0.4  # NEW"."""
    text = f"{scalar(name)}: {value_text(value)}"
    said = " ".join(line.removeprefix("# ") for line in comment(remark))
    return f"{text}  # {said}" if said else text


def value_text(value: Any) -> str:
    """The value on one line of YAML; a number reads as one in YAML 1.1 too, which wants a point before the e."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {value_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(value_text, value)) + "]"
    if not isinstance(value, float):
        return flow(value)
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}e{exponent}" if e else mantissa


def is_same(a: Any, b: Any) -> bool:
    """Whether two settings are one; true is not 1."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def is_off(value: Any) -> bool:
    """Whether a setting did nothing: absent, none, false or zero."""
    return value is False or (isinstance(value, str | None) and value in OFF) or is_same(value, 0)


def cause_of(name: str, value: Any, story: Story) -> tuple[str, list[str]]:
    """What brought the setting to this value, "R1 (dropout)" or an experiment's name, and what is told of it."""
    assert story.phases is not None
    for found in reversed(story.phases.rounds):
        recommendation = _asked(found, name, value) if found.adopted else None
        if recommendation is not None:
            place = f" of round {found.number}" if len(story.phases.rounds) > 1 else ""
            known_as = f"{recommendation.id}{place} ({recommendation.kind})"
            rows = [row for row in story.phases.ledger if _is_about(row, recommendation, found)]
            told = ledger_sentences(rows) or [
                f"promised {promise_text(recommendation.promise)}; not measured by itself"
            ]
            return known_as, [f"{known_as}: {clause(sentence)}." for sentence in told]
    mover = _mover(name, value, story.experiments)
    return (f"experiment {mover.id}", []) if mover is not None else ("", [])


def _asked(found: Round, name: str, value: Any) -> Recommendation | None:
    return next((r for r in found.tried if name in r.patch and is_same(r.patch[name], value)), None)


def _is_about(row: LedgerRow, recommendation: Recommendation, found: Round) -> bool:
    is_its = row.recommendation == recommendation.id and row.kind == recommendation.kind
    return is_its and (not found.experiments or row.experiment in found.experiments)


def _mover(name: str, value: Any, experiments: Sequence[ExperimentStory]) -> ExperimentStory | None:
    """The last experiment that moved the champion to this value."""
    for e in reversed(experiments):
        if _has(e.champion_after, name, value) and not _has(e.champion_before, name, value):
            return e
    return None


def _has(config: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in config and is_same(config[name], value)


def _tag(name: str, before: Mapping[str, Any]) -> str:
    if name not in before:
        return "NEW"
    return (
        f"NEW, was {value_text(before[name])}" if is_off(before[name]) else f"CHANGED: from {value_text(before[name])}"
    )


def _counted(before: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    changed = [name for name, value in config.items() if not _has(before, name, value)]
    if not changed and all(name in config for name in before):
        return "Nothing differs from the baseline."
    verb = "differs" if len(changed) == 1 else "differ"
    return f"{count(len(changed), 'setting')} {verb} from the baseline, {len(config)} in all."


def _head(story: Story, what: str) -> list[str]:
    revision = f", revision {story.revisions[-1].number}" if story.revisions else ""
    plan = f"plan {short_hash(story.plan_hash)}{revision}"
    return [*comment(f"{what} of study {story.study} on workload {story.workload}, {plan}."), *comment(DERIVED)]


def _searched(story: Story) -> list[str]:
    """What a search of the rounds looked through, as comments."""
    assert story.phases is not None
    ours = {name for found in story.phases.rounds for name in found.experiments}
    told = []
    for e in story.experiments:
        if e.id in ours and e.search is not None and e.search.space:
            told += comment(f"Experiment {e.id} looked through: {'; '.join(e.search.space)}.")
    return told


def _file(lines: Sequence[str], *, is_empty: bool) -> bytes:
    return "\n".join([*lines, *(["{}"] if is_empty else []), ""]).encode()
