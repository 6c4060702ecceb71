"""`surefoot analyze`: where its trials come from, where its answer goes, and one line for every mistake."""

import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from surefoot.cli import analyzing
from surefoot.cli.parser import make_parser
from surefoot.storage import Record
from surefoot.sweep import Sweep, SweepBudget

TOY_SWEEP = """\
sweep: hill
workload: sweep_toy:TOY
metrics: {loss: {goal: minimize}, size: {goal: minimize}}
method: random
parameters:
  x: {min: 0.0, max: 1.0}
  kind: [a, b, c]
budget: {trials: 14}
"""
HERE = Path(__file__).parent


@pytest.fixture
def trials(tmp_path):
    """A table of thirty trials in which `x` matters and `kind` does not."""
    rng = random.Random(1)
    lines = ["loss,x,kind"]
    for _ in range(30):
        x = rng.random()
        lines.append(f"{x + 0.05 * rng.random()},{x},{rng.choice('uv')}")
    path = tmp_path / "trials.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def hill(tmp_path, monkeypatch, process):
    """A sweep on record in the usual home."""
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent / "sweeping"))
    monkeypatch.syspath_prepend(str(HERE.parent / "sweeping"))
    (tmp_path / "sweep.yaml").write_text(TOY_SWEEP)
    assert process("sweep", "sweep.yaml", "--workers", 1).code == 0
    return "hill"


def asked(*words):
    return make_parser().parse_args(["analyze", *map(str, words)])


def of_table(path, *more):
    return ("analyze", path, "--value", "loss", "--goal", "minimize", *more)


# --- what comes out --------------------------------------------------------------------------------------------------


def test_a_table_is_analysed_and_the_files_lie_beside_it_under_its_name(surefoot, trials, tmp_path):
    said = surefoot(*of_table(trials.name))
    assert said.code == 0 and said.err == ""
    assert said.out.endswith("trials-analysis/analysis.html\n")
    folder = tmp_path / "trials-analysis"
    assert {"analysis.html", "analysis.md", "analysis.json", "empirical_ranges.yaml"} <= {
        p.name for p in folder.iterdir()
    }
    again = surefoot(*of_table(trials.name))
    assert (again.code, again.out) == (0, said.out)


def test_json_alone_is_printed_and_nothing_is_written_unless_a_folder_is_named(surefoot, trials, tmp_path):
    said = surefoot(*of_table(trials, "--json"))
    assert said.code == 0 and said.err == ""
    for finding in said.json["findings"]:
        assert {"rule", "severity", "subject", "sentence", "evidence", "advice"} <= set(finding)
    assert said.json["sections"][0]["key"] == "trials"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trials.csv"]
    assert surefoot(*of_table(trials, "--json", "--out", tmp_path / "there")).json == said.json
    assert (tmp_path / "there" / "analysis.html").is_file()


def test_a_sweep_on_record_is_analysed_into_its_own_folder(surefoot, hill, tmp_path):
    said = surefoot("analyze", hill)
    assert said.code == 0, said.err
    assert (tmp_path / "surefoot-runs" / "hill" / "analysis" / "analysis.html").is_file()
    assert surefoot("analyze", hill, "--json").json["study"] == "hill"
    assert surefoot("analyze", hill, "--json", "--metric", "size").json["metric"] == "size"


def test_the_same_question_with_the_same_seed_has_the_same_answer(surefoot, trials):
    first, again = (surefoot(*of_table(trials, "--json", "--seed", 7)) for _ in range(2))
    assert first.out == again.out


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [3.0] * 9, ["nan", "inf", 1.0, 2.0, 3.0]])
def test_few_or_odd_values_are_told_of_and_no_mistake(surefoot, tmp_path, values):
    rows = "\n".join(f"{value},{i},{'ab'[i % 2]}" for i, value in enumerate(values))
    (tmp_path / "few.csv").write_text(f"loss,x,kind\n{rows}\n")
    said = surefoot(*of_table("few.csv"))
    assert said.code == 0, said.err
    assert "analysis.html" in said.out


def test_names_that_would_break_a_page_or_a_table_come_through(surefoot, tmp_path):
    names = '"<b>x</b>","a,b","say ""q""","new\nline","😀"'
    rows = "\n".join(f"{i * 0.37 % 1},{i},{i % 3},{'uv'[i % 2]},{i % 5},{i * 7 % 11}" for i in range(30))
    (tmp_path / "odd.csv").write_text(f"loss,{names}\n{rows}\n")
    said = surefoot(*of_table("odd.csv"))
    assert said.code == 0, said.err
    page = (tmp_path / "odd-analysis" / "analysis.html").read_text()
    assert "<b>x</b>" not in page and "&lt;b&gt;x" in page


# --- where trials come from ------------------------------------------------------------------------------------------


def test_a_study_comes_before_a_file_of_its_name_but_not_before_a_table(surefoot, tmp_path, hill):
    (tmp_path / "hill").write_text("loss,x\n1,2\n")
    table, folder = analyzing.trials_of(asked("hill"))
    assert table.sweep is not None and folder == Path("surefoot-runs/hill/analysis")
    (tmp_path / "hill.csv").write_text("loss,x\n1,2\n")
    table, folder = analyzing.trials_of(asked("hill.csv", "--value", "loss", "--goal", "minimize"))
    assert table.sweep is None and folder == Path("hill-analysis")


def test_a_file_without_the_ending_of_a_table_is_one_where_no_study_has_its_name(tmp_path):
    (tmp_path / "mine").write_text("loss,x\n1,2\n")
    table, folder = analyzing.trials_of(asked("mine", "--value", "loss", "--goal", "minimize"))
    assert len(table.trials) == 1 and folder == Path("mine-analysis")


def test_what_the_user_says_of_a_table_reaches_it(trials):
    said = asked(
        trials, "--value", "loss", "--goal", "minimize", "--parameters", '"x"', "--results", "kind", "--rows", 5,
        "--trivial", "majority class=0.5", "--trivial", "a=b=1e-3", "--evaluated-on", 73,
    )  # fmt: skip
    table, _ = analyzing.trials_of(said)
    assert table.space.names() == ("x",) and len(table.trials) == 5 and table.evaluated_on == 73
    assert [(t.name, t.value) for t in table.trivial] == [("majority class", 0.5), ("a=b", 0.001)]


def test_names_of_columns_may_hold_commas_in_quotes():
    assert analyzing.columns_said(['"a,b",c', "d"], "--parameters") == ["a,b", "c", "d"]


def test_what_the_user_says_of_trivial_predictors_comes_before_what_the_workload_says(tmp_path, hill):
    table, _ = analyzing.trials_of(asked("hill", "--trivial", "constant=0.9", "--evaluated-on", 12))
    assert table.trivial[0].name == "constant" and table.evaluated_on == 12


def test_a_built_in_workload_says_its_trivial_predictors(tmp_path):
    from surefoot.space import SearchSpace, real
    from surefoot.sweeping.registration import register_sweep
    from surefoot.workload import find_workload

    pytest.importorskip("torch")
    digits = find_workload("digits")
    sweep = Sweep(
        name="d", workload="digits", metrics=digits.metrics, objectives=(digits.metrics[0].name,),
        space=SearchSpace(parameters=(real("lr", 0.1, 1.0),)), budget=SweepBudget(trials=1),
    )  # fmt: skip
    with Record.open(tmp_path / "surefoot-runs") as record:
        register_sweep(record, record.add_study("d", "digits", "sweep"), dataclasses.replace(sweep))
    table, _ = analyzing.trials_of(asked("d"))
    assert table.trivial and table.evaluated_on == 360 and table.trials == ()


# --- mistakes --------------------------------------------------------------------------------------------------------


def mistake(surefoot, *words):
    said = surefoot("analyze", *words)
    assert said.code == 2 and said.out == "" and len(said.err.splitlines()) == 1, said
    return said.err


def test_a_source_that_is_nowhere_is_named_with_both_possibilities(surefoot, tmp_path):
    said = mistake(surefoot, "climb")
    assert '"climb" is neither a study or sweep on record (there is no record in surefoot-runs yet)' in said
    assert "nor a file of trials" in said
    with Record.open(tmp_path / "surefoot-runs") as record:
        record.add_study("climber", "digits")
    said = mistake(surefoot, "climb")
    assert "(the record has climber)" in said and 'Did you mean "climber"?' in said
    assert "was interrupted before it came on record" in mistake(surefoot, "climber")


def test_what_is_only_for_tables_or_only_for_studies_is_said(surefoot, hill, trials):
    assert "--value is for a table; hill is on record" in mistake(surefoot, "hill", "--value", "loss")
    assert "--metric is for a study on record" in mistake(surefoot, trials, "--metric", "loss")
    assert 'does not measure "los" (it has loss, size). Did you mean "loss"?' in mistake(
        surefoot, "hill", "--metric", "los"
    )


def test_value_and_goal_are_asked_for(surefoot, trials):
    assert (
        "say which column holds the value of a trial, --value COLUMN; its columns of numbers are loss and x"
        in mistake(surefoot, trials)
    )
    assert "must say whether loss should be maximized or minimized" in mistake(surefoot, trials, "--value", "loss")
    assert "--goal" in mistake(surefoot, trials, "--value", "loss", "--goal", "up")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--trivial", "majority"), "--trivial must be a name and a value"),
        (("--trivial", "majority=often"), "--trivial must be a name and a value"),
        (("--trivial", "=3"), "--trivial must be a name and a value"),
        (("--parameters", ""), "--parameters must name columns"),
        (("--parameters", "x,,kind"), "--parameters must name columns"),
        (("--parameters", "y"), "--parameters must name a column of the table (loss, x and kind); got y"),
        (("--rows", "0"), "--rows must be a whole number of at least 1"),
        (("--rows", "300000"), "rows must be a number from 1 to 200,000"),
        (("--seed", "-1"), "--seed must be a whole number, 0 or more"),
        (("--evaluated-on", "many"), "--evaluated-on must be a whole number of at least 1"),
    ],
)
def test_a_bad_option_is_one_line(surefoot, trials, words, told):
    assert told in mistake(surefoot, *of_table(trials)[1:], *words)


def test_what_is_no_table_is_one_line(surefoot, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "folder").mkdir()
    assert "is empty" in mistake(surefoot, *of_table("empty.csv")[1:])
    assert "binary" in mistake(surefoot, *of_table("binary.csv")[1:])
    assert "folder is a folder" in mistake(surefoot, *of_table("folder")[1:])
    assert "neither a study" in mistake(surefoot, *of_table("missing.csv")[1:])
    assert "neither a study" in mistake(surefoot, *of_table("x" * 5000)[1:])


def test_nothing_foreign_is_overwritten(surefoot, trials, tmp_path):
    theirs = tmp_path / "trials-analysis"
    theirs.mkdir()
    (theirs / "analysis.html").write_text("mine")
    assert "holds files that are no analysis; nothing is written there" in mistake(surefoot, *of_table(trials)[1:])
    assert (theirs / "analysis.html").read_text() == "mine" and len(list(theirs.iterdir())) == 1
    assert "is a file; nothing is written there" in mistake(surefoot, *of_table(trials)[1:], "--out", trials)
    assert trials.read_text().startswith("loss,x,kind")


def test_help_loads_nothing_heavy():
    script = (
        "import sys\nfrom surefoot.cli import main\n"
        "try: main(['analyze', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn', 'sqlalchemy', 'plotly') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]" and "--evaluated-on" in done.stdout


def test_the_answer_is_json_that_any_reader_takes(surefoot, trials):
    text = surefoot(*of_table(trials, "--json")).out
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
