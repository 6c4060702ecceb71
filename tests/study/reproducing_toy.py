"""A workload that can be made to come out otherwise: by chance, by its threads, by a stamp in its checkpoint."""

import random
import time
from dataclasses import dataclass

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    level: float = 0.0
    steps: int = 4
    jitter: float = 0.0
    thread_gain: float = 0.0
    is_stamped: bool = False
    ending: str = "whole"


def train(config, context):
    """Goes on from the step it was closed at; whatever is not seeded begins with its second step."""
    left = context.artifacts / "left"
    begun = int(left.read_text()) if context.resume and left.exists() else 0
    noise = random.Random(f"{context.seed} {config.level}").gauss(0, 0.1)
    for step in range(begun + 1, config.steps + 1):
        loss = config.level + noise / step + config.thread_gain * context.threads
        loss += config.jitter * random.SystemRandom().random() * (step > 1)
        if config.ending == "crash" and step == 3:
            raise ValueError("it broke")
        if config.ending == "diverge" and step == 3:
            loss = float("nan")
        try:
            yield Measurement(step=step, values={"loss": loss})
        except GeneratorExit:
            left.write_text(str(step))
            raise
    (context.artifacts / "last.pt").write_text(f"{loss!r} {time.time_ns() if config.is_stamped else ''}")
    return {"steps": config.steps, "seconds_per_step": time.time(), "threads": context.threads}


SHAKY = Workload(
    name="shaky",
    summary="a loss that may hold an unseeded part",
    config=Config,
    metrics=(Metric(name="loss", goal="minimize"),),
    space=SearchSpace(
        parameters=(
            real("level"),
            integer("steps", 1),
            real("jitter", 0.0),
            real("thread_gain", 0.0),
            boolean("is_stamped"),
            choice("ending", "whole", "crash", "diverge"),
        )
    ),
    train=train,
    resumes=True,
)
