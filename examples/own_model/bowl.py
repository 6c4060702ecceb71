"""Noisy gradient descent on a bowl: the smallest workload of one's own."""

from dataclasses import dataclass

import numpy as np

from surefoot import Measurement, Metric, SearchSpace, Workload, choice, real


@dataclass(frozen=True)
class Config:
    lr: float = 0.1
    momentum: float = 0.0
    noise: str = "low"


def train(config, context):
    rng = np.random.default_rng(context.seed)
    weights, velocity = rng.normal(size=20), np.zeros(20)
    for step in range(1, 101):
        gradient = weights + rng.normal(scale=0.5 if config.noise == "low" else 2.0, size=20)
        velocity = config.momentum * velocity - config.lr * gradient
        weights = weights + velocity
        if step % 20 == 0:
            yield Measurement(step=step, values={"loss": float(weights @ weights)})
    return {"steps": 100, "parameters": weights.size}


WORKLOAD = Workload(
    name="bowl",
    summary="noisy gradient descent on a bowl",
    config=Config,
    metrics=(Metric(name="loss", goal="minimize"),),
    space=SearchSpace(parameters=(real("lr", 0, 1), real("momentum", 0, 0.99), choice("noise", "low", "high"))),
    train=train,
)
