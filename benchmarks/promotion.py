"""Epochs until a sweep has a net of a stated quality: pausing and promoting, ending for good, and never stopping.

    python benchmarks/promotion.py [--repetitions N] [--workers N] [--json FILE]

The curves are real (see `learning_curves`); the sweeps are replayed over them. Random search proposes
configurations, the same ones in the same order to all sides. So many trials train at a time, an epoch each; a
free place goes on with the trial that the rule promotes, else it begins a new one. The sides:
- promotion: successive halving with rungs at 1, 3 and 9 of 27 epochs; a trial pauses there and may go on later
- stopping: the same rungs, where a trial that is not among the best so far ends for good
- median rule: a trial below the median of the others at its epoch ends for good (what Optuna does by default)
- no stopping

The quality is what random search has reached, in the median over the repetitions, after so many whole trainings.
A side has reached it when a trial has *ended* its 27 epochs at that val_loss or below: a net that can be used,
not the promise of one. Every epoch trained by then counts, those in flight too. A promotion is exact and trains
nothing twice, so it costs no epoch here; in seconds it costs reading a checkpoint and the data.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from figures import Figure, at_most, told
from learning_curves import EPOCHS, curves
from simulation import main, spread
from surefoot.run import Metric, Status
from surefoot.search import Search
from surefoot.search.stopping import stopper
from surefoot.space import SearchSpace, integer
from surefoot.sweep import Method, Stopping

Table = Sequence[Sequence[float]]
LOSS = Metric(name="val_loss", goal="minimize")
RULES = {
    "promotion": Stopping(rule="asha", max_steps=EPOCHS, promotes=True),
    "stopping": Stopping(rule="asha", max_steps=EPOCHS, promotes=False),
    "median rule": Stopping(rule="median"),
    "no stopping": None,
}
TARGETS = {"stopping": 0.7, "median rule": 0.7, "no stopping": 0.3}
# Two at a time, as on the two cores of the other benchmarks.
STATED = {"trainings": 30, "places": 2, "eta": 3}
OTHERS = (
    {"trainings": 10, "places": 2, "eta": 3},
    {"trainings": 100, "places": 2, "eta": 3},
    {"trainings": 30, "places": 1, "eta": 3},
    {"trainings": 30, "places": 4, "eta": 3},
    {"trainings": 30, "places": 8, "eta": 3},
    {"trainings": 30, "places": 2, "eta": 2},
    {"trainings": 30, "places": 2, "eta": 4},
)
OUT = Path(__file__).resolve().parents[1] / "out"
PARTS = 8
GIVEN_UP = 30  # times the epochs that the quality is worth: the median does not care how much later


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A trial that trained to its last epoch: all epochs of the sweep by then, and its final val_loss."""

    epochs: int
    loss: float


def sweep(table: Table, side: str, setting: Mapping[str, int], seed: int) -> Iterator[Ended]:
    """The trials that end their training, in time, until the sweep is given up."""
    space = SearchSpace(parameters=(integer("row", 0, len(table) - 1),))
    search = Search(space, targets=(LOSS,), method=Method(name="random"), seed=seed)
    stopping = RULES[side]
    rule = stopper(replace(stopping, eta=setting["eta"]), LOSS.goal, can_resume=True, seed=seed) if stopping else None
    curve_of: dict[int, Sequence[float]] = {}
    trained: dict[int, int] = {}
    spent = 0
    busy: list[tuple[int, int, int]] = []  # when the epoch ends, which place, which trial

    def begun(now: int, place: int) -> None:
        number = rule.promotion() if rule else None
        if number is None:
            proposal = search.ask()
            number = proposal.number
            curve_of[number], trained[number] = table[proposal.settings["row"]], 0
        heapq.heappush(busy, (now + 1, place, number))

    for place in range(setting["places"]):
        begun(0, place)
    while spent < GIVEN_UP * setting["trainings"] * EPOCHS:
        now, place, number = heapq.heappop(busy)
        spent += 1
        trained[number] += 1
        epoch, loss = trained[number], curve_of[number][trained[number] - 1]
        halt = rule.judge(number, epoch, loss) if rule and math.isfinite(loss) else None
        status = None
        if not math.isfinite(loss):
            status = Status.INFEASIBLE
        elif epoch == EPOCHS:
            status = Status.COMPLETE
            yield Ended(epochs=spent, loss=loss)
        elif halt:
            status = Status.PRUNED
        if status is None:
            heapq.heappush(busy, (now + 1, place, number))
            continue
        if rule:
            rule.ended(number, status)
        if not (halt and halt.is_pause):
            search.tell(number, values=[loss], status=status)
        begun(now, place)


def best_of(table: Table, trainings: int, seed: int) -> float:
    """What random search has reached after so many whole trainings, one after the other."""
    space = SearchSpace(parameters=(integer("row", 0, len(table) - 1),))
    search = Search(space, targets=(LOSS,), method=Method(name="random"), seed=seed)
    return min(table[search.ask().settings["row"]][-1] for _ in range(trainings))


def epochs_to(table: Table, quality: float, side: str, setting: Mapping[str, int], seed: int) -> float:
    """All epochs trained when the first trial ends at the quality; infinite where the sweep was given up."""
    return next((ended.epochs for ended in sweep(table, side, setting, seed) if ended.loss <= quality), math.inf)


def repeated(table: Table, quality: float, side: str, setting: Mapping[str, int], seeds: Sequence[int]) -> list[float]:
    """`epochs_to` of every seed."""
    return [epochs_to(table, quality, side, setting, seed) for seed in seeds]


def cell_of(setting: Mapping[str, int]) -> str:
    """How the table calls a setting."""
    return f"best of {setting['trainings']}, {setting['places']} at a time, eta {setting['eta']}"


def measure(repetitions: int, seed: int, workers: int) -> list[Figure]:
    """The stated setting against its targets, then what else was tried."""
    table = curves(OUT, workers)
    seeds = [seed + i for i in range(repetitions)]
    figures = about(table)
    for setting in (STATED, *OTHERS):
        quality = float(np.median([best_of(table, setting["trainings"], s) for s in seeds]))
        jobs = [(table, quality, side, setting, part) for side in RULES for part in np.array_split(seeds, PARTS)]
        answers = spread(repeated, [(*job[:4], job[4].tolist()) for job in jobs], workers)
        epochs = {
            side: np.concatenate(answers[i * PARTS : (i + 1) * PARTS]).astype(float) for i, side in enumerate(RULES)
        }
        figures += compared(cell_of(setting), quality, epochs, is_stated=setting is STATED)
    return figures


def compared(cell: str, quality: float, epochs: Mapping[str, np.ndarray], *, is_stated: bool) -> list[Figure]:
    """The ratios of the medians; where they have targets, with their intervals and what they are made of."""
    middle = {side: float(np.median(values)) for side, values in epochs.items()}
    figures = []
    for side, most in TARGETS.items():
        what, ratio = f"epochs, promotion / {side}", middle["promotion"] / middle[side]
        if not is_stated:
            figures.append(told(cell, what, ratio))
            continue
        figures.append(at_most(cell, what, ratio, most))
        low, high = interval(epochs["promotion"], epochs[side])
        figures += [told(cell, f"{what}, 95 % from", low), told(cell, f"{what}, 95 % to", high)]
    figures.append(told(cell, "epochs, promotion, median", middle["promotion"]))
    if is_stated:
        figures.append(told(cell, "the quality, val_loss", quality))
        figures += [told(cell, f"epochs, {side}, median", middle[side]) for side in TARGETS]
        for side, values in epochs.items():
            low, high = np.quantile(values, (0.1, 0.9), method="nearest")
            figures += [told(cell, f"epochs, {side}, 10 % below", low), told(cell, f"epochs, {side}, 10 % above", high)]
    return figures


def interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """A 95 % percentile bootstrap interval of the ratio of medians over paired repetitions."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(ours), (2000, len(ours)))
    low, high = np.quantile(np.median(ours[draws], axis=1) / np.median(theirs[draws], axis=1), (0.025, 0.975))
    return float(low), float(high)


def about(table: Table) -> list[Figure]:
    """What the landscape is like: how well an early loss tells the last one."""
    whole = np.array([curve for curve in table if len(curve) == EPOCHS])
    cell = f"{len(table)} configurations of digits, {EPOCHS} epochs"
    figures = [told(cell, "share that diverged", 1 - len(whole) / len(table))]
    for epoch in (1, 3, 9):
        rank = spearmanr(whole[:, epoch - 1], whole[:, -1]).statistic
        figures.append(told(cell, f"rank correlation of val_loss after {epoch} and {EPOCHS} epochs", float(rank)))
    return figures


if __name__ == "__main__":
    sys.exit(main("Promotion: epochs until a sweep has a net of a stated quality", measure, 1000))
