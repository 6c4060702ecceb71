"""The optimisers, the schedules of the learning rate, and the norm of the gradients."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from surefoot.errors import WorkloadError

WARM_UP_SHARE = 0.05
STEP_DECAY = 0.1
STEP_DECAYS_AT = (0.5, 0.75)


class OptimiserSettings(Protocol):
    """What an optimiser is made of."""

    @property
    def optimizer(self) -> str:
        """One of adam, adamw, sgd."""

    @property
    def momentum(self) -> float:
        """Of sgd; the others do without."""

    @property
    def lr(self) -> float:
        """The learning rate before the schedule multiplies it."""

    @property
    def weight_decay(self) -> float:
        """As the optimiser understands it."""


def gradient_norm(model: nn.Module) -> Tensor:
    """The 2-norm of all gradients together, still on the device."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm


def make_optimizer(model: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """The optimiser of that name."""
    parameters, lr, decay = model.parameters(), settings.lr, settings.weight_decay
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=lr, weight_decay=decay, fused=True)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay, fused=True)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=settings.momentum, fused=True)
    raise WorkloadError(f'optimizer must be one of adam, adamw, sgd; got "{settings.optimizer}"')


def rate_factor(schedule: str, step: int, steps: int) -> float:
    """What the learning rate is multiplied with at `step`, counted from 1 to `steps`.

    cosine falls from 1 at the first step towards 0 after the last (Loshchilov and Hutter, 2017, eq. 5, one
    cycle); warmup_cosine climbs linearly through the first 5 % of the steps before; step falls to a tenth
    at half and again at three quarters.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))
    if schedule == "warmup_cosine":
        warm_up = max(1, round(WARM_UP_SHARE * steps))
        if step <= warm_up:
            return step / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up + 1)))
    if schedule == "step":
        return STEP_DECAY ** sum(step - 1 >= share * steps for share in STEP_DECAYS_AT)
    raise WorkloadError(f'schedule must be one of constant, cosine, warmup_cosine, step; got "{schedule}"')


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives every group of parameters this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def schedule_text(name: str, rates: list[float]) -> str:
    """What the learning rate really did, whatever the schedule's name promised."""
    low, high = min(rates, default=0.0), max(rates, default=0.0)
    if low == high:
        return f"constant lr {high:g}"
    return f"{name} lr {rates[0]:g} to {rates[-1]:g}, at most {high:g}, over {len(rates)} steps"


def optimizer_text(optimizer: torch.optim.Optimizer) -> str:
    """The optimiser as it stands: "SGD, momentum 0.9, weight decay 0.0005"."""
    group = optimizer.param_groups[0]
    momentum = f", momentum {group['momentum']:g}" if group.get("momentum") else ""
    return f"{type(optimizer).__name__}{momentum}, weight decay {group['weight_decay']:g}"
