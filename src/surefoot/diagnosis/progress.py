"""Progress: how much of the way from chance a training has covered."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from surefoot.diagnosis.reading import SMALLEST_CHANCE, Reading
from surefoot.thresholds import Thresholds

FEWEST = 3
# What is asked of a reading more than once is kept for the few readings that a diagnosis is about.
KEPT = 16
# A predictor that ignores its input has one score for good. Where classes differ in size it also does better than
# guessing evenly, by so many times `stall_share`.
CONSTANT_MARGIN = 4
# Where the loss of chance is not known: so little of the first loss was lost.
HARDLY_MOVED = 0.02
# A score this share of the way from chance has learnt, whatever the loss; points where chance is not known.
LEARNT, LEARNT_POINTS = 0.2, 60.0


@lru_cache(maxsize=KEPT)
def covered_score(reading: Reading) -> float | None:
    """The share of the way from chance to what it can come to that the score on the training data has covered.

    None without a score.
    """
    reached = reached_score(reading)
    return None if reached is None else share_of_way(reached, reading)


@lru_cache(maxsize=KEPT)
def reached_score(reading: Reading) -> float | None:
    """The score that the model holds on what it learns from, in points; None where that was not measured.

    The best of what was measured counts: any of them shows what the model can fit.
    """
    train = reading.alike_score
    if train is None:
        return None
    others = {id(one): one for one in (train, reading.train_score, reading.val_score) if one is not None}
    return max(one.held for one in others.values())


def stated_goal(reading: Reading) -> float | None:
    """What is said to be within reach, in points: the ceiling, else the target; None where nobody said."""
    return reading.ceiling if reading.ceiling is not None else reading.target


def has_reached_target(reading: Reading) -> bool:
    """Whether validation ends at the target that was stated, or over it."""
    return reading.target is not None and reading.val_score is not None and reading.val_score.end >= reading.target


def share_of_way(points: float, reading: Reading) -> float | None:
    """Where a score lies between chance, 0, and what it can come to, 1; None where there is no way between them."""
    chance, goal = reading.chance_score or 0.0, stated_goal(reading)
    best = goal if goal is not None else 100.0
    return (points - chance) / (best - chance) if best > chance else None


@lru_cache(maxsize=KEPT)
def covered_loss(reading: Reading) -> float | None:
    """The share of the way from the loss of chance to nothing that the loss has covered at the end; None unknown.

    Without a loss of chance the first measured one stands for it.
    """
    loss = reading.alike_loss if reading.alike_loss is not None else reading.val_loss
    if loss is None:
        return None
    chance = reading.chance_loss if reading.chance_loss is not None else float(loss.values[0])
    reached = loss.end
    val = reading.val_loss
    if reading.likeness != "alike" and val is not None:
        reached = min(reached, val.end)
    return 1 - reached / chance if chance > SMALLEST_CHANCE else None


def covered(reading: Reading) -> float | None:
    """The share of the way by the score, else by the loss; None where neither tells."""
    by_score = covered_score(reading)
    return by_score if by_score is not None else covered_loss(reading)


@lru_cache(maxsize=KEPT)
def is_at_chance(reading: Reading, thresholds: Thresholds) -> bool:
    """Whether the best loss is within `stall_share` of chance and no score says otherwise."""
    loss = reading.alike_loss if reading.alike_loss is not None else reading.val_loss
    if loss is None or len(loss) < FEWEST or reading.non_finite is not None:
        return False
    best = min(float(one.values.min()) for one in (loss, reading.val_loss) if one is not None)
    if reading.chance_loss is None:
        first = float(loss.values[0])
        has_score = reading.val_score is not None or reading.train_score is not None
        return first > 0 and best > (1 - HARDLY_MOVED) * first and has_score and not _has_learnt(reading)
    margin = thresholds.stall_share * (CONSTANT_MARGIN if _is_constant(reading) else 1)
    return best > (1 - margin) * reading.chance_loss and not _has_learnt(reading)


def _is_constant(reading: Reading) -> bool:
    val = reading.val_score
    return val is not None and len(val) >= FEWEST and float(np.ptp(val.later)) == 0


def _has_learnt(reading: Reading) -> bool:
    scores = [score.end for score in (reading.val_score, reading.alike_score) if score is not None]
    if not scores or _is_constant(reading):
        return False
    chance = reading.chance_score
    if chance is None or chance >= 100:
        return max(scores) > LEARNT_POINTS
    return (max(scores) - chance) / (100 - chance) > LEARNT
