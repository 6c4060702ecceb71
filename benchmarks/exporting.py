"""How exported models compare with eager torch: the same classes predicted, and the time of one image on one thread.

Nets of the built-in workloads, trained for a moment each (an untrained net's classes are all near a tie), are written
by `surefoot.workloads.exporting.export`; each file is read back and held against the net over every test image (the
published test images for fashion_mnist and cifar10). The original is eager torch as `evaluate` runs it, in the memory
layout that it trains in, normalising included. Both sides take one image at a time, in turns, on one thread; the time
is the median of that thread's CPU time. model.pt2 is run by its graph, given its weights; what torch's own
`module()` takes instead is told beside it.

    python benchmarks/exporting.py [--data FOLDER] [--seconds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from figures import Figure, at_least, at_most, publish, told
from surefoot.errors import DataError
from surefoot.workload import RunContext, as_config, find_workload

AGREEMENT = 0.999
RATIO = 1.0
SHORT = {"eval_every": 1000, "train_examples": 2000}
CELLS = {
    "digits stack(2, 8)": ("digits", {"steps": 150, "eval_every": 150}),
    "digits stack(2, 8), batch norm, dropout": (
        "digits",
        {"steps": 150, "eval_every": 150, "norm": "batch", "dropout": 0.1},
    ),
    "fashion_mnist stack(4, 32)": ("fashion_mnist", {**SHORT, "steps": 60}),
    "fashion_mnist stack(4, 32), batch norm": ("fashion_mnist", {**SHORT, "steps": 60, "norm": "batch"}),
    "fashion_mnist stack(4, 32), instance norm": ("fashion_mnist", {**SHORT, "steps": 60, "norm": "instance"}),
    "fashion_mnist blocks(3, 32)": ("fashion_mnist", {**SHORT, "steps": 60, "net": "blocks", "layers": 3}),
    "cifar10 residual, width 16, depth 1": ("cifar10", {**SHORT, "steps": 40, "width": 16, "depth": 1}),
    "cifar10 residual, width 64, depth 2 (ResNet-18)": (
        "cifar10",
        {**SHORT, "steps": 4, "width": 64, "depth": 2, "train_examples": 500},
    ),
}


def measured(name: str, settings: dict, data: Path | None, seconds: float) -> tuple[list[dict], float]:
    """The exports of one cell, and the seconds of one image through `module()`."""
    import torch

    from surefoot.workloads import datasets, exporting

    exporting.TIMING_SECONDS = seconds
    workload = find_workload(name)
    config = as_config(workload, workload.complete(settings))
    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(seed=0, artifacts=Path(folder), data_root=data, threads=2, is_test_open=True)
        for _ in workload.train(config, context):
            pass
        facts = workload.export(config, context, "last", Path(folder) / "out", ("torch", "onnx"))
        test = datasets.load(name, "test", context)
        few = exporting.raw_pixels(dataclasses.replace(test, images=test.images[:16], labels=test.labels[:16]))
        module = torch.export.load(Path(folder) / "out" / "model.pt2").module()
        (plain,) = exporting.latencies((module,), few).seconds
    return facts["exports"], plain


def figures_of(cell: str, exports: list[dict], plain: float) -> list[Figure]:
    """Agreement and the ratio of times against their targets, with the times beside them."""
    found = []
    for export in exports:
        if export["error"]:
            raise SystemExit(f"{cell}: {export['format']} was not exported: {export['error']}")
        ours, theirs = export["latency_seconds"], export["original_latency_seconds"]
        which = export["format"]
        found.append(
            at_least(cell, f"{which}: share of test images with the same class", export["agreement"], AGREEMENT)
        )
        found.append(at_most(cell, f"{which}: time of one image over eager torch's", ours / theirs, RATIO))
        found.append(told(cell, f"{which}: milliseconds of one image", 1000 * ours))
        if which == "torch":
            found.append(told(cell, "eager torch: milliseconds of one image", 1000 * theirs))
            found.append(told(cell, "torch, by module(): time of one image over eager torch's", plain / theirs))
    return found


def main() -> int:
    """Runs the benchmark; prints ratios, and keeps them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that holds fashion_mnist/ and cifar10/")
    parser.add_argument("--seconds", type=float, default=4.0, help="for which both sides of a format are timed")
    parser.add_argument("--only", default="", help="the cells whose name begins so")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()

    import torch

    figures = []
    for cell, (name, settings) in CELLS.items():
        if not cell.startswith(arguments.only):
            continue
        try:
            find_workload(name).data_fingerprint(arguments.data)
        except DataError as error:
            print(f"{cell}: left out, {error}", file=sys.stderr)
            continue
        figures += figures_of(cell, *measured(name, settings, arguments.data, arguments.seconds))
    title = "Exported models against eager torch on one thread"
    return publish(title, figures, arguments.json, torch=torch.__version__)


if __name__ == "__main__":
    sys.exit(main())
