"""What predictors that learn nothing come to on the built-in workloads.

Notable choices:
- The validation splits hold equally many of each of ten classes, so that every constant answer is right one time
  in ten and the best constant probabilities are a tenth each: nothing needs to be read to know it.
- Not part of any training, and so of no code fingerprint.
"""

from __future__ import annotations

import math
from pathlib import Path

from surefoot.workload import Baselines
from surefoot.workloads import cifar10_files
from surefoot.workloads.datasets import CLASSES


def digits(data_root: Path | None) -> Baselines:
    """The baselines on the 360 digits of the validation split."""
    return _balanced(36 * CLASSES)


def fashion_mnist(data_root: Path | None) -> Baselines:
    """The baselines on the 10,000 validation images."""
    return _balanced(1000 * CLASSES)


def cifar10(data_root: Path | None) -> Baselines:
    """The baselines on a fifth of the training images there; how many is not said before there are any."""
    return _balanced(cifar10_files.validation_size(data_root))


def _balanced(examples: int | None) -> Baselines:
    return Baselines(
        values={
            "val_accuracy": {"majority class": 100 / CLASSES},
            "val_loss": {"equal probabilities": math.log(CLASSES)},
        },
        evaluated_on=examples,
    )
