"""A screen: a bar on a terminal, plain lines with the time elsewhere."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from typing import Any, TextIO

LONGEST_LABEL = 20  # a line of 80 characters has room for the bar beside it


class Screen:
    """Guards a stream, standard error by default: lines are said, and a bar stays below them on a terminal."""

    def __init__(self, stream: TextIO | None = None, *, is_terminal: bool | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = _is_terminal(self._stream) if is_terminal is None else is_terminal
        self._bar: Any = None
        self._bar_task: Any = None

    @property
    def has_bar(self) -> bool:
        """Whether a bar is shown, so that lines may be fewer."""
        return self._bar is not None

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def say(self, text: str) -> None:
        """One line."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            clock = time.strftime("%H:%M:%S")
            # A disk that fills up under the log is no reason to stop training.
            with contextlib.suppress(OSError):
                print(f"{clock} {text}", file=self._stream, flush=True)

    def start_bar(self, total: int | None, what: str) -> None:
        """A bar of so many steps (None: nobody knows), where the stream is a terminal; `what` counts them."""
        if not self._is_terminal:
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn(f"{what} {{task.fields[left]}}"),
            console=RichConsole(file=self._stream),
            transient=True,
        )
        self._bar_task = self._bar.add_task("starting", total=total, left="…")
        self._bar.start()

    def show(self, label: str, rest: str = "") -> None:
        """What the bar is about now; a long label is cut."""
        if self._bar is not None:
            short = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
            self._bar.update(self._bar_task, description=f"{short}{rest}")

    def advance(self, done: int, total: int | None, left: str) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update(self._bar_task, completed=done, total=total, left=left)


def duration(seconds: float) -> str:
    """ "4 min", rounded up to what a person can use."""
    if seconds < 60:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    if seconds < 5400:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600 + 0.05:.1f} h"


def _is_terminal(stream: TextIO) -> bool:
    """Whether a bar can be drawn there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
