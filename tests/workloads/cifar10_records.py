"""Files of CIFAR-10's format, made up."""

from __future__ import annotations

import numpy as np


def cifar10_records(per_class: int, seed: int = 0) -> bytes:
    """A file of CIFAR-10's format: images whose class can be seen in them, equally many of each."""
    patterns = np.random.default_rng(0).integers(0, 256, (10, 3 * 32 * 32))
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(10), per_class))
    noise = np.random.default_rng(seed + 1).normal(0, 60, (10 * per_class, 3 * 32 * 32))
    pixels = np.clip(patterns[labels] + noise, 0, 255)
    return np.column_stack([labels, pixels]).astype(np.uint8).tobytes()
