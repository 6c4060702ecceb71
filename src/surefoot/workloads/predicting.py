"""What a checkpoint says of every image of a split: its scores beside the true classes.

Not part of any training, and so of no code fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from surefoot.workload import Predictions, RunContext
from surefoot.workloads.datasets import Examples
from surefoot.workloads.training import (
    EVALUATION_BATCH,
    Build,
    Statistics,
    laid_out,
    pixel_statistics,
    prepare,
    read_checkpoint,
    to_tensors,
)


class OfPixels(nn.Module):
    """A net that takes pixels as the files hold them, and normalises them as its training did."""

    means: Tensor
    deviations: Tensor

    def __init__(self, net: nn.Module, statistics: Statistics) -> None:
        super().__init__()
        self.net = net
        means, deviations = (torch.tensor(each).view(1, -1, 1, 1) for each in statistics)
        self.register_buffer("means", means)
        self.register_buffer("deviations", deviations)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (n, classes) for float32 pixels of shape (n, channels, height, width)."""
        logits: Tensor = self.net((pixels - self.means) / self.deviations)
        return logits


def predict(
    build: Build, train: Examples, split: Examples, context: RunContext, checkpoint: str, classes: tuple[str, ...]
) -> Predictions:
    """The labels of the split and the probabilities (softmax, float64) that a checkpoint gives to each class.

    `train` is what the net was trained on: its statistics normalise. Raises WorkloadError for a checkpoint that is
    missing, damaged or another net's.
    """
    device = prepare(context)
    model, layout = laid_out(read_checkpoint(build(context.seed), context.artifacts / f"{checkpoint}.pt"), device)
    images, labels = to_tensors(split, pixel_statistics(train), layout, device)
    logits = in_batches(model.eval(), images, EVALUATION_BATCH[device.type])
    # in float64 no probability is rounded to 0, so that a cross-entropy can be taken of them
    scores = torch.softmax(logits.double(), 1)
    return Predictions(labels=labels.cpu().numpy(), scores=scores.cpu().numpy(), classes=classes)


def in_batches(run: Callable[[Tensor], Tensor], images: Tensor, at_once: int) -> Tensor:
    """The outputs for all images, so many at once, in their order."""
    with torch.inference_mode():
        return torch.cat([run(images[start : start + at_once]) for start in range(0, len(images), at_once)])
