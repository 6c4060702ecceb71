"""What the classes of the built-in datasets are called, in the order of their labels."""

from __future__ import annotations

from collections.abc import Mapping

NAMES: Mapping[str, tuple[str, ...]] = {
    "digits": ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    # Xiao, Rasul and Vollgraf (2017), "Fashion-MNIST", table 2.
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    # batches.meta.txt, as it was published with the images (Krizhevsky, 2009).
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
