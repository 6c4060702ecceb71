"""Every figure of a report as a picture, or the sentence that stands where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.analysis.figure import Figure as AnalysisFigure
from surefoot.reports.diagnosis_figures import DiagnosisFigure
from surefoot.reports.figures import Figure, NoFigure, all_figures
from surefoot.reports.phases_figures import PhaseFigure, phase_figures
from surefoot.reports.story import Story
from surefoot.reports.sweep_figures import SweepFigure

AnyFigure = Figure | SweepFigure | AnalysisFigure | PhaseFigure | DiagnosisFigure


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture with its title and caption; where `png` is empty, `caption` says why."""

    name: str
    title: str
    caption: str
    png: bytes = b""


def draw_all(story: Story) -> dict[str, Picture]:
    """The pictures by file name. A figure that cannot be drawn costs its picture, never the report."""
    return picture_figures({**all_figures(story), **phase_figures(story)})


def picture_figures(figures: Mapping[str, AnyFigure | NoFigure]) -> dict[str, Picture]:
    """The pictures of figures that are computed already."""
    return {name: _drawn(name, figure) for name, figure in figures.items()}


def _drawn(name: str, figure: AnyFigure | NoFigure) -> Picture:
    if isinstance(figure, NoFigure):
        return Picture(name=name, title="", caption=figure.sentence)
    try:
        from surefoot.reports.drawing import png

        return Picture(name=name, title=figure.title, caption=figure.caption, png=png(figure))
    except Exception as error:  # a drawing library fails in its own ways; the numbers are in the tables
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        return Picture(name=name, title=figure.title, caption=f"This figure could not be drawn ({reason}).")
