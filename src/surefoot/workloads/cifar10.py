"""CIFAR-10, 32x32 pixels in colour: residual networks, from ResNet-18 down to what two cores train in seconds.

Notable choices:
- Width 64 and depth 2 are ResNet-18 with 11,173,962 parameters; the defaults, 8 and 1, have 78,002.
- Everything that keeps a net from overfitting is off at first: dropout, weight decay and each augmentation are
  settings, so that what one of them does can be seen.
- Adam at a constant 1e-3, as in the other workloads; He et al. (2016) trained with SGD, momentum 0.9, weight decay
  1e-4 and a rate that falls in steps, crop padding 4 and flips: settings too.
- A fifth of the training images to choose on, the published test images sealed for the end.
- Whatever well-formed files lie there are taken; the fact `data` says whether they are the published ones.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from surefoot.run import Measurement
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import Facts, RunContext, Workload
from surefoot.workloads import cifar10_files, classifier

if TYPE_CHECKING:  # torch is imported when a run begins, not when its config is read
    from torch import nn

    from surefoot.workloads.training import Augmentation, Statistics


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Every setting of a run. `eval_every` counts steps, `patience` evaluations; 0 turns patience and clip_norm off.

    `width` is of the first stage, `depth` the blocks of each. `dropout` stands before the classifier. `momentum` acts
    on sgd only. Of the augmentations 0 and false are off: `crop_padding` and `cutout` are pixels, `jitter` how far
    brightness and contrast go, `mixup` the alpha of its Beta distribution.
    `train_examples` keeps that many training images, equally many of each class; 0 keeps all.
    """

    width: int = 8
    depth: int = 1
    norm: str = "batch"
    dropout: float = 0.0
    optimizer: str = "adam"
    momentum: float = 0.9
    lr: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 0.0
    batch_size: int = 64
    steps: int = 300
    eval_every: int = 100
    patience: int = 0
    clip_norm: float = 0.0
    mixed_precision: bool = False
    train_examples: int = 0
    crop_padding: int = 0
    flip: bool = False
    jitter: float = 0.0
    cutout: int = 0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        """Refuses, with ValueError, what no net can be built of."""
        if self.norm == "group" and self.width % 8:
            raise ValueError(f"norm group needs width in multiples of 8; got {self.width}")


SPACE = SearchSpace(
    parameters=(
        integer("width", 1, 256),
        integer("depth", 1, 8),
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
        integer("train_examples", 0, 40_000),
        integer("crop_padding", 0, 16),
        boolean("flip"),
        real("jitter", 0.0, 1.0),
        integer("cutout", 0, 32),
        real("mixup", 0.0, 10.0),
    )
)
DRIVERS: Mapping[str, tuple[str, ...]] = {
    **classifier.DRIVERS,
    "parameters": ("width", "depth", "norm"),
    "normalisation": ("norm", "depth"),
    "dropout": ("dropout",),
    "augmentation": ("crop_padding", "flip", "jitter", "cutout", "mixup"),
}


def net(config: Config, shape: tuple[int, int, int]) -> nn.Module:
    """The residual network of that width and depth."""
    from surefoot.workloads.residual import residual

    return residual(config.width, config.depth, config.norm, config.dropout, shape=shape)


def augment(config: Config, statistics: Statistics) -> Augmentation | None:
    """What is done to the batches; None where everything is off."""
    from surefoot.workloads.augmentation import augmentation

    return augmentation(config, statistics)


def train(config: Config, context: RunContext) -> Generator[Measurement, None, Facts]:
    """Trains one net; see `surefoot.workloads.training.fit` for what is measured."""
    facts = yield from classifier.train("cifar10", net, config, context, augment=augment)
    return {**facts, "data": cifar10_files.said(context.data_root)}


WORKLOAD = Workload(
    name="cifar10",
    summary="CIFAR-10, 32x32 pixels in colour, residual nets up to ResNet-18; half a minute a run, 170 MB to download",
    config=Config,
    metrics=classifier.METRICS,
    space=SPACE,
    train=train,
    evaluate=partial(classifier.evaluate, "cifar10", net),
    predict=partial(classifier.predict, "cifar10", net),
    export=partial(classifier.export, "cifar10", net),
    fingerprint=cifar10_files.fingerprint,
    missing=cifar10_files.missing,
    sources=(
        *classifier.SOURCES,
        *(f"surefoot.workloads.{name}" for name in ("augmentation", "cifar10_files", "residual")),
    ),
    drivers=DRIVERS,
    resumes=True,
    requires={"torch": "torch"},
)
