"""A workload without a library: a curve that falls towards what its settings deserve, and the ways a run can end."""

import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    x: float = 0.5
    y: float = 0.5
    kind: str = "a"
    depth: int = 1
    is_deep: bool = False
    steps: int = 3
    mode: str = "behave"
    noise: float = 0.0
    pause_ms: int = 0


SPACE = SearchSpace(
    parameters=(
        real("x", 0.0, 1.0),
        real("y", 0.0, 1.0),
        choice("kind", "a", "b", "c"),
        integer("depth", 1, 9),
        boolean("is_deep"),
        integer("steps", 1),
        choice("mode", "behave", "crash", "diverge", "crash_when_x_is_large", "kill", "kill_pool"),
        real("noise", 0.0),
        integer("pause_ms", 0),
    )
)


def worth(config):
    """The loss this config tends to: least at x 0.3, y 0.7 and kind b."""
    kinds = {"a": 0.2, "b": 0.0, "c": 0.4}
    return (config.x - 0.3) ** 2 + (config.y - 0.7) ** 2 + kinds[config.kind] + 0.05 * config.is_deep


def luck(config, seed):
    """A number in [-1, 1) that depends on config and seed only."""
    text = f"{config.x!r} {config.y!r} {config.kind} {seed}"
    return math.sin(sum((i + 1) * ord(c) for i, c in enumerate(text)) * 12.9898)


def train(config, context):
    kept = Path(context.artifacts, "resume.txt")
    # Stopped at its very last step, it measures that one again: a run that ends must have told its metrics.
    begun = min(int(kept.read_text()), config.steps - 1) if context.resume and kept.exists() else 0
    step = begun
    try:
        for step in range(begun + 1, config.steps + 1):
            if config.mode == "crash" or (config.mode == "crash_when_x_is_large" and config.x > 0.5):
                raise RuntimeError("the toy breaks as it was told to")
            if config.mode == "kill" and step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            if config.mode == "kill_pool" and step == 2 and not Path(context.artifacts, "killed").exists():
                Path(context.artifacts, "killed").touch()
                os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(config.pause_ms / 1000)
            loss = worth(config) + config.noise * luck(config, context.seed) + 1.0 / (1 + step)
            yield Measurement(
                step=step, values={"loss": math.nan if config.mode == "diverge" else loss, "size": config.depth}
            )
    except GeneratorExit:
        kept.write_text(str(step))
        raise
    return {"steps": config.steps, "resumed_from": begun}


TOY = Workload(
    name="sweep_toy",
    summary="a toy",
    config=Config,
    metrics=(Metric(name="loss", goal="minimize"), Metric(name="size", goal="minimize")),
    space=SPACE,
    train=train,
    resumes=True,
)
