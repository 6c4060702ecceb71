"""`surefoot diagnose`: where its histories come from, where its answer goes, and one line for every mistake."""

import json
import math
import random
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOY_SWEEP = """\
sweep: hill
workload: sweep_toy:TOY
metrics: {loss: {goal: minimize}, size: {goal: minimize}}
method: random
parameters:
  x: {min: 0.0, max: 1.0}
budget: {trials: 6}
"""


def curves(name, gap, seed):
    """Thirty epochs whose accuracies end `gap` points apart."""
    rng = random.Random(seed)
    for epoch in range(30):
        way = 1 - math.exp(-epoch / 4)
        train, val = 10 + 88 * way, 10 + (88 - gap) * way + rng.gauss(0, 0.2)
        yield f"{name},{epoch},{2.3 - 2.2 * way},{2.3 - (2.2 - gap / 20) * way},{train},{val}"


@pytest.fixture
def log(tmp_path):
    """A table of two trainings: one that overfits and one that does not."""
    lines = ["run,epoch,train_loss,val_loss,train_acc,val_acc", *curves("wide", 25, 1), *curves("narrow", 1, 2)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_is_diagnosed_and_the_files_lie_beside_it_under_its_name(surefoot, log, tmp_path):
    said = surefoot("diagnose", log.name, "--evaluated-on", 5000, "--classes", 10)
    assert said.code == 0 and said.err == ""
    assert "wide: overfitting, strong" in said.out and "narrow: nothing to treat" in said.out
    assert said.out.endswith("log-diagnosis/diagnosis.html\n")
    folder = tmp_path / "log-diagnosis"
    assert {p.name for p in folder.iterdir()} == {"diagnosis.html", "diagnosis.md", "diagnosis.json", "figures"}
    again = surefoot("diagnose", log.name, "--evaluated-on", 5000, "--classes", 10)
    assert (again.code, again.out) == (0, said.out)


def test_json_alone_is_one_document_and_nothing_is_written(surefoot, log, tmp_path):
    said = surefoot("diagnose", log, "--json", "--metric", "val_acc", "--target", 90)
    assert said.code == 0 and said.err == "" and not (tmp_path / "log-diagnosis").exists()
    assert said.json["kind"] == "diagnosis" and said.json["metric"] == "val_acc" and said.json["goal"] == "maximize"
    assert [group["subject"] for group in said.json["groups"]] == ["wide", "narrow"]
    wide = said.json["groups"][0]
    assert wide["primary"] == "overfitting" and wide["symptoms"][0]["finding"]["sentence"]
    assert said.json["primaries"]["overfitting"] == 1


def test_json_with_a_folder_writes_it_too(surefoot, log, tmp_path):
    assert surefoot("diagnose", log, "--json", "--out", "here").code == 0
    written = json.loads((tmp_path / "here" / "diagnosis.json").read_text())
    assert sorted(written["files"]) == sorted(
        str(p.relative_to(tmp_path / "here")) for p in (tmp_path / "here").rglob("*") if p.is_file()
    )


def test_seeds_of_one_run_are_one_group(surefoot, tmp_path):
    lines = ["seed,epoch,train_loss,val_loss,train_acc,val_acc"]
    lines += [line for seed in (1, 2, 3) for line in curves(seed, 25, seed)]
    (tmp_path / "seeds.csv").write_text("\n".join(lines) + "\n")
    (group,) = surefoot("diagnose", "seeds.csv", "--json").json["groups"]
    assert (group["subject"], group["histories"], group["seeds"]) == ("seeds", 3, [1, 2, 3])


def test_of_many_the_terminal_shows_a_table_and_a_few_in_detail(surefoot, tmp_path):
    lines = ["run,epoch,train_loss,val_loss,train_acc,val_acc"]
    lines += [line for n in range(40) for line in curves(f"run{n}", 25 if n % 2 else 1, n)]
    (tmp_path / "many.csv").write_text("\n".join(lines) + "\n")
    said = surefoot("diagnose", "many.csv")
    assert "20 of 40 have something to treat: 20 overfitting" in said.out and "and 20 more" in said.out
    assert said.out.count("  ! Overfitting") == 3 and len(said.out.splitlines()) < 120


def test_a_study_on_record_is_diagnosed_into_its_home(surefoot, plan, tmp_path):
    plan.write_text(plan.read_text().partition("  - id: slope")[0].replace("seeds: 5", "seeds: 3"))
    assert surefoot("run", plan, "--workers", 1).code == 0
    said = surefoot("diagnose", "climb")
    assert said.code == 0, said.err
    assert said.out.endswith("surefoot-runs/climb/diagnosis/diagnosis.html\n")
    found = surefoot("diagnose", "climb", "--json", "--metric", "speed").json
    assert found["groups"][0]["subject"] == "baseline" and found["metric"] == "speed"
    assert any(group["subject"].startswith("champion (") for group in found["groups"])
    answer = surefoot("diagnose", "climb", "--classes", 3)
    assert answer.code == 2 and "--classes is for a file or a folder; climb is on record" in answer.err


def test_a_sweep_on_record_is_a_group_a_trial_the_best_first(surefoot, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent / "sweeping"))
    monkeypatch.syspath_prepend(str(HERE.parent / "sweeping"))
    (tmp_path / "sweep.yaml").write_text(TOY_SWEEP)
    assert surefoot("sweep", "sweep.yaml", "--workers", 1).code == 0
    found = surefoot("diagnose", "hill", "--json").json
    values = surefoot("analyze", "hill", "--json", "--out", "analysis").json
    assert len(found["groups"]) == 6 == values["trials"]["complete"]
    assert all(group["subject"].startswith("trial ") for group in found["groups"]) and found["metric"] == "loss"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["absent"],
            '"absent" is neither a study or sweep on record (there is no record in surefoot-runs yet) nor a file',
        ),
        (
            ["log.csv", "--metric", "val_ac"],
            'log.csv has no "val_ac" (it has train_loss, val_loss, train_acc, val_acc).',
        ),
        (["log.csv", "--target", "9"], "--target is about one metric: name it with --metric"),
        (["log.csv", "--goal", "maximize"], "--goal is about one metric"),
        (["log.csv", "--target", "much"], '--target must be a number; got "much"'),
        (["log.csv", "--classes", "0"], "--classes must be a whole number of at least 1"),
        (["log.csv", "--out", "taken"], "taken holds files that are no diagnosis; nothing is written there"),
        (["empty.csv"], "empty.csv is empty"),
        (["taken"], "taken holds no file of a history"),
        ([], "still needed: SOURCE"),
    ],
)
def test_a_mistake_exits_with_2_and_one_clear_line(surefoot, log, tmp_path, arguments, says):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "precious").write_text("mine")
    (tmp_path / "empty.csv").write_text("")
    said = surefoot("diagnose", *arguments)
    assert said.code == 2 and said.out == "" and len(said.err.splitlines()) == 1
    assert says in said.err, said.err


def test_a_metric_whose_direction_no_name_tells_asks_for_it(surefoot, tmp_path):
    (tmp_path / "a.csv").write_text("epoch,loss,reach\n1,2,3\n2,1,4\n")
    assert "--goal maximize, or --goal minimize" in surefoot("diagnose", "a.csv", "--metric", "reach").err
    assert surefoot("diagnose", "a.csv", "--metric", "reach", "--goal", "maximize", "--json").json["goal"] == "maximize"
