"""The figures of an analysis: drawn twice from the same data, thinned and cut only openly."""

from __future__ import annotations

import json
import warnings

import pytest
from analysis_stories import ALL, NASTY, crowded, hostile, ordinary

from surefoot.analysis.figure import Axis, Bar, BarsFigure, GridFigure, Panel, PanelsFigure, Points, SurfaceFigure
from surefoot.reports.analysis_figures import drawable, edges, shown_range, value_and_interval
from surefoot.reports.analysis_panels import inks_of, places
from surefoot.reports.analysis_plotly import interactive, shielded
from surefoot.reports.analysis_write import figures_of
from surefoot.reports.drawing import png

Y = Axis(label="loss")


def panels(*points: Points, x: Axis | None = None, y: Axis = Y, **more: object) -> PanelsFigure:
    panel = Panel(title="lr", x=x or Axis(label="lr"), y=y, points=points, **more)
    return PanelsFigure(name="p", title="A panel by itself shows this", caption="All.", panels=(panel,))


def surface(**more: object) -> SurfaceFigure:
    given = {
        "name": "s",
        "title": "Two parameters act together here",
        "caption": "All.",
        "x": Axis(label="lr", is_log=True),
        "y": Axis(label="depth"),
        "value_label": "loss",
        "is_larger_better": False,
        "x_grid": (1e-4, 1e-3, 1e-2),
        "y_grid": (1.0, 2.0),
        "mean": ((1.0, 2.0, 3.0), (2.0, 3.0, 4.0)),
        "sd": ((0.1, 0.2, 0.3), (0.2, 0.3, 0.4)),
        "points": ((1e-4, 1.0, 1.1), (1e-2, 2.0, 4.2)),
    }
    return SurfaceFigure(**{**given, **more})


def traces_of(figure):
    """What the browser is given to draw."""
    piece, _ = interactive(figure)
    begin = piece.index("[", piece.index("Plotly.newPlot("))
    return json.JSONDecoder().raw_decode(piece[begin:])[0]


def bars(*values: float, **more: object) -> BarsFigure:
    made = tuple(Bar(label=f"p{i}", value=v, **more) for i, v in enumerate(values))
    return BarsFigure(name="b", title="These matter and those do not", caption="All.", axis=Axis(label="x"), bars=made)


EDGE_CASES = {
    "no panel": PanelsFigure(name="p", title="Nothing is to be seen here", caption="None.", panels=()),
    "an empty panel": panels(),
    "no point": panels(Points(label="a", x=(), y=())),
    "one point": panels(Points(label="a", x=(1.0,), y=(1.0,))),
    "all equal": panels(Points(label="a", x=(1.0,) * 9, y=(2.0,) * 9)),
    "zero on a log axis": panels(
        Points(label="a", x=(0.0, 1.0), y=(0.0, 2.0)), x=Axis(label="lr", is_log=True), y=Axis(label="l", is_log=True)
    ),
    "one value on a log axis": panels(
        Points(label="a", x=(1e-3,) * 3, y=(5.0,) * 3), x=Axis(label="lr", is_log=True), y=Axis(label="l", is_log=True)
    ),
    "huge": panels(Points(label="a", x=(1.0, 2.0), y=(1e300, -1e300))),
    "tiny": panels(Points(label="a", x=(1e-300, 2e-300), y=(1e-12, 3e-12))),
    "no bar": bars(),
    "a bar of nothing": bars(0.0, 0.0),
    "negative bars": bars(-1.0, -2.0, interval=(-3.0, 0.5), null=0.2, is_sure=False),
    "bars with a log axis": BarsFigure(
        name="b",
        title="Bars over several powers of ten",
        caption="",
        axis=Axis(label="x", is_log=True),
        bars=(Bar(label="a", value=1e-3, interval=(1e-4, 1e-2)), Bar(label="b", value=10.0)),
    ),
    "a flat surface": surface(mean=((1.0,) * 3,) * 2, sd=((0.0,) * 3,) * 2, points=()),
    "a surface of one place": surface(x_grid=(1.0,), y_grid=(2.0,), mean=((1.0,),), sd=((0.0,),), points=()),
    "a grid of one": GridFigure(
        name="g", title="One by one is a grid", caption="", rows=("a",), columns=("b",), values=((None,),)
    ),
    "no grid": GridFigure(name="g", title="A grid of nothing at all", caption="", rows=(), columns=(), values=()),
}


@pytest.mark.parametrize("name", ALL)
def test_every_figure_is_drawn_in_both_ways_without_a_warning(name):
    for figure in figures_of(ALL[name]()).values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert png(figure).startswith(b"\x89PNG")
            assert traces_of(figure)


@pytest.mark.parametrize("name", EDGE_CASES)
def test_a_figure_of_nearly_nothing_is_drawn_too(name):
    figure = drawable(EDGE_CASES[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert png(figure).startswith(b"\x89PNG")
        interactive(figure)


def test_the_browser_draws_the_same_numbers_as_the_picture():
    figures = figures_of(ordinary())
    bar, *_ = traces_of(figures["param_importances"])
    assert bar["x"] == [b.value for b in figures["param_importances"].bars]
    scatter = [t for t in traces_of(figures["slices"]) if t["x"] != [None]]
    drawn = [p for panel in figures["slices"].panels for p in panel.points]
    assert [t["y"] for t in scatter] == [list(p.y) for p in drawn]
    heat = [t for t in traces_of(figures["contour_lr_vs_batch_size"]) if t["type"] == "heatmap"]
    shown = figures["contour_lr_vs_batch_size"]
    assert heat[0]["z"] == [list(row) for row in shown.mean] and heat[1]["z"] == [list(row) for row in shown.sd]
    assert len(heat[0]["x"]) == len(shown.x_grid) + 1


def test_bars_go_from_the_largest_to_the_smallest_and_the_largest_thirty_stay():
    figure = drawable(bars(0.1, -0.9, 0.5))
    assert [b.value for b in figure.bars] == [0.5, 0.1, -0.9] and figure.caption == "All."
    many = drawable(bars(*(float((i * 7) % 40) for i in range(40))))
    assert [b.value for b in many.bars] == [float(v) for v in range(39, 9, -1)]
    assert many.caption == "All. The 30 largest of 40 are drawn."


def test_ten_thousand_points_are_thinned_openly_and_the_best_and_the_ends_stay():
    n = 10_000
    ys = tuple(float((i * 7919) % n) for i in range(n))
    plain = Points(label="trial", x=tuple(map(float, range(n))), y=ys, labels=tuple(map(str, range(n))))
    best = Points(label="best", x=(1.0, 2.0, 3.0), y=(5.0, 5.0, 5.0), look="best")
    figure = drawable(panels(plain, best))
    kept, all_best = figure.panels[0].points
    assert 2000 <= len(kept.x) <= 3010 and all_best.x == best.x
    assert min(kept.y) == 0 and max(kept.y) == n - 1 and kept.x[-1] == n - 1
    assert [kept.labels[i] for i in (0, -1)] == ["0", str(n - 1)]
    assert figure.caption == "All. Of 10,003 points about 3,000 are drawn, evenly thinned."
    assert drawable(panels(best)).caption == "All."


def test_a_value_that_would_flatten_the_rest_stands_at_the_edge_and_the_caption_says_so():
    ys = (*(float(i % 10) for i in range(99)), 1e9)
    figure = drawable(panels(Points(label="a", x=tuple(map(float, range(100))), y=ys)))
    assert shown_range(ys) == (0.0, 9.0)
    assert figure.caption == "All. 1 point beyond the axis stands at its edge, as a triangle."
    assert figure.panels[0].points[0].y == ys, "the number itself stays in the figure"


def test_many_far_values_are_no_outliers():
    ys = (*(float(i % 10) for i in range(60)), *(1e6 + i for i in range(40)))
    assert shown_range(ys) == (0.0, 1e6 + 39)


def test_the_cells_of_a_surface_meet_in_the_middle_of_their_own_scale():
    assert edges((1.0, 2.0, 4.0), is_log=False) == [0.5, 1.5, 3.0, 5.0]
    assert edges((1e-4, 1e-2), is_log=True) == pytest.approx([1e-5, 1e-3, 1e-1])
    assert edges((7.0,), is_log=False) == [6.5, 7.5]


def test_dots_of_one_category_are_spread_and_a_single_one_stands_at_its_place():
    axis = Axis(label="norm", categories=("a", "b"))
    placed = places(Points(label="t", x=(0.0, 0.0, 0.0, 1.0), y=(1.0, 2.0, 3.0, 4.0)), axis)
    assert len(set(placed[:3])) == 3 and all(abs(x) <= 0.22 for x in placed[:3]) and placed[3] == 1.0
    assert places(Points(label="t", x=(0.0, 0.0), y=(1.0, 2.0)), Y) == [0.0, 0.0]


def test_a_kind_of_points_has_one_colour_in_every_panel():
    figure = figures_of(ordinary())["slices"]
    inks = inks_of(figure)
    assert len(set(inks.points.values())) == len(inks.points) == 4
    assert set(inks.levels) == {"majority class"}


def test_a_crowd_of_panels_and_names_is_cut_openly():
    figures = figures_of(crowded())
    assert len(figures["slices"].panels) == 18 and "The first 18 of 22 panels are drawn." in figures["slices"].caption
    assert len(figures["grid"].rows) == 30 and "The first 30 × 30 of 60 × 60 are drawn." in figures["grid"].caption


def test_names_from_outside_are_text_in_the_browser_too():
    for figure in figures_of(hostile()).values():
        piece, _ = interactive(figure)
        assert piece.count("<script") == 3 == piece.count("</script>"), "those of plotly, and none from a name"
        for trace in traces_of(figure):
            said = json.dumps([trace.get("hovertext"), trace.get("name")])
            assert "<b>" not in said and "<script" not in said
    assert shielded(NASTY).count("<") == 0


def test_a_value_is_rounded_by_its_interval():
    assert value_and_interval(0.5213, (0.312, 0.749)) == "0.52 (0.31 … 0.75)"
    assert value_and_interval(0.5213, None) == "0.5213"
    assert value_and_interval(0.5, (0.5, 0.5)) == "0.5 (0.5 … 0.5)"
