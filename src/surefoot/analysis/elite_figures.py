"""The elites' picture: a panel for each parameter, the elites against everything that was started."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.analysis.column import Booleans, Column, Floats
from surefoot.analysis.exposure import Exposure
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.shares import LevelShare, RangeShare
from surefoot.stats.enrichment import most_by_chance
from surefoot.words import count, listing, setting

MOST_PANELS, MOST_LEVELS, MOST_STEPS, MOST_NAMED = 12, 10, 200, 3
SHARE = Axis(label="share of trials")
REACH = Axis(label="share of trials up to here")


def elite_panels(
    exposed: Exposure, rows: Sequence[int], levels: Sequence[LevelShare], ranges: Sequence[RangeShare]
) -> tuple[PanelsFigure, ...]:
    """The figure, or none: the parameters with the least p first, twelve at most; `rows` are the elites' places."""
    is_elite = exposed.where(np.array(rows, dtype=np.int64))
    columns = {column.key: column for column in exposed.columns}
    by_key: dict[str, list[LevelShare]] = {}
    for level in levels:
        by_key.setdefault(level.key, []).append(level)
    drawn = [(min(s.p for s in shares), _level_panel(columns[key], shares)) for key, shares in by_key.items()]
    for share in ranges:
        if share.key not in by_key:
            drawn.append((share.p, _range_panel(columns[share.key], is_elite)))
    drawn.sort(key=lambda entry: entry[0])
    if not drawn:
        return ()
    rest = len(drawn) - MOST_PANELS
    left_out = f" {count(rest, 'parameter')} with a larger p {'is' if rest == 1 else 'are'} not drawn." * (rest > 0)
    figure = PanelsFigure(
        name="elites",
        title=_title(levels, ranges),
        caption=f"Shares of the {len(rows)} elites and of the {len(exposed.trials)} started trials. Where both are "
        "alike, the elites are where the trials are. Up to the faint mark chance alone reaches in 19 of 20 draws; "
        "it allows for one level, not for all that are shown." + left_out,
        panels=tuple(panel for _, panel in drawn[:MOST_PANELS]),
    )
    return (figure,)


def _title(levels: Sequence[LevelShare], ranges: Sequence[RangeShare]) -> str:
    """What the panels show, in a sentence."""
    keys = [level.key for level in levels if level.is_evidence] + [span.key for span in ranges if span.is_evidence]
    keys = list(dict.fromkeys(keys))
    if not keys:
        return "Nothing that the best trials share is shown to be beyond chance"
    named = listing(keys) if len(keys) <= MOST_NAMED else f"{len(keys)} parameters"
    return f"The best trials share more than chance explains in {named}"


def _level_panel(column: Column, shares: Sequence[LevelShare]) -> Panel:
    kept = sorted(shares, key=lambda s: -s.tried)[:MOST_LEVELS]
    kept = [share for share in shares if share in kept]
    drawn = kept[0].n_elite
    reach = most_by_chance([drawn] * len(kept), [s.tried for s in kept], [s.started for s in kept])
    places = tuple(float(i) for i in range(len(kept)))
    fewer = f" ({len(kept)} of {len(shares)} levels)" if len(kept) < len(shares) else ""
    return Panel(
        title=column.key + fewer,
        x=Axis(label=column.key, categories=tuple(setting(s.level) for s in kept)),
        y=SHARE,
        points=(
            Points(label="reached by chance", x=places, y=tuple((reach / drawn).tolist()), look="faint"),
            Points(label="tried", x=places, y=tuple(s.share_tried for s in kept), look="open"),
            Points(label="elites", x=places, y=tuple(s.share for s in kept), look="best"),
        ),
    )


def _range_panel(column: Column, is_elite: Booleans) -> Panel:
    tried = column.numbers[column.active]
    return Panel(
        title=column.key,
        x=Axis(label=column.key, is_log=column.is_log),
        y=REACH,
        lines=(
            _steps("tried", tried),
            _steps("elites", tried[is_elite[column.active]]),
        ),
    )


def _steps(label: str, values: Floats) -> Points:
    """The share of the values up to each of them, at two hundred of them at most."""
    ordered = np.sort(values)
    kept = np.unique(np.linspace(0, len(ordered) - 1, min(MOST_STEPS, len(ordered))).round().astype(int))
    x, y = ordered[kept], (kept + 1) / len(ordered)
    return Points(label=label, x=tuple(x.tolist()), y=tuple(y.tolist()), look="best" if label == "elites" else "open")
