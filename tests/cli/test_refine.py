"""`surefoot refine`: from a sweep, a study or a table to the next sweep, which runs as it is and keeps to it."""

import os
import random
import re
from pathlib import Path

import pytest

from surefoot.cli.refining import next_name
from surefoot.files.sweep_file import read_sweep
from surefoot.storage import Record

HERE = Path(__file__).parent
HILL = """\
sweep: hill
workload: sweep_toy:TOY
metrics: {loss: {goal: minimize}, size: {goal: minimize}}
method: random
base: {noise: 0.02}
parameters:
  x: {min: 0.0, max: 1.0}
  kind: [a, b, c]
budget: {trials: 40}
confirm: {top: 4, seeds: 3}
"""
SCRIPT = """\
import sys
told = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
print("loss:", (float(told["x"]) - 0.3) ** 2 + 0.5 * (told["kind"] == "v"))
"""
SCRIPTED = """\
sweep: script
command: "python -S train.py {args}"
metrics: {loss: {goal: minimize}}
method: random
parameters:
  x: {min: 0.0, max: 1.0}
  kind: [u, v]
budget: {trials: 4}
confirm: false
"""


@pytest.fixture(autouse=True)
def the_toy(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent / "sweeping"))
    monkeypatch.syspath_prepend(str(HERE.parent / "sweeping"))


@pytest.fixture
def sweep(process, tmp_path):
    """Writes and runs a sweep in a process of its own; what it said."""

    def go(text=HILL, name="hill.yaml"):
        (tmp_path / name).write_text(text)
        said = process("sweep", name, "--workers", 1)
        assert said.code == 0, said.err
        return said

    return go


@pytest.fixture
def trials(tmp_path):
    rng = random.Random(1)
    lines = ["loss,x,kind"]
    for _ in range(30):
        x = rng.random()
        lines.append(f"{x + 0.05 * rng.random()},{x},{rng.choice('uv')}")
    (tmp_path / "trials.csv").write_text("\n".join(lines) + "\n")
    return ("trials.csv", "--value", "loss", "--goal", "minimize")


def one_line(said, *words):
    """Claims that it was a mistake in what was asked, told in one line that holds these words."""
    assert said.code == 2 and said.out == ""
    assert len(said.err.strip().splitlines()) == 1, said.err
    for word in words:
        assert word in said.err


# --- from a sweep to the next ----------------------------------------------------------------------------------------


def test_a_sweep_is_refined_and_the_next_one_runs_without_an_edit_and_judges_the_promise(
    sweep, surefoot, process, tmp_path
):
    sweep()
    said = surefoot("refine", "hill")
    assert said.code == 0, said.err
    assert said.out.endswith("hill-2.yaml\n") and "kind  narrowed" in said.out
    written = read_sweep(tmp_path / "hill-2.yaml")
    assert (written.name, written.continues.sweep, written.budget.trials) == ("hill-2", "hill", 40)
    assert written.base["noise"] == 0.02
    promised = written.expectation
    assert promised.low < promised.high and promised.against is not None
    after = process("sweep", "hill-2.yaml", "--workers", 1)
    assert after.code == 0, after.err
    carried = re.search(r"(\d+) trials of hill carried over, untrained", after.err)
    with Record.open(tmp_path / "surefoot-runs", read_only=True) as record:
        study = next(s for s in record.studies() if s.name == "hill-2")
        rows = record.trials(study.id, "hill-2")
    n = sum(row.origin == "carried" for row in rows)
    assert carried and int(carried[1]) == n > 0 and f"{n} earlier trials lie in it" in said.out
    assert len(rows) == n + 40
    assert len({tuple(sorted(row.settings.items())) for row in rows}) == len(rows), "no config is tried twice"
    report = surefoot("journal", "hill-2").out
    assert re.search(r"SUPPORTED|REFUTED|INCONCLUSIVE", report) and "carried over" in report
    third = surefoot("refine", "hill-2")
    assert third.code == 0, third.err
    assert read_sweep(tmp_path / "hill-3.yaml").continues.round == 3


def test_json_gives_each_line_with_its_rule_and_evidence(sweep, surefoot, tmp_path):
    sweep()
    said = surefoot("refine", "hill", "--json", "--style", "aggressive", "--trials", 7, "--name", "next")
    assert said.json["file"] == "next.yaml" and said.json["style"] == "aggressive" and said.json["trials"] == 7
    assert {line["parameter"] for line in said.json["lines"]} == {"x", "kind"}
    for line in said.json["lines"]:
        assert {"action", "rule", "reason", "n", "p", "share", "before", "after"} <= line.keys()
    assert 0 < said.json["share"] <= 1 and len(said.json["expectation"]["between"]) == 2
    assert read_sweep(tmp_path / "next.yaml").budget.trials == 7


def test_a_sweep_that_confirms_nothing_makes_no_promise_and_a_script_runs_where_it_lay(sweep, surefoot, tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    sweep(SCRIPTED, "script.yaml")
    (tmp_path / "deep").mkdir()
    said = surefoot("refine", "script", "--out", "deep/next.yaml")
    assert said.code == 0, said.err
    text = (tmp_path / "deep" / "next.yaml").read_text()
    assert "folder: .." in text and "expect:" not in text and "Expected" not in said.out
    assert read_sweep(tmp_path / "deep" / "next.yaml").workload.folder == str(tmp_path)
    assert "existed in 4 trials, and 20 are the fewest to conclude from" in said.out
    assert surefoot("sweep", "deep/next.yaml", "--dry-run").code == 0


def test_what_is_there_is_not_written_over_unless_asked(sweep, surefoot, tmp_path):
    sweep(HILL.replace("trials: 40", "trials: 3"))
    (tmp_path / "hill-2.yaml").write_text("mine")
    one_line(surefoot("refine", "hill"), "hill-2.yaml is there already", "--out FILE", "--force")
    assert (tmp_path / "hill-2.yaml").read_text() == "mine"
    assert surefoot("refine", "hill", "--force").code == 0
    assert read_sweep(tmp_path / "hill-2.yaml").name == "hill-2"


def test_several_objectives_are_refused(sweep, surefoot, tmp_path):
    several = HILL.replace("method: random", "method: nsga2\nobjective: [loss, size]").replace(
        "trials: 40", "trials: 3"
    )
    sweep(re.sub("confirm: .*\n", "", several))
    one_line(surefoot("refine", "hill"), "one objective", "hill searches for 2")
    assert [p.name for p in tmp_path.glob("*.yaml")] == ["hill.yaml"]


def test_what_a_sweep_on_record_trains_is_known(sweep, surefoot):
    sweep(HILL.replace("trials: 40", "trials: 3"))
    one_line(surefoot("refine", "hill", "--workload", "digits"), "--workload is for a table")
    one_line(surefoot("refine", "hill", "--name", "hill", "--force"), "earlier sweep")
    one_line(surefoot("refine", "hill", "--name", "a/b"), "no sweep that runs can be written of this")


# --- from a study ----------------------------------------------------------------------------------------------------


def test_a_study_is_refined_into_a_sweep_of_its_workload(process, surefoot, tmp_path, plan, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.syspath_prepend(str(HERE))
    assert process("run", plan, "--workers", 1).code == 0
    said = surefoot("refine", "climb")
    assert said.code == 0, said.err
    found = read_sweep(tmp_path / "climb-2.yaml")
    assert found.workload == "ladder:WORKLOAD" and found.continues is None and found.first
    assert {p.name for p in found.space.parameters} <= {"aid", "slope"}
    assert process("sweep", "climb-2.yaml", "--dry-run").code == 0


# --- from a table ----------------------------------------------------------------------------------------------------


def test_a_table_must_say_what_to_train(surefoot, trials, tmp_path):
    one_line(surefoot("refine", *trials), "--command 'python train.py {args}'", "--workload NAME")
    one_line(surefoot("refine", *trials, "--command", "true", "--workload", "digits"), "one thing")
    (tmp_path / "train.py").write_text(SCRIPT)
    said = surefoot("refine", *trials, "--command", "python -S train.py {args}", "--style", "aggressive")
    assert said.code == 0, said.err
    found = read_sweep(tmp_path / "trials-2.yaml")
    assert len(found.first) == 3 and found.continues is None and found.metrics[0].goal == "minimize"


def test_a_table_whose_columns_its_workload_does_not_know_is_told_so(surefoot, trials, tmp_path):
    one_line(
        surefoot("refine", *trials, "--workload", "digits"), "no sweep that runs can be written of this", "val_loss"
    )
    assert not list(tmp_path.glob("*.yaml"))


def test_names_that_would_break_yaml_come_through(surefoot, tmp_path):
    names = ['"a,b"', '"say""q"""', "😀", "a:b", "#c", "'d'", "{e}"]
    rows = "\n".join(
        f"{i * 0.37 % 1}," + ",".join(str((i * (k + 3)) % 11) for k in range(len(names))) for i in range(30)
    )
    (tmp_path / "odd.csv").write_text(f"loss,{','.join(names)}\n{rows}\n")
    said = surefoot("refine", "odd.csv", "--value", "loss", "--goal", "minimize", "--command", "true {args}")
    assert said.code == 0, said.err
    assert set(read_sweep(tmp_path / "odd-2.yaml").space.names()) == {
        "a,b", 'say"q"', "😀", "a:b", "#c", "'d'", "{e}",
    }  # fmt: skip


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_an_unknown_source_is_one_line(surefoot):
    one_line(surefoot("refine", "nothing"), '"nothing" is neither a study or sweep on record')


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_too_few_trials_change_nothing(surefoot, tmp_path, rows):
    lines = "\n".join(f"{i},{i / 7},{'uv'[i % 2]}" for i in range(rows))
    (tmp_path / "few.csv").write_text(f"loss,x,kind\n{lines}\n")
    said = surefoot("refine", "few.csv", "--value", "loss", "--goal", "minimize", "--command", "true {args}")
    if rows < 2:  # nothing varied, so that nothing can be searched
        one_line(said, "no sweep that runs can be written of this")
    else:
        assert said.code == 0, said.err
        assert said.out.count("20 are the fewest to conclude from") == 2


def test_where_nothing_can_be_written_it_is_one_line(surefoot, trials, tmp_path):
    (tmp_path / "file").write_text("")
    for out in ("nowhere/x.yaml", "file/x.yaml"):
        one_line(surefoot("refine", *trials, "--command", "true {args}", "--out", out), out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only folders too")
def test_a_read_only_folder_is_one_line(surefoot, trials, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    said = surefoot("refine", *trials, "--command", "true {args}", "--out", "closed/x.yaml")
    one_line(said, "cannot be written to closed/x.yaml")


@pytest.mark.parametrize(
    ("name", "after"),
    [("x", "x-2"), ("x-2", "x-3"), ("x-99", "x-100"), ("a b/c", "a-b-c-2"), ("größe", "größe-2"), ("//", "refined-2")],
)
def test_names_count_up(name, after):
    assert next_name(name) == after
