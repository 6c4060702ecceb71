"""The figures of an analysis to point at and zoom into: a page each, plotly beside it, nothing from a network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.analysis.figure import Axis, BarsFigure, Figure, GridFigure, Panel, PanelsFigure, Points, SurfaceFigure
from surefoot.reports.analysis_drawing import AGAINST, PALE, UNSURE, bar_keys, bar_limits, value_span
from surefoot.reports.analysis_figures import edges, value_and_interval
from surefoot.reports.analysis_panels import Inks, column_count, inks_of, places, y_range
from surefoot.reports.analysis_words import both_ends
from surefoot.reports.canvas import BLUE, FAINT, GREY, INK, PAPER, VERMILION, jitter
from surefoot.words import number

CONFIG = {"displaylogo": False, "responsive": True, "typesetMath": False}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
LINE = "#e2e5e9"
PALETTE = "Viridis"
LONGEST_LABEL = 40
_SIGNIFICANT = re.compile(r"[&<>]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
Parts = tuple[list[dict[str, Any]], dict[str, Any], int]


def interactive(figure: Figure) -> tuple[str, int]:
    """The figure as a piece of HTML that loads plotly.min.js from its own folder, and its height in pixels."""
    from plotly.io import to_html

    traces, layout, height = _parts(figure)
    document = {"data": traces, "layout": {**_page_look(), **layout}}
    made = to_html(
        document, config=CONFIG, include_plotlyjs="directory", full_html=False, validate=False, div_id="figure"
    )
    return str(made), height


def plotly_library() -> bytes:
    """What the interactive figures run: plotly.min.js, of the version that is installed."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).encode()


def _parts(figure: Figure) -> Parts:
    if isinstance(figure, BarsFigure):
        return _bars(figure)
    if isinstance(figure, PanelsFigure):
        return _panels(figure)
    if isinstance(figure, SurfaceFigure):
        return _surface(figure)
    return _grid(figure)


def shielded(text: str) -> str:
    """The text as plotly shows it letter by letter: it reads a few HTML tags."""
    return _SIGNIFICANT.sub(lambda found: _ENTITIES[found.group()], text)


def _page_look() -> dict[str, Any]:
    return {
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "namelength": -1},
        "margin": {"l": 20, "r": 20, "t": 30, "b": 20},
        "legend": {"orientation": "h", "y": 0, "yanchor": "bottom", "yref": "container", "x": 0},
    }


def _axis(axis: Axis, values: Sequence[float], **more: Any) -> dict[str, Any]:
    look: dict[str, Any] = {
        "title": {"text": shielded(both_ends(axis.label, LONGEST_LABEL)), "font": {"size": 13}, "standoff": 6},
        "automargin": True,
        "gridcolor": LINE,
        "linecolor": FAINT,
        "zeroline": False,
        "exponentformat": "power",
    }
    if axis.categories:
        look |= {
            "tickmode": "array" if len(axis.categories) <= 60 else "auto",
            "tickvals": list(range(len(axis.categories))),
            "ticktext": [shielded(both_ends(c)) for c in axis.categories],
            "range": [-0.6, len(axis.categories) - 0.4],
        }
    elif axis.is_log and values and min(values) > 0:
        look |= {"type": "log", "dtick": 1 if max(values) / min(values) > 20 else "D2"}
    return look | more


def _bars(figure: BarsFigure) -> Parts:
    rows = list(range(len(figure.bars)))
    said = [f"{shielded(b.label)}<br>{value_and_interval(b.value, b.interval)}" for b in figure.bars]
    said = [
        text + (f"<br>chance: {number(b.null)}" if b.null is not None else "")
        for text, b in zip(said, figure.bars, strict=True)
    ]
    error = {
        "type": "data",
        "symmetric": False,
        "array": [b.interval[1] - b.value if b.interval else 0 for b in figure.bars],
        "arrayminus": [b.value - b.interval[0] if b.interval else 0 for b in figure.bars],
        "color": INK,
        "thickness": 1.2,
        "width": 0,
    }
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [b.value for b in figure.bars],
            "y": rows,
            "error_x": error,
            "marker": {"color": [BLUE if b.is_sure else PALE for b in figure.bars]},
            "hovertext": said,
            "hoverinfo": "text",
            "name": "",
            "showlegend": False,
        }
    ]
    nulls = [(b.null, y) for b, y in zip(figure.bars, rows, strict=True) if b.null is not None]
    if nulls:
        mark = {"symbol": "line-ns-open", "size": 18, "color": VERMILION, "line": {"width": 2.5}}
        traces.append(_marks([p[0] for p in nulls], [p[1] for p in nulls], mark, "what chance alone would reach"))
    for look, text in bar_keys(figure):
        if look["marker"] == "s":
            mark = {"symbol": "square", "color": look["color"], "size": 10}
            traces.append({**_marks([None], [None], mark, text), "hoverinfo": "skip"})
    names = Axis(label="", categories=tuple(b.label for b in figure.bars))
    low, high = bar_limits(figure)
    x = _axis(figure.axis, [low, high])
    x["range"] = [math.log10(low), math.log10(high)] if x.get("type") == "log" else [low, high]
    layout = {
        "xaxis": x,
        "yaxis": _axis(names, [], range=[len(rows) - 0.4, -0.6], showgrid=False),
        "bargap": 0.35,
    }
    return traces, layout, 150 + 28 * max(len(rows), 2)


def _marks(xs: Sequence[Any], ys: Sequence[Any], marker: Mapping[str, Any], label: str) -> dict[str, Any]:
    look = {"type": "scatter", "mode": "markers", "x": list(xs), "y": list(ys), "marker": dict(marker)}
    return {**look, "name": shielded(label), "showlegend": bool(label)}


def _panels(figure: PanelsFigure) -> Parts:
    inks, columns = inks_of(figure), column_count(figure)
    rows = max(1, math.ceil(len(figure.panels) / columns))
    height = 470 if rows == 1 and columns == 1 else 90 + 270 * rows
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "shapes": []}
    told: set[str] = set()
    for i, panel in enumerate(figure.panels):
        place = "" if i == 0 else str(i + 1)
        across, up = _domains(i, columns, rows, height, shares_y=figure.shares_y)
        traces += _panel_traces(panel, inks, place, told)
        xs = [x for p in (*panel.points, *panel.lines) for x in p.x]
        is_first = i % columns == 0 or not figure.shares_y
        x = _axis(panel.x, xs, domain=across, anchor=f"y{place}")
        y = _y_axis(figure, panel, domain=up, anchor=f"x{place}", showticklabels=is_first)
        bare = {"title": {"text": ""}}
        layout[f"xaxis{place}"] = x | (bare if panel.title.startswith(panel.x.label) else {})
        layout[f"yaxis{place}"] = y | ({} if is_first else bare)
        layout["annotations"].append(_title(panel.title, across[0], up[1]))
        layout["shapes"] += [_level(value, place, inks.levels[label]) for label, value in panel.levels]
    for label, colour in inks.levels.items():
        look = {"type": "scatter", "mode": "lines", "line": {"color": colour, "dash": "dash", "width": 1.3}}
        traces.append({**look, "x": [None], "y": [None], "name": shielded(label), "showlegend": True})
    return traces, layout, height


def _domains(i: int, columns: int, rows: int, height: int, *, shares_y: bool) -> tuple[list[float], list[float]]:
    """Where a panel lies, in shares of the figure: its left and right end, its lower and upper one."""
    row, column = divmod(i, columns)
    gap = 0.0 if columns == 1 else 0.03 if shares_y else 0.08
    wide = (1 - gap * (columns - 1)) / columns
    between = 0.0 if rows == 1 else 85 / height
    tall = (1 - between * (rows - 1)) / rows
    left, top = column * (wide + gap), 1 - row * (tall + between)
    return [left, min(left + wide, 1.0)], [max(top - tall, 0.0), top]


def _level(value: float, place: str, colour: str) -> dict[str, Any]:
    """A dashed line across one panel."""
    where = {"xref": f"x{place} domain", "yref": f"y{place}", "x0": 0, "x1": 1, "y0": value, "y1": value}
    return {"type": "line", **where, "line": {"color": colour, "dash": "dash", "width": 1.3}}


def _title(text: str, x: float, y: float) -> dict[str, Any]:
    look = {"text": shielded(both_ends(text, 44)), "x": x, "y": y, "xref": "paper", "yref": "paper"}
    return {**look, "xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 12.5}}


def _y_axis(figure: PanelsFigure, panel: Panel, **more: Any) -> dict[str, Any]:
    found = _axis(panel.y, y_range(figure, panel), **more)
    if panel.y.categories:
        return found
    low, high = y_range(figure, panel)
    if found.get("type") == "log":
        low, high = math.log10(low), math.log10(high)
    room = (high - low) * 0.07 or abs(high) * 0.05 or 1.0
    return {**found, "range": [low - room, high + room]}


def _panel_traces(panel: Panel, inks: Inks, place: str, told: set[str]) -> list[dict[str, Any]]:
    found = []
    at = {"xaxis": f"x{place}", "yaxis": f"y{place}"}
    for line in panel.lines:
        colour = inks.lines[line.label, line.look]
        width = {"best": 2.6, "faint": 1.0}.get(line.look, 1.9)
        stroke = {"color": colour, "width": width, "dash": "dash" if line.look == "open" else "solid"}
        trace = {"type": "scatter", "mode": "lines", "x": list(line.x), "y": list(line.y), "line": stroke}
        found.append({**trace, **at, **_named(line, panel, told)})
    for points in panel.points:
        colour = inks.points[points.label, points.look]
        marker: dict[str, Any] = {"color": colour, "size": 8 if points.look == "best" else 6, "opacity": 0.85}
        if points.look == "open":
            marker |= {"symbol": "circle-open", "line": {"width": 1.5, "color": colour}}
        trace = {"type": "scatter", "mode": "markers", "x": places(points, panel.x), "y": list(points.y)}
        found.append({**trace, **at, "marker": marker, **_named(points, panel, told)})
    return found


def _named(points: Points, panel: Panel, told: set[str]) -> dict[str, Any]:
    """A trace's name, shown once in the key, and what stands at each of its places."""
    is_new = bool(points.label) and points.label not in told
    told.add(points.label)
    ends = [
        f"{shielded(_place(panel.x, x))}, {shielded(_place(panel.y, y))}"
        for x, y in zip(points.x, points.y, strict=True)
    ]
    labels = points.labels or ("",) * len(ends)
    said = [f"{shielded(label)}<br>{end}" if label else end for label, end in zip(labels, ends, strict=True)]
    group = {"legendgroup": points.label} if points.label else {}
    return {"name": shielded(points.label), "showlegend": is_new, "hovertext": said, "hoverinfo": "text", **group}


def _place(axis: Axis, value: float) -> str:
    name = axis.label or "value"
    if axis.categories and 0 <= round(value) < len(axis.categories):
        return f"{name} {axis.categories[round(value)]}"
    return f"{name} {number(value)}"


def _surface(figure: SurfaceFigure) -> Parts:
    xs = edges(figure.x_grid, is_log=figure.x.is_log and not figure.x.categories)
    ys = edges(figure.y_grid, is_log=figure.y.is_log and not figure.y.categories)
    low, high = value_span(figure)
    most = max((v for row in figure.sd for v in row), default=0.0) or 1.0
    unsure_look = {"zmin": 0, "zmax": most, "colorscale": [[at, colour] for at, colour in UNSURE]}
    mean_look = {"zmin": low, "zmax": high, "reversescale": not figure.is_larger_better, "colorscale": PALETTE}
    traces: list[dict[str, Any]] = []
    for place, cells, look in (("", figure.mean, mean_look), ("2", figure.sd, unsure_look)):
        bar = {"x": 0.995 if place else 0.42, "xanchor": "left", "thickness": 11, "outlinewidth": 0}
        at = {"xaxis": f"x{place}", "yaxis": f"y{place}", "x": xs, "y": ys, "z": [list(row) for row in cells]}
        said = [
            [_cell(figure, x, y, v) for x, v in zip(figure.x_grid, row, strict=True)]
            for y, row in zip(figure.y_grid, cells, strict=True)
        ]
        hover = {"hovertext": said, "hoverinfo": "text", "name": ""}
        traces.append({"type": "heatmap", **at, **look, **hover, "colorbar": bar})
        traces.append(_trial_marks(figure, place, (low, high)))
    x = _axis(figure.x, figure.x_grid, showgrid=False)
    y = _axis(figure.y, figure.y_grid, showgrid=False)
    x["range"], y["range"] = _ends(x, xs), _ends(y, ys)
    layout: dict[str, Any] = {
        "xaxis": {**x, "domain": [0, 0.41]},
        "yaxis": y,
        "xaxis2": {**x, "domain": [0.56, 0.985], "anchor": "y2", "matches": "x"},
        "yaxis2": {**y, "anchor": "x2", "matches": "y", "showticklabels": False, "title": {"text": ""}},
        "annotations": [
            _title(f"fitted {figure.value_label}; the dots are trials", 0, 1),
            _title("how unsure the fit is (its sd)", 0.56, 1),
        ],
        "showlegend": False,
        "margin": {"l": 20, "r": 60, "t": 40, "b": 20},
    }
    return traces, layout, 480


def _ends(axis: Mapping[str, Any], borders: Sequence[float]) -> list[float]:
    is_log = axis.get("type") == "log"
    return [math.log10(b) if is_log else b for b in (borders[0], borders[-1])]


def _cell(figure: SurfaceFigure, x: float, y: float, value: float) -> str:
    return f"{shielded(_place(figure.x, x))}<br>{shielded(_place(figure.y, y))}<br>{number(value)}"


def _trial_marks(figure: SurfaceFigure, place: str, span: tuple[float, float]) -> dict[str, Any]:
    spread = jitter(max(len(figure.points), 2), 0.2)
    xs = [p[0] + spread[i] * bool(figure.x.categories) for i, p in enumerate(figure.points)]
    ys = [p[1] + spread[-1 - i] * bool(figure.y.categories) for i, p in enumerate(figure.points)]
    marker: dict[str, Any] = {"size": 4, "color": GREY, "opacity": 0.6}
    if not place:
        marker = {"size": 8, "color": [p[2] for p in figure.points], "cmin": span[0], "cmax": span[1]}
        marker |= {"colorscale": PALETTE, "reversescale": not figure.is_larger_better}
        marker |= {"line": {"width": 0.8, "color": PAPER}}
    said = [f"trial: {_cell(figure, *p)}" for p in figure.points]
    trace = {**_marks(xs, ys, marker, ""), "xaxis": f"x{place}", "yaxis": f"y{place}"}
    return {**trace, "hovertext": said, "hoverinfo": "text"}


def _grid(figure: GridFigure) -> Parts:
    said = [
        [
            f"{shielded(row)} · {shielded(column)}<br>{'nothing to say' if v is None else number(v, 3)}"
            for column, v in zip(figure.columns, values, strict=True)
        ]
        for row, values in zip(figure.rows, figure.values, strict=True)
    ]
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": [list(row) for row in figure.values],
        "zmin": -1,
        "zmax": 1,
        "colorscale": [list(stop) for stop in AGAINST],
        "xgap": 1,
        "ygap": 1,
        "hovertext": said,
        "hoverinfo": "text",
        "colorbar": {"thickness": 11, "outlinewidth": 0},
        "name": "",
    }
    if max(len(figure.rows), len(figure.columns)) <= 15:
        trace["text"] = [["" if v is None else number(v, 2) for v in row] for row in figure.values]
        trace["texttemplate"] = "%{text}"
    columns, rows = Axis(label="", categories=figure.columns), Axis(label="", categories=figure.rows)
    layout = {
        "xaxis": _axis(columns, [], showgrid=False, range=[-0.5, len(figure.columns) - 0.5]),
        "yaxis": _axis(rows, [], showgrid=False, range=[len(figure.rows) - 0.5, -0.5]),
    }
    return [trace], layout, 180 + 30 * max(len(figure.rows), 3)
