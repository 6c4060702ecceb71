"""Fashion-MNIST, 28x28 pixels: clothes in ten classes, the nets and settings of a real journal.

Notable choices:
- The published files, checked by hash: 50,000 images to train on, 10,000 to choose on, the published 10,000
  test images sealed for the end. The journal chose on moving pieces of the test images.
- The journal trained 3 to 10 "epochs" of 100 batches of 64; 500 steps here is its 5, two thirds of a real one.
- Adam at a constant 1e-3 with weight decay 1e-5, as in the journal; the baseline net has no normalisation.
- Steps are counted, epochs are not: arms compared at equal steps and batch size have seen the same images.
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
    layers: int = 4
    filters: int = 32
    norm: str = "none"
    dropout: float = 0.0
    optimizer: str = "adam"
    lr: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 1e-5
    batch_size: int = 64
    steps: int = 500
    eval_every: int = 100
    patience: int = 0
    clip_norm: float = 0.0
    mixed_precision: bool = False
    train_examples: int = 0

    def __post_init__(self) -> None:
        """Refuses, with ValueError, what no net can be built of."""
        if self.net == "blocks" and (self.norm != "none" or self.dropout):
            raise ValueError("net blocks has neither norm nor dropout; use net stack, or norm none and dropout 0")
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
        integer("train_examples", 0, 50_000),
    )
)


def train(config: Config, context: RunContext) -> Generator[Measurement, None, Facts]:
    """Trains one net; see `surefoot.workloads.training.fit` for what is measured."""
    from surefoot.workloads import training

    train_split = datasets.load("fashion_mnist", "train", context, train_examples=config.train_examples)
    validation = datasets.load("fashion_mnist", "validation", context)
    return (yield from training.fit(_builder(config), train_split, validation, config, context))


def evaluate(config: Config, context: RunContext, checkpoint: str, split: Split) -> Mapping[str, float]:
    """The workload's metrics, by their names, of a checkpoint ("best" or "last") over the split."""
    from surefoot.workloads import training

    examples = datasets.load("fashion_mnist", split, context)
    train_split = datasets.load("fashion_mnist", "train", context, train_examples=config.train_examples)
    return training.evaluate(_builder(config), train_split, examples, context, checkpoint)


def _builder(config: Config) -> Build:
    from surefoot.workloads import networks

    def build(seed: int) -> nn.Module:
        if config.net == "blocks":
            return networks.seeded(networks.blocks(config.layers, config.filters), seed)
        return networks.seeded(networks.stack(config.layers, config.filters, config.norm, config.dropout), seed)

    return build


_LENGTH = ("steps", "patience", "eval_every")
_NET = ("net", "layers", "filters", "norm")

WORKLOAD = Workload(
    name="fashion_mnist",
    summary="Fashion-MNIST, 28x28 pixels, the nets of a real journal; half a minute a run, 30 MB to download",
    config=Config,
    metrics=(
        Metric(name="val_accuracy", goal="maximize", unit="%"),
        Metric(name="val_loss", goal="minimize"),
    ),
    space=SPACE,
    train=train,
    evaluate=evaluate,
    fingerprint=datasets.fashion_mnist_fingerprint,
    missing=datasets.fashion_mnist_missing,
    sources=(
        "surefoot.workloads.datasets",
        "surefoot.workloads.networks",
        "surefoot.workloads.training",
        "surefoot.workloads.fashion_mnist",
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
    requires={"torch": "torch"},
)
