"""A study over somebody's script: raced, confirmed, interrupted and told like any other."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from study_cases import Cases, Ear, check_invariants, decisions, journal, verdicts

from surefoot.errors import PlanError, SurefootError, WorkloadError
from surefoot.execution import Place, WorkerPool
from surefoot.files.plan_file import parse_plan
from surefoot.program import Program
from surefoot.storage import Record
from surefoot.study.afterwards import compare_arms
from surefoot.study.forecast import forecast, forecast_text
from surefoot.study.loop import Study
from surefoot.study.telling import read_story

# A fast start: neither the site's packages nor a library.
PYTHON = f"{sys.executable} -S -E"
SCRIPT = """
import random, sys
told = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
draw = random.Random(" ".join(sys.argv))
lr, width = float(told["lr"]), int(told["width"])
loss = 1 + 10 * (lr - 0.1) ** 2 + 0.5 * (told["norm"] == "none") + 1 / width + 0.02 * draw.gauss(0, 1)
for epoch in range(3):
    print(f"epoch {epoch} val_loss={loss + 2 - epoch}")
"""
PLAN = """
study: script
workload: {command: "PYTHON train.py {args}"}
metrics: {val_loss: {goal: minimize, target: 1.2}}
seeds: 3
rule: {confirm_seeds: 3}
baseline: {lr: 0.5, width: 8, norm: none}
experiments:
  - id: norm
    hypothesis: Normalisation helps.
    arms: {batch: {norm: batch}}
    expect:
      - {arm: batch, metric: val_loss, is: better, by: 0.3}
  - id: rate
    hypothesis: A lower rate is better.
    search: {parameters: {lr: {min: 0.01, max: 0.5, log: true}, width: {min: 4, max: 16}}, trials: 5, top: 1}
    expect:
      - {arm: best, metric: val_loss, is: better}
"""


def plan_in(folder, text=PLAN, script=SCRIPT):
    (folder / "train.py").write_text(script)
    (folder / "plan.yaml").write_text(text.replace("PYTHON", PYTHON))
    return parse_plan((folder / "plan.yaml").read_text(), str(folder / "plan.yaml"))


def run(cases, plan, *, pool=None, ear=None):
    cases.ear = ear or Ear()
    return Study(plan, cases.record, Place(home=cases.home)).run(pool or cases.pool, cases.ear)


# --- what a plan may say ---------------------------------------------------------------------------------------------


def test_a_plan_may_name_a_script_and_its_baseline_is_the_whole_config(tmp_path):
    plan = plan_in(tmp_path)
    assert isinstance(plan.workload, Program)
    assert plan.baseline == {"lr": 0.5, "width": 8, "norm": "none"}
    assert plan.workload_shown == f"{PYTHON} train.py {{args}}"
    assert plan.definition()["workload"]["command"][-1] == "{args}"
    assert plan.hash != plan_in(tmp_path, PLAN.replace("train.py {args}", "-u train.py {args}")).hash
    assert plan_in(tmp_path, PLAN.replace("target: 1.2", "target: 1.3")).workload == plan.workload


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("{norm: batch}", "{nrm: batch}", 11, r'arms.batch.nrm is not .*\(it names lr, width, norm\).*"norm"'),
        ("{norm: batch}", "{width: 8.5}", 11, r"arms.batch.width must be a whole number; got 8.5"),
        ("{norm: batch}", "{lr: fast}", 11, 'arms.batch.lr must be a number; got "fast"'),
        ("{norm: batch}", "{norm: 3}", 11, "arms.batch.norm must be text, as in the baseline; got 3"),
        ("{norm: batch}", "{norm: true}", 11, "arms.batch.norm must be text, as in the baseline; got true"),
        ("norm: none}", "norm: ~}", 7, "baseline.norm must be a plain value: .*; got nothing"),
        ("norm: none}", "norm: {a: 1}}", 7, "baseline.norm must be a plain value"),
        ("norm: none}", "norm: .nan}", 7, "baseline.norm must be a plain value: .*; got nan"),
        ("norm: none}", "norm: none, seed: 3}", 7, "baseline.seed is also how the seed is told; leave it out"),
        ("norm: none}", 'norm: none, "a b": 3}', 7, "baseline.a b must have a name that a command can be told"),
        ("{args}", "--lr={lr}", 3, "workload.command tells lr, but not width"),
        ('"PYTHON train.py {args}"', "3", 3, "workload.command must be text"),
        ("{command:", "{comand:", 3, 'workload.comand is not a known key; .*Did you mean "command"'),
        ('{command: "PYTHON train.py {args}"}', "{pass: env}", 3, 'workload must have either "command" or "function"'),
        ('{command: "PYTHON train.py {args}"}', "[train.py]", 3, "workload must be a name, or keys with values"),
        ("{args}\"}", "{args}\", read: jsn}", 3, 'workload.read must be one of report, .*Did you mean "json"'),
        ("seeds: 3", "finalise: true\nseeds: 3", 5, "finalise must be false for a command or a function"),
        ("lr: {min: 0.01", "lrr: {min: 0.01", 16, "search.parameters.lrr is not a setting of the baseline"),
        ("width: {min: 4, max: 16}", "width: {min: 4.5, max: 16}", 16, "search.parameters.width must .*whole number"),
        ("width: {min: 4, max: 16}", "norm: {min: 4, max: 16}", 16, "search.parameters.norm must be a list of choices"),
        ("width: {min: 4, max: 16}", "norm: [batch, 3]", 16, "search.parameters.norm must be text, as in the baseline"),
        ("width: {min: 4, max: 16}", "width: 5", 16, "search.parameters.width must vary; 5 alone belongs to the"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line(tmp_path, old, new, line, words):
    assert PLAN.count(old) >= 1
    with pytest.raises(PlanError) as caught:
        plan_in(tmp_path, PLAN.replace(old, new, 1))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/plan.yaml:{line}: "), message
    assert re.search(words, message), message
    assert "\n" not in message


def test_a_script_that_is_not_there_is_told_by_its_line(tmp_path):
    with pytest.raises(WorkloadError, match=r'plan.yaml:3: .*trian.py, which is not there .*Did you mean "train.py"'):
        plan_in(tmp_path, PLAN.replace("train.py", "trian.py"))


def test_numbers_of_an_arm_have_the_baselines_kind(tmp_path):
    plan = plan_in(tmp_path, PLAN.replace("{norm: batch}", "{lr: 1, width: 16.0}"))
    (arm,) = plan.experiments[0].arms
    assert [type(value) for value in arm.changes.values()] == [float, int]


def test_a_forecast_says_when_the_script_is_not_told_its_seed(tmp_path):
    plan = plan_in(tmp_path, PLAN.replace('{args}"', '{args}", seed_as: false'))
    found = forecast(plan, None, None)
    assert found["problems"] == []
    assert [w for w in found["warnings"] if "not told its seed" in w]
    assert "train.py" in forecast_text(found)
    assert not [w for w in forecast(plan_in(tmp_path), None, None)["warnings"] if "seed" in w and "told" in w]


# --- a study of a script ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory, pool):
    """The study of the script, undisturbed; its home, its plan and its story."""
    folder = tmp_path_factory.mktemp("script")
    cases = Cases(folder, pool)
    plan = plan_in(folder)
    story = run(cases, plan)
    yield cases, plan, story
    cases.close()


def test_a_script_is_raced_searched_and_confirmed(whole):
    cases, _, story = whole
    assert verdicts(story)["norm/batch"] == "SUPPORTED"
    assert decisions(story) == {"norm": "ADOPT batch", "rate": "ADOPT best"}
    assert story.champion_config["norm"] == "batch"
    assert story.overall.is_confirmed
    assert {run.workload for run in cases.record.runs(1)} == {story_identity(whole)}
    check_invariants(cases.record)
    assert f"Workload {PYTHON} train.py {{args}}; plan" in " ".join(journal(story).split())


def story_identity(whole):
    return whole[1].workload.identity


def test_walking_again_trains_nothing(whole):
    cases, plan, story = whole
    assert journal(run(cases, plan)) == journal(story)
    assert cases.ear.trained == cases.ear.trials == []


def test_the_story_of_a_script_that_is_gone_can_be_read(whole, tmp_path):
    cases, _, story = whole
    gone = str(tmp_path / "elsewhere" / "plan.yaml")
    recorded = cases.record.revisions(1)[-1].plan_text
    with pytest.raises(SurefootError):
        parse_plan(recorded, gone)
    read = read_story(cases.record, 1, parse_plan(recorded, gone, is_on_record=True))
    assert journal(read) == journal(story)
    assert compare_arms(read, "norm/batch", "baseline")["verdict"] == "SUPPORTED"


def test_another_script_under_the_same_name_is_trained_anew(whole, tmp_path, pool):
    cases = Cases(tmp_path, pool)
    plan = plan_in(tmp_path)
    run(cases, plan)
    before = len(cases.record.runs(1))
    story = run(cases, plan_in(tmp_path, script=SCRIPT + "\n# another thought\n"))
    assert [n for n in cases.ear.notices if n.startswith("the code changed since the last time")]
    assert len(cases.record.runs(1)) == 2 * before
    assert len(cases.ear.trials) == 5
    assert story.phase == "done"
    cases.close()


def test_a_script_that_breaks_on_one_arm_loses_that_arm_alone(tmp_path, pool):
    cases = Cases(tmp_path, pool)
    broken = SCRIPT.replace("lr, width", "if told['norm'] == 'batch': raise SystemExit('no batch here')\nlr, width", 1)
    story = run(cases, plan_in(tmp_path, script=broken))
    assert decisions(story)["norm"] == "KEEP"
    (verdict,) = story.experiments[0].verdicts
    assert verdict.answer == "INCONCLUSIVE"
    assert "exit code 1; last words: no batch here" in story.experiments[0].losses[0]
    assert decisions(story)["rate"] == "ADOPT best"
    cases.close()


@pytest.mark.parametrize("after", [2, 5, 9])
def test_an_interrupted_study_of_a_script_goes_on(whole, tmp_path, after):
    class Stopping(Ear):
        def run_ended(self, outcome, most_runs):
            super().run_ended(outcome, most_runs)
            self.count()

        def trial_ended(self, trial, exploration):
            super().trial_ended(trial, exploration)
            self.count()

        def count(self):
            if len(self.trained) + len(self.trials) == after:
                pool.interrupt()

    plan = plan_in(tmp_path)
    with WorkerPool(1, threads=1) as pool:
        cases = Cases(tmp_path, pool)
        run(cases, plan, ear=Stopping())
    assert sum(run.status == "COMPLETE" for run in cases.record.runs(1)) == after
    with WorkerPool(1, threads=1) as pool:
        story = run(cases, plan, pool=pool)
    assert journal(story).replace(str(tmp_path), "") == journal(whole[2]).replace(str(whole[0].home.parent), "")
    check_invariants(cases.record)
    cases.close()


def test_ctrl_c_ends_the_command_and_it_goes_on_afterwards(tmp_path):
    plan_in(tmp_path, script='import os, time; time.sleep(0.5 * os.path.exists("slow"))\n' + SCRIPT)
    (tmp_path / "slow").touch()
    line = [sys.executable, "-m", "surefoot.cli", "run", "plan.yaml", "--home", "home", "--workers", "1"]
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ})
    for said in process.stderr:
        if "baseline, seed 2" in said:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (tmp_path / "slow").unlink()
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with Record.open(tmp_path / "home") as record:
        check_invariants(record)
        assert {str(run.status) for run in record.runs(1)} <= {"COMPLETE", "INTERRUPTED"}
    told = subprocess.run(
        [sys.executable, "-m", "surefoot.cli", "journal", "script", "--home", "home", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout)["phase"] == "done"


def test_an_importable_function_is_a_workload_too(tmp_path, pool, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bowl_of_plans.py").write_text(
        "import random\n"
        "def train(lr, norm, width, seed):\n"
        "    noise = 0.02 * random.Random(f'{lr} {norm} {seed}').random()\n"
        "    return {'val_loss': 1 + 10 * (lr - 0.1) ** 2 + 0.5 * (norm == 'none') + noise}\n"
    )
    text = PLAN.replace('{command: "PYTHON train.py {args}"}', "{function: bowl_of_plans:train}")
    cases = Cases(tmp_path, pool)
    with WorkerPool(1, threads=1) as fresh:
        story = run(cases, plan_in(tmp_path, text), pool=fresh)
    assert decisions(story)["norm"] == "ADOPT batch"
    assert "Workload bowl_of_plans:train; plan" in journal(story)
    cases.close()
