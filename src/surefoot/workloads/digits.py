"""Handwritten digits, 8x8 pixels: a real training in a fraction of a second, with nothing to download.

Notable choices:
- The 1,797 images that scikit-learn carries: 1,077 to train on, 360 to choose on, 360 sealed for the end.
- A small stack of convolutions stopped long before it has converged: val_accuracy 93.5 ± 0.8 over seeds,
  97 and more within reach, so there is something to improve and room for a hypothesis to be wrong.
- Plain Adam at a constant learning rate; everything that could be argued about is a setting.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import Facts, RunContext, Split, Workload
from surefoot.workloads import datasets

if TYPE_CHECKING:  # torch is imported when a run begins, not when its config is read
    from torch import nn

    from surefoot.workloads.training import Build


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Every setting of a run. `eval_every` counts steps, `patience` evaluations; 0 turns patience and clip_norm off.

    `train_examples` keeps that many training images, equally many of each class; 0 keeps all.
    """

    net: str = "stack"
    layers: int = 2
    filters: int = 8
    norm: str = "none"
    dropout: float = 0.0
    optimizer: str = "adam"
    lr: float = 5e-4
    schedule: str = "constant"
    weight_decay: float = 1e-5
    batch_size: int = 16
    steps: int = 150
    eval_every: int = 25
    patience: int = 0
    clip_norm: float = 0.0
    mixed_precision: bool = False
    train_examples: int = 0

    def __post_init__(self) -> None:
        """Refuses, with ValueError, what no net can be built of."""
        if self.net == "blocks":
            raise ValueError("net blocks needs images of at least 28x28, and digits are 8x8; use net stack")
        if self.norm == "group" and self.filters % 8:
            raise ValueError(f"norm group needs filters in multiples of 8; got {self.filters}")


SPACE = SearchSpace(
    parameters=(
        choice("net", "stack", "blocks"),
        integer("layers", 1, 8),
        integer("filters", 1, 256),
        choice("norm", "none", "batch", "layer", "group", "instance"),
        real("dropout", 0.0, 0.9),
        choice("optimizer", "adam", "adamw", "sgd"),
        real("lr", 0.0, 1e6),
        choice("schedule", "constant", "cosine", "warmup_cosine", "step"),
        real("weight_decay", 0.0, 1.0),
        integer("batch_size", 1, 1024),
        integer("steps", 1, 1_000_000),
        integer("eval_every", 1, 1_000_000),
        integer("patience", 0, 1_000_000),
        real("clip_norm", 0.0),
        boolean("mixed_precision"),
        integer("train_examples", 0, 1077),
    )
)


def train(config: Config, context: RunContext) -> Generator[Measurement, None, Facts]:
    """Trains one net; see `surefoot.workloads.training.fit` for what is measured."""
    from surefoot.workloads import training

    train_split = datasets.load("digits", "train", context, train_examples=config.train_examples)
    validation = datasets.load("digits", "validation", context)
    return (yield from training.fit(_builder(config), train_split, validation, config, context))


def evaluate(config: Config, context: RunContext, checkpoint: str, split: Split) -> Mapping[str, float]:
    """The workload's metrics, by their names, of a checkpoint ("best" or "last") over the split."""
    from surefoot.workloads import training

    examples = datasets.load("digits", split, context)
    train_split = datasets.load("digits", "train", context, train_examples=config.train_examples)
    return training.evaluate(_builder(config), train_split, examples, context, checkpoint)


def _builder(config: Config) -> Build:
    from surefoot.workloads import networks

    def build(seed: int) -> nn.Module:
        net = networks.stack(config.layers, config.filters, config.norm, config.dropout, shape=(1, 8, 8))
        return networks.seeded(net, seed)

    return build


_LENGTH = ("steps", "patience", "eval_every")
_NET = ("net", "layers", "filters", "norm")

WORKLOAD = Workload(
    name="digits",
    summary="handwritten digits, 8x8 pixels, a small convolutional net; under a second a run, nothing to download",
    config=Config,
    metrics=(
        Metric(name="val_accuracy", goal="maximize", unit="%"),
        Metric(name="val_loss", goal="minimize"),
    ),
    space=SPACE,
    train=train,
    evaluate=evaluate,
    fingerprint=datasets.digits_fingerprint,
    sources=(
        "surefoot.workloads.datasets",
        "surefoot.workloads.networks",
        "surefoot.workloads.training",
        "surefoot.workloads.digits",
    ),
    drivers={
        "steps": _LENGTH,
        # doubling the batch alone doubles the samples seen: that confounds, and is meant to be said
        "samples": _LENGTH,
        "schedule": ("schedule", "lr", *_LENGTH),
        "optimizer": ("optimizer", "weight_decay"),
        "parameters": _NET,
        "normalisation": ("norm", "net", "layers"),
        "dropout": ("dropout", "net", "layers"),
        "precision": ("mixed_precision",),
        "train_examples": ("train_examples",),
        "evaluated_examples": (),
    },
    requires={"torch": "torch", "sklearn": "torch"},
)
