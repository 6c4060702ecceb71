"""A workload without torch: a made-up loss with a seed's own noise, in milliseconds."""

import os
import random
import time
from dataclasses import dataclass

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, choice, integer, real
from surefoot.workload import Workload

EFFECTS = {"none": 0.0, "rung": -0.2, "rail": -0.1, "tangled": -0.3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    aid: str = "none"
    slope: float = 0.5
    steps: int = 4
    pause_ms: int = 0
    fault: str = "none"


def train(config, context):
    """Its loss is 1 + effect + slope's own, plus noise that mostly belongs to the seed; each end is logged."""
    seed_noise = random.Random(context.seed).gauss(0, 0.05)
    own_noise = random.Random(repr((config, context.seed))).gauss(0, 0.01)
    loss = 1.0 + EFFECTS[config.aid] + 0.3 * (config.slope - 0.5) + seed_noise + own_noise
    if config.fault == "crash" and context.seed == 2:
        raise ValueError("a rung broke")
    for step in range(1, config.steps + 1):
        time.sleep(config.pause_ms / 1000)
        value = float("nan") if config.fault == "diverge" else loss + 1 / step - 1 / config.steps
        yield Measurement(step=step, values={"loss": value, "speed": 1.0 - loss})
    (context.artifacts / "last.pt").write_text(repr(loss))
    if log := os.environ.get("LADDER_LOG"):
        with open(log, "a") as file:
            file.write(f"{config.aid} {config.slope} {context.seed}\n")
    return {"steps": config.steps, "laps": 2 if config.aid == "tangled" else 1}


def evaluate(config, context, checkpoint, split):
    context.require(split)
    loss = float((context.artifacts / f"{checkpoint}.pt").read_text())
    return {"loss": loss + (0.1 if split == "test" else 0.0), "speed": 1.0 - loss}


SPACE = SearchSpace(
    parameters=(
        choice("aid", "none", "rung", "rail", "tangled"),
        real("slope", 0.0, 1.0),
        integer("steps", 1, 1000),
        integer("pause_ms", 0),
        choice("fault", "none", "crash", "diverge"),
    )
)

WORKLOAD = Workload(
    name="ladder",
    summary="a ladder to try the loop on",
    config=Config,
    metrics=(Metric(name="loss", goal="minimize"), Metric(name="speed", goal="maximize", unit="m/s")),
    space=SPACE,
    train=train,
    evaluate=evaluate,
    fingerprint=lambda root: "ladder-data",
    drivers={"steps": ("steps",), "laps": ()},
)


def _no_data(root):
    from surefoot.errors import DataError

    raise DataError("data file rungs.idx is missing (SHA-256 abc123); put it under the data root")


WITHOUT_DATA = Workload(
    name="no-data", summary="", config=Config, metrics=WORKLOAD.metrics, space=SPACE, train=train, fingerprint=_no_data
)
WITHOUT_SOURCE = Workload(
    name="no-source", summary="", config=Config, metrics=WORKLOAD.metrics, space=SPACE, train=train, sources=("nosuch",)
)
WITHOUT_METRICS = Workload(name="no-metrics", summary="", config=Config, metrics=(), space=SPACE, train=train)
WITHOUT_TORCH = Workload(
    name="no-torch",
    summary="",
    config=Config,
    metrics=WORKLOAD.metrics,
    space=SPACE,
    train=train,
    requires={"a_library_nobody_has": "torch"},
)
