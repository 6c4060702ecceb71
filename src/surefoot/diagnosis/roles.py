"""Roles: which metric of a history is what, by the names that frameworks give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Split = Literal["train", "clean train", "validation", "test", ""]
# Keras writes val_loss, Lightning train_loss_epoch, Hugging Face eval_loss; `clean_` is ours (see training.fit).
_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev"), "validation"),
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_LOSSES = ("loss", "nll", "xent", "crossentropy", "cross_entropy", "ce", "logloss", "log_loss")
_ACCURACIES = re.compile(r"(^|_)(acc|accuracy|top1|top_1|exact_match)($|_)")
_ERRORS = re.compile(r"(^|_)(err|error|error_rate|misclassification)$")
# Shares of another kind: between 0 and 1 (or 0 and 100), more is better, and no count of right answers.
_SHARES = re.compile(r"dice|iou|jacc?ard|(^|_)f1|auc|auroc|precision|recall|(^|_)pro$|(^|_)map$")
_RATES = re.compile(r"^(lr|learning_rate|learningrate)($|_)|_lr$")
_GRADIENTS = re.compile(r"^(gradient|grad)_norm|(^|_)(gradient|grad)_norm(_total)?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """What a metric's name says: its split, and its stem, which twins have in common."""

    name: str
    split: Split
    stem: str
    is_per_step: bool = False


@lru_cache(maxsize=4096)
def role_of(name: str) -> Role:
    """The role of a metric by its name alone; the split is "" where the name has none."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    words = [word for word in re.split(r"[^a-z0-9]+", text) if word]
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    split: Split = splits[0] if splits else ""
    if split == "train" and "clean" in words:
        split = "clean train"
    is_per_step = len(words) > 1 and words[-1] == "step"
    dull = (*_SPLITS, "clean", "epoch", "step", "mean", "avg")
    stem = "_".join(word for word in words if word not in dull)
    return Role(name=name, split=split, stem=stem, is_per_step=is_per_step)


@lru_cache(maxsize=4096)
def is_loss(stem: str) -> bool:
    """Whether the stem names a loss."""
    return stem in _LOSSES or stem.endswith("loss")


@lru_cache(maxsize=4096)
def is_accuracy(stem: str) -> bool:
    """Whether the stem names a share of right answers, whose sampling error is binomial."""
    return _ACCURACIES.search(stem) is not None or is_error(stem)


@lru_cache(maxsize=4096)
def is_error(stem: str) -> bool:
    """Whether the stem names a share of wrong answers."""
    return _ERRORS.search(stem) is not None


@lru_cache(maxsize=4096)
def is_share(stem: str) -> bool:
    """Whether the stem names a share of which more is better, accuracy among them."""
    return is_accuracy(stem) or _SHARES.search(stem) is not None


@lru_cache(maxsize=4096)
def is_rate(name: str) -> bool:
    """Whether the metric is the learning rate."""
    return _RATES.search(name.lower().replace("-", "_").replace("/", "_")) is not None


@lru_cache(maxsize=4096)
def is_gradient(name: str) -> bool:
    """Whether the metric is the norm of the gradient."""
    return _GRADIENTS.search(name.lower().replace("-", "_").replace("/", "_")) is not None


def loss_stem(roles: Iterable[Role]) -> str:
    """The stem of the loss that was trained on: plain "loss" before any other; "" where there is none."""
    stems = {role.stem for role in roles if is_loss(role.stem)}
    return min(stems, key=lambda stem: (stem != "loss", stem not in _LOSSES, stem)) if stems else ""


def score_stem(roles: Iterable[Role], metric: str) -> str:
    """The stem of the score that the training is judged by.

    That of `metric` where it is a share, else accuracy, else any other share, those with two splits first; "" where
    there is none.
    """
    known = [role for role in roles if is_share(role.stem)]
    stems = {role.stem: sum(r.stem == role.stem for r in known) for role in known}
    judged = role_of(metric).stem
    if judged in stems:
        return judged
    if not stems:
        return ""
    return min(stems, key=lambda stem: (not is_accuracy(stem), is_error(stem), -min(stems[stem], 2), len(stem), stem))
