"""Every verb's answer: its exit code, its one document, its one line where something is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import jsonschema
import pytest

from surefoot.cli import places
from surefoot.cli.parser import make_parser
from surefoot.cli.places import same_place
from surefoot.files.plan_file import plan_schema
from surefoot.workload import WORKLOADS

VERBS = ("init", "check", "run", "sweep", "status", "journal", "report", "diagnose", "compare", "reproduce", "doctor")


def is_one_clear_line(err: str) -> bool:
    return len(err.splitlines()) == 1 and err.startswith("surefoot: ") and "Traceback" not in err


@pytest.fixture
def done(surefoot, plan, tmp_path):
    """A home in which the plan has been run to its end."""
    assert surefoot("run", plan, "--workers", 1).code == 0
    return tmp_path / "surefoot-runs"


class TestHelp:
    def test_surefoot_alone_shows_the_verbs_and_the_first_steps(self, surefoot):
        answer = surefoot()
        assert answer.code == 0
        assert all(re.search(rf"^    {verb} +\w", answer.out, re.MULTILINE) for verb in VERBS)
        assert "surefoot init digits" in answer.out
        assert surefoot("--help").out == answer.out

    @pytest.mark.parametrize("verb", VERBS)
    def test_each_verb_explains_itself_and_all_its_options(self, surefoot, verb):
        answer = surefoot(verb, "--help")
        assert answer.code == 0
        assert answer.out.startswith(f"usage: surefoot {verb} ")
        usage, explanations = answer.out.split("options:")
        explained = re.findall(r"^  (?:-h, )?(--[a-z]+)", explanations, re.MULTILINE)
        assert set(re.findall(r"--[a-z]+", usage)) | {"--help"} == set(explained)

    def test_the_version_is_told(self, surefoot):
        assert re.fullmatch(r"surefoot \d+\.\d+\.\d+\n", surefoot("--version").out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runn"], r'no verb "runn" \(there is init, .*\). Did you mean "run"\?'),
        (["frobnicate"], 'no verb "frobnicate"'),
        (["--json"], 'the verb must come first, its options after it; got "--json"'),
        (["--home", "x", "status"], "the verb must come first"),
        (["run"], "still needed: plan"),
        (["compare", "climb"], "still needed: A, B"),
        (["run", "p", "--workers", "0"], '--workers must be a whole number of at least 1; got "0"'),
        (["run", "p", "--workers", "-1"], '--workers must be a whole number of at least 1; got "-1"'),
        (["run", "p", "--workers", "abc"], '--workers must be a whole number of at least 1; got "abc"'),
        (["run", "p", "--workers", "1.5"], '--workers must be a whole number of at least 1; got "1.5"'),
        (["run", "p", "--workers"], "--workers needs one argument"),
        (["run", "p", "--threads", "0"], "--threads must be a whole number"),
        (["run", "p", "--wait", "soon"], '--wait must be seconds, 0 or more; got "soon"'),
        (["run", "p", "--wait", "-1"], "--wait must be seconds"),
        (["run", "p", "--wait", "nan"], "--wait must be seconds"),
        (["run", "p", "--device", "gpu"], "--device: invalid choice: 'gpu'"),
        (["run", "p", "--wrokers", "2"], r'run does not know --wrokers .*Did you mean "--workers"\?'),
        (["status", "a", "b"], "status does not know b"),
        (["run", "absent.yaml"], "absent.yaml: there is no such file; surefoot init"),
        (["run", "."], "a plan must be a file; this is a folder"),
        (["check", "absent.yaml"], "absent.yaml: there is no such file"),
        (["check"], "check needs a plan's file: surefoot check PLAN"),
        (["init", "digts"], 'Did you mean "digits"'),
        (["init", "no_such_module:W"], "cannot import the workload module"),
        (["init", "--out", "no/such/folder/plan.yaml"], "no/such/folder/plan.yaml cannot be written"),
        (["status"], "there is no record at surefoot-runs/record.db; `surefoot run PLAN` makes one"),
        (["journal"], "there is no record at"),
        (["report"], "there is no record at"),
        (["compare", "climb", "a", "b"], "there is no record at"),
        (["status", "--home", "file"], "file"),
        (["status", "--store", "nonsense://x"], "nonsense"),
        (["status", "--store", ""], "--store must be a database's URL; got \"\". Leave it out for the home's own"),
        (["status", "--store", "postgresql://localhost:1/x"], "."),
    ],
)
def test_a_mistake_exits_with_2_and_one_clear_line(surefoot, tmp_path, arguments, says):
    (tmp_path / "file").write_text("not a folder")
    answer = surefoot(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert is_one_clear_line(answer.err), answer.err
    assert re.search(says, answer.err), answer.err


@pytest.mark.parametrize(
    ("workload", "says"),
    [("WITHOUT_SOURCE", 'the source of "nosuch" cannot be read'), ("WITHOUT_METRICS", "at least one Metric; got none")],
)
def test_what_check_calls_a_problem_run_refuses(surefoot, plan, workload, says):
    plan.write_text(plan.read_text().replace("ladder:WORKLOAD", f"ladder:{workload}"))
    checked, ran = surefoot("check", plan), surefoot("run", plan, "--workers", 1)
    assert checked.code == ran.code == 2
    assert says in checked.out + checked.err and "sound" not in checked.out
    assert says in ran.err and is_one_clear_line(ran.err)


def test_the_command_that_comes_next_can_be_typed_as_it_stands(surefoot, plan):
    import shlex

    plan.write_text(plan.read_text().replace("study: climb", "study: it's $(a) climb"))
    answer = surefoot("run", plan, "--workers", 1, "--home", "my runs", "--store", "sqlite:///my record.db")
    assert answer.code == 0, answer.err
    hint = shlex.split(answer.err.partition("next: surefoot ")[2].splitlines()[0])
    assert hint == ["report", "it's $(a) climb", "--home", "my runs", "--store", "sqlite:///my record.db"]
    assert surefoot(*hint).code == 0


def test_a_password_is_not_repeated():
    arguments = make_parser().parse_args(["run", "p", "--store", "postgresql://me:secret@there/x"])
    assert same_place(arguments) == ["--store", "postgresql://me:***@there/x"]


class TestInit:
    @pytest.mark.parametrize("name", [*WORKLOADS, "ladder:WORKLOAD"])
    def test_what_it_writes_passes_the_check(self, surefoot, tmp_path, name):
        (tmp_path / "mine.yaml").write_text(surefoot("init", name).out)
        answer = surefoot("check", "mine.yaml", "--json")
        problems = [p for p in answer.json["problems"] if "data file" not in p]
        assert not problems

    def test_what_it_writes_runs(self, surefoot):
        assert surefoot("init", "ladder:WORKLOAD", "--out", "mine.yaml").code == 0
        assert surefoot("check", "mine.yaml").code == 0
        assert surefoot("run", "mine.yaml", "--workers", 1).code == 0
        assert surefoot("status", "--json").json["studies"][0]["phase"] == "done"

    def test_it_never_overwrites_unless_it_is_told_to(self, surefoot, tmp_path):
        (tmp_path / "mine.yaml").write_text("precious")
        answer = surefoot("init", "--out", "mine.yaml")
        assert answer.code == 2 and "mine.yaml exists; choose another name" in answer.err
        assert (tmp_path / "mine.yaml").read_text() == "precious"
        assert surefoot("init", "--out", "mine.yaml", "--force").code == 0
        assert (tmp_path / "mine.yaml").read_text().startswith("# A study")


class TestCheck:
    def test_it_says_how_many_runs_and_what_they_would_show(self, surefoot, plan):
        answer = surefoot("check", plan)
        assert answer.code == 0 and answer.err == ""
        assert "aids: 2 arms, at most 10 runs; 5 pairs would show a change of" in answer.out
        assert answer.out.endswith("the plan is sound\n")

    def test_its_json_is_one_document(self, surefoot, plan):
        found = surefoot("check", plan, "--json").json
        assert found["baseline_runs"] == 5
        assert [e["most_runs"] for e in found["experiments"]] == [10, 5]
        assert found["problems"] == []

    def test_it_speaks_in_the_metrics_unit_once_the_noise_is_known(self, surefoot, plan, done):
        before = surefoot("check", plan, "--home", "elsewhere", "--json").json["experiments"][0]["detectable"]
        after = surefoot("check", plan, "--json").json["experiments"][0]["detectable"]
        assert before is None and 0 < after < 0.2

    def test_a_plan_with_other_metrics_than_the_record_is_checked_all_the_same(self, surefoot, plan, done):
        text = plan.read_text().replace("  speed: {goal: maximize}\n", "")
        plan.write_text(text)
        assert surefoot("run", plan, "--workers", 1).code == 0
        loss = "  loss: {goal: minimize, target: 0.7, min_effect: 0.02}"
        plan.write_text(text.replace(loss, "  speed: {goal: maximize}").replace("metric: loss", "metric: speed"))
        answer = surefoot("check", plan)
        assert answer.code == 0, answer.err
        assert "warning: speed has no target, so no gap can be stated" in answer.out

    @pytest.mark.parametrize(
        ("workload", "says"),
        [("WITHOUT_DATA", "rungs.idx is missing"), ("WITHOUT_TORCH", 'pip install "surefoot[torch]"')],
    )
    def test_what_is_missing_on_this_machine_is_a_problem(self, surefoot, plan, workload, says):
        plan.write_text(plan.read_text().replace("ladder:WORKLOAD", f"ladder:{workload}"))
        answer = surefoot("check", plan)
        assert answer.code == 2
        assert re.search(rf"^problem: .*{re.escape(says)}", answer.out, re.MULTILINE)
        assert "sound" not in answer.out
        run = surefoot("run", plan)
        assert run.code == 2 and says in run.err and is_one_clear_line(run.err)

    def test_the_schema_is_one_json_document(self, surefoot):
        jsonschema.Draft202012Validator.check_schema(surefoot("check", "--schema").json)
        assert surefoot("check", "--schema").json == plan_schema()

    def test_a_wrong_plan_is_named_by_file_and_line(self, surefoot, plan):
        plan.write_text(plan.read_text().replace("seeds: 5", "seedz: 5"))
        answer = surefoot("check", "plan.yaml")
        assert answer.code == 2 and is_one_clear_line(answer.err)
        assert answer.err.startswith("surefoot: plan.yaml:6: seedz is not a known key")


class TestReading:
    def test_status_has_the_shape_that_other_programs_rely_on(self, surefoot, done):
        (study,) = surefoot("status", "--json").json["studies"]
        assert {"study", "phase", "primary", "baseline", "champion", "target", "gap", "runs", "hours"} <= set(study)
        assert set(study["runs"]) == {
            "complete", "pruned", "failed", "infeasible", "interrupted", "running", "planned",
        }  # fmt: skip
        assert study["phase"] == "done" and study["study"] == "climb"
        assert study["champion"] < study["baseline"]
        assert study["gap"] == pytest.approx(study["champion"] - 0.7)
        assert study["runs"]["complete"] > 20 and study["runs"]["planned"] == 0

    def test_status_reads_as_a_table(self, surefoot, done):
        head, row = surefoot("status").out.splitlines()
        assert head.split()[:3] == ["study", "phase", "metric"]
        assert row.split()[:3] == ["climb", "done", "loss"]
        assert surefoot("status", "climb").out == surefoot("status").out

    def test_the_journal_has_the_shape_that_other_programs_rely_on(self, surefoot, done):
        journal = surefoot("journal", "--json").json
        assert [e["id"] for e in journal["experiments"]] == ["aids", "slope"]
        for experiment in journal["experiments"]:
            for arm in experiment["arms"]:
                assert len(arm["values"]["loss"]) == len(arm["seeds"]) >= 2
            for verdict in experiment["verdicts"]:
                assert {
                    "arm",
                    "metric",
                    "verdict",
                    "cause",
                    "decision",
                    "n",
                    "estimate",
                    "interval",
                    "p",
                    "detectable",
                } <= set(verdict)
                assert verdict["verdict"] == "SUPPORTED"

    def test_the_journal_is_markdown_and_the_same_as_the_file_that_run_wrote(self, surefoot, done):
        text = surefoot("journal").out
        assert "## 1 · aids" in text
        assert text == (done / "climb" / "journal.md").read_text()
        assert surefoot("journal", "climb").out == text

    def test_the_report_is_written_where_it_is_asked_for(self, surefoot, done, tmp_path):
        answer = surefoot("report", "--out", tmp_path / "out", "--json")
        assert answer.code == 0
        assert answer.json["study"] == "climb"
        assert all(os.path.exists(file) for file in answer.json["files"])
        assert (tmp_path / "out" / "report.html").exists()

    def test_a_report_that_cannot_be_written_is_one_line(self, surefoot, done, tmp_path):
        (tmp_path / "taken").write_text("")
        answer = surefoot("report", "--out", tmp_path / "taken")
        assert answer.code == 2 and is_one_clear_line(answer.err)
        assert "the report cannot be written to" in answer.err

    def test_a_comparison_after_the_fact_says_that_it_is_one(self, surefoot, done):
        answer = surefoot("compare", "climb", "aids/rung", "baseline")
        assert answer.code == 0
        assert "settings: aid none → rung" in answer.out
        assert "asked after the fact" in answer.out
        found = surefoot("compare", "climb", "aids/rung", "baseline", "--json").json
        assert found["estimate"] == pytest.approx(-0.2, abs=0.05)
        assert found["is_registered"] is False and len(found["a_values"]) == found["n"]

    def test_a_comparison_may_ask_for_another_metric(self, surefoot, done):
        found = surefoot("compare", "climb", "champion", "baseline", "--metric", "speed", "--json").json
        assert found["metric"] == "speed" and found["verdict"] == "SUPPORTED"

    def test_an_arm_compared_with_itself_differs_in_nothing(self, surefoot, done):
        found = surefoot("compare", "climb", "baseline", "baseline", "--json").json
        assert found["differs"] == {} and found["estimate"] in (0.0, None)
        assert found["verdict"] != "SUPPORTED"

    def test_arms_whose_runs_did_something_undeclared_are_confounded(self, surefoot, plan):
        plan.write_text(plan.read_text().replace("{aid: rung}", "{aid: tangled}"))
        assert surefoot("run", plan, "--workers", 1).code == 0
        (first, *_) = surefoot("journal", "--json").json["experiments"]
        assert next((v["verdict"], v["cause"]) for v in first["verdicts"]) == ("INCONCLUSIVE", "confounded")
        assert first["choice"]["arm"] != "rung"
        found = surefoot("compare", "climb", "aids/rung", "baseline", "--json").json
        assert (found["verdict"], found["cause"]) == ("INCONCLUSIVE", "confounded")
        assert found["confounds"] == ["laps 1 → 2"]

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["status", "clib"], r'no study "clib" is on record \(there is climb\). Did you mean "climb"\?'),
            (["journal", "clib"], 'Did you mean "climb"'),
            (["report", "clib"], 'Did you mean "climb"'),
            (["compare", "clib", "baseline", "champion"], 'Did you mean "climb"'),
            (["compare", "climb", "aids/rng", "baseline"], r'no arm "aids/rng" has runs .*Did you mean "aids/rung"\?'),
            (
                ["compare", "climb", "baseline", "x"],
                r'no arm "x" has runs here \(there is baseline, champion, aids/rung',
            ),
            (["compare", "climb", "baseline", "champion", "--metric", "los"], '--metric .*Did you mean "loss"'),
        ],
    )
    def test_an_unknown_name_is_answered_with_the_nearest(self, surefoot, done, arguments, says):
        answer = surefoot(*arguments)
        assert answer.code == 2 and answer.out == ""
        assert is_one_clear_line(answer.err) and re.search(says, answer.err), answer.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["status"],
            ["journal"],
            ["report"],
            ["compare", "climb", "champion", "baseline"],
            ["check", "plan.yaml"],
            ["doctor"],
        ],
    )
    def test_json_is_exactly_one_document_on_standard_output(self, surefoot, done, arguments):
        answer = surefoot(*arguments, "--json")
        assert isinstance(json.loads(answer.out), dict)
        assert answer.err == ""

    def test_reading_changes_nothing_in_the_home(self, surefoot, done):
        def look():
            return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in done.rglob("*") if "record.db" not in p.name}

        before, rows = look(), (done / "record.db").read_bytes()
        for arguments in (["status"], ["journal"], ["compare", "climb", "champion", "baseline"], ["doctor"]):
            surefoot(*arguments)
        assert look() == before and (done / "record.db").read_bytes() == rows


class TestAModelOfOnesOwn:
    @pytest.fixture
    def project(self, tmp_path):
        """A plan and its module in a folder that is not the current one."""
        shutil.copytree(Path(__file__).parents[2] / "examples" / "own_model", tmp_path / "project")
        return tmp_path / "project"

    def test_it_is_found_beside_the_plan_by_every_verb(self, process, project):
        assert process("run", project / "plan.yaml", "--workers", 1).code == 0
        for arguments in (["journal"], ["report"], ["compare", "bowl", "champion", "baseline"]):
            answer = process(*arguments)
            assert (answer.code, answer.err) == (0, "")

    def test_it_is_trained_again_once_it_was_edited(self, process, project):
        def runs():
            assert process("run", project / "plan.yaml", "--workers", 1).code == 0
            return process("status", "--json").json["studies"][0]["runs"]["complete"]

        first = runs()
        assert runs() == first
        module = project / "bowl.py"
        module.write_text(module.read_text().replace("scale=0.5", "scale=0.4"))
        assert runs() >= first + 8

    def test_where_it_is_gone_the_advice_is_to_go_to_the_plan(self, process, project):
        assert process("run", project / "plan.yaml", "--workers", 1).code == 0
        project.rename(project.with_name("elsewhere"))
        answer = process("journal")
        assert answer.code == 2 and is_one_clear_line(answer.err)
        assert "run it from the plan's folder" in answer.err


class TestDevice:
    @pytest.mark.parametrize(
        ("has_device", "torch", "device"),
        [
            (True, "2.13.0", "cuda"),
            (True, "2.13.0+cu130", "cuda"),
            (True, "2.13.0+cpu", "cpu"),
            (False, "2.13.0+cu130", "cpu"),
        ],
    )
    def test_auto_is_cuda_where_both_the_machine_and_torch_have_it(
        self, tmp_path, monkeypatch, has_device, torch, device
    ):
        installed = tmp_path / f"torch-{torch}.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {torch}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(places, "CUDA_DEVICE", tmp_path if has_device else tmp_path / "none")
        assert places.device_of("auto") == device

    @pytest.mark.parametrize("asked", ["cpu", "cuda"])
    def test_a_device_that_was_named_is_taken(self, asked):
        assert places.device_of(asked) == asked


class TestDoctor:
    def test_it_says_what_is_installed(self, surefoot):
        answer = surefoot("doctor")
        assert re.search(r"^ok +python +3\.", answer.out, re.MULTILINE)
        assert re.search(r"^ok +record +none yet", answer.out, re.MULTILINE)
        assert answer.code == 0

    def test_a_home_that_is_a_file_is_broken(self, surefoot, tmp_path):
        (tmp_path / "home").write_text("")
        answer = surefoot("doctor", "--home", "home", "--json")
        assert answer.code == 1
        assert [c["check"] for c in answer.json["checks"] if c["state"] == "broken"] == ["home"]

    def test_it_counts_the_studies(self, surefoot, done):
        assert "1 study, climb" in surefoot("doctor").out


class TestTerminals:
    def test_a_terminal_without_our_characters_gets_their_codes(self, process, plan):
        answer = process("check", plan, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert answer.code == 0 and "sound" in answer.out

    def test_json_stays_json_there(self, process, plan):
        plan.write_text(plan.read_text().replace("study: climb", "study: été 🚀"))
        answer = process("check", plan, "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert answer.json["study"] == "été 🚀"

    @pytest.mark.parametrize(
        ("arguments", "where", "says"),
        [
            ("journal", "> /dev/full", "cannot be written to standard output: No space left"),
            ("status --json", "> /dev/full", "cannot be written to standard output: No space left"),
            ("--help", "> /dev/full", "cannot be written to standard output: No space left"),
            ("journal", ">&-", "standard output, which is closed"),
            ("status --json", ">&-", "standard output, which is closed"),
            ("--version", ">&-", "standard output, which is closed"),
        ],
    )
    def test_an_answer_that_cannot_be_written_is_a_mistake(self, done, arguments, where, says):
        import subprocess

        line = f'"{sys.executable}" -m surefoot.cli {arguments} {where}'
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert answer.returncode == 2, answer.stderr
        assert is_one_clear_line(answer.stderr), answer.stderr
        assert says in answer.stderr

    @pytest.mark.parametrize("closed", [">&-", "> /dev/full", "<&- >&- 2>&-", "2> /dev/full"])
    def test_a_study_runs_to_its_end_with_nobody_listening(self, surefoot, plan, closed):
        import subprocess

        line = f'"{sys.executable}" -m surefoot.cli run {plan} --workers 1 {closed}'
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        assert "Traceback" not in answer.stderr
        assert surefoot("status", "--json").json["studies"][0]["phase"] == "done"

    def test_a_closed_pipe_is_no_mistake(self, process, surefoot, done, tmp_path):
        import subprocess

        line = f'"{sys.executable}" -m surefoot.cli journal | head -1; echo "${{PIPESTATUS[0]}}"'
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        assert answer.stderr == ""
        assert len(answer.stdout.splitlines()) == 2 and answer.stdout.splitlines()[1] == "0"
