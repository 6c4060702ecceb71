"""Line: what becomes of one parameter in the next space, and how much evidence a style asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from surefoot.parameter import Parameter
from surefoot.words import number, setting

Style = Literal["conservative", "aggressive"]
Action = Literal["kept", "narrowed", "widened", "moved", "fixed", "dropped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Care:
    """How much evidence a style asks for, and how much room it leaves.

    `q` is the level at which elites count as crowding, `padding` what is added to their range on each side as a share
    of it, `least` the share of the old range that is searched in any case; `fixes` parameters that show nothing.
    """

    q: float
    padding: float
    least: float
    fixes: bool


CARES = {
    "conservative": Care(q=0.1, padding=0.5, least=0.4, fixes=False),
    "aggressive": Care(q=0.2, padding=0.15, least=0.15, fixes=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What became of one parameter: `after` is None where it is fixed at `value`, or cannot exist any more.

    `rule` is the stable name of the rule, `reason` its evidence in a sentence without capital and full stop; `n` is
    in how many trials the parameter was tried, `p` that of the test, None where there was none. `share` is the part
    of the old range that is searched still, between 0 and 1.
    """

    before: Parameter
    after: Parameter | None
    action: Action
    rule: str
    reason: str
    n: int
    p: float | None = None
    value: Any = None
    share: float = 1.0

    def definition(self) -> dict[str, Any]:
        """The line as JSON."""
        plain = {name: getattr(self, name) for name in ("action", "rule", "reason", "n", "p", "value", "share")}
        after = None if self.after is None else self.after.definition()
        return {"parameter": self.before.key, **plain, "before": self.before.definition(), "after": after}


def range_text(low: float, high: float, *, is_log: bool = False) -> str:
    """ "0.0005 … 0.0019": two digits of each where the scale is logarithmic, else as many as the distance deserves."""
    if isinstance(low, int) and isinstance(high, int):
        return f"{setting(low)} … {setting(high)}"
    if is_log:
        return f"{setting(float(f'{low:.2g}'))} … {setting(float(f'{high:.2g}'))}"
    distance = high - low or abs(high) or 1.0
    decimals = max(0, 1 - math.floor(math.log10(distance)))
    return f"{_trimmed(number(low, decimals))} … {_trimmed(number(high, decimals))}"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
