"""The figures of a diagnosis as data: train and validation curves, where the validation loss turns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from surefoot.diagnosis.reading import Reading, read
from surefoot.diagnosis.shapes import Series
from surefoot.reports.diagnosed import Diagnosed
from surefoot.reports.diagnosis_words import primary_of, titled
from surefoot.reports.figures import NoFigure
from surefoot.words import count, listing, number, sentence

MOST_POINTS = 500
MOST_LINES = 8  # of more histories than this the first are drawn
FEWEST_POINTS = 2
COLOURED = {
    "train": "grey is train as training measured it",
    "clean train": "green train measured as validation is",
    "validation": "blue validation",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One history's curve in a role: "train", "clean train" or "validation"."""

    role: str
    metric: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Where the validation loss was lowest, in a history in which it rose again."""

    step: float
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Curves of one kind over the steps; `turns` are marked."""

    label: str
    lines: tuple[Line, ...]
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DiagnosisFigure:
    """The loss and the score of a group's trainings, side by side."""

    title: str
    caption: str
    step_unit: str
    panels: tuple[Panel, ...]


def diagnosis_figure(found: Diagnosed) -> DiagnosisFigure | NoFigure:
    """The curves that the diagnosis read, every training a line."""
    readings = [read(history, found.ground) for history in found.histories[:MOST_LINES]]
    losses = _lines(readings, ("train_loss", "alike_loss", "val_loss"))
    scores = _lines(readings, ("train_score", "alike_score", "val_score"))
    turns = tuple(turn for r in readings if (turn := turn_of(r.val_loss)) is not None)
    panels = [Panel(label=_label("loss", losses), lines=losses, turns=turns)] if losses else []
    panels += [Panel(label=_label("score", scores), lines=scores)] if scores else []
    if not any(len(line.steps) >= FEWEST_POINTS for panel in panels for line in panel.lines):
        return NoFigure(sentence=f"{found.subject} has no curve of two measurements or more to draw.")
    return DiagnosisFigure(
        title=_title(found),
        caption=_caption(found, {line.role for panel in panels for line in panel.lines}, turns, len(readings)),
        step_unit=found.histories[0].step_unit,
        panels=tuple(panels),
    )


def turn_of(loss: Series | None) -> Turn | None:
    """Where the curve was lowest, where it has measurements before and after and ends above it."""
    if loss is None or len(loss) < FEWEST_POINTS + 1:
        return None
    lowest = int(loss.values.argmin())
    if lowest in (0, len(loss) - 1):
        return None
    return Turn(step=float(loss.steps[lowest]), value=float(loss.values[lowest]))


def _lines(readings: Sequence[Reading], names: tuple[str, str, str]) -> tuple[Line, ...]:
    found = []
    for reading in readings:
        train, alike, validation = (getattr(reading, name) for name in names)
        found += [_line("train", train)] if train is not None else []
        found += [_line("clean train", alike)] if alike is not None and alike is not train else []
        found += [_line("validation", validation)] if validation is not None else []
    return tuple(line for line in found if line.steps)


def _line(role: str, series: Series) -> Line:
    every = max(1, len(series) // MOST_POINTS)
    kept = sorted({*range(0, len(series), every), len(series) - 1})
    return Line(
        role=role,
        metric=series.name,
        steps=tuple(float(series.steps[i]) for i in kept),
        values=tuple(float(series.values[i]) for i in kept),
    )


def _label(kind: str, lines: Sequence[Line]) -> str:
    """What the panel shows, by the name of its validation curve, else of its first."""
    named = next((line.metric for line in lines if line.role == "validation"), lines[0].metric if lines else kind)
    return named.removeprefix("val_").removeprefix("valid_").removeprefix("eval_") or kind


def _title(found: Diagnosed) -> str:
    primary = primary_of(found.diagnosis)
    said = titled(primary) if primary is not None else "nothing to treat"
    return f"{found.subject}: {said}"


def _each(found: Diagnosed, shown: int) -> str:
    many = len(found.histories)
    if many == 1:
        return ""
    return f"; a line each of {count(shown, 'training')}{f' of {many:,}' if many > shown else ''}"


def _caption(found: Diagnosed, roles: Collection[str], turns: Sequence[Turn], shown: int) -> str:
    told = listing([COLOURED[role] for role in COLOURED if role in roles])
    parts = [sentence(f"{told}{_each(found, shown)}")]
    if turns:
        at = sorted(turn.step for turn in turns)
        unit = found.histories[0].step_unit
        where = number(at[0]) if at[0] == at[-1] else f"{number(at[0])} to {number(at[-1])}"
        parts.append(sentence(f"the mark is where the validation loss was lowest, {unit} {where}"))
    return " ".join(parts)
