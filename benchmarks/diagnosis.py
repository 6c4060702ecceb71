"""How often `diagnose` names the right primary, on histories whose truth was settled without it.

    python benchmarks/diagnosis.py [--set held-out] [--count 400] [--json FILE]

How the histories are made and judged, and which answers are right where two truths hold, stands in
`diagnosis_histories.py` and was fixed before any rule was run. One history a diagnosis. Targets: the right primary in
at least 90 % of 400; a healthy training called ill in at most 5 %. Beside it, on the same histories, what the workflow
document's own table says when read to the letter.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from diagnosis_histories import CACHE, FIRST_SEEDS, SHARES, cached_set
from figures import Figure, at_least, at_most, publish, told
from surefoot.diagnosis.diagnosis import diagnose
from told_histories import ground_of, history_of

RIGHT, FALSE_ALARM = 0.90, 0.05
HEALTHY = ("", "near_ceiling")
Answer = Callable[[Mapping[str, Any]], str]


def ours(case: Mapping[str, Any]) -> str:
    """The primary that `diagnose` names."""
    return diagnose([history_of(case)], ground_of(case)).primary


def to_the_letter(case: Mapping[str, Any]) -> str:
    """What the document's decision table says of the last epoch, in its order and with its limits."""
    curves = case["history"]["curves"]
    losses, held_out = (curves.get(name, ([], []))[1] for name in (_any(curves, "train_loss", "loss"), "val_loss"))
    if not all(map(math.isfinite, [*losses, *held_out])):
        return "non_finite"
    by = 1 if case["style"] == "ours" else 100
    train, validation = (
        by * np.array(curves[name][1]) for name in (_any(curves, "clean_train_accuracy", "accuracy"), "val_accuracy")
    )
    if max(curves.get("gradient_norm", ([], [0.0]))[1]) > 100:
        return "exploding_gradients"
    if len(losses) > 15 and min(losses[-15:]) >= min(losses[:-15]) and losses[-1] > 2:
        return "stall"
    if train[-1] - validation[-1] > 5:
        return "overfitting"
    if max(train[-1], validation[-1]) < 75:
        return "underfitting"
    return "unstable_validation" if np.std(validation) > 8 else ""


def _any(curves: Mapping[str, Any], *names: str) -> str:
    return next(name for name in names if name in curves)


def figures_of(cases: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> list[Figure]:
    """The targets, then the share right by kind, by size of the validation split and by style."""
    is_right = [answer in case["right"] for case, answer in zip(cases, answers, strict=True)]
    alarms = [a not in HEALTHY for case, a in zip(cases, answers, strict=True) if case["kind"] == "healthy"]
    low, high = wilson_interval(sum(is_right), len(cases))
    cell = f"all {len(cases)}"
    shown = [
        at_least(cell, "right primary", sum(is_right) / len(cases), RIGHT),
        told(cell, "right primary, 95 % interval from", low),
        told(cell, "right primary, 95 % interval to", high),
        at_most(f"{len(alarms)} healthy", "called ill", sum(alarms) / len(alarms), FALSE_ALARM),
        told(f"{len(alarms)} healthy", "called ill, 95 % interval to", wilson_interval(sum(alarms), len(alarms))[1]),
    ]
    groups: dict[str, list[bool]] = {}
    for name_of in (lambda c: c["kind"], lambda c: f"n_val {c['ground']['evaluated_on']:,}", lambda c: c["style"]):
        names = {name_of(case): case["ground"]["evaluated_on"] for case in cases}
        for name in sorted(names, key=lambda name: (name.startswith("n_val") and names[name], name)):
            groups[name] = [hit for case, hit in zip(cases, is_right, strict=True) if name_of(case) == name]
    return shown + [told(f"{name} ({len(hits)})", "right primary", np.mean(hits)) for name, hits in groups.items()]


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927, J. Am. Stat. Assoc. 22)."""
    found = binomtest(hits, n).proportion_ci(method="wilson")
    return found.low, found.high


def print_confusion(cases: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> None:
    """Truth by primary, and after it how many of the row are right."""
    columns = sorted({answer or "(healthy)" for answer in answers})
    count = Counter((case["kind"], answer or "(healthy)") for case, answer in zip(cases, answers, strict=True))
    print(f"{'truth':20}" + "".join(f"{name[:12]:>13}" for name in columns) + f"{'right':>9}")
    for kind in SHARES:
        of_kind = [a in c["right"] for c, a in zip(cases, answers, strict=True) if c["kind"] == kind]
        cells = "".join(f"{count[kind, name] or '·':>13}" for name in columns)
        print(f"{kind:20}{cells}{f'{sum(of_kind)}/{len(of_kind)}':>9}")
    print()


def print_dropped(dropped: Sequence[Mapping[str, Any]]) -> None:
    """How many attempts were dropped before any rule saw them, and why."""
    print(f"{len(dropped)} attempts whose treatments speak against how they were made were dropped:")
    for (kind, why), n in sorted(Counter((d["kind"], d["dropped"]) for d in dropped).items()):
        print(f"  {kind:20} {why:62} {n:4}")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=FIRST_SEEDS, default="held-out", dest="name")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, metavar="FOLDER", default=CACHE)
    parser.add_argument("--errors", action="store_true", help="print every mistake; not meant for the held-out set")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    begin = time.perf_counter()
    cases, dropped = cached_set(options.name, options.count, options.workers, options.cache)
    answers = [ours(case) for case in cases]
    print_dropped(dropped)
    print_confusion(cases, answers)
    if options.errors:
        print_errors(cases, answers)
    shown = figures_of(cases, answers)
    shown.append(told("attempts", "dropped before any rule saw them", len(dropped)))
    shown += [
        told(f"{figure.cell}, the document's table", figure.what, figure.value)
        for figure in figures_of(cases, [to_the_letter(case) for case in cases])
        if figure.target
    ]
    about = {"set": options.name, "histories": len(cases), "seconds": round(time.perf_counter() - begin)}
    return publish("Diagnosis: the right primary, against the truth", shown, options.json, **about)


def print_errors(cases: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> None:
    """Each mistake with what is known of the training."""
    for case, answer in zip(cases, answers, strict=True):
        if answer not in case["right"]:
            truth, recipe = case["truth"], case["recipe"]
            gains = ", ".join(f"{name} {gain:+.1f}" for name, gain in truth["gains"].items())
            print(f"{case['seed']} {case['kind']} ({case['cause']}), {case['style']}: said {answer or '(healthy)'}")
            about = (
                f"{recipe['task']}, {recipe['n_train']:,} train, {recipe['n_val']:,} validation, {recipe['optimizer']}"
            )
            print(f"    {about}; score {truth['score']:.1f}, gap {truth['gap']:.1f}, swings {truth['deviation']:.1f}")
            print(f"    {gains}")
            diagnosis = diagnose([history_of(case)], ground_of(case))
            for symptom in diagnosis.symptoms:
                print(f"    - {symptom.rule} {symptom.confidence:.2f}{' noise' * symptom.is_noise}")
    print()


if __name__ == "__main__":
    sys.exit(main())
