"""Overfitting's playbook: regularise, augment, shrink - by degree, by what is on already and by the data's size."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.diagnosis.remedy import Patient, Remedy, Times
from surefoot.words import number

# By degree: mild, moderate, strong. The document's ranges are 0.1-0.2, 0.3-0.4 and 0.5 of dropout, and 1e-5,
# 1e-4 to 1e-3 and 1e-2 of weight decay; 1e-2 is for AdamW, whose decay does not go through the gradient.
DROPOUT = {"mild": 0.2, "moderate": 0.3, "strong": 0.5}
WEIGHT_DECAY = {"mild": 1e-4, "moderate": 1e-3, "strong": 1e-3}
DECOUPLED_DECAY = 1e-2
MOST_DROPOUT, MOST_DECAY = 0.6, 1e-2
FEW_EXAMPLES = 10_000
PATIENCE = 5
# Parameters per training example over which the document sees a moderate risk.
RISKY_RATIO = 1.0


def against_overfitting(patient: Patient) -> Iterator[Remedy]:
    """The remedies, the most promising first: with few examples augmentation comes before what regularises."""
    is_few = patient.trained_on is not None and patient.trained_on < FEW_EXAMPLES
    augmentation = list(_augmentation(patient))
    if is_few:
        yield from augmentation
    yield from _dropout(patient)
    yield from _weight_decay(patient)
    if not is_few:
        yield from augmentation
    yield from _smaller(patient)
    yield from _patience(patient)
    yield from _more_data(patient)


def _dropout(patient: Patient) -> Iterator[Remedy]:
    now = patient.knobs.number("dropout")
    wanted = DROPOUT[patient.symptom.degree or "mild"]
    if now is not None and now >= wanted:
        wanted = min(now + 0.1, MOST_DROPOUT)
    if now is not None and now >= wanted:
        return
    was = f"it is {number(now)}" if now is not None else "what it is now is not known"
    yield Remedy(
        kind="dropout",
        title=f"dropout {wanted:g}",
        because=f"the gap is {patient.symptom.degree or 'mild'}, and {was}",
        changes={"dropout": round(wanted, 3)},
        gain=(3, 5),
        impact="high",
    )


def _weight_decay(patient: Patient) -> Iterator[Remedy]:
    now = patient.knobs.number("weight_decay")
    wanted = WEIGHT_DECAY[patient.symptom.degree or "mild"]
    if str(patient.knobs.config.get("optimizer", "")).lower() == "adamw" and patient.symptom.degree == "strong":
        wanted = DECOUPLED_DECAY
    if now is not None and now >= wanted:
        wanted = min(10 * now, MOST_DECAY)
    if now is not None and now >= wanted:
        return
    was = f"it is {number(now)}" if now is not None else "what it is now is not known"
    yield Remedy(
        kind="weight_decay",
        title=f"weight decay {wanted:g}",
        because=f"large weights fit single examples, and {was}",
        changes={"weight_decay": wanted},
        gain=(2, 4),
        impact="high",
    )


def _augmentation(patient: Patient) -> Iterator[Remedy]:
    """Crops and flips where they are off, else cutout and mixup where those are."""
    knobs = patient.knobs
    gentle: dict[str, object] = {"crop_padding": 4, "flip": True}
    stronger: dict[str, object] = {"cutout": 8, "mixup": 0.2}
    for changes, said in ((gentle, "random crops and flips"), (stronger, "cutout and mixup")):
        off = {knob: value for knob, value in changes.items() if not knobs.value(knob)}
        if knobs.is_known:
            off = {knob: value for knob, value in off.items() if knobs.has(knob)} or ({} if _augments(patient) else off)
        if off:
            yield Remedy(
                kind="augmentation",
                title=f"augmentation: {said}",
                because=f"it shows {_examples(patient)} in more ways than they were taken in",
                changes=off,
                gain=(2, 6),
                effort="medium",
            )
            return


def _augments(patient: Patient) -> bool:
    return any(patient.knobs.has(knob) for knob in ("crop_padding", "flip", "cutout", "mixup"))


def _examples(patient: Patient) -> str:
    return f"{patient.trained_on:,} examples" if patient.trained_on else "the examples"


def _smaller(patient: Patient) -> Iterator[Remedy]:
    parameters, examples = patient.parameters, patient.trained_on
    if parameters is not None and examples and parameters / examples < RISKY_RATIO:
        return
    ratio = (
        f"it has {number(parameters / examples, 1)} parameters for each training example"
        if parameters is not None and examples
        else "capacity beyond the data is spent on single examples"
    )
    yield Remedy(
        kind="smaller_model",
        title="30 % narrower",
        because=ratio,
        changes={"width": Times(factor=0.7, least=1)},
        gain=(1, 2),
        effort="high",
        risk="medium",
    )


def _patience(patient: Patient) -> Iterator[Remedy]:
    now, rise = patient.knobs.number("patience"), patient.evidence.get("loss_rise")
    if rise is None or (now is not None and 0 < now <= PATIENCE):
        return
    yield Remedy(
        kind="patience",
        title=f"stop after {PATIENCE} measurements without gain",
        because=f"the validation loss is lowest at {number(patient.evidence['lowest_loss_step'])} and rises from there",
        changes={"patience": PATIENCE},
    )


def _more_data(patient: Patient) -> Iterator[Remedy]:
    now = patient.knobs.number("train_examples")
    if now:
        yield Remedy(
            kind="more_data",
            title="train on all examples",
            because=f"it was trained on {number(now)} of them only",
            changes={"train_examples": 0},
            impact="high",
            effort="high",
        )
