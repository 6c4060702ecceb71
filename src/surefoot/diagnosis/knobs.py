"""Knobs: a config's own names for the settings that trainings have, and values of them that it can take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.errors import SpaceError
from surefoot.parameter import Parameter, is_same
from surefoot.space import SearchSpace

# The first name is the one that is said where nothing is known of the config.
NAMES: Mapping[str, tuple[str, ...]] = {
    "lr": ("lr", "learning_rate", "learning_rate_init", "base_lr", "initial_lr", "max_lr", "eta"),
    "dropout": ("dropout", "dropout_rate", "drop_rate", "drop", "dr", "p_dropout"),
    "weight_decay": ("weight_decay", "wd", "l2", "decay"),
    "batch_size": ("batch_size", "bs", "batch", "train_batch_size", "per_device_train_batch_size"),
    "steps": ("steps", "max_steps", "epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs", "max_iter"),
    "patience": ("patience", "early_stopping_patience"),
    "clip_norm": ("clip_norm", "grad_clip", "gradient_clip_val", "max_grad_norm", "clipnorm", "gradient_clip"),
    "schedule": ("schedule", "scheduler", "lr_scheduler", "lr_schedule"),
    "width": (
        *("width", "filters", "hidden", "hidden_size", "hidden_dim", "hidden_units", "units", "channels"),
        *("base_filters", "n_filters", "d_model", "embed_dim", "num_units"),
    ),
    "depth": ("layers", "depth", "num_layers", "n_layers", "hidden_layers", "blocks"),
    "norm": ("norm", "normalisation", "normalization"),
    "crop_padding": ("crop_padding",),
    "flip": ("flip", "horizontal_flip", "hflip"),
    "cutout": ("cutout",),
    "mixup": ("mixup", "mixup_alpha"),
    "workers": ("num_workers", "workers", "dataloader_num_workers"),
    "train_examples": ("train_examples",),
    "mixed_precision": ("mixed_precision", "amp", "fp16"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Knobs:
    """What was trained, and what its settings may be; either may be unknown. Build it with `knobs_of`.

    `names` maps every setting that is known, in small letters and with underscores, to its own spelling; `own` every
    knob to its name in the config, or the common one.
    """

    config: Mapping[str, Any]
    space: SearchSpace | None = None
    names: Mapping[str, str]
    own: Mapping[str, str]

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the settings."""
        return bool(self.names)

    def name(self, knob: str) -> str:
        """The config's own name of the knob, or the common one where it has none."""
        return self.own[knob]

    def has(self, knob: str) -> bool:
        """Whether the training has such a setting."""
        name = self.name(knob)
        return name in self.config if self.space is None else name in self.space.names()

    def value(self, knob: str) -> Any:
        """What it was set to; None where nobody knows."""
        return self.config.get(self.name(knob))

    def number(self, knob: str) -> float | None:
        """What it was set to, where that is a finite number."""
        value = self.value(knob)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if is_number else None

    def fitted(self, knob: str, value: Any) -> Any:
        """The value, or the nearest one the setting takes on the same side of what it was; None where there is none."""
        name, now = self.name(knob), self.config.get(self.name(knob))
        if self.space is None:
            return None if is_same(value, now) else _like(value, now)
        for parameter in self._existing(name):
            found = _nearest(parameter, value, now)
            if found is not None:
                return found
        return None

    def _existing(self, name: str) -> tuple[Parameter, ...]:
        """The parameters of that name under whose conditions the config was trained."""
        assert self.space is not None
        return tuple(p for p in self.space.named(name) if p.exists(self.config) or not self.config)

    def breaks(self, patch: Mapping[str, Any]) -> bool:
        """Whether the patched config is refused by the space."""
        if self.space is None:
            return False
        try:
            self.space.checked(patch)
        except SpaceError:
            return True
        return self.space.broken({**self.config, **patch}) is not None


def knobs_of(config: Mapping[str, Any], space: SearchSpace | None) -> Knobs:
    """The knobs of a config and its space."""
    known = (*config, *(space.names() if space is not None else ()))
    names = {name.lower().replace("-", "_"): name for name in reversed(known)}
    own = {knob: names[said[0]] if (said := _known(common, names)) else common[0] for knob, common in NAMES.items()}
    return Knobs(config=config, space=space, names=names, own=own)


def _known(common: tuple[str, ...], names: Mapping[str, str]) -> list[str]:
    """Those of the common names that the config has, in small letters."""
    return [name for name in common if name in names]


def _like(value: Any, now: Any) -> Any:
    """The value as a whole number where the one before was."""
    is_whole = isinstance(now, int) and not isinstance(now, bool) and isinstance(value, float)
    return round(value) if is_whole and value.is_integer() else value


def _nearest(parameter: Parameter, value: Any, now: Any) -> Any:
    if parameter.kind in ("bool", "categorical") and parameter.admits(value):
        return None if is_same(value, now) else parameter.checked(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if parameter.kind == "categorical":
        return _nearest_choice(parameter, value, now)
    if parameter.kind == "bool":
        return None
    inside = min(max(value, -math.inf if parameter.low is None else parameter.low), _high(parameter))
    if parameter.kind == "int":
        inside = round(inside)
    if parameter.step is not None:
        origin = parameter.low or 0
        inside = origin + round((inside - origin) / parameter.step) * parameter.step
    is_beyond = _is_number(now) and (inside - now) * (value - now) <= 0
    return None if is_beyond or not parameter.admits(inside) else parameter.checked(inside)


def _nearest_choice(parameter: Parameter, value: float, now: Any) -> Any:
    """The choice nearest to the value, by ratio, on its side of what it was."""
    numbers = [choice for choice in parameter.choices if _is_number(choice) and not is_same(choice, now)]
    if _is_number(now):
        numbers = [choice for choice in numbers if (choice - now) * (value - now) > 0]
    return min(numbers, key=lambda choice: abs(_log(choice) - _log(value)), default=None)


def _high(parameter: Parameter) -> float:
    return math.inf if parameter.high is None else parameter.high


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _log(value: float) -> float:
    return math.log(abs(value) + 1e-12)
