"""docs/analyze.md names every file of an analysis with its columns, and none that is not written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import surefoot
from analysis_cases import arc_table
from surefoot.analysis.section import Sheet
from surefoot.reports.analysis_json import analysis_json
from surefoot.space import SearchSpace, choice, integer, real
from surefoot.trials import Curve, Trial, TrialTable, Trivial

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "analyze.md").read_text(encoding="utf-8")
KEYS = (
    *("trials", "instruments", "learnability", "noise", "importance", "direction"),
    *("elites", "boundaries", "interactions", "convergence", "stopping", "confounds"),
)


def documented() -> dict[str, tuple[str, ...]]:
    """File name without its ending -> its columns, as far as they have fixed names."""
    block = PAGE.split("<!-- files -->")[1].split("<!-- /files -->")[0]
    found = {}
    for line in block.strip().splitlines()[2:]:
        files, _, columns = line.strip("| ").split(" | ", 2)
        for name in re.findall(r"`([^`]+)\.csv`", files):
            found[name] = tuple(re.findall(r"`([^`]+)`", columns))
    return found


def varied_table(n: int = 60) -> TrialTable:
    """A search with curves, pruned trials, several proposers and seeds, so that nearly every section speaks."""
    rng = np.random.default_rng(3)
    space = SearchSpace(
        parameters=(real("lr", 1e-4, 1e-1, log=True), choice("norm", "none", "batch"), integer("depth", 2, 6))
    )
    trials = []
    for i in range(n):
        settings = {
            "lr": float(10 ** rng.uniform(-4, -1)),
            "norm": str(rng.choice(("none", "none", "batch"))),
            "depth": int(rng.integers(2, 7)),
        }
        value = float(70 + 8 * np.log10(settings["lr"]) + rng.normal())
        is_pruned = i % 5 == 4
        steps = tuple(range(1, 5 if is_pruned else 21))
        curve = Curve(steps=steps, values=tuple(value - 20 / step + float(rng.normal(scale=0.3)) for step in steps))
        trials.append(
            Trial(
                name=str(i),
                state="PRUNED" if is_pruned else "COMPLETE",
                settings=settings,
                value=None if is_pruned else curve.values[-1],
                per_seed=() if is_pruned else (curve.values[-1] - 0.4, curve.values[-1] + 0.4),
                last=(float(steps[-1]), curve.values[-1]) if is_pruned else None,
                seconds=60.0 * len(steps),
                origin="tpe" if i >= 30 else "random",
                budget={"steps": float(len(steps))},
                curves={"score": curve},
            )
        )
    metric = surefoot.Metric(name="score", goal="maximize")
    return TrialTable(
        name="varied",
        source="varied",
        metric=metric,
        space=space,
        trials=tuple(trials),
        trivial=(Trivial(name="constant", value=10.0),),
    )


def invented() -> TrialTable:
    path = ROOT / "examples" / "invented_trials.csv"
    said = (Trivial(name="majority class", value=0.18),)
    return surefoot.read_trials(path, value="val_accuracy", goal="maximize", trivial=said, evaluated_on=400)


def batches() -> TrialTable:
    """A metric that is a mean over batches: the same parts, another value for each batch size."""
    return replace(arc_table(), evaluated_on=73)


@pytest.fixture(scope="module")
def analyses() -> Mapping[str, surefoot.Analysis]:
    return {name: surefoot.analyze(table) for name, table in (("invented", invented()), ("varied", varied_table()))}


def sheets(analysis: surefoot.Analysis) -> list[Sheet]:
    return [sheet for section in analysis.sections for sheet in section.sheets]


def undocumented(analysis: surefoot.Analysis) -> list[str]:
    """What of the analysis' tables the page does not name."""
    pages, table = documented(), analysis.view.table
    metric = table.metric.name
    own = {metric, f"mean {metric}", *(p.key for p in table.space.parameters), *table.space.names(), *table.base}
    own |= {name for trial in table.trials for name in (*trial.measured, *trial.budget)}
    found = []
    for sheet in sheets(analysis):
        name = "contour_data_<x>_vs_<y>" if sheet.name.startswith("contour_data_") else sheet.name
        if name not in pages:
            found.append(f"{sheet.name}.csv")
            continue
        found += [f"{sheet.name}: {header}" for header in sheet.headers if header not in {*pages[name], *own}]
    return found


@pytest.mark.parametrize("name", ["invented", "varied"])
def test_every_file_and_column_that_is_written_stands_in_the_page(analyses, name):
    assert undocumented(analyses[name]) == []


def test_the_files_of_a_record_stand_in_the_page():
    assert undocumented(surefoot.analyze(batches())) == []


def test_every_column_of_the_page_is_one_that_is_written(analyses):
    pages = documented()
    for analysis in analyses.values():
        for sheet in sheets(analysis):
            if not sheet.name.startswith("contour_data_"):
                told = {column for column in pages[sheet.name] if "VALUE" not in column}
                assert told <= set(sheet.headers), sheet.name


def test_every_file_of_the_page_is_made_somewhere():
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/surefoot/analysis").glob("*.py"))
    for name in documented():
        assert f'"{name.split("_<x>")[0]}"' in code, name


def test_every_section_is_explained_in_its_order(analyses):
    assert tuple(section.key for section in analyses["invented"].sections) == KEYS
    assert tuple(re.findall(r"^\*\*(\w+)\*\*: ", PAGE, re.MULTILINE)) == KEYS


def test_the_keys_of_the_document_are_those_of_the_page(analyses):
    told = analysis_json(analyses["invented"])
    block = PAGE.split("## JSON")[1].split("## From Python")[0]
    named = set(re.findall(r"`(\w+)`", block))
    assert set(told) <= named
    assert set(told["sections"][0]) <= named
    assert {key for finding in told["findings"] for key in finding} <= named
    assert set(told["sections"][0]["tables"][0]) <= named


def test_the_python_of_the_page_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code.replace("examples/", f"{ROOT.as_posix()}/examples/"), {})
    assert (tmp_path / "invented-analysis" / "analysis.html").exists()
    assert "direction.number" in capsys.readouterr().out
