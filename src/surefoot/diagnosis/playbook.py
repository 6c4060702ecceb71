"""Playbook: what to try against each symptom, the most promising first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from surefoot.diagnosis.overfitting_playbook import against_overfitting
from surefoot.diagnosis.remedy import Patient, Remedy, Times
from surefoot.words import number

CLIP = 1.0
# A late fall of a quarter is an even pace: over this share the rate is far too low, not a little.
EVEN_PACE = 0.2
LEAPT = 2.0


def _failed(patient: Patient) -> Iterator[Remedy]:
    yield Remedy(
        kind="smaller_batch",
        title="half the batch",
        because="a batch that does not fit the memory ends a training, and half of it halves the need",
        changes={"batch_size": Times(factor=0.5, least=1)},
        risk="medium",
    )
    yield Remedy(kind="read_the_error", title="read the run's error", because="no setting mends a broken program")


def _non_finite(patient: Patient) -> Iterator[Remedy]:
    yield _lower_rate(0.1, "steps this large leave the range of numbers")
    yield from _clip(patient, "one large gradient is enough to lose the weights")
    yield Remedy(
        kind="scan_data",
        title="look for NaN and infinite values in the data",
        because="one such input makes every loss after it one",
    )


def _exploding(patient: Patient) -> Iterator[Remedy]:
    yield from _clip(patient, f"the norm reached {number(patient.evidence['largest'])}")
    yield _lower_rate(1 / 3, "smaller steps stay where the gradient is moderate")
    yield from _norm(patient, "layer", "it keeps activations, and with them gradients, in range")


def _vanishing(patient: Patient) -> Iterator[Remedy]:
    yield from _norm(patient, "batch", "it keeps activations, and with them gradients, in range")
    yield from _shallower(patient)
    yield Remedy(
        kind="initialisation",
        title="He or Xavier initialisation, leaky ReLU, skip connections",
        because="gradients shrink by a factor with every layer that they pass",
        effort="medium",
    )


def _stalled(patient: Patient) -> Iterator[Remedy]:
    yield Remedy(
        kind="higher_rate",
        title="learning rate ×10",
        because="the loss has not moved, nor does it jump",
        changes={"lr": Times(factor=10)},
        impact="high",
        risk="medium",
    )
    yield from _norm(patient, "batch", "units that are dead at the start come to life")
    yield Remedy(
        kind="check_labels",
        title="check labels and input pipeline",
        because="inputs that say nothing of their labels cannot be learnt from",
        impact="high",
        effort="medium",
    )
    yield Remedy(kind="another_seed", title="another seed", because="an unlucky start may be all there is")


def _too_high(patient: Patient) -> Iterator[Remedy]:
    is_gross = patient.evidence["peak"] > LEAPT or patient.evidence["level"] > 0.9
    factor = 0.1 if is_gross else 1 / 3
    yield _lower_rate(factor, "the training loss leaps" if is_gross else "the training loss jumps instead of settling")
    yield from _clip(patient, "it bounds every step")
    if patient.knobs.value("schedule") != "warmup_cosine":
        yield Remedy(
            kind="schedule",
            title="warm-up, then a cosine",
            because="small first steps, and a rate that falls while the loss settles",
            changes={"schedule": "warmup_cosine"},
        )
    yield Remedy(
        kind="larger_batch",
        title="twice the batch",
        because="the mean over more examples jumps less",
        changes={"batch_size": Times(factor=2)},
        impact="low",
    )


def _too_low(patient: Patient) -> Iterator[Remedy]:
    far = patient.evidence["late_share"] > EVEN_PACE
    yield Remedy(
        kind="higher_rate",
        title=f"learning rate ×{10 if far else 3}",
        because="the loss falls as fast at the end as before" if far else "the loss has not arrived",
        changes={"lr": Times(factor=10 if far else 3)},
        # The document: 64 to 78, "+14", of raising the rate tenfold where it was too low.
        gain=(0, 14),
        impact="high",
        risk="medium",
    )
    yield _longer(5 if far else 2, "at this pace it needs more of them")
    if patient.knobs.value("schedule") not in (None, "constant"):
        yield Remedy(
            kind="schedule",
            title="constant rate",
            because="the schedule brings the rate down before the loss is",
            changes={"schedule": "constant"},
            impact="low",
        )


def _underfitting(patient: Patient) -> Iterator[Remedy]:
    yield from _less_regularisation(patient)
    yield Remedy(
        kind="wider",
        title="twice as wide",
        because="the model has settled on less than there is to learn",
        changes={"width": Times(factor=2)},
        # The document gives the figure for its changes against underfitting together.
        gain=(9, 14),
        impact="high",
        effort="medium",
    )
    yield Remedy(
        kind="deeper",
        title="deeper",
        because="more layers express what fewer cannot",
        changes={"depth": Times(factor=1.5, least=2)},
        impact="high",
        effort="medium",
        risk="medium",
    )
    yield _longer(2, "it is cheap to see whether the loss goes on falling")
    yield Remedy(
        kind="higher_rate",
        title="learning rate ×3",
        because="a loss that settles early may have settled for want of larger steps",
        changes={"lr": Times(factor=3)},
        risk="medium",
    )


def _less_regularisation(patient: Patient) -> Iterator[Remedy]:
    """Less of what holds a model back, where it is on."""
    knobs = patient.knobs
    dropout, decay = knobs.number("dropout") or 0.0, knobs.number("weight_decay") or 0.0
    if dropout > 0.1:
        yield Remedy(
            kind="less_dropout",
            title="dropout 0" if dropout <= 0.3 else f"dropout {dropout / 2:g}",
            because=f"dropout {dropout:g} holds back a model that does not even fit what it sees",
            changes={"dropout": 0.0 if dropout <= 0.3 else round(dropout / 2, 3)},
            impact="high" if dropout >= 0.5 else "medium",
        )
    if decay > 1e-3:
        yield Remedy(
            kind="less_weight_decay",
            title=f"weight decay {decay / 100:g}",
            because=f"a decay of {decay:g} pulls the weights to nothing",
            changes={"weight_decay": decay / 100},
            impact="high" if decay >= 1e-2 else "medium",
        )
    strong = {knob: 0 for knob in ("cutout", "mixup") if knobs.number(knob)}
    if strong:
        yield Remedy(
            kind="less_augmentation",
            title="no cutout or mixup",
            because="they make examples harder for a model that does not fit them as they are",
            changes=strong,
        )


def _unstable(patient: Patient) -> Iterator[Remedy]:
    yield _lower_rate(1 / 3, "smaller steps change the model less between measurements")
    yield Remedy(
        kind="schedule",
        title="a cosine",
        because="a rate that falls to nothing lets the model settle",
        changes={"schedule": "cosine"},
    )
    yield Remedy(
        kind="larger_batch",
        title="twice the batch",
        because="the mean over more examples jumps less",
        changes={"batch_size": Times(factor=2)},
    )
    if patient.knobs.value("norm") == "batch":
        yield from _norm(patient, "group", "batch norm's running statistics lag behind small batches")
    yield Remedy(
        kind="audit_labels",
        title="audit the hundred worst errors, class counts and duplicates",
        because="labels that contradict each other pull the model to and fro",
        gain=(8, 11),
        effort="high",
    )


def _mismatch(patient: Patient) -> Iterator[Remedy]:
    yield Remedy(
        kind="split_again",
        title="make the splits again, stratified and from one source",
        because="the two splits are not of one kind",
        impact="high",
        effort="high",
    )


def _inefficient(patient: Patient) -> Iterator[Remedy]:
    speed_alone = (0.0, 0.0)
    yield Remedy(
        kind="larger_batch",
        title="twice the batch",
        because="a device that waits takes more at once",
        changes={"batch_size": Times(factor=2)},
        gain=speed_alone,
        risk="medium",
    )
    workers = patient.knobs.number("workers")
    if workers is not None:
        yield Remedy(
            kind="workers",
            title="more loader workers",
            because="the device waits for its data",
            changes={"workers": 4 if workers < 1 else Times(factor=2)},
            gain=speed_alone,
        )


def _nothing(patient: Patient) -> Iterator[Remedy]:
    yield from ()


# ── what several symptoms ask for ──


def _lower_rate(factor: float, because: str) -> Remedy:
    times = Times(factor=factor)
    return Remedy(
        kind="lower_rate",
        title=f"learning rate {times.text}",
        because=because,
        changes={"lr": times},
        impact="high",
    )


def _clip(patient: Patient, because: str) -> Iterator[Remedy]:
    now = patient.knobs.number("clip_norm")
    if not now or now > CLIP:
        yield Remedy(kind="clip", title=f"clip gradients at {CLIP:g}", because=because, changes={"clip_norm": CLIP})


def _longer(factor: int, because: str) -> Remedy:
    return Remedy(
        kind="longer",
        title=f"{factor} times as many steps",
        because=because,
        changes={"steps": Times(factor=factor)},
        effort="medium" if factor <= 2 else "high",
    )


def _norm(patient: Patient, norm: str, because: str) -> Iterator[Remedy]:
    if patient.knobs.value("norm") in (None, "none") or norm == "group":
        yield Remedy(kind="norm", title=f"{norm} norm", because=because, changes={"norm": norm}, effort="medium")


def _shallower(patient: Patient) -> Iterator[Remedy]:
    depth = patient.knobs.number("depth")
    if depth is not None and depth > 3:
        yield Remedy(
            kind="shallower",
            title="half as deep",
            because="gradients shrink with every layer that they pass",
            changes={"depth": Times(factor=0.5, least=2)},
            risk="medium",
        )


PLAYBOOK: Mapping[str, Callable[[Patient], Iterable[Remedy]]] = {
    "failed": _failed,
    "non_finite": _non_finite,
    "exploding_gradients": _exploding,
    "vanishing_gradients": _vanishing,
    "stall": _stalled,
    "rate_too_high": _too_high,
    "rate_too_low": _too_low,
    "overfitting": against_overfitting,
    "underfitting": _underfitting,
    "unstable_validation": _unstable,
    "split_mismatch": _mismatch,
    "inefficient_resources": _inefficient,
    "near_ceiling": _nothing,
}
# Changes that undo each other: of two symptoms the one to treat first has its way.
OPPOSITES = (
    ("lower_rate", "higher_rate"),
    ("wider", "smaller_model"),
    ("deeper", "shallower"),
    ("dropout", "less_dropout"),
    ("weight_decay", "less_weight_decay"),
    ("augmentation", "less_augmentation"),
    ("longer", "patience"),
)
