"""What the small image classifiers share: settings, their space, training on a dataset by name."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import Facts, Predictions, RunContext, Split
from surefoot.workloads import datasets

if TYPE_CHECKING:  # torch is imported when a run begins, not when its config is read
    from torch import nn

    from surefoot.workloads.training import Augmentation, Build, Settings, Statistics


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Every setting of a run. `eval_every` counts steps, `patience` evaluations; 0 turns patience and clip_norm off.

    `momentum` acts on sgd only.
    `train_examples` keeps that many training images, equally many of each class; 0 keeps all.
    """

    net: str = "stack"
    layers: int
    filters: int
    norm: str = "none"
    dropout: float = 0.0
    optimizer: str = "adam"
    momentum: float = 0.9
    lr: float
    schedule: str = "constant"
    weight_decay: float = 1e-5
    batch_size: int
    steps: int
    eval_every: int
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


def space(*, nets: tuple[str, ...], train_examples: int) -> SearchSpace:
    """What may vary where the images can carry these nets and there are so many to train on."""
    return SearchSpace(
        parameters=(
            choice("net", *nets),
            integer("layers", 1, 8),
            integer("filters", 1, 256),
            choice("norm", "none", "batch", "layer", "group", "instance"),
            real("dropout", 0.0, 0.9),
            choice("optimizer", "adam", "adamw", "sgd"),
            real("momentum", 0.0, 0.999),
            real("lr", 0.0, 1e6),
            choice("schedule", "constant", "cosine", "warmup_cosine", "step"),
            real("weight_decay", 0.0, 1.0),
            integer("batch_size", 1, 1024),
            integer("steps", 1, 1_000_000),
            integer("eval_every", 1, 1_000_000),
            integer("patience", 0, 1_000_000),
            real("clip_norm", 0.0),
            boolean("mixed_precision"),
            integer("train_examples", 0, train_examples),
        )
    )


METRICS = (
    Metric(name="val_accuracy", goal="maximize", unit="%"),
    Metric(name="val_loss", goal="minimize"),
)
_MODULES = ("classifier", "datasets", "networks", "optimising", "resuming", "training")
SOURCES = tuple(f"surefoot.workloads.{name}" for name in _MODULES)

_LENGTH = ("steps", "patience", "eval_every")
DRIVERS: Mapping[str, tuple[str, ...]] = {
    "steps": _LENGTH,
    # doubling the batch alone doubles the samples seen: that confounds, and is meant to be said
    "samples": _LENGTH,
    "schedule": ("schedule", "lr", *_LENGTH),
    "optimizer": ("optimizer", "momentum", "weight_decay"),
    "parameters": ("net", "layers", "filters", "norm"),
    "normalisation": ("norm", "net", "layers"),
    "dropout": ("dropout", "net", "layers"),
    "precision": ("mixed_precision",),
    "train_examples": ("train_examples",),
    "evaluated_examples": (),
}


Shape = tuple[int, int, int]  # channels, height, width
NetOf = Callable[[Any, Shape], "nn.Module"]
AugmentationOf = Callable[[Any, "Statistics"], "Augmentation | None"]


def net(config: Config, shape: Shape) -> nn.Module:
    """The net that the config names, for images of that shape."""
    from surefoot.workloads import networks

    if config.net == "blocks":
        return networks.blocks(config.layers, config.filters, shape=shape)
    return networks.stack(config.layers, config.filters, config.norm, config.dropout, shape=shape)


def train(
    dataset: str, net_of: NetOf, config: Settings, context: RunContext, *, augment: AugmentationOf | None = None
) -> Generator[Measurement, None, Facts]:
    """Trains one net; see `surefoot.workloads.training.fit` for what is measured."""
    from surefoot.workloads import training

    train_split = datasets.load(dataset, "train", context, train_examples=config.train_examples)
    validation = datasets.load(dataset, "validation", context)
    build, augmented = _builder(net_of, config, train_split), partial(augment, config) if augment else None
    return (yield from training.fit(build, train_split, validation, config, context, augmented))


def evaluate(
    dataset: str, net_of: NetOf, config: Settings, context: RunContext, checkpoint: str, split: Split
) -> Mapping[str, float]:
    """The workload's metrics, by their names, of a checkpoint ("best" or "last") over the split."""
    from surefoot.workloads import training

    examples = datasets.load(dataset, split, context)
    train_split = datasets.load(dataset, "train", context, train_examples=config.train_examples)
    return training.evaluate(_builder(net_of, config, train_split), train_split, examples, context, checkpoint)


def predict(
    dataset: str, net_of: NetOf, config: Settings, context: RunContext, checkpoint: str, split: Split
) -> Predictions:
    """What a checkpoint says of every image of the split; see `surefoot.workloads.predicting.predict`."""
    from surefoot.workloads import classes, predicting

    examples = datasets.load(dataset, split, context)
    train_split = datasets.load(dataset, "train", context, train_examples=config.train_examples)
    build = _builder(net_of, config, train_split)
    return predicting.predict(build, train_split, examples, context, checkpoint, classes.NAMES[dataset])


def export(
    dataset: str,
    net_of: NetOf,
    config: Settings,
    context: RunContext,
    checkpoint: str,
    folder: Path,
    formats: tuple[str, ...],
) -> Facts:
    """What was written in each format, checked over the test images; see `surefoot.workloads.exporting.export`."""
    from surefoot.workloads import exporting

    test = datasets.load(dataset, "test", context)
    train_split = datasets.load(dataset, "train", context, train_examples=config.train_examples)
    build = _builder(net_of, config, train_split)
    return exporting.export(build, train_split, test, context, checkpoint, folder, formats)


def _builder(net_of: NetOf, config: Settings, examples: datasets.Examples) -> Build:
    """Makes the net of a seed."""
    from surefoot.workloads import networks

    return lambda seed: networks.seeded(net_of(config, examples.shape), seed)
