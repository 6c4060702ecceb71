"""A plan is read strictly: every mistake is one line with file, line, key and the nearest known key."""

from __future__ import annotations

import copy
import io
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from surefoot.errors import PlanError, SurefootError, WorkloadError
from surefoot.files.plan_file import parse_plan, plan_schema, read_plan
from surefoot.plan import Plan

PLAN = """\
study: walk
workload: digits
metrics:
  val_loss: {goal: minimize, target: 0.1, min_effect: 0.01}
  val_accuracy: {goal: maximize, unit: "%"}
primary: val_loss
seeds: 8
rule: {looks: [3, 8], adopt: 0.2, support: 0.05, claim: 0.05, confirm_seeds: 8, screen: true}
budget: {runs: 100, hours: 2, run_minutes: 5}
baseline: {layers: 2, norm: none, lr: 1e-3}
experiments:
  - id: norm
    hypothesis: Normalisation helps.
    because: Activations drift.
    allow: [parameters]
    arms:
      batch: {norm: batch}
      layer: {norm: layer}
    expect:
      - {arm: batch, metric: val_loss, is: better, by: 0.01}
      - {arm: layer, metric: val_accuracy, between: [-1, 1]}
  - id: both
    hypothesis: Dropout helps more once activations are normalised.
    factorial: {dropout: [0.0, 0.1], filters: [8, 16, 32], layers: [2, 3]}
    expect:
      - {main: dropout, metric: val_loss, is: worse}
      - {interaction: [dropout, layers], metric: val_loss, is: same, within: 0.01}
  - id: norm-again
    hypothesis: Normalisation still helps.
    repeats: norm
    arms:
      batch: {norm: batch}
    expect:
      - {arm: batch, metric: val_loss, is: better}
finalise: true
"""

case = pytest.param
# What is changed (old text, new text), the line and the words of the one-line message.
MISTAKES = [
    case("finalise:", "finalize:", 35, 'finalize is not a known key; .*Did you mean "finalise"', id="top key"),
    case("target:", "targt:", 4, 'metrics.val_loss.targt is not .*Did you mean "target"', id="metric key"),
    case("hours:", "hour:", 9, 'budget.hour is not .*Did you mean "hours"', id="budget key"),
    case("looks:", "look:", 8, 'rule.look is not .*Did you mean "looks"', id="rule key"),
    case("because:", "becuse:", 14, r'experiments\[0\].becuse .*Did you mean "because"', id="experiment key"),
    case("by: 0.01", "buy: 0.01", 20, r'expect\[0\].buy is not .*Did you mean "by"', id="expect key"),
    case("batch: {norm", "batch: {nrm", 17, 'arms.batch.nrm is not a setting .*Did you mean "norm"', id="setting"),
    case("{layers: 2, n", "{layer: 2, n", 10, 'baseline.layer .*Did you mean "layers"', id="baseline key"),
    case("seeds: 8\nr", "seeds: eight\nr", 7, 'seeds must be a whole number; got "eight"', id="text as number"),
    case("seeds: 8\nr", 'seeds: "8"\nr', 7, 'seeds must be a whole number; got "8"', id="quoted number"),
    case("seeds: 8\nr", "seeds: 8.0\nr", 7, "seeds must be a whole number; got 8.0", id="float as int"),
    case("seeds: 8\nr", "seeds: true\nr", 7, "seeds must be a whole number; got true", id="bool as int"),
    case("seeds: 8\nr", "seeds: 1\nr", 7, "seeds must be at least 2, as one seed says nothing", id="one seed"),
    case("seeds: 8\nr", "seeds: 91\nr", 7, "seeds must be at most 90; got 91", id="too many seeds"),
    case("target: 0.1", 'target: "0.1"', 4, 'target must be a number; got "0.1"', id="number as text"),
    case("target: 0.1", "target: .nan", 4, "target must be a finite number; got nan", id="nan"),
    case("lr: 1e-3", "lr: .inf", 10, "baseline.lr must be a number from 0 to .*; got inf", id="inf"),
    case("lr: 1e-3", "lr: " + "9" * 400, 10, "baseline.lr must be a number .*9…", id="beyond a float"),
    case("hours: 2", "hours: 2h", 9, 'budget.hours must be a number; got "2h"', id="unit in a number"),
    case("hours: 2", "hours: -1", 9, "budget.hours must be greater than 0; got -1", id="negative"),
    case("hours: 2", "hours: " + "9" * 400, 9, "budget.hours must be a number", id="hours beyond a float"),
    case("screen: true", "screen: yes", 8, 'rule.screen must be true or false; got "yes"', id="yes is text"),
    case("screen: true", "screen: off", 8, 'rule.screen must be true or false; got "off"', id="off is text"),
    case("norm: none", "norm: no", 10, 'norm must be one of none, .*; got "no"', id="no is text"),
    case("norm: none", "norm: bach", 10, 'baseline.norm .*got "bach". Did you mean "batch"', id="choice"),
    case("norm: none", "norm: ~", 10, "baseline.norm must be one of .*; got nothing", id="null setting"),
    case("layers: 2, n", "layers: 99, n", 10, "baseline.layers must be .* from 1 to 8; got 99", id="range"),
    case("layers: 2, n", "layers: two, n", 10, 'baseline.layers must be a whole number.*"two"', id="type"),
    case("layers: 2, n", "layers: [2], n", 10, r"baseline.layers must be .*; got \[2\]", id="list"),
    case("arm: batch", "arm: bach", 20, r'expect\[0\].arm must be .*"bach". Did you mean "batch"', id="arm"),
    case("{arm: batch, metric: val_loss, is: better, by", "{arm: batch, metric: val_los, is: better, by", 20,
                 'must be one of the plan\'s metrics .*"val_los". Did you mean "val_loss"', id="predicted metric"),
    case("  val_accuracy: {", "  val_acuracy: {", 5,
                 'metrics.val_acuracy is not a metric that digits reports .*Did you mean "val_accuracy"', id="metric"),
    case("goal: minimize", "goal: maximize", 4, "goal must be minimize, as digits says; got", id="wrong goal"),
    case("goal: minimize", "goal: minimise", 4, 'goal .*"minimise". Did you mean "minimize"', id="goal word"),
    case("primary: val_loss", "primary: loss", 6, 'primary must be one of .*; got "loss"', id="primary"),
    case("layer: {norm: layer}", "layer: {norm: batch}", 18, "arms.layer is the same config as batch", id="twins"),
    case("layer: {norm: layer}", "layer: {norm: batch, layers: 2}", 18, "same config as batch", id="twins twice"),
    case("layer: {norm: layer}", "layer: {norm: none}", 18, "same config as the baseline", id="arm is baseline"),
    case("layer: {norm: layer}", "layer: {}", 18, "must change at least one setting", id="no change"),
    case("layer: {norm: layer}", "layer:", 18, "arms.layer must be keys .*; got nothing. Fill it", id="null arm"),
    case("layer: {norm: layer}", "champion: {norm: layer}", 18, "must have another name", id="arm champion"),
    case("id: both", "id: norm", 22, 'id must be new; "norm"', id="id twice"),
    case("id: both", "id: baseline", 22, "id must have no slash and be no word of ours", id="id of ours"),
    case("id: both", "id: a/b", 22, "id must have no slash", id="id with a slash"),
    case("id: both", r'id: "a\nb"', 22, r'id must be a name on one line.*got "a\\nb"', id="id with a line end"),
    case("repeats: norm", "repeats: nrm", 30, 'must name an earlier .*"nrm". Did you mean "norm"', id="repeats"),
    case("repeats: norm", "repeats: norm-again", 30, "must name an earlier experiment", id="repeats itself"),
    case("allow: [parameters]", "allow: [paramters]", 15, 'Did you mean "parameters"', id="allowed fact"),
    case("by: 0.01", "by: 0", 20, "by must be greater than 0; got 0", id="by nothing"),
    case("is: better, by", "is: same, by", 20, r'by belongs to "is: better" or "is: worse"', id="by with same"),
    case("is: worse", "is: worse, within: 1", 26, 'within belongs to "is: same"', id="within with worse"),
    case("[-1, 1]", "[1, -1]", 21, "between must go from low to high", id="between reversed"),
    case("[-1, 1]", "[1, 1]", 21, "between must go from low to high", id="between nothing"),
    case("[-1, 1]", "[-1, 0, 1]", 21, "between must be a list of 2 entries", id="between three"),
    case("between: [-1, 1]", "between: [-1, 1], is: same", 21, 'either "is" or "between"', id="is and between"),
    case(", between: [-1, 1]", "", 21, 'either "is" or "between"', id="neither"),
    case("{main: dropout, ", "{", 26, 'one of "arm", "main", "interaction"', id="about nothing"),
    case("{main: dropout, ", "{main: dropout, arm: x, ", 26, 'one of "arm", "main"', id="about two things"),
    case("main: dropout", "main: droput", 26, 'must name factors .*Did you mean "dropout"', id="main"),
    case("main: dropout", "main: filters", 26, "two levels; filters has 3. Predict an arm", id="three levels"),
    case("[dropout, layers]", "[dropout, norm]", 27, 'must name factors .*"norm"', id="interaction with another"),
    case("[dropout, layers]", "[dropout]", 27, "must name two different factors", id="interaction of one"),
    case("[dropout, layers]", "[dropout, dropout]", 27, "two different factors", id="interaction with itself"),
    case("{arm: batch, metric: val_loss, is: better}", "{interaction: [norm, lr], metric: val_loss, is: better}",
                 34, "must name factors .*not a factorial", id="interaction of a non-factor"),
    case("dropout: [0.0, 0.1]", "dropout: [0.1]", 24, "at least two levels", id="one level"),
    case("dropout: [0.0, 0.1]", "dropout: [0, 0.0]", 24, "at least two levels, all different", id="levels twice"),
    case("dropout: [0.0, 0.1]", "droput: [0.0, 0.1]", 24, 'droput .*Did you mean "dropout"', id="factor"),
    case("dropout: [0.0, 0.1], filters: [8, 16, 32], layers: [2, 3]", "dropout: [0.0, 0.1]", 24,
                 "must have at least two factors", id="one factor"),
    case("filters: [8, 16, 32]", f"filters: {list(range(1, 100))}", 24, "at most 100 combinations", id="cells"),
    case(
        "    factorial",
        "    arms: {x: {lr: 1e-2}}\n    factorial",
        22,
        'one of "arms", "factorial", "search"; it has arms and factorial',
        id="both",
    ),
    case("[3, 8]", "[8, 3]", 8, r"looks must grow; got \[8, 3\]", id="looks fall"),
    case("[3, 8]", "[3, 5]", 8, r"looks must end at seeds \(8\)", id="looks end early"),
    case("[3, 8]", "[1, 8]", 8, r"looks\[0\] must be at least 2", id="look at one"),
    case("[3, 8]", "[]", 8, "looks must be a list of 1 entries at least", id="no look"),
    case("adopt: 0.2", "adopt: 0.01", 8, "adopt must not be stricter than support", id="adopt stricter"),
    case("claim: 0.05", "claim: 0.5", 8, "claim must be less than 0.5", id="claim a coin"),
    case("study: walk", "study: a/b", 1, "study must be a name for a folder", id="study with a slash"),
    case("study: walk", "study: ..", 1, "study must be a name for a folder", id="study is the parent"),
    case("study: walk", "study: -x", 1, "study must be a name for a folder", id="study like an option"),
    case("study: walk", "study: Record.db", 1, "a home keeps something else", id="study is the record"),
    case("study: walk", "study: artifacts", 1, "a home keeps something else", id="study is the artifacts"),
    case("study: walk", r'study: "a\nb"', 1, "a name on one line", id="study with a line end"),
    case("study: walk", r'study: "a\u0000b"', 1, "a name on one line", id="study with a NUL"),
    case("study: walk", "study: " + "x" * 300, 1, "at most 80 characters; got .*…$", id="study too long"),
    case("study: walk", "study: " + "🚀" * 80, 1, "at most 200 bytes", id="study too long in bytes"),
    case("study: walk", r'study: "\ud800"', 1, "must be text; got half a character", id="half a character"),
    case("study: walk", "study:", 1, "study must be text; got nothing. Fill it in", id="null study"),
    case("study: walk", "study: 5", 1, "study must be text; got 5", id="study is a number"),
    case("study: walk\n", "", 1, 'the plan must have "study"', id="no study"),
    case("    hypothesis: Normalisation helps.\n", "", 12, r'experiments\[0\] must have "hypothesis"', id="mute"),
    case("budget: {runs: 100, hours: 2, run_minutes: 5}", "budget:", 9, "budget must be keys .*nothing", id="null"),
    case("budget: {runs: 100, hours: 2, run_minutes: 5}", "budget: [1]", 9, "got a list of 1", id="list as keys"),
    case("baseline: {layers: 2, norm: none, lr: 1e-3}", "baseline: ~", 10, "baseline must be keys", id="tilde"),
    case("study: walk", "study: walk\nstudy: run", 2, 'a key must stand once; "study" stands twice', id="twice"),
    case("{norm: batch}\n      l", "{norm: batch, norm: none}\n      l", 17, '"norm" stands twice', id="twice in"),
    case("budget: {", "budget:\n\truns: 3\nx: {", 10, "indented with spaces; got a tab", id="tab"),
    case("study: walk", "study: !!python/object/apply:os.getcwd []", 1, "without a YAML tag", id="python tag"),
    case("{layers: 2, n", "!!python/object:os.PathLike {layers: 2, n", 10, "without a YAML tag", id="tagged map"),
    case("study: walk", "study: !mine walk", 1, 'without a YAML tag; got "!mine"', id="a tag of one's own"),
    case("{layers: 2, n", "{1: 2, n", 10, "baseline must have text as keys; got 1", id="number as key"),
    case("{layers: 2, n", "{true: 2, n", 10, "baseline must have text as keys; got true", id="bool as key"),
    case("lr: 1e-3", f"lr: {'[' * 60}{']' * 60}", 10, "too large or too deep", id="deep"),
    case("lr: 1e-3", f"lr: {'[' * 1000}{']' * 1000}", 1, "too deep", id="very deep"),
    case("study: walk", "study: a: b", 1, "not valid YAML: a colon too many", id="colon"),
    case("finalise: true", 'finalise: "true', 36, "not valid YAML: found unexpected end", id="open quote"),
    case("lr: 1e-3", "lr: *rate", 10, "not valid YAML: found undefined alias", id="alias of nothing"),
    case("finalise: true", "---\nstudy: two", 35, "must be one YAML document", id="two documents"),
    case("study: walk", "%YAML 1.1\n---\nstudy: walk", 1, "must be YAML 1.2", id="older YAML"),
    case("workload: digits", "workload: digts", 2, 'workload must be .*Did you mean "digits"', id="workload"),
    case("workload: digits", 'workload: ":"', 2, 'workload must be .*got ":"', id="workload a colon"),
    case("workload: digits", "workload: ..a:b", 2, "workload must be", id="workload relative"),
    case("workload: digits", "workload: no_such_module:W", 2, "cannot import the workload module", id="module"),
    case("workload: digits", "workload: os:path", 2, "must name a surefoot.Workload; os has none", id="no workload"),
    case("workload: digits", "workload: surefoot.workloads.digits:WORKLOD", 2, 'Did you mean "WORKLOAD"', id="name"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "says"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_what_came(old, new, line, says):
    assert PLAN.count(old) >= 1
    with pytest.raises(SurefootError) as caught:
        parse_plan(PLAN.replace(old, new, 1), "plans/walk.yaml")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"plans/walk.yaml:{line}: ")
    assert re.search(says, message), message
    assert isinstance(caught.value, WorkloadError if old.startswith("workload") else PlanError)


def test_the_plan_that_is_mistaken_above_is_right_without_its_mistakes():
    plan = parse_plan(PLAN)
    assert [e.id for e in plan.experiments] == ["norm", "both", "norm-again"]
    assert len(plan.experiments[1].arms) == 12
    assert plan.rule.looks == (3, 8) and plan.is_finalised


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "~", "---\n"])
def test_an_empty_plan_says_how_to_begin_one(text):
    with pytest.raises(PlanError, match=r"^plan.yaml:1: the plan is empty; `surefoot init`"):
        parse_plan(text)


@pytest.mark.parametrize(("text", "came"), [("- a\n- b\n", "a list of 2"), ("walk", '"walk"'), ("5", "5")])
def test_a_plan_that_is_no_mapping_is_refused(text, came):
    with pytest.raises(PlanError, match=rf"plan.yaml:1: a plan must be keys with values .* got {came}"):
        parse_plan(text)


def test_a_bomb_of_aliases_is_refused_before_it_is_spelled_out():
    rows = ["x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(PlanError, match="too large or too deep for a plan; are there aliases"):
        parse_plan("\n".join(rows) + "\n" + PLAN)


def test_a_value_that_holds_itself_is_refused():
    with pytest.raises(PlanError, match=r"plan.yaml:\d+: "):
        parse_plan("baseline: &a {lr: [*a]}\n" + PLAN.replace("baseline: {layers: 2, norm: none, lr: 1e-3}\n", ""))


class TestYaml12:
    def test_1e_4_is_a_number(self):
        assert parse_plan(PLAN.replace("lr: 1e-3", "lr: 1e-4")).baseline["lr"] == 1e-4

    def test_none_is_the_text_none(self):
        assert parse_plan(PLAN).baseline["norm"] == "none"

    @pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "2001-01-01", "1_2x"])
    def test_words_that_older_yaml_takes_for_values_are_text(self, word):
        assert parse_plan(PLAN.replace("study: walk", f"study: {word}")).study == word

    def test_json_is_yaml_with_its_characters_in_two_halves(self):
        assert parse_plan(PLAN.replace("study: walk", r'"study": "\ud83d\ude80"')).study == "🚀"

    def test_an_anchor_does_not_change_a_value(self):
        plain = parse_plan(PLAN)
        shared = parse_plan(
            PLAN.replace("screen: true", "screen: &yes true").replace("finalise: true", "finalise: *yes")
        )
        assert shared.hash == plain.hash

    def test_a_merged_mapping_counts_as_if_written_out(self):
        merged = PLAN.replace("{layers: 2, norm: none, lr: 1e-3}", "{<<: {layers: 2, norm: none}, lr: 1e-3}")
        assert parse_plan(merged).hash == parse_plan(PLAN).hash


class TestFiles:
    def refusal(self, path: Path) -> str:
        with pytest.raises(PlanError) as caught:
            read_plan(path)
        assert len(str(caught.value).splitlines()) == 1
        return str(caught.value)

    def written(self, folder: Path, data: bytes) -> Path:
        path = folder / "plan.yaml"
        path.write_bytes(data)
        return path

    def test_a_missing_file_says_how_to_write_one(self, tmp_path):
        assert "there is no such file; surefoot init" in self.refusal(tmp_path / "plan.yaml")

    def test_a_folder_is_no_plan(self, tmp_path):
        assert "a plan must be a file; this is a folder" in self.refusal(tmp_path)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_utf_16_is_named(self, tmp_path, encoding):
        path = self.written(tmp_path, PLAN.encode(encoding))
        assert "plan.yaml:1: a plan must be UTF-8 text; got UTF-16 or a binary file" in self.refusal(path)

    def test_latin_1_is_refused_at_its_line_and_byte(self, tmp_path):
        path = self.written(tmp_path, PLAN.replace("drift.", "dérivent.").encode("latin-1"))
        assert "plan.yaml:14: a plan must be UTF-8 text; got the byte 0xe9" in self.refusal(path)

    def test_a_binary_file_is_refused(self, tmp_path):
        assert "must be UTF-8 text" in self.refusal(self.written(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(range(256))))

    def test_a_huge_file_is_refused_without_being_read_whole(self):
        assert "a plan must have at most 300,000 bytes" in self.refusal(Path("/dev/zero"))

    def test_a_byte_order_mark_and_windows_line_ends_change_nothing(self, tmp_path):
        path = self.written(tmp_path, b"\xef\xbb\xbf" + PLAN.replace("\n", "\r\n").encode())
        assert read_plan(path).hash == parse_plan(PLAN).hash

    @pytest.mark.parametrize("name", ["été 2026", "🚀", "דרך", "实验", "a" * 80, "with spaces", "👩‍🔬"])
    def test_names_of_any_script_are_welcome(self, name):
        plan = parse_plan(PLAN.replace("study: walk", f"study: {name}").replace("batch", name).replace(
            f"norm: {name}", "norm: batch"))  # fmt: skip
        assert plan.study == name
        assert plan.experiments[0].arms[0].name == name


class TestTwins:
    """Two arms are the same config only where no champion could tell them apart."""

    def plan(self, second: str) -> Plan:
        return parse_plan(PLAN.split("  - id: both", maxsplit=1)[0] + second)

    SECOND = """\
  - id: two
    hypothesis: They differ.
    arms:
      a: {lr: 0.01}
      b: {lr: 0.01, %s}
    expect: [{arm: a, metric: val_loss, is: better}]
"""

    def test_what_an_earlier_experiment_may_have_moved_tells_arms_apart(self):
        assert len(self.plan(self.SECOND % "norm: none").experiments[1].arms) == 2

    def test_what_nobody_moved_does_not(self):
        with pytest.raises(PlanError, match=r"arms.b is the same config as a"):
            self.plan(self.SECOND % "layers: 2")


def test_the_arms_of_a_factorial_are_listed_in_quotes_as_their_names_have_commas():
    arm = "dropout=0.0, filters=8"
    factorial = (
        "factorial: {dropout: [0.0, 0.1], filters: [8, 16]}\n    expect: [{arm: x, metric: val_loss, is: better}]"
    )
    text = PLAN.split("experiments:", maxsplit=1)[0] + f"experiments:\n  - id: f\n    hypothesis: H.\n    {factorial}\n"
    with pytest.raises(PlanError, match=rf'one of the experiment\'s arms "{arm}", "dropout=') as caught:
        parse_plan(text)
    assert 'got "x"' in str(caught.value)


class TestImpossible:
    """A config that no net can be built of is refused, unless an earlier experiment could make it possible."""

    EXPERIMENT = """\
  - id: %s
    hypothesis: It helps.
    %s
    expect: [{metric: val_loss, is: better, %s}]
"""

    def plan(self, baseline: str, *arms: str) -> Plan:
        head = PLAN.split("baseline:", maxsplit=1)[0] + f"baseline: {baseline}\nexperiments:\n"
        about = ["arm: a" if "arms" in text else "main: norm" for text in arms]
        ids = [f"e{i}" for i in range(len(arms))]
        return parse_plan(head + "".join(self.EXPERIMENT % of for of in zip(ids, arms, about, strict=True)))

    def test_a_baseline_is(self):
        with pytest.raises(PlanError, match=r"plan.yaml:10: baseline cannot be .*norm group needs filters in mult"):
            self.plan("{norm: group, filters: 12}", "arms: {a: {lr: 0.1}}")

    def test_an_arm_is_with_its_line(self):
        with pytest.raises(PlanError, match=r"plan.yaml:14: experiments\[0\].arms.a cannot .*multiples of 8; got 12"):
            self.plan("{filters: 12}", "arms: {a: {norm: group}}")

    def test_a_cell_of_a_factorial_is(self):
        with pytest.raises(PlanError, match=r"factorial cannot be trained at \{'norm': 'group', 'filters': 12\}"):
            self.plan("{}", "factorial: {norm: [none, group], filters: [8, 12]}")

    def test_earlier_experiments_that_may_make_room_for_it_let_it_pass(self):
        several = "arms: {a: {filters: 9}, b: {filters: 16}}"
        assert len(self.plan("{filters: 12}", several, "arms: {a: {norm: group}}").experiments) == 2

    @pytest.mark.parametrize("earlier", ["arms: {a: {lr: 0.1}}", "arms: {a: {filters: 9}, b: {filters: 10}}"])
    def test_earlier_experiments_that_cannot_do_not(self, earlier):
        with pytest.raises(PlanError, match=r"experiments\[1\].arms.a cannot be trained: .*got 12"):
            self.plan("{filters: 12}", earlier, "arms: {a: {norm: group}}")

    def test_of_more_champions_than_can_be_tried_one_may_do(self):
        many = ", ".join(f"a{i}: {{filters: {9 + 8 * (i % 10)}, lr: {(i + 1) / 200}}}" for i in range(99))
        assert len(
            self.plan("{filters: 12}", f"arms: {{a: {{lr: 1}}, {many}}}", "arms: {a: {norm: group}}").experiments
        )


class TestHash:
    def test_comments_layout_quotes_and_the_order_of_keys_do_not_count(self):
        document = YAML(typ="safe", pure=True).load(PLAN)
        turned = {key: document[key] for key in reversed(document)}
        turned["baseline"] = dict(reversed(document["baseline"].items()))
        turned["metrics"] = dict(reversed(document["metrics"].items()))
        for experiment in turned["experiments"]:
            for key in ("arms", "factorial"):
                if key in experiment:
                    experiment[key] = dict(reversed(experiment[key].items()))
        assert parse_plan("# a remark\n\n" + dumped(turned)).hash == parse_plan(PLAN).hash

    def test_a_default_written_out_counts_like_one_left_out(self):
        explicit = PLAN.replace("lr: 1e-3}", "lr: 1e-3, dropout: 0, weight_decay: 1.0e-5, batch_size: 16}")
        assert parse_plan(explicit).hash == parse_plan(PLAN).hash

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("study: walk", "study: run"),
            ("target: 0.1", "target: 0.2"),
            ("min_effect: 0.01", "min_effect: 0.02"),
            ('unit: "%"', 'unit: "percent"'),
            ("primary: val_loss", "primary: val_accuracy"),
            ("[3, 8]", "[3, 5, 8]"),
            ("adopt: 0.2", "adopt: 0.1"),
            ("support: 0.05", "support: 0.04"),
            ("claim: 0.05", "claim: 0.04"),
            ("confirm_seeds: 8", "confirm_seeds: 9"),
            ("screen: true", "screen: false"),
            ("runs: 100", "runs: 101"),
            ("hours: 2", "hours: 3"),
            ("run_minutes: 5", "run_minutes: 6"),
            ("lr: 1e-3", "lr: 2e-3"),
            ("Normalisation helps.", "Normalisation hurts."),
            ("Activations drift.", "It is said so."),
            ("allow: [parameters]", "allow: []"),
            ("batch: {norm: batch}", "batch: {norm: group}"),
            ("by: 0.01", "by: 0.02"),
            ("[-1, 1]", "[-1, 2]"),
            ("is: worse", "is: better"),
            ("within: 0.01", "within: 0.02"),
            ("dropout: [0.0, 0.1]", "dropout: [0.0, 0.2]"),
            ("dropout: [0.0, 0.1]", "dropout: [0.1, 0.0]"),
            ("    repeats: norm\n", ""),
            ("finalise: true", "finalise: false"),
        ],
    )
    def test_everything_the_plan_says_counts(self, old, new):
        assert PLAN.count(old) >= 1
        assert parse_plan(PLAN.replace(old, new, 1)).hash != parse_plan(PLAN).hash


class TestSchema:
    def test_it_is_a_schema_and_accepts_the_plan(self):
        jsonschema.Draft202012Validator.check_schema(plan_schema())
        jsonschema.validate(YAML(typ="safe", pure=True).load(PLAN), plan_schema())

    @pytest.mark.parametrize(("old", "new"), [("seeds: 8", "seeds: 1"), ("study:", "stdy:"), ("is: worse", "is: bad")])
    def test_it_refuses_what_the_door_refuses(self, old, new):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(YAML(typ="safe", pure=True).load(PLAN.replace(old, new, 1)), plan_schema())


def dumped(document: object) -> str:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    return stream.getvalue()


DOCUMENT = YAML(typ="safe", pure=True).load(PLAN)


def places(node: object, path: tuple = ()) -> list[tuple]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, value in children for place in ((*path, key), *places(value, (*path, key)))]


HOW = ("drop", "rename", "replace")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["val_loss", "norm", "batch", "digits", "better", 2, 0.1]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(places(DOCUMENT)), st.sampled_from(HOW), VALUES, st.text(max_size=8)),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_any_change_of_a_plan_gives_a_plan_or_one_line_with_its_line(changes):
    document = copy.deepcopy(DOCUMENT)
    for place, what, value, name in changes:
        parent = document
        try:
            for key in place[:-1]:
                parent = parent[key]
            old = parent.pop(place[-1])
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
        if what == "drop":
            continue
        if isinstance(parent, dict):
            parent[name if what == "rename" else place[-1]] = old if what == "rename" else value
        else:
            parent.insert(place[-1], value)
    try:
        plan = parse_plan(dumped(document))
    except (PlanError, WorkloadError) as error:
        assert re.match(r"plan.yaml:\d+: .", str(error)), str(error)
        assert len(str(error).splitlines()) == 1, str(error)
    else:
        assert len(plan.hash) == 64


@settings(max_examples=150, deadline=None, derandomize=True)
@given(at=st.integers(0, len(PLAN)), length=st.integers(0, 8), text=st.text(max_size=6))
def test_any_typing_mistake_gives_a_plan_or_one_line_with_its_line(at, length, text):
    try:
        parse_plan(PLAN[:at] + text + PLAN[at + length :])
    except (PlanError, WorkloadError) as error:
        assert re.match(r"plan.yaml:\d+: .", str(error)), str(error)
        assert len(str(error).splitlines()) == 1, str(error)
