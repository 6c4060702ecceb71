"""Rate: a learning rate too high to settle, or too low to arrive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from surefoot.diagnosis.certainty import CERTAIN, beyond_noise, confidence
from surefoot.diagnosis.pooling import mean, of_histories, symptom
from surefoot.diagnosis.progress import KEPT, covered_loss, has_reached_target, is_at_chance
from surefoot.diagnosis.reading import SMALLEST_CHANCE, Reading
from surefoot.diagnosis.shapes import Series, detrended_deviation, jitter, jumping, late_fall
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number, percent

FEWEST = 5
# A rate that ends under this share of its largest was brought down by its schedule.
DECAYED = 0.5
SURE_FALL = 4.0
# Steps too small leave a smooth course to a loss measured on the same examples each time: of 37 small trainings at
# too low a rate the least steady fell by 30 standard errors; of 17 that underfitted and fell as much, 14 by under 20.
STEADY = 20.0
# Along the way that a falling rate adds up to, where an even pace were a quarter: 4 small trainings at too low a rate
# fell by 0.20 or more and 64 errors or more, 23 healthy and underfitting ones by less of one or both.
AT_PACE, STEADIER = 0.18, 60.0
HALF_WAY = 0.5
MOST_IN_PERCENT = 10.0
# A loss that came back this far has taken no harm from its leap.
RECOVERED = 0.2
# As a share of the loss of guessing: a training loss that ends so far above its lowest is going back.
RISEN = 0.1
NOISE_MARGIN = 3.0
# The lowest of many noisy values lies two errors under their mean already.
OUT_OF_NOISE = 5.0
# Validation that goes up and down this many times as much as training does it for reasons of its own.
CALMER = 2.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Roughness:
    """How a training loss behaves, as shares of the loss of guessing (of its first value where that is unknown).

    `first` is what was measured first, `peak` the largest after it, `jitter` what successive values differ by over
    the later half, `level` where the loss ends, `best` its lowest. `noise` is how much of the jitter drawing
    examples makes. `jumps` is how far the loss goes on jumping, `is_fixed` that this was measured on the same examples
    each time, whose drawing makes nothing of it. `is_elsewhere` says of what jumps that validation does so much more
    than training that steps are not why.
    """

    first: float
    peak: float
    jitter: float
    level: float
    best: float
    noise: float
    jumps: float
    is_fixed: bool
    is_scaled: bool
    is_at_chance: bool
    is_elsewhere: bool


@lru_cache(maxsize=KEPT)
def roughness(reading: Reading, thresholds: Thresholds) -> Roughness | None:
    """The roughness of the training loss; None for fewer than five measurements."""
    loss = reading.train_loss
    if loss is None or len(loss) < FEWEST:
        return None
    scale = reading.chance_loss if reading.chance_loss is not None else abs(float(loss.values[0]))
    if scale < SMALLEST_CHANCE:
        return None
    jumps, is_fixed = _jumps(reading, loss)
    return Roughness(
        jumps=jumps / scale,
        is_fixed=is_fixed,
        first=float(loss.values[0]) / scale,
        peak=float(loss.values[1:].max()) / scale,
        jitter=jitter(loss.later) / scale,
        level=loss.end / scale,
        best=float(loss.values.min()) / scale,
        is_at_chance=is_at_chance(reading, thresholds),
        noise=_sampling(reading, loss) / scale,
        is_scaled=reading.chance_loss is not None,
        is_elsewhere=jumps > thresholds.jumping_loss * scale and _is_elsewhere(reading, thresholds),
    )


def _jumps(reading: Reading, loss: Series) -> tuple[float, bool]:
    """How far the loss goes on jumping, and whether that was measured on the same examples each time.

    A running mean over the examples just drawn goes up and down at any rate. What is measured on the same examples
    each time moves with the weights alone: the rate is why where all losses jump. Where one is calm it is how the
    others are measured: on pieces drawn anew, with batch norm's running statistics, without the dropout.
    """
    others = [one for one in (reading.alike_loss, reading.val_loss) if one is not None and one is not loss]
    fixed = [jumping(one.later) for one in others if len(one) >= FEWEST]
    return min([jumping(loss.later), *fixed]), bool(fixed)


def _is_elsewhere(reading: Reading, thresholds: Thresholds) -> bool:
    """Whether validation is unstable while training is not: batch norm's running statistics do that, not the rate."""
    val, train = reading.val_score, reading.train_score
    if val is None or len(val) < FEWEST or detrended_deviation(val.later) <= thresholds.unstable_deviation:
        return False
    # Not the clean score: it is measured as validation is, and jumps with it.
    has_own = train is not None and (train is not reading.alike_score or reading.likeness != "alike")
    if has_own and train is not None and _is_calmer(train, val):
        return True
    if reading.train_loss is None or reading.val_loss is None:
        return False
    return jitter(reading.val_loss.later) > CALMER * jitter(reading.train_loss.later)


def _is_calmer(train: Series, val: Series) -> bool:
    return detrended_deviation(val.later) > CALMER * detrended_deviation(train.later)


def _sampling(reading: Reading, loss: Series) -> float:
    """What drawing other examples for every measurement makes of the jitter; 0 where each one sees all of them.

    Losses of single examples spread about as widely as their mean is high.
    """
    batch = reading.history.config.get("batch_size")
    if reading.history.step_unit != "step" or not isinstance(batch, int | float) or batch < 1 or len(loss) < 2:
        return 0.0
    seen = float(batch) * float(np.median(np.diff(loss.steps)))
    if seen <= 0 or (reading.trained_on is not None and seen >= reading.trained_on):
        return 0.0
    return float(loss.later.mean()) / math.sqrt(seen)


def rate_too_high(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A training loss that leaps up, or that goes on jumping instead of settling."""
    known = [(r, rough) for r in readings if (rough := roughness(r, thresholds)) is not None]
    found = [(r, rough) for r, rough in known if is_too_rough(rough, thresholds)]
    # Jumping keeps nothing from a training that is where it should be; a loss that was thrown up is another matter.
    found = [(r, rough) for r, rough in found if not has_reached_target(r) or is_thrown(rough, thresholds)]
    if 2 * len(found) < len(readings) or not found:
        return None
    peak, jumps, level = (mean([getattr(rough, name) for _, rough in found]) for name in ("peak", "jumps", "level"))
    reading = found[0][0]
    unit = "the loss of guessing" if reading.chance_loss is not None else "its first value"
    peak = max(peak, mean([rough.first for _, rough in found]))
    leapt = peak > thresholds.leap
    ends = f"{percent(level)} of it" if level < MOST_IN_PERCENT else f"{number(level, 0)} times that"
    said = f"leapt to {number(peak, 1)} times {unit}" if leapt else f"goes on jumping by {percent(jumps)} of {unit}"
    return symptom(
        "rate_too_high",
        reading.train_loss.name if reading.train_loss else "loss",
        f"The training loss {said}{of_histories(len(found), readings)} and ends at {ends}.",
        "critical" if level > HALF_WAY or any(is_thrown(rough, thresholds) for _, rough in found) else "warning",
        {
            "peak": peak,
            "jitter": jumps,
            "level": level,
            "leap": thresholds.leap,
            "rough": thresholds.jumping_loss if found[0][1].is_fixed else thresholds.rough_loss,
            "learning_rate": reading.rate.end if reading.rate else None,
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=mean([_sureness(rough, r, thresholds) for r, rough in found]),
        share=len(found) / len(readings),
    )


def _sureness(rough: Roughness, reading: Reading, thresholds: Thresholds) -> float:
    """How sure it is that steps throw the loss about, and not the drawing of examples."""
    if rough.is_fixed or is_thrown(rough, thresholds) or reading.train_loss is None or rough.noise == 0:
        return CERTAIN
    return beyond_noise(rough.jitter, rough.noise, len(reading.train_loss.later))


def is_too_rough(rough: Roughness, thresholds: Thresholds) -> bool:
    """Whether a loss leaps or jumps as only steps too large make it."""
    limit = thresholds.jumping_loss if rough.is_fixed else max(thresholds.rough_loss, NOISE_MARGIN * rough.noise)
    jumps = rough.jumps > limit and not rough.is_elsewhere
    return jumps or is_thrown(rough, thresholds) or _is_restless(rough, thresholds)


def is_thrown(rough: Roughness, thresholds: Thresholds) -> bool:
    """Whether the loss was thrown up: out of its range, or from where it had come down to, and did not come back."""
    leaps = rough.peak > thresholds.leap * max(1.0, rough.first) and rough.level > RECOVERED
    # What was measured first may be the start's doing; a loss that then stays high was thrown there.
    stays = rough.is_scaled and rough.first > thresholds.leap and rough.level > HALF_WAY
    risen = rough.level - rough.best > max(RISEN, OUT_OF_NOISE * rough.noise, NOISE_MARGIN * rough.jitter)
    return leaps or stays or risen


def _is_restless(rough: Roughness, thresholds: Thresholds) -> bool:
    """Whether it goes up and down at chance: one that merely learns nothing keeps still."""
    return rough.is_at_chance and rough.is_fixed and rough.jumps > thresholds.restless


@dataclass(frozen=True, kw_only=True, slots=True)
class Fall:
    """How a loss falls at its end: the last quarter's `share` of its whole fall, and its standard `errors`.

    `drop` is the whole fall as a share of the first value.
    """

    share: float
    errors: float
    drop: float


@lru_cache(maxsize=KEPT)
def is_still_falling(reading: Reading, thresholds: Thresholds) -> Fall | None:
    """How the loss falls where it still does; None where it has arrived, or nothing tells.

    Of the losses that were measured the one that tells it surest counts: the running mean of a training loss is the
    noisiest, and where a rate is too low they all fall together.
    """
    losses = (reading.train_loss, reading.alike_loss, reading.val_loss)
    known = [loss for loss in losses if loss is not None and len(loss) >= FEWEST]
    told = [(late_fall(loss.values), loss) for loss in known]
    if not told:
        return None
    (share, errors), loss = max(told, key=lambda one: one[0][1])
    if share <= thresholds.late_fall or errors <= SURE_FALL:
        return None
    first = float(loss.values[0])
    return Fall(
        share=share, errors=errors, drop=(first - float(loss.values.min())) / first if first > SMALLEST_CHANCE else 0.0
    )


def _fall_by_way(reading: Reading) -> Fall | None:
    """How the loss falls along the way that a falling rate adds up to; None where it does not fall evenly along it.

    Steps too small bring a loss down by as much as they add up to, to the end.
    """
    loss = reading.alike_loss if reading.alike_loss is not reading.train_loss else reading.val_loss
    if loss is None or len(loss) < FEWEST or reading.rate is None:
        return None
    share, errors = late_fall(loss.values, reading.rate.at(loss.steps))
    return Fall(share=share, errors=errors, drop=0.0) if share > AT_PACE and errors > STEADIER else None


def rate_too_low(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A training loss that falls as steadily at the end as before, far from where it could be."""
    found = [(r, *told) for r in readings if (told := _too_slow(r, thresholds)) is not None]
    if 2 * len(found) < len(readings) or not found:
        return None
    share = mean([one for _, one, _, _ in found])
    errors = mean([one for _, _, one, _ in found])
    way = mean([one for _, _, _, one in found])
    reading = found[0][0]
    of = ", by what the falling rate adds up to," if _is_decayed(reading.rate) else ""
    return symptom(
        "rate_too_low",
        reading.train_loss.name if reading.train_loss else "loss",
        f"The training loss still falls at the end: its last quarter{of} brought {percent(share)} of the whole fall "
        f"(25 % were an even pace){of_histories(len(found), readings)}, and train has covered {percent(way)} of the "
        "way from chance.",
        "warning",
        {
            "late_share": share,
            "late_errors": min(errors, 1e6),
            "covered": way,
            "threshold": AT_PACE if of else thresholds.late_fall,
            "learning_rate": reading.rate.end if reading.rate else None,
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=confidence(errors, 1.0),
        share=len(found) / len(readings),
    )


def _too_slow(reading: Reading, thresholds: Thresholds) -> tuple[float, float, float] | None:
    """Late fall, its standard errors and the share covered, of a reading that has not arrived; None of others.

    A validation loss that has turned up, or a score that is far behind train, has other wants than speed.
    """
    is_decayed = _is_decayed(reading.rate)
    falling = _fall_by_way(reading) if is_decayed else is_still_falling(reading, thresholds)
    way = covered_loss(reading)
    if falling is None or way is None or way >= thresholds.arrived:
        return None
    val = reading.val_loss
    if val is not None and falling.errors < STEADY:
        return None
    if val is not None and len(val) >= FEWEST and val.end > float(val.values.min()) + 0.1 * float(np.ptp(val.values)):
        return None
    rough = roughness(reading, thresholds)
    if rough is not None and is_too_rough(rough, thresholds):
        return None
    return falling.share, falling.errors, way


def _is_decayed(rate: Series | None) -> bool:
    return rate is not None and rate.end < DECAYED * float(rate.values.max())
