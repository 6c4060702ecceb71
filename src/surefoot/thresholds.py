"""Thresholds: every number that a diagnosis or a gate compares with, each with one default and the reason for it.

The workflow document that these come from contradicts itself on several; where it does, the values it gives and
the one chosen stand beside the field. Points are percentage points of accuracy. A plan may set any of them under
`thresholds:`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """All of them, in the order of the phases."""

    # ── the baseline's gate ──
    utilisation_block: float = 0.40
    """Mean utilisation of the device under which the baseline blocks. The document: 40 % hard."""
    utilisation_note: float = 0.60
    """Under this it passes with a note. The document: 60 soft, 70 as a trigger, 80 as a target; the gate's own, 60."""
    least_loss_drop: float = 0.0
    """Share of its first value that the training loss must have lost. The document asks for any drop, expects half."""
    step_time_spread: float = 0.20
    """How far a run's time a step may lie from the median run's. The document: 20 % here, 10 % there; a busy
    machine moves more than 10."""

    # ── the diagnosis ──
    exploding_norm: float = 100.0
    """Gradient norm above which it explodes."""
    vanishing_norm: float = 1e-3
    """Gradient norm under which it vanishes, while the loss is still high."""
    stall_share: float = 0.05
    """A stall is a best loss within this share of the loss of a predictor that learns nothing, ln(classes). The
    document: no improvement for 10 or 15 epochs and a loss over 2.0, which is chance for ten classes only."""
    leap: float = 1.5
    """The training loss leaps where it exceeds this multiple of the loss of a predictor that learns nothing."""
    jumping_loss: float = 0.008
    """A rate is too high where losses measured on the same examples each time go on jumping by more than this share
    of that loss. Of 88 small healthy trainings 86 came to 0.006 at most, of 59 at too high a rate 54 to more than
    this."""
    rough_loss: float = 0.025
    """The same for a history of nothing but a running mean, which the drawing of examples moves too."""
    restless: float = 0.0025
    """The same for a loss at chance, on the same examples each time: one that has merely stopped learning keeps
    still."""
    late_fall: float = 0.12
    """The last quarter of a training that brings more than this share of the loss's whole fall has not arrived; a
    quarter of it were an even pace."""
    arrived: float = 0.75
    """Share of the way from chance to a loss of nothing at which a loss has arrived, falling or not."""
    overfit_mild: float = 5.0
    overfit_moderate: float = 10.0
    overfit_strong: float = 15.0
    """Train minus validation accuracy, points. The document agrees with itself here."""
    overfit_loss_gap: float = 0.5
    """Validation minus train loss in nats, measured alike, that counts where there is no accuracy."""
    memorised: float = 99.0
    """Train accuracy in percent at which the training examples are known by heart."""
    underfit_share: float = 0.75
    """Underfitting: train accuracy has covered less than this share of the way from chance to 100 %. The document:
    both under 70, 75 or 80; a share of the way means the same for any number of classes."""
    underfit_points: float = 5.0
    """The same where a target or a ceiling is stated: train accuracy ends more than this under it, points; as much as
    of a gap counts."""
    unstable_deviation: float = 8.0
    """Standard deviation (sample) of validation accuracy over its later half (6 measurements at least), about its
    trend, points. The document's example of 65, 78, 62, 81, 59, 76 has 9.28."""
    split_mismatch: float = 5.0
    """|validation - test| in points that blocks; under `split_excellent` it is excellent."""
    split_excellent: float = 2.0
    ceiling_gap: float = 5.0
    """Train minus validation accuracy under which a run at its target counts as near the ceiling, points."""
    confident: float = 0.9
    """A symptom with less confidence than this is no primary one; what could be noise never is."""

    # ── whether to optimise, and when to stop ──
    least_gain: float = 3.0
    """Expected gain in points under which optimising is skipped. The document: under 3 skip, over 5 go on, between
    them nothing; between them we go on while the budget lasts."""
    diminishing_gain: float = 2.0
    """A round that gained less than this, in points, counts towards the ceiling."""
    diminishing_rounds: int = 2
    """That many such rounds in a row, and the ceiling is accepted."""
    gain_per_hour: float = 0.0
    """Iterating stops where the expected gain per hour of training, in the metric's unit, is less."""
    hours: float = 12.0
    """Hours of training after which the best so far is accepted, where the budget says nothing."""

    # ── the final gate ──
    class_f1: float = 0.50
    """F1 of every class at least. The document: over .7 for every class, none under 50 %; the second blocks."""
    class_f1_note: float = 0.70
    """Under this a class is noted."""
    export_agreement: float = 0.999
    """Share of the test images on which the exported model must predict the same class."""
    export_accuracy: float = 0.5
    """Points by which the exported model's accuracy may differ."""
    export_slowdown: float = 1.0
    """Median latency of the exported model on one thread, as a multiple of eager torch's, at most."""
    latency_seconds: float = 0.1
    """Median latency of one image at most."""
