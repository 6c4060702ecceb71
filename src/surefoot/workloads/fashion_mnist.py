"""Fashion-MNIST, 28x28 pixels: clothes in ten classes, the nets and settings of a real journal.

Notable choices:
- The published files, checked by hash: 50,000 images to train on, 10,000 to choose on, the published 10,000
  test images sealed for the end. The journal chose on moving pieces of the test images.
- The journal trained 3 to 10 "epochs" of 100 batches of 64; 500 steps here is its 5, two thirds of a real one.
- Adam at a constant 1e-3 with weight decay 1e-5, as in the journal; the baseline net has no normalisation.
- Steps are counted, epochs are not: arms compared at equal steps and batch size have seen the same images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from surefoot.workload import Workload
from surefoot.workloads import classifier, datasets


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(classifier.Config):
    """The settings of a classifier, with the baseline's values."""

    layers: int = 4
    filters: int = 32
    lr: float = 1e-3
    batch_size: int = 64
    steps: int = 500
    eval_every: int = 100


WORKLOAD = Workload(
    name="fashion_mnist",
    summary="Fashion-MNIST, 28x28 pixels, the nets of a real journal; half a minute a run, 30 MB to download",
    config=Config,
    metrics=classifier.METRICS,
    space=classifier.space(nets=("stack", "blocks"), train_examples=50_000),
    train=partial(classifier.train, "fashion_mnist", classifier.net),
    evaluate=partial(classifier.evaluate, "fashion_mnist", classifier.net),
    predict=partial(classifier.predict, "fashion_mnist", classifier.net),
    export=partial(classifier.export, "fashion_mnist", classifier.net),
    fingerprint=datasets.fashion_mnist_fingerprint,
    missing=datasets.fashion_mnist_missing,
    sources=classifier.SOURCES,
    drivers=classifier.DRIVERS,
    resumes=True,
    requires={"torch": "torch"},
)
