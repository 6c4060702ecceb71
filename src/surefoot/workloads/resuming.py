"""What a stopped training leaves in `resume.pt`, and how another process goes on from it.

Notable choices:
- The file holds everything that later steps depend on: weights and buffers, the optimiser's state, torch's
  generators, how far the run is, and the best checkpoint. The order of the examples is a function of the
  seed, so the number of steps is its place in it.
- It begins with the SHA-256 of the rest, since torch reads a flipped bit without a word.
- It names the run it belongs to: config, seed, data, net, device and torch. Another's file is not taken.
- A file that is missing, damaged or another's means from the start, never somewhere else.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

NAME = "resume.pt"
CHECKPOINTS = ("best.pt", "last.pt")


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a run is: counters of everything since its first step, whatever stopped it in between.

    `values` were measured at `step`. `stop_reason` is empty while there is more to do; `training_seconds` leaves the
    evaluations out, and `busy_seconds` are those of them in which the device computed.
    """

    step: int = 0
    values: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    best_loss: float = math.inf
    largest_gradient_norm: float = 0.0
    training_seconds: float = 0.0
    busy_seconds: float = 0.0
    stop_reason: str = ""


def identity(settings: object, seed: int, device: torch.device, model: nn.Module, data: tuple[object, ...]) -> str:
    """SHA-256 (hex) of what must be the same for one process to go on where another stopped.

    The code is not in it: whoever resumes a run knows it by its code fingerprint.
    """
    layers = [(name, tuple(value.shape), str(value.dtype)) for name, value in model.state_dict().items()]
    named = (settings, seed, device.type, torch.__version__, layers, data)
    return hashlib.sha256(repr(named).encode()).hexdigest()


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's global generators that a training on this device draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def leave(
    folder: Path,
    run: str,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, Tensor],
) -> None:
    """Writes `resume.pt` whole or not at all; `run` is the run's `identity`."""
    weights = model.state_dict()
    content = {
        "run": run,
        "progress": asdict(progress),
        "model": weights,
        "optimizer": optimizer.state_dict(),
        "generators": dict(generators),
        "best": _best(folder, progress, weights),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    write_whole(folder / NAME, hashlib.sha256(payload).digest() + payload)


def take_up(
    folder: Path, run: str, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> Progress | None:
    """How far the run was, its state put back into model, optimiser, generators and `best.pt`.

    None where there is nothing of this run to go on from; the stale checkpoints are then removed. The file
    stays: a resumed run that is killed can begin there once more.
    """
    content = _read(folder / NAME)
    if content is None or content["run"] != run:
        forget(folder)
        for name in CHECKPOINTS:
            (folder / name).unlink(missing_ok=True)
        return None
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["generators"]["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(content["generators"]["cuda"], device)
    progress = Progress(**content["progress"])
    if progress.best_step:
        write_state(content["best"], folder / "best.pt")
    return progress


def forget(folder: Path) -> None:
    """Removes `resume.pt`: the run is over, or begins anew."""
    (folder / NAME).unlink(missing_ok=True)


def write_state(state: Mapping[str, Tensor], path: Path) -> None:
    """Writes tensors by name so that the path holds the whole old file or the whole new one, at any moment."""
    buffer = io.BytesIO()
    torch.save({name: value.detach().cpu().contiguous() for name, value in state.items()}, buffer)
    write_whole(path, buffer.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Puts the content at the path, which holds all of the old or all of the new at any moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _best(folder: Path, progress: Progress, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `best.pt`; the very tensors given where those are the best, which saves writing them twice."""
    if progress.best_step == progress.step:
        return weights
    if not progress.best_step:
        return {}
    best: dict[str, Tensor] = torch.load(folder / "best.pt", map_location="cpu", weights_only=True)
    return best


def _read(path: Path) -> dict[str, Any] | None:
    """The content of the file, without executing any code; None where it is missing or not what was written."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    digest, payload = raw[:32], raw[32:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    try:
        content: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception:  # whole, but not written by us: a file may fail in as many ways as there are writers
        return None
    return content if isinstance(content, dict) and content.get("run") else None
