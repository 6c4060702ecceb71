"""A workload without a library: seeded noise plus what its settings do, and the ways in which a run can end."""

import dataclasses
import json
import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from surefoot.run import Measurement, Metric, config_hash
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import Workload

SILENT = ("bad_seed", "cost", "drop", "mode", "pause_ms", "sneak", "steps")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    gain: float = 0.0
    drop: float = 0.0
    left: bool = False
    right: bool = False
    third: str = "x"
    sd: float = 1.0
    is_whole: bool = False
    steps: int = 3
    sneak: bool = False
    cost: float = 0.0
    label: str = "none"
    mode: str = "behave"
    bad_seed: int = 0
    pause_ms: int = 0


SPACE = SearchSpace(
    parameters=(
        real("gain"),
        real("drop"),
        boolean("left"),
        boolean("right"),
        choice("third", "x", "y", "z"),
        real("sd", 0.0),
        boolean("is_whole"),
        integer("steps", 2),
        boolean("sneak"),
        real("cost", 0.0),
        choice("label", "none", "other"),
        choice("mode", "behave", "crash", "crash_until_fixed", "diverge", "kill", "kill_once", "sleep"),
        integer("bad_seed", 0),
        integer("pause_ms", 0),
    )
)


def outcome(config, seed):
    """What a run of this config and seed measures at its end: score, loss."""
    told = {name: getattr(config, name) for name in Config.__slots__ if name not in SILENT}
    own = np.random.default_rng([seed, int(config_hash(told)[:8], 16)])
    shared = np.random.default_rng(seed)
    gain = config.gain + 4 * config.left * config.right + {"x": 0, "y": 4, "z": 8}[config.third]
    other = np.random.default_rng([seed, int(config_hash({"drop": config.drop})[:8], 16)]).standard_normal()
    noise = config.sd * (0.9 * shared.standard_normal() + 0.3 * own.standard_normal())
    score = 50 + gain + noise
    return (float(round(score)) if config.is_whole else score), 1 + config.drop + 0.05 * other


def train(config, context):
    if config.bad_seed in (0, context.seed):
        misbehave(config, context)
    score, loss = outcome(config, context.seed)
    for step in range(1, config.steps + 1):
        time.sleep(config.pause_ms / 1000)
        yield Measurement(step=step, values={"score": score - config.steps + step, "loss": loss})
        if config.mode == "diverge" and config.bad_seed in (0, context.seed):
            yield Measurement(step=config.steps + 1, values={"score": float("nan")})
    (context.artifacts / "last.pt").write_text(json.dumps({"score": score + 1, "loss": loss}))
    facts = {"steps": config.steps + config.sneak, "stop_reason": "done"}
    return facts | ({"seconds_per_step": config.cost} if config.cost else {})


def misbehave(config, context):
    mark = context.artifacts / "was_here"
    if config.mode == "crash":
        raise ValueError("bad shape")
    if config.mode == "crash_until_fixed" and not (context.data_root / "fixed").exists():
        raise ValueError("no such file")
    if config.mode == "kill" or (config.mode == "kill_once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if config.mode == "sleep":
        time.sleep(60)


def evaluate_unless_told_not_to(config, context, checkpoint, split):
    if (context.data_root / "no_test").exists():
        raise ValueError("no test split here")
    return evaluate(config, context, checkpoint, split)


def evaluate(config, context, checkpoint, split):
    context.require(split)
    return json.loads((context.artifacts / f"{checkpoint}.pt").read_text())


def fingerprint(data_root):
    version = data_root / "version" if data_root else None
    return version.read_text() if version and version.exists() else "data-1"


TOY = Workload(
    name="toy",
    summary="seeded noise",
    config=Config,
    metrics=(Metric(name="score", goal="maximize", unit="%"), Metric(name="loss", goal="minimize")),
    space=SPACE,
    train=train,
    evaluate=evaluate,
    fingerprint=fingerprint,
    drivers={"steps": ("steps",)},
)
FRAGILE = dataclasses.replace(TOY, name="fragile", evaluate=evaluate_unless_told_not_to)
