"""Augmentation of batches: random crop, flip, colour jitter, cutout, mixup.

Notable choices:
- Images are normalised before they come here: zero is the mean colour of the training images, and it is what a crop
  finds beyond the edge (as in He et al., 2016, 4.2) and what cutout leaves.
- Every image draws for itself; only mixup's weight is one for the batch, as in its authors' code.
- An image draws eight numbers, used or not, from a stream that the seed names and the images before it position:
  a second operation leaves the first one's draws as they were, and so does another batch size.
- Operations take whole batches, and what was drawn as arguments. Off, they give back the batch itself.
- They work on rows of pixels as they lie in memory (channels last), which is what makes them fast.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from surefoot.workloads.datasets import CLASSES
from surefoot.workloads.training import Augmentation, Statistics

DRAWS = ("crop_row", "crop_column", "flip", "brightness", "contrast", "cutout_row", "cutout_column", "partner")
BLOCK = 4  # numbers that Philox gives at each count
OF_IMAGES, OF_BATCHES = 1, 2  # streams of one seed
GREY = (0.299, 0.587, 0.114)  # the weights of red, green, blue in brightness; ITU-R BT.601


class AugmentationSettings(Protocol):
    """How much of each operation; 0 and false turn it off."""

    @property
    def crop_padding(self) -> int:
        """Pixels beyond each edge that a crop may reach."""

    @property
    def flip(self) -> bool:
        """Whether every other image is mirrored, left for right."""

    @property
    def jitter(self) -> float:
        """Brightness and contrast change by a factor between 1 - jitter and 1 + jitter."""

    @property
    def cutout(self) -> int:
        """Side, in pixels, of the square that is left out."""

    @property
    def mixup(self) -> float:
        """Alpha of the Beta(alpha, alpha) from which the weight of two mixed images comes."""


def augmentation(settings: AugmentationSettings, statistics: Statistics) -> Augmentation | None:
    """The operations that are on, in the order crop, flip, jitter, cutout, mixup; None where none is."""
    said = _said(settings)
    if not said:
        return None
    return Augmentation(text=said, apply=partial(_augmented, settings, statistics))


def _said(settings: AugmentationSettings) -> str:
    parts = (
        settings.crop_padding and f"crop padding {settings.crop_padding}",
        settings.flip and "flip",
        settings.jitter and f"jitter {settings.jitter:g}",
        settings.cutout and f"cutout {settings.cutout}",
        settings.mixup and f"mixup {settings.mixup:g}",
    )
    return ", ".join(part for part in parts if part)


def _augmented(
    settings: AugmentationSettings, statistics: Statistics, images: Tensor, labels: Tensor, seed: int, first: int
) -> tuple[Tensor, Tensor]:
    drawn = draws(seed, first, len(images))
    height, width = images.shape[2:]

    def place(name: str, count: int) -> Tensor:
        return torch.from_numpy((drawn[name] * count).astype(np.int64)).to(images.device)

    def factor(name: str) -> Tensor:
        factors = 1 + settings.jitter * (2 * drawn[name] - 1)
        return torch.from_numpy(factors.astype(np.float32)).to(images.device)

    if settings.crop_padding:
        places = 2 * settings.crop_padding + 1
        images = crop(images, settings.crop_padding, place("crop_row", places), place("crop_column", places))
    if settings.flip:
        images = flip(images, torch.from_numpy(drawn["flip"] < 0.5).to(images.device))
    if settings.jitter:
        images = jitter(images, factor("brightness"), factor("contrast"), statistics)
    if settings.cutout:
        images = cut_out(images, settings.cutout, place("cutout_row", height), place("cutout_column", width))
    if settings.mixup:
        partners = torch.from_numpy(np.argsort(drawn["partner"], kind="stable")).to(images.device)
        return mix(images, labels, mixup_weight(seed, first, settings.mixup), partners)
    return images, labels


# ── what is drawn ──


def draws(seed: int, first: int, count: int) -> dict[str, np.ndarray]:
    """For each name in DRAWS `count` numbers from 0 to 1, for the images that come after `first` others.

    Philox counts blocks of four numbers, so that any place of its stream is reached at once (Salmon et al., 2011).
    """
    numbers = _stream(seed, OF_IMAGES, first * len(DRAWS) // BLOCK).random((count, len(DRAWS)))
    return dict(zip(DRAWS, numbers.T, strict=True))


def mixup_weight(seed: int, first: int, alpha: float) -> float:
    """The share of the images themselves, from Beta(alpha, alpha); their partners have the rest."""
    # a weight takes a number of draws that is not known before, far fewer than lie between two batches here
    return float(_stream(seed, OF_BATCHES, first << 32).beta(alpha, alpha))


def _stream(seed: int, stream: int, count: int) -> np.random.Generator:
    key = (stream << 64) + seed % 2**64
    return np.random.Generator(np.random.Philox(key=key, counter=count))


# ── what is done with it ──


def crop(images: Tensor, padding: int, rows: Tensor, columns: Tensor) -> Tensor:
    """A piece of each image as large as it is, out of the image with `padding` zeros around it.

    `rows` and `columns`, from 0 to 2 x padding, are where the piece begins.
    """
    count, channels, height, width = images.shape
    around = (0, 0, padding, padding, padding, padding)
    padded = functional.pad(images.permute(0, 2, 3, 1), around).view(-1)
    # every stretch of `width` pixels, wherever it begins: no copy is made of them but of those taken
    stretches = padded.as_strided((padded.numel() // channels - width + 1, width * channels), (channels, 1))
    begin = torch.arange(count, device=images.device) * (height + 2 * padding) + rows
    lines = begin[:, None] + torch.arange(height, device=images.device)
    taken = stretches.index_select(0, (lines * (width + 2 * padding) + columns[:, None]).view(-1))
    return taken.view(count, height, width, channels).permute(0, 3, 1, 2)


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """The images, those chosen (bool, of shape (n,)) mirrored left for right."""
    indices, pixels = chosen.nonzero()[:, 0], images.permute(0, 2, 3, 1)
    return pixels.index_copy(0, indices, pixels.index_select(0, indices).flip(2)).permute(0, 3, 1, 2)


def jitter(images: Tensor, brightness: Tensor, contrast: Tensor, statistics: Statistics) -> Tensor:
    """The images with their brightness, then their contrast multiplied; both factors of shape (n,).

    With pixels from 0 (black) to 255: a pixel x becomes b x, then m + c (b x - m) where m is the mean brightness of
    the whole image, and is cut off at black and white. All of it is linear but the end, so that it is done at once,
    in the units of normalised pixels.
    """
    count, channels, _, width = images.shape
    means, deviations = (torch.tensor(each, device=images.device) for each in statistics)
    weights = torch.tensor(GREY if channels == len(GREY) else (1 / channels,) * channels, device=images.device)
    rows = _rows(images)
    mean_pixels = rows.mean(1).view(count, width, channels).mean(1) * deviations + means
    mean_brightness = brightness * (mean_pixels @ weights)
    both = brightness * contrast
    shifts = ((both[:, None] - 1) * means + (mean_brightness * (1 - contrast))[:, None]) / deviations
    moved = torch.addcmul(shifts.repeat(1, width)[:, None], rows, both[:, None, None])
    black, white = (((limit - means) / deviations).repeat(width) for limit in (0, 255))
    return _images(moved.clamp_(black, white), images.shape)


def cut_out(images: Tensor, size: int, rows: Tensor, columns: Tensor) -> Tensor:
    """The images with a square of `size` pixels at zero around (row, column), which may reach beyond the edge.

    The square begins size // 2 before its centre. Source: DeVries and Taylor (2017), "Improved regularization of
    convolutional neural networks with cutout".
    """
    _, channels, height, width = images.shape

    def inside(centres: Tensor, length: int) -> Tensor:
        since = torch.arange(length, device=images.device) - centres[:, None] + size // 2
        return (since >= 0) & (since < size)

    within_columns = inside(columns, width).repeat_interleave(channels, dim=1)
    square = inside(rows, height)[:, :, None] & within_columns[:, None, :]
    return _images(_rows(images).masked_fill(square, 0.0), images.shape)


def mix(images: Tensor, labels: Tensor, weight: float, partners: Tensor) -> tuple[Tensor, Tensor]:
    """weight x each image + (1 - weight) x its partner (an index into the batch), and their classes' shares alike.

    Shares have shape (n, classes). Source: Zhang et al. (2018), "mixup: beyond empirical risk minimization", eq. 1.
    """
    shares = functional.one_hot(labels, CLASSES).to(images.dtype)
    return images[partners].lerp_(images, weight), shares[partners].lerp_(shares, weight)


def _rows(images: Tensor) -> Tensor:
    """The same pixels, of shape (n, height, width x channels); a view where they lie so."""
    count, channels, height, width = images.shape
    return images.permute(0, 2, 3, 1).reshape(count, height, width * channels)


def _images(rows: Tensor, shape: torch.Size) -> Tensor:
    count, channels, height, width = shape
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)
