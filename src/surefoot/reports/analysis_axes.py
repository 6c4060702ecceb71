"""The axes of an analysis' figures: numbers, logarithms or names along them, and a key that may take several lines."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from surefoot.analysis.figure import Axis
from surefoot.reports.analysis_words import both_ends, cut
from surefoot.reports.canvas import GREY, WIDTH_INCHES, say, title_growth
from surefoot.words import number

LETTER_INCHES = 0.072  # a letter of size 9, on average and a little more
LINE_INCHES = 0.17
KEY_LINE_INCHES = 0.24
LONGEST_KEY = 64
LONGEST_TICK = 17
LONGEST_TURNED = 22
Key = tuple[dict[str, Any], str]


class PlainNumbers(Formatter):
    """Ticks with the decimals that their step needs, a true minus and no factor in a corner."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """One tick by itself."""
        return number(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """All ticks of an axis."""
        steps = [b - a for a, b in itertools.pairwise(sorted(values)) if b > a]
        if not steps or min(steps) < 1e-6 or max(map(abs, values)) >= 1e7:
            return [number(v) for v in values]
        step = min(steps)
        digits = next((d for d in range(7) if math.isclose(step * 10**d, round(step * 10**d), rel_tol=1e-6)), 6)
        return [number(v, digits) for v in values]


def dress(ax: Any, side: str, axis: Axis, values: Sequence[float], inches: float) -> None:
    """Gives the side "x" or "y" of axes that are `inches` long its scale and its ticks."""
    one = ax.xaxis if side == "x" else ax.yaxis
    if axis.categories:
        _name_places(one, side, axis.categories, inches)
    elif is_logarithmic(axis, values):
        (ax.set_xscale if side == "x" else ax.set_yscale)("log")
        one.set_minor_locator(NullLocator())
        if max(values) / min(values) < 20:
            _few_places(one, values)
        else:
            one.set_major_locator(LogLocator(numticks=max(3, int(inches * 2))))
    else:
        is_whole = all(float(v).is_integer() for v in values)
        one.set_major_locator(MaxNLocator(max(3, min(8, int(inches * 1.7))), integer=is_whole))
        one.set_major_formatter(PlainNumbers())


def is_logarithmic(axis: Axis, values: Sequence[float]) -> bool:
    """Whether the axis is drawn in logarithms: asked for, and every value is above zero."""
    return axis.is_log and not axis.categories and bool(values) and min(values) > 0


def room_below(axis: Axis, inches: float) -> float:
    """The inches that an x axis of that length needs below it for its ticks."""
    if not axis.categories or not _is_turned(axis.categories, inches):
        return 0.27
    shown = [both_ends(axis.categories[i], LONGEST_TURNED) for i in _named_places(len(axis.categories), inches)]
    return 0.2 + LETTER_INCHES * max(map(len, shown))


def room_beside(axis: Axis) -> float:
    """The inches that a y axis needs to its left, its label included."""
    if not axis.categories:
        return 0.85
    return 0.45 + LETTER_INCHES * max(len(both_ends(c, LONGEST_TICK)) for c in axis.categories)


def _name_places(one: Any, side: str, names: Sequence[str], inches: float) -> None:
    """Names at the places 0, 1, …; where there are too many for the axis, at some of them."""
    is_turned = side == "x" and _is_turned(names, inches)
    shown = _named_places(len(names), inches)
    longest = LONGEST_TURNED if is_turned else LONGEST_TICK
    turn: dict[str, Any] = {"rotation": 90, "va": "top"} if is_turned else {}
    one.set_ticks(shown, [both_ends(names[i], longest) for i in shown], parse_math=False, **turn)


def _named_places(n: int, inches: float) -> list[int]:
    step = max(1, math.ceil(n * LINE_INCHES / max(inches, LINE_INCHES)))
    return list(range(0, n, step))


def _is_turned(names: Sequence[str], inches: float) -> bool:
    # Centred at equal distances, the widest of them has to fit between its neighbours.
    widest = max(len(both_ends(name, LONGEST_TICK)) for name in names)
    return (widest + 1.5) * LETTER_INCHES * len(names) > inches


def _few_places(one: Any, values: Sequence[float]) -> None:
    """Over little more than a decade a log axis has hardly a tick: the ends and the middle are written out."""
    low, high = min(values), max(values)
    places = sorted({low, math.sqrt(low * high), high}) if high > low else [low]
    one.set_minor_formatter(NullFormatter())
    one.set_ticks(places, [number(float(f"{x:.2g}")) for x in places])


def key_lines(keys: Sequence[Key]) -> list[list[tuple[float, Key]]]:
    """The keys in lines as wide as the page, each with its place in inches."""
    lines: list[list[tuple[float, Key]]] = []
    x = WIDTH_INCHES
    for look, text in keys:
        shown = cut(text, LONGEST_KEY)
        width = 0.42 + LETTER_INCHES * len(shown)
        if x + width > WIDTH_INCHES - 0.1:
            lines.append([])
            x = 0.31
        lines[-1].append((x, (look, shown)))
        x += width
    return lines


def key(canvas: Canvas, keys: Sequence[Key]) -> None:
    """A key of marks under the title, in as many lines as it needs."""
    width, height = canvas.get_size_inches()
    lines = key_lines(keys)
    tall = KEY_LINE_INCHES * len(lines)
    if not lines:
        return
    ax = canvas.add_axes((0, 1 - (0.43 + title_growth(canvas) + tall) / height, 1, tall / height))
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    for y, line in enumerate(lines):
        for x, (look, text) in line:
            if look.get("marker") == "line":
                ax.plot([x - 0.1, x + 0.1], [y, y], **{k: v for k, v in look.items() if k != "marker"})
            else:
                ax.plot([x], [y], linestyle="none", **{"markersize": 5.5, **look})
            say(ax, x + 0.15, y + 0.04, text, fontsize=9, color=GREY, va="center")
