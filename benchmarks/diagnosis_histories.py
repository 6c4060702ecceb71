"""Histories whose truth is known without any rule: by how they were made, and by what a treatment then really did.

    python benchmarks/diagnosis_histories.py --set tune [--count N] [--json FILE]

Each begins as a small real training (`known_trainings`) that is made ill on purpose, or left alone. Then the same
training, same seed, is run again with one thing changed at a time, and scored on a reference split that no history
shows. Only if these treatments agree with how it was made is it kept; the others are counted, with the reason, before
any rule has seen them. Each set has seeds of its own. "Points" are percentage points of reference accuracy, a
mean over the last fifth of the training; "gap" is that of training examples, measured alike, minus that.

overfitting          few examples for the net: gap at least 8 points; four times the examples gain at least 3, and at
                     least as much as a tenth or ten times the rate does.
underfitting         too small a net, or held down by dropout or decay: a net 4 times as wide (or the same net set
                     free) gains at least 5 points on training and on reference examples, and at least twice what ten
                     times or a tenth of the rate, or three times the steps gain; gap under 5.
rate_too_low         ten times the rate gains at least 5 points, and at least what the wider net gains; gap under 5.
rate_too_high        a tenth of the rate gains at least 5 points; where the loss is not finite, the usual rate does,
                     finite; gap under 5.
stall                over the last fifth neither training nor reference loss is under 95 % of ln(classes), or finite;
                     undoing the cause gains 10 points.
unstable_validation  recorded val_accuracy deviates by at least 8 points (the workflow document's own limit; sample
                     deviation of the later half from its line) because of how it is measured: a piece of the split
                     drawn anew each time, or running statistics that are one batch's. Measured soundly the same
                     training deviates by under 4 points; no other rate gains 5, and its gap is under 5.
healthy              no treatment (rate, width, regularising, setting free) gains 2.5 points; gap under 5; recorded
                     val_accuracy deviates by under 4.
What lies between (a gap of 6, say) is nobody's truth and is dropped.

Even seeds are told as our training loop records them, odd ones as Keras does: running means in training mode over one
pass of the training examples, accuracies as shares, nothing measured alike (`told_histories.py`).

Where two truths hold, all of them are right, fixed before any rule was run:
- healthy: "" and "near_ceiling".
- a rate too high whose loss is not finite: also "non_finite"; where the recorded gradient norm is over 100 (the
  workflow document's limit): also "exploding_gradients". Both say the same first: lower the rate.
- a stall: also its cause, "rate_too_low" or "rate_too_high"; weights at zero, dead units and deep sigmoids also
  "vanishing_gradients"; a blown up one also "exploding_gradients" and "non_finite" as above.
- everything else: its own name alone. Overfitting to noisy labels is overfitting.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from known_trainings import IMAGES, MADE, Recipe, Trained, available, images, trained
from simulation import spread
from told_histories import ground_definition, is_ours, keras_history, our_history

FIRST_SEEDS = {"tune": 0, "held-out": 100_000, "fresh": 200_000}
# A quarter is healthy, the rest is as much of each illness.
SHARES = {
    "healthy": 10,
    "overfitting": 5,
    "underfitting": 5,
    "rate_too_low": 5,
    "rate_too_high": 5,
    "stall": 5,
    "unstable_validation": 5,
}
N_VAL = (100, 200, 500, 1_000, 2_000, 5_000, 10_000)
MOST_VAL = {"digits": 300, "cifar10": 1_000}
LARGEST_BATCH = 256
CLEAR, SMALL, GAP_NONE, GAP_CLEAR, STEADY, UNSTEADY, CHANCE = 5.0, 2.5, 5.0, 8.0, 4.0, 8.0, 0.95
CACHE = Path(__file__).resolve().parents[1] / "out"
VERSION = 4  # of what is made: raised with every change of it, so that no older set is taken for it

Recipes = Mapping[str, Recipe]
Made = tuple[Recipe, str]


# ── how each is made ──


def sound(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Recipe:
    """A training that is probably well: a task, a net that is large enough, a usual rate, enough examples."""
    task = str(rng.choice(tasks, p=_weights(tasks)))
    n_val = int(rng.choice([n for n in N_VAL if n <= MOST_VAL.get(task, 10_000)]))
    measurements = int(rng.integers(15, 61))
    steps = measurements * int(rng.integers(max(4, 240 // measurements), 420 // measurements + 1))
    optimizer = str(rng.choice(["adam", "sgd"]))
    is_plain = bool(optimizer == "sgd" and rng.random() < 0.3)
    exponent = rng.uniform(-2.8, -2.2) if optimizer == "adam" else rng.uniform(-1.7, -1.1) + is_plain * 0.9
    made = Recipe(
        task=task,
        seed=seed,
        n_train={"digits": 900, "cifar10": 4_000}.get(task, int(rng.choice([4_000, 8_000, 12_000]))),
        n_val=n_val,
        hidden=tuple(int(rng.choice([24, 32, 48])) for _ in range(int(rng.integers(1, 3)))),
        activation=str(rng.choice(["relu", "relu", "tanh"])),
        dropout=float(rng.choice([0.0, 0.0, 0.1, 0.25])),
        optimizer=optimizer,
        momentum=0.0 if is_plain else 0.9,
        lr=float(10**exponent),
        schedule=str(rng.choice(["constant", "constant", "cosine"])),
        weight_decay=float(rng.choice([0.0, 0.0, 1e-4, 1e-3])),
        batch_size=int(rng.choice([32, 64])),
        steps=steps,
        measurements=measurements,
    )
    if task in MADE:
        is_teacher = task == "teacher"
        made = replace(
            made,
            classes=int(rng.choice([2, 3, 5, 10])),
            features=int(rng.integers(8, 16)) if is_teacher else int(rng.integers(10, 40)),
            clusters=int(rng.integers(1, 4)),
            spread=float(rng.uniform(0.6, 1.6)),
            label_noise=float(rng.choice([0.0, 0.0, 0.1, 0.25, 0.4])),
        )
    elif rng.random() < 0.2:
        made = replace(made, is_convolutional=True, hidden=(8, 32), activation="relu", dropout=0.0)
    return in_epochs(made)


def in_epochs(made: Recipe) -> Recipe:
    """The recipe of an odd seed, which is told as Keras does, with as many examples a measurement as there are."""
    if is_ours(made.seed):
        return made
    per_epoch = made.steps // made.measurements
    n_train = min(made.n_train, LARGEST_BATCH * per_epoch)
    return replace(made, n_train=n_train, batch_size=max(2, round(n_train / per_epoch)))


def _weights(tasks: Sequence[str]) -> list[float]:
    heavy = {"blobs": 3.0, "teacher": 3.0, "digits": 1.5, "fashion_mnist": 1.0, "cifar10": 0.6}
    total = sum(heavy[task] for task in tasks)
    return [heavy[task] / total for task in tasks]


def healthy(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    return sound(rng, seed, tasks), "left alone"


def overfitting(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    made = sound(rng, seed, tasks)
    few = {"digits": (60, 220), "cifar10": (150, 1_000), "fashion_mnist": (100, 1_000)}.get(made.task, (80, 2_000))
    made = replace(
        made,
        n_train=int(math.exp(rng.uniform(*np.log(few)))),
        hidden=made.hidden if made.is_convolutional else tuple(3 * units for units in made.hidden),
        dropout=float(rng.choice([0.0, 0.0, 0.2])),
    )
    return in_epochs(made), "few examples for the net"


def underfitting(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    made = replace(sound(rng, seed, tasks), is_convolutional=False, label_noise=float(rng.choice([0.0, 0.0, 0.1])))
    if made.task in MADE:
        made = replace(made, clusters=int(rng.integers(2, 6)), classes=int(rng.choice([3, 5, 10])), spread=0.5)
    how = rng.random()
    if how < 0.6:
        return replace(made, hidden=(int(rng.integers(1, 4)),), dropout=0.0), "too narrow a net"
    if how < 0.8:
        return replace(made, hidden=(8, 8), dropout=float(rng.uniform(0.6, 0.85))), "too much dropout"
    decay = 10 ** (rng.uniform(0.3, 1.2) if made.optimizer == "adam" else rng.uniform(-1.5, -0.7))
    return replace(made, weight_decay=float(decay)), "too much weight decay"


def rate_too_low(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    made = sound(rng, seed, tasks)
    return replace(made, lr=made.lr * 10 ** -rng.uniform(1.3, 2.5)), "a rate far lower"


def rate_too_high(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    made = sound(rng, seed, tasks)
    return replace(made, lr=made.lr * 10 ** rng.uniform(0.9, 2.0), schedule="constant"), "a rate far higher"


def stall(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    made = replace(sound(rng, seed, tasks), is_convolutional=False, dropout=0.0)
    how = str(rng.choice(["zero", "dead", "low", "high", "labels", "deep"]))
    if how == "zero":
        return replace(made, start="zero", hidden=(32, 32)), "all weights at zero"
    if how == "dead":
        return replace(made, start="dead", activation="relu"), "every unit dead"
    if how == "low":
        return replace(made, lr=made.lr * 10 ** -rng.uniform(3.5, 5)), "a rate far too low to move"
    if how == "high":
        factor = 10 ** rng.uniform(1.5, 3)
        return replace(made, lr=made.lr * factor, activation="relu", schedule="constant"), "a rate that kills all units"
    if how == "labels":
        return replace(made, are_labels_shuffled=True, hidden=(8,)), "labels that do not belong to the examples"
    deep = replace(made, activation="sigmoid", hidden=(16,) * 7, lr=made.lr / 3)
    return deep, "many layers of sigmoids"


def unstable_validation(rng: np.random.Generator, seed: int, tasks: Sequence[str]) -> Made:
    made = sound(rng, seed, tasks)
    if rng.random() < 0.4 or not is_ours(seed):
        return replace(made, val_piece=int(rng.integers(5, 15))), "validation on a piece drawn anew"
    return replace(
        made, is_convolutional=False, batch_norm=float(rng.uniform(0.9, 1.0)), batch_size=int(rng.choice([3, 4, 6]))
    ), "running statistics of one small batch"


MAKERS: Mapping[str, Callable[[np.random.Generator, int, Sequence[str]], Made]] = {
    "healthy": healthy,
    "overfitting": overfitting,
    "underfitting": underfitting,
    "rate_too_low": rate_too_low,
    "rate_too_high": rate_too_high,
    "stall": stall,
    "unstable_validation": unstable_validation,
}


# ── what the treatments say ──


def treatments(kind: str, made: Recipe, cause: str, origin: Recipe) -> Recipes:
    """The same training with one thing changed, by the name of the change."""
    rates = {"rate × 10": replace(made, lr=10 * made.lr), "rate ÷ 10": replace(made, lr=made.lr / 10)}
    wider = {"wider": replace(made, hidden=tuple(4 * units for units in made.hidden))}
    freed = {"freed": replace(made, dropout=0.0, weight_decay=0.0)} if made.dropout or made.weight_decay else {}
    regular = {"regularised": replace(made, dropout=max(0.3, made.dropout), weight_decay=max(1e-2, made.weight_decay))}
    return {
        "healthy": {**rates, **wider, **freed, **regular},
        "overfitting": {**rates, **regular, "data × 4": replace(made, n_train=4 * made.n_train)},
        "underfitting": {**rates, **wider, **freed, "steps × 3": replace(made, steps=3 * made.steps)},
        "rate_too_low": {**rates, **wider},
        "rate_too_high": {**rates, "usual rate": replace(made, lr=origin.lr)},
        "stall": {"cause undone": _undone(made, cause, origin)},
        "unstable_validation": {
            "measured soundly": replace(made, val_piece=0, batch_norm=min(made.batch_norm, 0.02)),
            **rates,
        },
    }[kind]


def _undone(made: Recipe, cause: str, origin: Recipe) -> Recipe:
    if "labels" in cause:
        return replace(made, are_labels_shuffled=False)
    if "rate" in cause:
        return replace(made, lr=origin.lr)
    return replace(made, start="usual") if "deep" not in cause else replace(made, activation="relu", hidden=(16,))


def contradiction(kind: str, base: Trained, treated: Mapping[str, Trained], classes: int) -> str:
    """Why the treatments do not bear out how the training was made; empty where they do."""
    gains = {name: _score(other) - _score(base) for name, other in treated.items()}
    gap = base.train_score - base.score
    has_learned = base.is_finite and min(base.loss, base.train_loss) < CHANCE * math.log(classes)
    is_swinging = deviation(base) >= STEADY
    rate = max(gains.get("rate × 10", 0.0), gains.get("rate ÷ 10", 0.0))
    if kind == "stall":
        if has_learned:
            return "it learned after all"
        return "" if gains["cause undone"] >= 2 * CLEAR else "undoing the cause does not help"
    if not has_learned and base.is_finite:
        return "it learned nothing: a stall"
    if kind == "rate_too_high":
        if base.is_finite and gap >= GAP_NONE:
            return "it overfits too"
        lower = gains["rate ÷ 10"] if base.is_finite else max(gains["rate ÷ 10"], gains["usual rate"])
        return "" if lower >= CLEAR else "a lower rate does not help"
    if not base.is_finite:
        return "its loss is not finite"
    if kind == "overfitting":
        if gap < GAP_CLEAR:
            return "too small a gap"
        is_more = gains["data × 4"] >= max(0.6 * CLEAR, rate)
        return "" if is_more else "more examples do not help, or another rate helps more"
    if gap >= GAP_NONE:
        return "it overfits too"
    if kind == "unstable_validation":
        if deviation(base) < UNSTEADY:
            return "it swings too little"
        if deviation(treated["measured soundly"]) >= STEADY:
            return "measured soundly it swings too"
        return "" if rate < CLEAR else "another rate helps"
    if is_swinging and kind == "healthy":
        return "it swings"
    if kind == "rate_too_low":
        is_rate = gains["rate × 10"] >= max(CLEAR, gains["wider"])
        return "" if is_rate else "a higher rate does not help, or a wider net helps more"
    if kind == "underfitting":
        return "" if _is_short_of_room(gains, base, treated) else "more room does not help, or rate or steps do too"
    return "" if max(gains.values()) < SMALL else f"{max(gains, key=gains.__getitem__)} helps"


def _is_short_of_room(gains: Mapping[str, float], base: Trained, treated: Mapping[str, Trained]) -> bool:
    best = max(gains.keys() & {"wider", "freed"}, key=gains.__getitem__)
    others = max(gains["rate × 10"], gains["rate ÷ 10"], gains["steps × 3"])
    on_training = treated[best].train_score - base.train_score
    return min(gains[best], on_training) >= CLEAR and gains[best] >= 2 * others


def _score(run: Trained) -> float:
    return run.score if math.isfinite(run.loss) else 0.0


def deviation(run: Trained) -> float:
    """Sample deviation of the later half of recorded val_accuracy from its straight line, points."""
    values = np.array([row["val_accuracy"] for row in run.rows])
    later = values[len(values) // 2 :]
    at = np.arange(len(later))
    return float(np.sqrt(np.sum((later - np.polyval(np.polyfit(at, later, 1), at)) ** 2) / (len(later) - 2)))


def right_answers(kind: str, cause: str, base: Trained) -> list[str]:
    """All primaries that are right, the first its own name; see the head of this file."""
    if kind == "healthy":
        return ["", "near_ceiling"]
    right = [kind]
    if kind == "stall" and "rate" in cause:
        right.append("rate_too_low" if "low" in cause else "rate_too_high")
    elif kind == "stall" and "labels" not in cause:
        right.append("vanishing_gradients")
    if "rate_too_high" in right:
        right += ["non_finite"] * (not base.is_finite)
        right += ["exploding_gradients"] * any(not row["gradient_norm"] <= 100 for row in base.rows)
    return right


# ── one attempt ──


def attempt(kind: str, seed: int, tasks: Sequence[str], *, known_best: float | None = None) -> dict[str, Any]:
    """One training of the kind with its treatments: its history, ground and truth as JSON, or why it was dropped.

    Where the best score of any treatment is known from an attempt that was kept, no treatment is run again.
    """
    rng = np.random.default_rng([seed, 0])
    made, cause = MAKERS[kind](rng, seed, tasks)
    dropped, treated = "", {}
    with threadpool_limits(1), np.errstate(all="ignore"):
        base = trained(made)
        if known_best is None:
            origin = sound(np.random.default_rng([seed, 0]), seed, tasks)
            dropped, treated = judged(kind, base, treatments(kind, made, cause, origin), made.classes)
    if dropped:
        return {"kind": kind, "seed": seed, "dropped": dropped}
    best = known_best or max(_score(run) for run in (base, *treated.values()))
    return {
        "kind": kind,
        "seed": seed,
        "dropped": "",
        "cause": cause,
        "right": right_answers(kind, cause, base),
        "style": "ours" if is_ours(seed) else "keras",
        "truth": {
            "score": base.score,
            "best": best,
            "gap": base.train_score - base.score,
            "deviation": deviation(base),
            "gains": {name: _score(run) - _score(base) for name, run in treated.items()},
        },
        "recipe": asdict(made),
        "history": (our_history if is_ours(seed) else keras_history)(made, base, rng),
        "ground": ground_definition(made, base, best, rng),
    }


def judged(kind: str, base: Trained, changed: Recipes, classes: int) -> tuple[str, dict[str, Trained]]:
    """What speaks against the kind, and the treatments; they are spared where the training alone speaks against it."""
    early = contradiction(kind, base, dict.fromkeys(changed, base), classes)
    if early in EARLY:
        return early, {}
    recorded = {"measured soundly"}
    treated = {name: trained(recipe, is_recorded=name in recorded) for name, recipe in changed.items()}
    return contradiction(kind, base, treated, classes), treated


EARLY = {
    "it learned after all",
    "it learned nothing: a stall",
    "it overfits too",
    "its loss is not finite",
    "too small a gap",
    "it swings too little",
    "it swings",
}


# ── a whole set ──


def counts(total: int) -> dict[str, int]:
    """How many of each kind: a quarter healthy, the rest even."""
    shares = {kind: total * share // sum(SHARES.values()) for kind, share in SHARES.items()}
    return {**shares, "healthy": total - sum(n for kind, n in shares.items() if kind != "healthy")}


def made_set(name: str, total: int, workers: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The cases of a set, and the attempts that were dropped; the same for the same seeds, however many workers."""
    tasks, cases, dropped = available(), [], []
    for task in tasks:
        if task in IMAGES:
            images(task)  # read once, before the processes are forked that share them
    for number, (kind, wanted) in enumerate(counts(total).items()):
        first, found, tried = FIRST_SEEDS[name] + 10_000 * number, 0, 0
        while found < wanted:
            jobs = [(kind, first + tried + i, tasks) for i in range(max(2 * workers, wanted - found))]
            tried += len(jobs)
            for case in spread(attempt, jobs, workers):
                if found == wanted:
                    break
                found += not case["dropped"]
                (dropped if case["dropped"] else cases).append(case)
        print(f"{kind}: {found} of {tried} kept", file=sys.stderr, flush=True)
    return cases, dropped


def cached_set(name: str, total: int, workers: int, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The set from a file where this version made it of the same tasks, else made now and kept."""
    key = hashlib.sha256(repr((VERSION, available())).encode()).hexdigest()[:8]
    file = folder / f"diagnosis_{name}_{total}_{key}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        cases, dropped = made_set(name, total, workers)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps({"cases": cases, "dropped": dropped}))
        unfinished.replace(file)
    record = json.loads(file.read_text())
    return record["cases"], record["dropped"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=FIRST_SEEDS, default="tune", dest="name")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, metavar="FOLDER", default=CACHE)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the cases and their truth here")
    options = parser.parse_args()
    cases, dropped = cached_set(options.name, options.count, options.workers, options.cache)
    if options.json:
        options.json.write_text(json.dumps({"cases": cases, "dropped": dropped}))
    print(f"{len(cases)} histories kept, {len(dropped)} dropped")
    for (kind, why), n in sorted(Counter((d["kind"], d["dropped"]) for d in dropped).items()):
        print(f"  {kind:20} {why:60} {n:4}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
