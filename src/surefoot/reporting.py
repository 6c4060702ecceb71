"""What a training script tells Surefoot: surefoot.report(step=3, loss=0.5).

Standard library only, and nothing of Surefoot's: a script pays nothing for it, with or without a sweep around it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

METRICS_FILE = "SUREFOOT_METRICS"

Hearer = Callable[[int | None, Mapping[str, Any]], None]
_hearers: list[Hearer] = []


class Stopped(BaseException):
    """The run was told to end: raised out of `report` in a function, so that the function ends there.

    No Exception, so that a script's own `except Exception` lets it pass.
    """


def report(step: int | None = None, /, **metrics: Any) -> None:
    """Tells what was measured at a step; `report(3, loss=0.5)` and `report(step=3, loss=0.5)` are the same.

    Without a step the reports are counted 1, 2, 3, … A value is a number, or what holds exactly one (a tensor, an
    array of one). In a script that Surefoot started, it reaches Surefoot; in a function of a sweep too, which ends
    there (with Stopped) if it was told to. Anywhere else it is printed: "step 3: loss 0.5". In training over several
    processes (RANK set) only rank 0 is heard. Raises TypeError for what is no number.
    """
    if step is None and "step" in metrics:
        step = metrics.pop("step")
    step = None if step is None else _whole(step)
    if tell(step, metrics):
        return
    values = {name: _number(name, value) for name, value in metrics.items()}
    if os.environ.get("RANK", "0") != "0":
        return
    path = os.environ.get(METRICS_FILE)
    if path:
        _append(path, values if step is None else {"step": step, **values})
    else:
        listed = ", ".join(f"{name} {value:g}" for name, value in values.items())
        print(listed if step is None else f"step {step}: {listed}", flush=True)


def tell(step: int | None, values: Mapping[str, Any]) -> bool:
    """Passes values on to whoever hears this process; False where nobody does."""
    if _hearers:
        _hearers[-1](step, values)
    return bool(_hearers)


@contextlib.contextmanager
def heard_by(hearer: Hearer) -> Iterator[None]:
    """Within, what this process reports goes to the hearer."""
    _hearers.append(hearer)
    try:
        yield
    finally:
        _hearers.remove(hearer)


def _append(path: str, line: dict[str, Any]) -> None:
    # One write of a whole line to a file opened for appending: several processes may report at once.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool | str | bytes):
        raise TypeError(f"a reported metric must be a number; {name} is {value!r:.60}")
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(f"a reported metric must be a number; {name} is a {type(value).__name__}") from None


def _whole(step: Any) -> int:
    number = _number("step", step)
    if not number.is_integer() or number < 0:
        raise TypeError(f"a step must be a whole number from 0; got {step!r:.60}")
    return int(number)
