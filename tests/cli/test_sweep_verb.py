"""`surefoot sweep` from outside: bad scripts, misread words, mistaken files, edits on the way, odd homes and names."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweep_command import SCRIPT, Bench, ended, wait_until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TOY = Path(__file__).resolve().parents[1] / "sweeping" / "sweep_toy.py"
UNIT = {"min": 0.0, "max": 1.0}


@pytest.fixture
def bench(tmp_path):
    found = Bench(tmp_path)
    yield found
    found.close()


def states(bench):
    return {trial["number"]: trial["state"] for trial in bench.trials}


# --- bad scripts -----------------------------------------------------------------------------------------------------

BAD_SCRIPT = """\
import os, signal, subprocess, sys, time
told = dict(word.split("=", 1) for word in sys.argv[1:])
fault = told["fault"]
def note(pid):
    with open("pids.log", "a") as log:
        log.write(f"{pid}\\n")
note(os.getpid())
if fault == "exits": sys.exit("no such layer")
if fault == "silent": sys.exit(0)
if fault == "other": print("accuracy: 3"); sys.exit(0)
if fault == "changed": print("loss is now 0,5"); sys.exit(0)
if fault == "nan": print("loss: nan"); sys.exit(0)
if fault == "hangs": time.sleep(600)
if fault == "killed": os.kill(os.getpid(), signal.SIGKILL)
if fault == "forks":
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    note(subprocess.Popen(sleeper, start_new_session=True).pid)
if fault == "babbles":
    for _ in range(200): print("x" * 100_000)
print("loss: 1")
"""
REASONS = {
    "none": ("COMPLETE", ""),
    "exits": ("FAILED", "exit code 1; last words: no such layer"),
    "silent": ("FAILED", "told no loss: it ended without printing or reporting anything"),
    "other": ("FAILED", 'the last line was "accuracy: 3"'),
    "changed": ("FAILED", 'the last line was "loss is now 0,5"'),
    "nan": ("INFEASIBLE", "loss is nan at step 1"),
    "hangs": ("FAILED", "silent for 0.9 s before the first measurement; taken for hung, and ended"),
    "killed": ("FAILED", "killed by signal 9 (Killed), without a word"),
    "forks": ("COMPLETE", ""),
    "babbles": ("COMPLETE", ""),
}


def test_every_way_in_which_a_script_can_be_bad_is_named_by_status_and_journal(bench):
    bench.write(BAD_SCRIPT)
    space = {"fault": list(REASONS)}
    more = {"silence_minutes": 0.015, "grace_seconds": 0.5, "most_failures": 50}
    assert bench.go(parameters=space, method="grid", budget={}, workers=2, **more).code == 0
    for trial in bench.trials:
        state, reason = REASONS[trial["settings"]["fault"]]
        assert trial["state"] == state
        assert reason in trial["reason"]
    status, journal = bench.ask("status", "s").out, bench.ask("journal").out
    assert "3 complete, 1 infeasible and 6 failed" in status
    assert "exit code 1; last words: no such layer (trial 1)" in status
    for _, reason in REASONS.values():
        assert reason in journal
    assert bench.scripts() == []
    assert max(path.stat().st_size for path in bench.home.rglob("output.txt")) < 21 * 2**20


def test_a_sweep_in_which_all_fails_ends_early_with_one_line_and_begins_anew_when_it_is_mended(bench):
    bench.write("import os\nprint('loss: 1' if os.path.exists('mended') else 'no data')")
    said = bench.go(budget={"trials": 100})
    assert said.code == 1
    (line,) = [line for line in said.lines if "the exploration ended" in line]
    assert "all 5 trials failed, the last one with: printed no loss" in line
    assert list(states(bench).values()) == ["FAILED"] * 5
    bench.write("", "mended")
    said = bench.go(budget={"trials": 8})
    assert said.code == 0
    assert list(states(bench).values()) == ["FAILED"] * 5 + ["COMPLETE"] * 3


def test_a_sweep_in_which_some_fail_goes_on(bench):
    bench.write(SCRIPT + "if float(told['x']) > 0.5: sys.exit(4)")
    said = bench.go(budget={"trials": 10})
    assert said.code == 0
    assert set(states(bench).values()) == {"COMPLETE", "FAILED"} and len(bench.trials) == 10


def test_a_script_that_is_not_there_is_one_line(bench):
    (bench.folder / "script.py").rename(bench.folder / "scrip.py")
    said = bench.go()
    assert said.code == 2 and len(said.lines) == 1
    assert "sweep.yaml:3: the command runs script.py, which is not there" in said.err
    assert 'Did you mean "scrip.py"?' in said.err
    assert not bench.home.exists()


def test_a_script_that_changes_in_the_middle_ends_the_sweep_and_spoils_no_trial(bench):
    bench.write(SCRIPT + "if len(open('trained.log').readlines()) == 2: open('script.py', 'a').write('# later\\n')")
    said = bench.go(budget={"trials": 9})
    assert said.code == 2
    assert "the code changed while it was trained with" in said.lines[-1]
    assert states(bench) == {0: "COMPLETE", 1: "COMPLETE"}
    bench.write(SCRIPT)
    assert bench.go().code == 0
    assert set(states(bench).values()) == {"COMPLETE"} and len(bench.trials) == 4


# --- words that could be misread -------------------------------------------------------------------------------------

TELLS = """\
import json, os, sys
config = json.load(open(os.environ["SUREFOOT_CONFIG"]))
names = [name for name in os.environ if name.startswith("V_")]
open("told.jsonl", "a").write(json.dumps([sys.argv[1:], {n: os.environ[n] for n in names}, config]) + "\\n")
print("loss: 1")
"""
NAMES = [
    "$(touch${IFS}pwned)", "`id`", "a;b", "a|b&c", "x>pwned", "*", "~", "'q'", '"d"', "ünï", "a.b", "{c}", "${env}",
    "#x", "!x", "\\n", "%s",
]  # fmt: skip
VALUES = [
    "; touch pwned", "$(touch pwned)", "`touch pwned`", "a\nb", "-rf", "--", "", "'", '"', "{v}", "{seed}", "${env}",
    "${args}", "*", "~", "ünï 🚀", "=", "a=b", "&& touch pwned", "> pwned", "null", "\\", "\t", "0x10", "1e3",
]  # fmt: skip


def told(bench):
    return [json.loads(line) for line in bench.log("told.jsonl")]


@pytest.mark.parametrize(("passing", "dashes"), [("flags", "--"), ("key=value", "")])
def test_a_name_that_a_shell_would_misread_reaches_the_script_as_it_is(bench, passing, dashes):
    bench.write(TELLS)
    config = {name: f"v{i}" for i, name in enumerate(NAMES)}
    space = {name: [value, "other"] for name, value in config.items()}
    assert bench.go(parameters=space, first=[config], budget={"trials": 1}, **{"pass": passing}).code == 0
    ((words, _, whole),) = told(bench)
    assert words == [f"{dashes}{name}={value}" for name, value in config.items()] + [f"{dashes}seed=1"]
    assert whole == {**config, "seed": 1}
    assert not list(bench.folder.rglob("pwned*"))


@pytest.mark.parametrize(
    ("passing", "command"), [("flags", "{args}"), ("key=value", "{args}"), ("env", ""), (None, "--v_v={v_v}")]
)
def test_a_value_that_a_shell_would_misread_reaches_the_script_as_it_is(bench, passing, command):
    bench.write(TELLS)
    more = {"command": f"python -S script.py {command}", "pass": passing, "method": "grid", "budget": {}}
    assert bench.go(parameters={"v_v": VALUES}, workers=1, **more).code == 0
    for (words, environment, config), value in zip(told(bench), VALUES, strict=True):
        assert config["v_v"] == value
        if passing == "env":
            assert environment["V_V"] == value
        else:
            assert words[0] == ("v_v=" if passing == "key=value" else "--v_v=") + value
    assert not list(bench.folder.rglob("pwned*"))
    assert bench.ask("journal").code == bench.ask("report").code == 0


# --- mistaken files --------------------------------------------------------------------------------------------------

MISTAKES = {
    "a condition on what is not there": (
        {"parameters": {"x": {**UNIT, "when": {"nope": 1}}}}, r'conditions on what varies .*got "nope"'),
    "a condition on itself": (
        {"parameters": {"x": {**UNIT, "when": {"x": 0.5}}}}, "a condition on another parameter; got one on itself"),
    "conditions in a circle": (
        {"parameters": {"a": {"choices": [1, 2], "when": {"b": 1}}, "b": {"choices": [1, 2], "when": {"a": 1}}}},
        "go round in a circle"),
    "an empty space": ({"parameters": {}}, "must hold at least one range or list of choices; nothing varies"),
    "nothing that varies": ({"parameters": {"x": 3}}, "nothing varies"),
    "a grid of a continuous parameter": ({"method": "grid"}, "Give it a step, or values"),
    "a grid larger than its budget": (
        {"method": "grid", "parameters": {"x": [1, 2, 3], "y": [1, 2]}, "budget": {"trials": 5}},
        "must be at least 6, which the grid needs; got 5"),
    "an unknown key": ({"metod": "tpe"}, 'metod is not a known key.*Did you mean "metric"|Did you mean "method"'),
    "an unknown method": ({"method": "tpee"}, 'method must be one of .*Did you mean "tpe"'),
    "an unknown option": ({"method": {"name": "tpe", "starup": 3}}, 'no option "starup".*Did you mean "startup"'),
    "a wrong option": ({"method": {"name": "tpe", "startup": "x"}}, "startup of tpe must be a whole number"),
    "an unknown rule": ({"stop_early": "ash"}, 'stop_early must be one of .*Did you mean "asha"'),
    "promotion of what cannot resume": (
        {"stop_early": {"rule": "asha", "promotes": True}}, "say resumes: true where the script can"),
    "the same choice twice": ({"parameters": {"x": [1, 1]}}, "1 stands twice. To make it likelier use weights"),
    "bounds the wrong way round": ({"parameters": {"x": {"min": 2.0, "max": 1.0}}}, "low bound below its high one"),
    "no metric": ({"metrics": None}, 'must have "metrics"'),
    "no trial": ({"budget": {"trials": 0}}, "budget.trials must be at least 1; got 0"),
    "code in a constraint": ({"constraints": ['__import__("os").remove("x") < 3']}, "must be an inequality of numbers"),
    "a name that leaves the home": ({"sweep": "../x"}, "must be a name for a folder"),
    "a name that the home needs": ({"sweep": "record.db"}, "a home keeps something else under that name"),
    "a name no command can be told": ({"parameters": {"--x": UNIT}}, "no space, no =, no dash in front"),
    "two names of one variable": (
        {"pass": "env", "command": "python script.py", "parameters": {"a.b": [1, 2], "a_b": [1, 2]}},
        "a.b and a_b would both be the variable A_B"),
    "settings told twice": ({"pass": "env"}, "the command tells all settings itself; write one of them"),
    "a setting nobody knows": ({"command": "python script.py {y}"}, "the command names {y}, which is no setting"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_file_is_one_line_that_names_its_place(bench, mistake):
    changes, says = MISTAKES[mistake]
    said = bench.go(**changes)
    assert said.code == 2 and len(said.lines) == 1
    assert re.search(says, said.err)
    assert re.match(r"surefoot: .*sweep\.yaml:\d+: ", said.err)
    assert not bench.home.exists(), "nothing is made for a file that cannot be run"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(f'*{a}' for _ in range(9))}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the sweep is empty"),
        (b"- 1\n- 2", "a sweep must be keys with values"),
        (b"a: [", "sweep.yaml:1: "),
        (b"\x89PNG\r\n\x1a\n\0\0", "must be UTF-8 text"),
        (BOMB.encode(), "is too large or too deep for a sweep"),
        (b"[" * 1200, "too deep"),
        (b'sweep: !!python/object/apply:os.system ["touch pwned"]', "YAML tag"),
        (b"x" * 400_000, "must have at most 300,000 bytes"),
    ],
)
def test_what_is_no_sweep_is_refused_in_a_line(bench, content, says):
    path = bench.folder / "sweep.yaml"
    path.write_bytes(content)
    said = bench.ask("sweep", path)
    assert said.code == 2 and len(said.lines) == 1
    assert says in said.err
    assert not list(bench.folder.rglob("pwned"))


def test_a_file_that_is_a_folder_or_not_there_is_one_line(bench):
    for path, says in (
        (bench.folder, "a sweep must be a file; this is a folder"),
        (bench.folder / "no", "no such file"),
    ):
        said = bench.ask("sweep", path)
        assert said.code == 2 and len(said.lines) == 1 and says in said.err


def test_a_file_for_another_verb_is_told_which_one(bench):
    plan = shutil.copy(EXAMPLES / "first.yaml", bench.folder / "plan.yaml")
    for verb, path, right in (
        ("sweep", plan, "this is a plan; `surefoot run"),
        ("run", bench.sweep(), "this is a sweep; `surefoot sweep"),
        ("check", EXAMPLES / "any_script" / "wandb" / "sweep.yaml", "this is a sweep; `surefoot sweep"),
    ):
        said = bench.ask(verb, path)
        assert said.code == 2 and len(said.lines) == 1 and right in said.err


# --- edits between two commands --------------------------------------------------------------------------------------


class TestEdited:
    def test_the_script_its_earlier_trials_are_left_out_unless_they_are_kept(self, bench):
        bench.go()
        bench.write(SCRIPT + "# better now")
        said = bench.go()
        assert "4 earlier trials do not count: made with other code (--keep-trials counts them" in said.err
        assert list(states(bench)) == [4, 5, 6, 7], "the journal tells the same trials as the command"
        assert "trials    4 of 4: 4 complete" in bench.ask("status", "s").out
        bench.write(SCRIPT + "# better still")
        before = len(bench.log())
        assert "do not count" not in bench.go("--keep-trials", budget={"trials": 9}).err
        assert list(states(bench)) == list(range(9))
        assert len(bench.log()) == before + 1

    def test_the_space_widened_it_keeps_all_narrowed_what_lies_within(self, bench):
        bench.go()
        said = bench.go(parameters={"x": {"min": -1.0, "max": 1.0}}, budget={"trials": 5})
        assert "the sweep changed since" in said.err and len(bench.trials) == 5
        said = bench.go(parameters={"x": {"min": 0.0, "max": 0.5}})
        left_out = bench.json()["left_out"]["outside today's space"]
        assert f"{left_out} earlier trials do not count: outside today's space" in said.err
        assert all(0 <= trial["settings"]["x"] <= 0.5 for trial in bench.trials)
        assert len(bench.trials) == 4

    def test_a_choice_added_it_keeps_all(self, bench):
        bench.go(parameters={"x": UNIT, "kind": ["a", "b"]})
        said = bench.go(parameters={"x": UNIT, "kind": ["a", "b", "c"]}, budget={"trials": 12})
        assert "do not count" not in said.err
        assert len(bench.log()) == 12
        assert {trial["settings"]["kind"] for trial in bench.trials} == {"a", "b", "c"}

    def test_a_parameter_removed_or_added_leaves_out_what_had_another_value(self, bench):
        bench.go(parameters={"x": UNIT, "y": UNIT})
        said = bench.go()
        assert "4 earlier trials do not count: a setting that is not searched now had another value" in said.err
        said = bench.go(parameters={"x": UNIT, "z": UNIT})
        assert "do not count: a setting that is searched now had no value then" in said.err

    def test_the_goal_turned_round_it_trains_nothing_and_ranks_the_other_way(self, bench):
        bench.go()
        values = [trial["values"][0] for trial in bench.trials]
        assert bench.json()["best"] == values.index(min(values))
        assert bench.go(metrics={"loss": {"goal": "maximize"}}).code == 0
        assert bench.json()["best"] == values.index(max(values))
        assert len(bench.log()) == 4

    def test_a_metric_that_earlier_runs_did_not_measure_leaves_them_out_also_in_a_sweep_of_another_name(self, bench):
        bench.write(SCRIPT + "print('cost: 3')")
        bench.go()
        metrics = {"loss": {"goal": "minimize"}, "cost": {"goal": "minimize"}}
        for name in ("s", "t"):
            said = bench.go("--keep-trials", sweep=name, metrics=metrics, objective="cost")
            assert said.code == 0, said.err
            assert ("4 earlier trials do not count: measured no cost" in said.err) == (name == "s")
            trials = json.loads(bench.ask("journal", name, "--json").out)["trials"]
            assert [trial["values"] for trial in trials] == [[3.0]] * 4

    def test_a_larger_budget_is_told_as_exploring_until_it_is_spent(self, bench):
        bench.go()
        process = bench.start(base={"pause": 0.0}, budget={"trials": 5}, parameters={"x": UNIT, "pause": [5]})
        wait_until(lambda: len(bench.log("begun.log")) == 5, "the fifth trial runs")
        status = json.loads(bench.ask("status", "--json").out)["studies"][0]
        process.terminate()
        assert ended(process).code == 130
        assert status["phase"] == "exploring"


# --- homes, names, ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["été 🚀", "a b; rm -rf", "%s {x} $HOME <b>&amp;", "'quoted\""])
def test_a_sweep_may_have_any_name_that_can_be_a_folder(bench, name):
    assert bench.go(sweep=name, budget={"trials": 2}).code == 0
    assert (bench.home / name / "journal.md").exists()
    assert bench.ask("status", name).code == bench.ask("report", name).code == 0
    assert json.loads(bench.ask("journal", name, "--json").out)["sweep"] == name


def test_a_sweep_of_one_trial_is_chosen_and_says_so(bench):
    said = bench.go(budget={"trials": 1}, confirm={"top": 3, "seeds": 2})
    assert said.code == 0
    assert "sweep s: 1 trial by random" in said.err
    assert bench.json()["chosen"]["trial"] == 0


def test_five_hundred_trials_are_all_on_record_once(bench):
    shutil.copy(TOY, bench.folder)
    toy = {"command": None, "pass": None, "metrics": None, "workload": "sweep_toy:TOY", "objective": "loss"}
    assert bench.go(**toy, budget={"trials": 500}, method="sobol").code == 0
    assert [trial["number"] for trial in bench.trials] == list(range(500))
    assert bench.json()["runs"] == {"complete": 500}


def test_a_name_stands_for_one_thing_in_a_record(bench):
    bench.go()
    plan = bench.folder / "plan.yaml"
    plan.write_text((EXAMPLES / "first.yaml").read_text().replace("study: ", "study: s # "))
    said = bench.ask("run", plan, "--workers", 1)
    assert said.code == 2 and 'study "s" is a sweep and cannot also be a plan; give it another name' in said.err
    shutil.copy(TOY, bench.folder)
    said = bench.go(command=None, metrics=None, workload="sweep_toy:TOY", objective="loss", **{"pass": None})
    assert said.code == 2 and len(said.lines) == 1
    assert "cannot also train" in said.err and "give it another name" in said.err


def test_a_home_that_is_a_file_is_one_clear_line(bench):
    bench.write("", "home")
    said = bench.go()
    assert said.code == 2 and len(said.lines) == 1
    assert "the home must be a folder that can be written" in said.err


def test_the_answer_may_go_to_a_pipe_that_is_closed(bench):
    words = [sys.executable, "-m", "surefoot.cli", *bench.words("sweep", bench.sweep(), "--workers", 1)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=bench.folder)
    process.stderr.readline()
    process.stderr.close()  # as `| head -1` does
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert len(bench.log()) == 4


def test_a_run_that_overruns_its_minutes_failed_and_the_budget_of_hours_ends_the_sweep(bench):
    assert bench.go(base={"pause": 30}, budget={"run_minutes": 0.005, "trials": 1}, grace_seconds=0.1).code == 1
    assert "time limit of 0.3 s" in bench.trials[0]["reason"]
    assert bench.scripts() == []
    said = bench.go(sweep="t", base={"pause": 0.1}, budget={"hours": 0.00005, "trials": 99})
    assert said.code == 0 and "hours of training is spent" in said.err
