"""Handwritten digits, 8x8 pixels: a real training in a fraction of a second, with nothing to download.

Notable choices:
- The 1,797 images that scikit-learn carries: 1,077 to train on, 360 to choose on, 360 sealed for the end.
- A small stack of convolutions stopped long before it has converged: val_accuracy 93.5 ± 0.8 over seeds,
  97 and more within reach, so there is something to improve and room for a hypothesis to be wrong.
- Plain Adam at a constant learning rate; everything that could be argued about is a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from surefoot.workload import Workload
from surefoot.workloads import classifier, datasets


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(classifier.Config):
    """The settings of a classifier, with the baseline's values."""

    layers: int = 2
    filters: int = 8
    lr: float = 5e-4
    batch_size: int = 16
    steps: int = 150
    eval_every: int = 25


WORKLOAD = Workload(
    name="digits",
    summary="handwritten digits, 8x8 pixels, a small convolutional net; under a second a run, nothing to download",
    config=Config,
    metrics=classifier.METRICS,
    # 8x8 images are too small for the pooling of blocks
    space=classifier.space(nets=("stack",), train_examples=1077),
    train=partial(classifier.train, "digits", classifier.net),
    evaluate=partial(classifier.evaluate, "digits", classifier.net),
    predict=partial(classifier.predict, "digits", classifier.net),
    export=partial(classifier.export, "digits", classifier.net),
    fingerprint=datasets.digits_fingerprint,
    sources=classifier.SOURCES,
    drivers=classifier.DRIVERS,
    resumes=True,
    requires={"torch": "torch", "sklearn": "torch"},
)
