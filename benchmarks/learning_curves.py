"""Real learning curves of many configurations of `digits`, trained once and kept under out/.

The space is what one would search for such a net: learning rate and weight decay over decades, three
optimisers, momentum where the optimiser has it, four norms, dropout, four schedules, batch size, depth, width.
Every configuration is a random draw and trains for 27 epochs with one seed, measured after each. A schedule
spans the whole run, so early losses mislead where it leaves the best for the end, as they do in a real sweep.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from pathlib import Path

import numpy as np

from simulation import spread
from surefoot.run import canonical_json
from surefoot.space import SearchSpace, choice, integer, real
from surefoot.workload import RunContext, find_workload

EPOCHS = 27
CONFIGS = 600
AT_ONCE = 50
SPACE = SearchSpace(
    parameters=(
        real("lr", 1e-4, 1e-1, log=True),
        choice("optimizer", "adam", "adamw", "sgd"),
        real("momentum", 0.0, 0.95, when={"optimizer": "sgd"}),
        real("weight_decay", 1e-6, 1e-2, log=True),
        choice("schedule", "constant", "cosine", "warmup_cosine", "step"),
        choice("norm", "none", "batch", "group", "instance"),
        real("dropout", 0.0, 0.6),
        choice("batch_size", 32, 64, 128),
        integer("layers", 2, 3),
        choice("filters", 8, 16, 32),
    )
)


def curves(folder: Path, workers: int, seed: int = 0) -> list[list[float]]:
    """val_loss after each epoch, a row a configuration; shorter where it diverged, which makes its last infinite."""
    named = canonical_json([SPACE.definition(), EPOCHS, CONFIGS, seed])
    file = folder / f"learning_curves_{hashlib.sha256(named.encode()).hexdigest()[:8]}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    while len(kept) < CONFIGS:
        print(f"training the curves once: {len(kept)} of {CONFIGS}", flush=True)
        numbers = range(len(kept), min(len(kept) + AT_ONCE, CONFIGS))
        more = spread(trained, [(number, seed) for number in numbers], workers)
        with file.open("a") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in more)
        kept += more
    return [[math.inf if value is None else value for value in row["val_loss"]] for row in kept]


def trained(number: int, seed: int) -> dict:
    """The settings of one configuration and its val_loss by epoch; None stands for one that is no number."""
    rng = np.random.default_rng([seed, number])
    settings = SPACE.build(lambda parameter: parameter.value_at(rng.random()))
    workload = find_workload("digits")
    epoch = math.ceil(1077 / settings["batch_size"])
    config = workload.config(**settings, eval_every=epoch, steps=EPOCHS * epoch)
    with tempfile.TemporaryDirectory() as artifacts:
        run = workload.train(config, RunContext(seed=seed, artifacts=Path(artifacts)))
        losses = [measurement.values.get("val_loss", math.nan) for measurement in run]
    return {"settings": settings, "val_loss": [loss if math.isfinite(loss) else None for loss in losses]}
