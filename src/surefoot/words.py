"""Numbers, units and lists as a reader wants them: rounded by their own uncertainty, with a true minus."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.run import Metric

MINUS = "−"
NOTHING = "–"
SIGNIFICANT = 2
MOST_DECIMALS = 7
FEW_DIGITS_BELOW = 1e9


def decimals_of(*uncertainties: float | None) -> int | None:
    """The decimals that show the smallest uncertainty with two significant digits; None where there is none."""
    known = [abs(u) for u in uncertainties if u is not None and math.isfinite(u) and u != 0]
    if not known:
        return None
    smallest = min(known)
    exponent = math.floor(math.log10(smallest))
    # 0.0996 rounds up to 0.10: its two digits begin one place earlier than its logarithm says.
    if round(smallest, SIGNIFICANT - 1 - exponent) >= 10 ** (exponent + 1):
        exponent += 1
    return max(0, SIGNIFICANT - 1 - exponent)


def number(value: float, decimals: int | None = None) -> str:
    """The number with a true minus and thousands separators; four significant digits where `decimals` is None."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else MINUS + "∞"
    size = abs(value)
    if decimals is None:
        text = _plain(size)
    elif decimals > MOST_DECIMALS or size >= FEW_DIGITS_BELOW:
        text = f"{size:.2e}".replace("-", MINUS)
    else:
        text = f"{size:,.{decimals}f}"
    is_negative = value < 0 and any(c in "123456789" for c in text)
    return (MINUS if is_negative else "") + text


def signed(value: float, decimals: int | None = None) -> str:
    """The number with its sign, + or −, in front; nothing before a zero."""
    text = number(value, decimals)
    return "+" + text if value > 0 and any(c in "123456789" for c in text) else text


def span(interval: tuple[float, float], decimals: int | None = None) -> str:
    """An interval of differences: "−0.094 … −0.064"."""
    return f"{signed(interval[0], decimals)} … {signed(interval[1], decimals)}"


def half_width(interval: tuple[float, float] | None) -> float | None:
    """Half the width of an interval: what its estimate is rounded by."""
    return None if interval is None else (interval[1] - interval[0]) / 2


def p_value(p: float | None) -> str:
    """p as papers print it: "< .001", ".012", ".34", "> .99"."""
    if p is None:
        return ""
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "> .99"
    return f"{p:.{3 if p < 0.0995 else 2}f}".removeprefix("0")


def p_phrase(p: float) -> str:
    """p in a sentence: "p < .001" or "p = .012"."""
    text = p_value(p)
    return f"p {text}" if text[0] in "<>" else f"p = {text}"


def percent(share: float) -> str:
    """A share as a whole percentage: "56 %"."""
    return f"{number(100 * share, 0)} %"


def unit_of(metric: Metric) -> str:
    """The unit of the metric's values with the space before it, or nothing."""
    return f" {metric.unit}" if metric.unit else ""


def heading_of(metric: Metric) -> str:
    """The metric as a column's heading: "val_accuracy (%)"."""
    return f"{metric.name} ({metric.unit})" if metric.unit else metric.name


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation over seeds; None below two values."""
    return statistics.stdev(values) if len(values) >= 2 else None


def mean_of(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def mean_and_spread(values: Sequence[float]) -> str:
    """ "0.4420 ± 0.0072", the mean alone for one value, a dash for none."""
    mean, sd = mean_of(values), spread(values)
    if mean is None:
        return NOTHING
    if sd is None:
        return number(mean)
    decimals = decimals_of(sd)
    if decimals is None:
        return f"{number(mean)} ± 0"
    return f"{number(mean, decimals)} ± {number(sd, decimals)}"


def count(n: int, noun: str) -> str:
    """ "1 run", "10 runs", "1,204 runs"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if seconds < 90:
        return f"{number(seconds, 0 if seconds >= 10 else 1)} seconds"
    if seconds < 5400:
        return f"{number(seconds / 60, 0 if seconds >= 600 else 1)} minutes"
    return f"{number(seconds / 3600, 1)} hours"


def listing(items: Sequence[str], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def setting(value: Any) -> str:
    """A setting's value as the plan writes it, with a true minus where it is a number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{MINUS if value < 0 else ''}{abs(value)}"
    if isinstance(value, float):
        return f"{value:g}".replace("-", MINUS)
    return str(value)


def settings(changes: Mapping[str, Any]) -> str:
    """ "norm batch, dropout 0.1"."""
    return ", ".join(f"{name} {setting(value)}" for name, value in changes.items())


def shortened(changes: Mapping[str, Any], digits: int = 3) -> dict[str, Any]:
    """The settings with their fractions rounded, to tell configs apart at a glance."""
    return {n: float(f"{v:.{digits}g}") if isinstance(v, float) else v for n, v in changes.items()}


def config_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """ "norm none → batch" for every setting that differs; empty where none does."""
    names = [*before, *(n for n in after if n not in before)]
    found = [
        f"{n} {setting(before.get(n, NOTHING))} → {setting(after.get(n, NOTHING))}"
        for n in names
        if before.get(n, NOTHING) != after.get(n, NOTHING)
    ]
    return ", ".join(found)


def moment(timestamp: str) -> str:
    """An ISO 8601 time in UTC as "2026-01-02 14:02 UTC"; whatever else comes, unchanged."""
    if len(timestamp) >= 16 and timestamp[10:11] in ("T", " "):
        return f"{timestamp[:10]} {timestamp[11:16]} UTC"
    return timestamp


def short_hash(text: str) -> str:
    """The first eight characters: enough to recognise, short enough to read."""
    return text[:8]


def sentence(text: str) -> str:
    """The text as a sentence: a capital first, one full stop at its end."""
    text = " ".join(text.split())
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def clause(text: str) -> str:
    """The text without its full stop, to stand inside a sentence."""
    return " ".join(text.split()).rstrip(".")


def _plain(size: float) -> str:
    if size == 0:
        return "0"
    if size >= FEW_DIGITS_BELOW or size < 1e-5:
        return f"{size:.4g}".replace("-", MINUS)
    if size >= 1000:
        return f"{size:,.1f}".removesuffix(".0")
    digits = 3 - math.floor(math.log10(size))
    return f"{size:.{digits}f}".rstrip("0").rstrip(".")
