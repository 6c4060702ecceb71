"""Small real trainings of which everything is known: a recipe in, its curves and its true quality out.

Every training ends with its score on a reference split that no history shows: thousands of further examples (of
digits 500), so that what a change of the recipe is worth can be told far more exactly than any history tells it.
"""

from __future__ import annotations

import gzip
import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_digits

from plain_net import Net, Optimizer, cross_entropy

Labelled = tuple[np.ndarray, np.ndarray]
REFERENCE = 4_000  # of the tasks that are made
REFERENCES = {"digits": 500, "fashion_mnist": 4_000, "cifar10": 2_000}
LIKE_FOR_LIKE = 1_000
IMAGES = {"digits": (1, 8, 8), "fashion_mnist": (1, 14, 14), "cifar10": (3, 8, 8)}
PATCH, STRIDE = 4, 2
LATE = 4
COLUMNS = ("train_loss", "train_accuracy", "clean_train_loss", "clean_train_accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One training: its task, its net and how it is trained; the seed draws all that is drawn.

    `hidden` are the units of the layers; where the net `is_convolutional` (images only) the first is a convolution of
    so many channels. `batch_norm` is the momentum of the running statistics, 0 for no normalisation. `val_piece` is how
    many examples validation draws anew for every measurement, 0 for the whole split. `label_noise` moves that share of
    all labels, of every split alike; `are_labels_shuffled` is about the training examples only. `start` is how the
    weights begin.
    """

    task: str
    seed: int
    n_train: int
    n_val: int
    classes: int = 10
    features: int = 20
    clusters: int = 1
    spread: float = 1.0
    label_noise: float = 0.0
    are_labels_shuffled: bool = False
    is_convolutional: bool = False
    hidden: tuple[int, ...] = (64,)
    activation: str = "relu"
    batch_norm: float = 0.0
    dropout: float = 0.0
    start: Literal["usual", "zero", "dead"] = "usual"
    optimizer: str = "adam"
    momentum: float = 0.9
    lr: float = 3e-3
    schedule: str = "constant"
    weight_decay: float = 0.0
    batch_size: int = 32
    steps: int = 600
    measurements: int = 30
    val_piece: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a training recorded and what it truly came to.

    `rows` are one a measurement: the step, COLUMNS, learning_rate and gradient_norm. Over LATE
    measurements of the last fifth: `score` the mean reference accuracy and `train_score` that of training examples in
    eval mode, both in percent; `loss` and `train_loss` the lowest such losses.
    """

    rows: tuple[dict[str, float], ...]
    score: float
    train_score: float
    loss: float
    train_loss: float
    parameters: int

    @property
    def is_finite(self) -> bool:
        """Whether every loss is finite."""
        losses = [self.loss, self.train_loss, *(row["train_loss"] for row in self.rows)]
        return all(map(math.isfinite, losses))


def trained(recipe: Recipe, *, is_recorded: bool = True) -> Trained:
    """The recipe, trained; the same recipe gives the same numbers on the same machine.

    Without rows unless it `is_recorded`, which changes nothing else.
    """
    (inputs, labels), validation, reference = splits(recipe)
    rng = np.random.default_rng([recipe.seed, 2])
    net = net_of(recipe, np.random.default_rng([recipe.seed, 4]))
    decay = recipe.weight_decay
    optimizer = Optimizer(net, recipe.optimizer, momentum=recipe.momentum, weight_decay=decay)
    alike = rng.permutation(len(labels))[:LIKE_FOR_LIKE]
    every = recipe.steps // recipe.measurements
    late = {int(at) * every for at in np.linspace(math.ceil(0.8 * recipe.measurements), recipe.measurements, LATE)}
    rows: list[dict[str, float]] = []
    found, recent = [], []
    piece_rng = np.random.default_rng([recipe.seed, 5])
    for step, batch in enumerate(order(len(labels), recipe, rng), start=1):
        rate = recipe.lr * rate_factor(recipe, step)
        recent.append(net.learn(inputs[batch], labels[batch]))
        optimizer.update(rate)
        if step % every:
            continue
        if step in late:
            found.append((*measured(net, *reference), *measured(net, inputs[alike], labels[alike])))
        if is_recorded:
            running, hits = np.mean(recent, axis=0)
            clean = measured(net, inputs[alike], labels[alike])
            held_out = measured(net, *piece(validation, recipe, piece_rng))
            row = dict(zip(COLUMNS, (float(running), 100 * float(hits), *clean, *held_out), strict=True))
            norm = float(np.linalg.norm(net.gradient))
            rows.append({"step": step, **row, "learning_rate": rate, "gradient_norm": norm})
        recent.clear()
    loss, score, train_loss, train_score = np.array(found).T
    return Trained(
        rows=tuple(rows),
        score=float(score.mean()),
        train_score=float(train_score.mean()),
        loss=float(np.min(loss)),
        train_loss=float(np.min(train_loss)),
        parameters=len(net.flat),
    )


def order(examples: int, recipe: Recipe, rng: np.random.Generator) -> list[np.ndarray]:
    """Indices of one batch after the other: permutations of the examples, cut; a batch may span two of them."""
    wanted = recipe.steps * recipe.batch_size
    passes = [rng.permutation(examples) for _ in range(math.ceil(wanted / examples))]
    return np.split(np.concatenate(passes)[:wanted], recipe.steps)


def rate_factor(recipe: Recipe, step: int) -> float:
    """What the rate is multiplied with: 1, or a cosine's half wave down to 0."""
    return 1.0 if recipe.schedule == "constant" else 0.5 * (1 + math.cos(math.pi * (step - 1) / recipe.steps))


def piece(split: Labelled, recipe: Recipe, rng: np.random.Generator) -> Labelled:
    """What validation looks at this time."""
    if not recipe.val_piece:
        return split
    some = rng.choice(recipe.n_val, recipe.val_piece, replace=False)
    return split[0][some], split[1][some]


def measured(net: Net, inputs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean loss and percent right, in eval mode."""
    logits = net.logits(inputs)
    return float(cross_entropy(logits, labels)[0].mean()), 100 * float((logits.argmax(1) == labels).mean())


def net_of(recipe: Recipe, rng: np.random.Generator) -> Net:
    """The net of the recipe; "dead" begins with every unit of the first layer off, "zero" with all weights at 0."""
    net = Net(
        (width_of(recipe), *recipe.hidden, recipe.classes),
        rng=rng,
        activation=recipe.activation,
        batch_norm=recipe.batch_norm,
        dropout=recipe.dropout,
        patch=patch_of(recipe) if recipe.is_convolutional else None,
    )
    if recipe.start == "zero":
        net.flat[:] = 0
    elif recipe.start == "dead":
        net.layers[0][1][:] = -100
    return net


def width_of(recipe: Recipe) -> int:
    """Numbers in one input."""
    return math.prod(IMAGES[recipe.task]) if recipe.task in IMAGES else recipe.features


def patch_of(recipe: Recipe) -> tuple[int, int]:
    """Positions of the convolution, and numbers in each of its patches."""
    planes, height, _ = IMAGES[recipe.task]
    return ((height - PATCH) // STRIDE + 1) ** 2, planes * PATCH**2


# ── tasks ──


def splits(recipe: Recipe) -> list[Labelled]:
    """Training, validation and reference examples, disjoint; more training examples include the fewer."""
    rng = np.random.default_rng([recipe.seed, 1])
    inputs, labels = MADE[recipe.task](recipe, rng) if recipe.task in MADE else found(recipe, rng)
    ends = recipe.n_val, len(labels) - recipe.n_train
    held, reference, train = zip(np.split(inputs, ends), np.split(labels, ends), strict=True)
    train = train[0][::-1], train[1][::-1]
    middle, scale = train[0].mean(0), train[0].std(0) + 0.1 * train[0].std()
    made = []
    for number, (some, answers) in enumerate((train, held, reference)):
        noise = np.random.default_rng([recipe.seed, 3, number])
        draws = noise.random(len(answers))
        # One draw an example, so that more examples do not change the labels of the fewer.
        by = 1 + np.floor(draws / max(recipe.label_noise, 1e-9) * (recipe.classes - 1)).astype(int)
        given = np.where(draws < recipe.label_noise, (answers + by) % recipe.classes, answers)
        if recipe.are_labels_shuffled and number == 0:
            given = noise.permutation(given)
        standardised = ((some - middle) / scale).astype(np.float32)
        made.append((patches(standardised, recipe) if recipe.is_convolutional else standardised, given))
    return made


def patches(inputs: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The squares a convolution looks at, of shape (n, positions, numbers)."""
    squares = sliding_window_view(inputs.reshape(-1, *IMAGES[recipe.task]), (PATCH, PATCH), axis=(2, 3))
    squares = squares[:, :, ::STRIDE, ::STRIDE].transpose(0, 2, 3, 1, 4, 5)
    return np.ascontiguousarray(squares).reshape(len(inputs), *patch_of(recipe))


def found(recipe: Recipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Real images in a random order: validation, reference, then those that are trained on."""
    inputs, labels = images(recipe.task)
    held = recipe.n_val + REFERENCES[recipe.task]
    if held + recipe.n_train > len(labels):
        raise ValueError(f"{recipe.task} has {len(labels):,} examples, {held + recipe.n_train:,} are wanted")
    shuffled = rng.permutation(len(labels))
    chosen = np.r_[shuffled[:held], shuffled[len(labels) - recipe.n_train :]]
    return inputs[chosen], labels[chosen]


def blobs(recipe: Recipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Classes of some Gaussian clusters each."""
    centres = rng.standard_normal((recipe.classes, recipe.clusters, recipe.features))
    count = recipe.n_val + REFERENCE + MOST_MADE
    labels = rng.integers(recipe.classes, size=count)
    noise = recipe.spread * rng.standard_normal((count, recipe.features))
    inputs = centres[labels, rng.integers(recipe.clusters, size=count)] + noise
    return kept(inputs, labels, recipe)


def teacher(recipe: Recipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels by a random net of one hidden layer, 4 units a cluster."""
    first = rng.standard_normal((recipe.features, 4 * recipe.clusters))
    second = rng.standard_normal((4 * recipe.clusters, recipe.classes))
    inputs = rng.standard_normal((recipe.n_val + REFERENCE + MOST_MADE, recipe.features))
    logits = np.maximum(inputs @ first, 0) @ second
    labels = (logits - logits.mean(0)).argmax(1)
    return kept(inputs, labels, recipe)


def kept(inputs: np.ndarray, labels: np.ndarray, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Validation, reference, and so many training examples of those made."""
    held = recipe.n_val + REFERENCE
    chosen = np.r_[0:held, len(labels) - recipe.n_train : len(labels)]
    return inputs[chosen], labels[chosen]


MOST_MADE = 24_000
MADE = {"blobs": blobs, "teacher": teacher}


def available() -> tuple[str, ...]:
    """The tasks that can be had here: those made, digits, and the image sets under the data root."""
    files = {"fashion_mnist": "train-images-idx3-ubyte.gz", "cifar10": "data_batch_1.bin"}
    return ("blobs", "teacher", "digits", *(name for name, file in files.items() if (root() / name / file).exists()))


@lru_cache
def images(name: str) -> tuple[np.ndarray, np.ndarray]:
    """All published images of a set, made smaller by means over squares, float32 of shape (n, numbers)."""
    if name == "digits":
        pixels, labels = load_digits(return_X_y=True)
        return pixels.astype(np.float32), labels
    pixels, labels = fashion() if name == "fashion_mnist" else cifar()
    planes, height, _ = IMAGES[name]
    by = pixels.shape[-1] // height
    squares = pixels.reshape(len(labels), planes, height, by, height, by)
    return squares.mean(axis=(3, 5), dtype=np.float32).reshape(len(labels), -1), labels


def fashion() -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = (
        np.concatenate([np.frombuffer(gzip.decompress(file.read_bytes())[skip:], np.uint8) for file in files])
        for skip, files in (
            (16, [root() / "fashion_mnist" / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k")]),
            (8, [root() / "fashion_mnist" / f"{part}-labels-idx1-ubyte.gz" for part in ("train", "t10k")]),
        )
    )
    return pixels.reshape(-1, 1, 28, 28), labels.astype(np.int64)


def cifar() -> tuple[np.ndarray, np.ndarray]:
    """The first 8,000 of two files: some copies of the set have no more."""
    pieces = ((root() / "cifar10" / "data_batch_1.bin", 6_000), (root() / "cifar10" / "test_batch.bin", 2_000))
    records = np.concatenate([np.fromfile(file, np.uint8, count=3073 * n).reshape(n, 3073) for file, n in pieces])
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def root() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SUREFOOT_DATA") or beside)
