"""Analyses made by hand for the tests of their report: an ordinary one, a crowded one, a hostile one, an empty one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from surefoot.analysis.figure import Axis, Bar, BarsFigure, GridFigure, Panel, PanelsFigure, Points, SurfaceFigure
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View, view_of
from surefoot.finding import Finding
from surefoot.run import Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial, TrialTable

NASTY = '=1+1 <b>"q"</b>, $x^2$ | `a`\n\x00\u202e 😀 {{ 7*7 }}</script><script>alert(1)</script>'
ACCURACY = Metric(name="val_acc", goal="maximize", unit="%")
SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the report takes from an analysis."""

    view: View
    sections: tuple[Section, ...]
    noise: Any = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        found = [finding for section in self.sections for finding in section.findings]
        return tuple(sorted(found, key=lambda f: SEVERITIES.index(f.severity)))


def told(n: int = 60, *, name: str = "arc", odd: str = "", seed: int = 0) -> Told:
    """An analysis of n complete trials and a few others; `odd` is in every name that comes from outside."""
    rng = np.random.default_rng(seed)
    table = table_of(n, rng, name=name, odd=odd)
    view = view_of(table)
    sections = (
        _trials(view),
        _instruments(odd),
        _importance(view, odd),
        _direction(view, odd),
        _interactions(view, rng),
        _convergence(view),
        Section(key="stopping", title="What early stopping cost", not_applicable="because no trial was stopped early."),
        _confounds(odd),
    )
    noise = SimpleNamespace(sd=1.2345, df=6, interval=(0.79, 2.7), sets=(), source="repeats")
    return Told(view=view, sections=sections, noise=noise)


def table_of(n: int, rng: np.random.Generator, *, name: str, odd: str) -> TrialTable:
    lr, batch, deep = f"lr{odd}", f"batch_size{odd}", f"depth{odd}"
    space = SearchSpace(
        parameters=(
            real(lr, 1e-5, 1e-1, log=True),
            choice(batch, 8, 16, 32, 64),
            choice(f"encoder{odd}", "cnn", f"context{odd}"),
            integer(deep, 2, 6, when={f"encoder{odd}": ("cnn",)}),
            boolean(f"cosine{odd}"),
        )
    )
    trials = []
    for i in range(n + n // 6 + 2):
        settings: dict[str, Any] = {
            lr: float(10 ** rng.uniform(-5, -1)),
            batch: int(rng.choice((8, 16, 32, 64))),
            f"encoder{odd}": str(rng.choice(("cnn", f"context{odd}"))),
            f"cosine{odd}": bool(rng.integers(2)),
        }
        if settings[f"encoder{odd}"] == "cnn":
            settings[deep] = int(rng.integers(2, 7))
        score = 30 - 3 * abs(math.log10(settings[lr]) + 3) - 0.05 * settings[batch] + rng.normal()
        own = {"settings": settings, "seconds": 61.5, "measured": {"train_loss": 0.5, "state": 1.0}}
        if i < n:
            trials.append(Trial(name=str(i), state="COMPLETE", value=float(score), per_seed=(float(score),), **own))
        elif i < n + n // 6:
            trials.append(Trial(name=str(i), state="PRUNED", last=(3.0, float(score - 5)), **own))
        else:
            trials.append(Trial(name=f"{i}{odd}", state="FAILED", reason=f"out of memory{odd}", **own))
    return TrialTable(
        name=f"{name}{odd}",
        source=f"arc_sweep.csv{odd}",
        metric=ACCURACY,
        space=space,
        trials=tuple(trials),
        is_inferred=True,
        notices=(f"Column val_acc{odd} is the objective.", "Empty cells are settings that did not exist."),
    )


def _trials(view: View) -> Section:
    values = view.values
    rows = (
        ("complete", view.n, float(values.mean()), float(values.std()), float(values.min()), float(values.max())),
        ("pruned", view.n // 6, None, None, None, None),
    )
    headers = ("state", "n", "mean", "sd", "worst", "best")
    return Section(
        key="trials",
        title="The trials",
        findings=(Finding(rule="trials.states", subject="trials", sentence=f"{view.n} trials have a value."),),
        sheets=(Sheet(name="states", title="What became of the trials", headers=headers, rows=rows), every(view)),
    )


def every(view: View) -> Sheet:
    """A row for every trial."""
    rows = tuple((t.name, t.state, t.reason, t.value) for t in view.table.trials)
    headers = ("trial", "state", "reason", view.metric.name)
    return Sheet(name="trials_full", title="Every trial", headers=headers, rows=rows, is_shown=False)


def _instruments(odd: str) -> Section:
    finding = Finding(
        rule="instruments.depends_on",
        subject=f"batch_size{odd}",
        sentence=f"The metric depends on batch_size{odd}, which is searched: per example its ρ falls from"
        " −0.67 to −0.10",
        severity="critical",
        evidence={"before": -0.6690123, "after": -0.1030456, "n": 20},
        advice="Compute the metric over examples, not over batches, and analyse again",
    )
    note = "An instrument that answers differently when a searched parameter changes measures that parameter."
    return Section(key="instruments", title="The instrument", findings=(finding,), note=note)


def _importance(view: View, odd: str) -> Section:
    names = [c.key for c in view.columns]
    shares = [0.52, 0.21, 0.05, 0.03, 0.01]
    bars = tuple(
        Bar(label=k, value=s, interval=(s * 0.7, s * 1.4), null=0.08, is_sure=s > 0.08)
        for k, s in zip(names, shares, strict=True)
    )
    rows = tuple(
        (k, "encoder is cnn" if "[" in k else "", 60, s, s * 0.7, s * 1.4, 0.08, 0.0004 if s > 0.08 else 0.4321, "")
        for k, s in zip(names, shares, strict=True)
    )
    headers = ("parameter", "condition", "n", "importance", "ci_low", "ci_high", "null", "p_perm", "flags")
    caption = "Share of the variance that each parameter explains alone, in a forest of 64 trees."
    figure = BarsFigure(
        name="param_importances",
        title="Two of five parameters matter beyond chance",
        caption=caption,
        axis=Axis(label="share of the variance"),
        bars=bars,
    )
    finding = Finding(
        rule="importance.real",
        subject=names[0],
        sentence=f"{names[0]} explains 52 % of the variance, more than chance would (p < .001)",
        evidence={"share": 0.52, "p": 0.0004},
    )
    sheet = Sheet(name="param_importances", title="Importance of each parameter", headers=headers, rows=rows)
    return Section(
        key="importance",
        title="Which parameters matter",
        findings=(finding,),
        sheets=(sheet,),
        figures=(figure,),
        note=f"A share is real where it exceeds what shuffled values{odd} reach.",
    )


def _direction(view: View, odd: str) -> Section:
    lr, batch = view.columns[0], view.columns[1]
    best = view.values >= np.quantile(view.values, 0.75)
    panels = []
    for column in (lr, batch):
        kinds = tuple(
            Points(
                label=label,
                x=tuple(column.numbers[rows].tolist()),
                y=tuple(view.values[rows].tolist()),
                labels=tuple(f"trial {t.name}" for t, r in zip(view.trials, rows, strict=True) if r),
                look=look,
            )
            for label, rows, look in (("the best quarter", best, "best"), ("the rest", ~best, "plain"))
        )
        axes = {"x": Axis(label=column.key, is_log=column.is_log), "y": Axis(label="val_acc (%)")}
        panels.append(Panel(title=column.key, points=kinds, levels=(("majority class", 18.0),), **axes))
    levels = ("cnn", f"context{odd}")
    groups = tuple(tuple(view.values[view.columns[2].codes == code].tolist()) for code in (0, 1))
    points = tuple(Points(label="trial", x=(float(i),) * len(g), y=g, look="faint") for i, g in enumerate(groups) if g)
    means = Points(label="mean", x=(0.0, 1.0), y=tuple(float(np.mean(g or (0.0,))) for g in groups), look="best")
    named = Axis(label=view.columns[2].key, categories=levels)
    panels.append(Panel(title=view.columns[2].key, x=named, y=Axis(label="val_acc (%)"), points=(*points, means)))
    figure = PanelsFigure(
        name="slices",
        title="The value falls with the batch size and peaks in the middle of the learning rate",
        caption="Every trial at its setting.",
        panels=tuple(panels),
    )
    headers = ("parameter", "n", "rho", "p_value", "q_value", "ci_low", "ci_high", "direction", "condition", "flags")
    rows = (
        (lr.key, 60, -0.148, 0.534, 0.741, -0.39, 0.11, "none", "", ""),
        (batch.key, 60, -0.669, 0.0012, 0.0144, -0.83, -0.40, "decrease", "", f"artifact{odd}"),
    )
    sheet = Sheet(name="directionality_continuous", title="Numbers", headers=headers, rows=rows)
    finding = Finding(
        rule="direction.number",
        subject=batch.key,
        sentence=f"The value falls as {batch.key} rises (ρ = −0.669, q = .014)",
        severity="warning",
        evidence={"rho": -0.669, "q": 0.0144},
        advice="Read the section on the instrument first",
    )
    return Section(key="direction", title="In which direction", findings=(finding,), sheets=(sheet,), figures=(figure,))


def _interactions(view: View, rng: np.random.Generator) -> Section:
    lr, batch, encoder = view.columns[0], view.columns[1], view.columns[2]
    xs, ys = np.logspace(-5, -1, 24), np.linspace(8, 64, 20)
    mean = 30 - 3 * np.abs(np.log10(xs)[None, :] + 3) - 0.05 * ys[:, None]
    sd = 0.5 + 0.3 * np.abs(np.log10(xs)[None, :] + 3) + 0 * ys[:, None]
    raw = zip(lr.numbers.tolist(), batch.numbers.tolist(), view.values.tolist(), strict=True)
    first = SurfaceFigure(
        name=f"contour_{lr.key}_vs_{batch.key}",
        title="A small batch and a learning rate near 0.001 go together",
        caption="What the forest expects; brighter is better.",
        x=Axis(label=lr.key, is_log=True),
        y=Axis(label=batch.key),
        value_label="val_acc (%)",
        is_larger_better=True,
        x_grid=tuple(xs.tolist()),
        y_grid=tuple(ys.tolist()),
        mean=tuple(map(tuple, mean.tolist())),
        sd=tuple(map(tuple, sd.tolist())),
        points=tuple(raw),
    )
    named = zip(lr.numbers.tolist(), encoder.codes.astype(float).tolist(), view.values.tolist(), strict=True)
    second = SurfaceFigure(
        name=f"contour_{lr.key}_vs_{encoder.key}",
        title="The encoder changes little at any learning rate",
        caption="What the forest expects.",
        x=Axis(label=lr.key, is_log=True),
        y=Axis(label=encoder.key, categories=tuple(map(str, encoder.levels))),
        value_label="val_acc (%)",
        is_larger_better=False,
        x_grid=tuple(xs.tolist()),
        y_grid=(0.0, 1.0),
        mean=tuple(map(tuple, mean[:2].tolist())),
        sd=tuple(map(tuple, sd[:2].tolist())),
        points=tuple(named),
    )
    headers = ("trial", "x", "y", "value", "model_mean", "model_sd")
    rows = tuple(
        (t.name, 1e-3, 16.0, float(v), float(v) + 0.1, 0.5) for t, v in zip(view.trials, view.values, strict=True)
    )
    name = f"contour_data_{lr.key}_vs_{batch.key}"
    sheet = Sheet(name=name, title="The surface at the trials", headers=headers, rows=rows, is_shown=False)
    return Section(key="interactions", title="Which parameters act together", sheets=(sheet,), figures=(first, second))


def _convergence(view: View) -> Section:
    values = view.values.tolist()
    so_far = np.maximum.accumulate(view.values).tolist()
    steps = tuple(float(i) for i in range(len(values)))
    panel = Panel(
        title="",
        x=Axis(label="trial, in order"),
        y=Axis(label="val_acc (%)"),
        points=(Points(label="trial", x=steps, y=tuple(values), look="plain"),),
        lines=(Points(label="best so far", x=steps, y=tuple(so_far)),),
        levels=(("majority class", 18.0), ("what luck alone reaches", 29.0)),
    )
    title = f"The best of {len(values)} trials came late"
    figure = PanelsFigure(name="convergence", title=title, caption="In the order they were made.", panels=(panel,))
    rows = tuple((i, v, b) for i, (v, b) in enumerate(zip(values, so_far, strict=True)))
    sheet = Sheet(name="convergence", title="The best so far", headers=("trial", "value", "best_so_far"), rows=rows)
    return Section(key="convergence", title="Convergence", figures=(figure,), sheets=(sheet,))


def _confounds(odd: str) -> Section:
    names = tuple(f"{name}{odd}" for name in ("lr", "batch_size", "encoder", "depth", "cosine"))
    rng = np.random.default_rng(1)
    cells = rng.uniform(-1, 1, (5, 5))
    values = tuple(tuple(None if j > i else 1.0 if i == j else float(cells[i, j]) for j in range(5)) for i in range(5))
    title = "No two parameters moved together more than chance would have them"
    figure = GridFigure(
        name="confounds", title=title, caption="Rank correlations.", rows=names, columns=names, values=values
    )
    return Section(key="confounds", title="What moved together", figures=(figure,))


def ordinary() -> Told:
    """Sixty trials with what an analysis mostly has."""
    return told()


def hostile() -> Told:
    """Names with everything that could break a page, a table, a spreadsheet, a figure or a file's name."""
    return told(24, odd=NASTY)


def long_names() -> Told:
    """Names of 300 letters without a place to break."""
    return told(24, odd="x" * 300)


def empty() -> Told:
    """Nothing was tried."""
    table = TrialTable(
        name="none",
        source="none.csv",
        metric=ACCURACY,
        space=SearchSpace(parameters=(real("lr", 0.0, 1.0),)),
        trials=(),
    )
    keys = ("trials", "learnability", "importance", "direction")
    sections = tuple(
        Section(key=key, title=key.capitalize(), not_applicable="because no trial has a value.") for key in keys
    )
    return Told(view=view_of(table), sections=sections)


def crowded() -> Told:
    """A thousand categories, forty bars, four thousand points, many panels."""
    base = told(40)
    names = tuple(f"category_{i}_{'long' * (i % 7)}" for i in range(1000))
    rng = np.random.default_rng(2)
    place = tuple(rng.integers(0, 1000, 4000).astype(float).tolist())
    values = (*rng.normal(20, 1, 3999).tolist(), 1e9)
    one = Panel(
        title="a category with a thousand levels",
        x=Axis(label="category", categories=names),
        y=Axis(label="val_acc (%)"),
        points=(Points(label="trial", x=place, y=values),),
    )
    many = tuple(
        Panel(
            title=f"parameter_{i}",
            x=Axis(label=f"parameter_{i}", is_log=i % 2 == 0),
            y=Axis(label="val_acc (%)"),
            points=(Points(label="trial", x=tuple(rng.uniform(0.5, 3, 30).tolist()), y=values[:30]),),
        )
        for i in range(22)
    )
    bars = tuple(Bar(label=name, value=float(v)) for name, v in zip(names, rng.normal(0, 1, 1000), strict=True))
    figures = (
        PanelsFigure(name="categories", title="Nothing is seen among so many levels", caption="All.", panels=(one,)),
        PanelsFigure(name="slices", title="None of so many parameters matters", caption="All.", panels=many),
        BarsFigure(
            name="levels", title="Each level apart says little", caption="All.", axis=Axis(label="Δ"), bars=bars
        ),
        GridFigure(
            name="grid",
            title="Sixty parameters against each other are too many",
            caption="All.",
            rows=names[:60],
            columns=names[:60],
            values=tuple(tuple(float(v) for v in row) for row in rng.uniform(-1, 1, (60, 60))),
        ),
    )
    rows = tuple((name, i, float(i) / 7, -0.5 * i, 0.5 * i) for i, name in enumerate(names))
    headers = ("level", "n", "mean", "ci_low", "ci_high")
    sheet = Sheet(name="directionality_categorical_detail", title="Every level", headers=headers, rows=rows)
    loud = tuple(
        Finding(
            rule="direction.choice",
            subject=name,
            sentence=f"{name} is compared by its best of {i} trials, which favours what was tried more often",
            severity="critical" if i % 2 else "warning",
            advice="Compare by the mean",
        )
        for i, name in enumerate(names[:40])
    )
    section = Section(key="direction", title="Direction", findings=loud, sheets=(sheet,), figures=figures)
    return Told(view=base.view, sections=(*base.sections[:2], section))


ALL = {"ordinary": ordinary, "hostile": hostile, "long_names": long_names, "empty": empty, "crowded": crowded}
