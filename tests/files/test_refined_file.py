"""What is written is read back as the same space, whatever its names are, and its comments are comments."""

import dataclasses
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from surefoot.errors import SurefootError
from surefoot.files.refined_file import ADVICE, Trained, line_text, refined_text, refinement_text, spelled
from surefoot.files.refined_wandb import wandb_block
from surefoot.files.sweep_file import parse_sweep
from surefoot.files.wandb_parameter import read_parameter
from surefoot.files.yaml_words import comment, flow, scalar
from surefoot.parameter import Parameter
from surefoot.refining.line import Line
from surefoot.refining.refinement import Refinement
from surefoot.run import Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.sweep import Expectation
from surefoot.trials import TrialTable

OLD = """\
# what we think of it
sweep: first
description: a sentence
command: true {args}   # the script
metrics: {val_loss: {goal: minimize, target: 0.3}}
base: {epochs: 3, momentum: 0.5}
parameters:
  lr: {min: 1e-5, max: 1e-1, log: true}
  optimizer: [sgd, adam, lion]
  momentum: {min: 0.0, max: 0.99, when: {optimizer: sgd}}
  size: 32
constraints: ["lr <= 0.05", "lr + momentum <= 0.9"]
stop_early: {rule: asha, min_steps: 2, max_steps: 9}
confirm: {top: 3, seeds: 4}
budget: {trials: 60, hours: 2}
"""


def table_of(sweep, **others):
    return TrialTable(
        name=sweep.name, source="a test", metric=sweep.targets[0], space=sweep.space, trials=(), sweep=sweep, **others
    )


def unchanged(parameter):
    return Line(before=parameter, after=parameter, action="kept", rule="refine.few_trials", reason="why not", n=3)


def refinement(space, lines=None, **others):
    return Refinement(
        style="conservative", lines=lines or tuple(map(unchanged, space.parameters)), space=space, **others
    )


def written(text=OLD, lines=None, name="first-2", folder="", **others):
    """The text of a refinement of that sweep, and the sweep that it is."""
    sweep = parse_sweep(text)
    space = sweep.space
    if lines is not None:
        lines = tuple(lines(space))
        kept = tuple(line.after for line in lines if line.after is not None)
        names = {p.name for p in kept}
        space = SearchSpace(parameters=kept, constraints=tuple(c for c in space.constraints if set(c.names) <= names))
    found = refined_text(refinement(space, lines, **others), table_of(sweep), name=name, folder=folder)
    return found, parse_sweep(found), space


# --- our own format --------------------------------------------------------------------------------------------------


def test_what_stands_beside_the_space_is_as_it_was():
    text, sweep, space = written()
    old = parse_sweep(OLD)
    assert sweep.space == space == old.space
    for name in ("workload", "metrics", "objectives", "base", "stopping", "confirmation", "method", "seeds"):
        assert getattr(sweep, name) == getattr(old, name), name
    assert (sweep.name, sweep.continues.sweep, sweep.continues.round) == ("first-2", "first", 2)
    assert (sweep.budget.trials, sweep.budget.hours) == (40, 2)
    assert sweep.search_seed == old.search_seed + 1
    assert "# the script" in text
    assert "# what we think of it" not in text  # the head of a file tells of its own sweep


def test_a_third_round_says_that_it_is_and_does_not_pile_up_comments():
    text, second, space = written(not_concluded=("one thing", "another"), expectation=Expectation(low=0.1, high=0.2))
    third = refined_text(refinement(space), table_of(second), name="first-3")
    found = parse_sweep(third)
    assert (found.continues.sweep, found.continues.round, found.search_seed) == ("first-2", 3, 2)
    assert third.count("# Refined (") == 1 and "one thing" not in third and found.expectation is None
    assert len(third.splitlines()) <= len(text.splitlines())


def test_an_expectation_is_written_with_the_digits_of_its_width_rounded_outwards():
    _, sweep, _ = written(expectation=Expectation(low=0.24681357, high=0.29135791, against=0.281234567))
    assert (sweep.expectation.low, sweep.expectation.high) == (0.2468, 0.2914)
    assert sweep.expectation.against == 0.281235
    _, point, _ = written(expectation=Expectation(low=0.25, high=0.25))
    assert point.expectation.low == point.expectation.high == 0.25


def test_a_fixed_setting_goes_to_the_base_and_out_of_the_constraints():
    def lines(space):
        for p in space.parameters:
            yield (
                dataclasses.replace(unchanged(p), after=None, action="fixed", value=0.001) if p.name == "lr"
                else unchanged(p)
            )  # fmt: skip

    _, sweep, _ = written(lines=lines, fixed={"lr": 0.001})
    assert sweep.base == {"epochs": 3, "momentum": 0.5, "size": 32, "lr": 0.001}
    assert [c.names for c in sweep.space.constraints] == [("momentum",)]


def test_what_can_exist_no_longer_leaves_with_its_constraints():
    def lines(space):
        lr, optimizer, momentum = space.parameters
        yield unchanged(lr)
        after = dataclasses.replace(optimizer, choices=("adam", "lion"))
        yield dataclasses.replace(unchanged(optimizer), after=after, action="narrowed", p=0.01)
        yield dataclasses.replace(unchanged(momentum), after=None, action="dropped")

    text, sweep, _ = written(lines=lines)
    assert sweep.space.names() == ("lr", "optimizer") and [c.text for c in sweep.space.constraints] == ["lr <= 0.05"]
    assert "# momentum[optimizer=sgd]: dropped (refine.few_trials, n 3): why not." in text
    assert "# optimizer: narrowed from sgd, adam, lion (refine.few_trials, n 3, p = .010): why not." in text


def test_a_script_that_lay_elsewhere_is_found_there(tmp_path):
    (tmp_path / "old").mkdir()
    text, _, _ = written(folder=str(tmp_path / "old"))
    assert parse_sweep(text).workload.folder == str(tmp_path / "old")


def test_a_grid_has_no_budget_of_trials_unless_it_stays_one():
    grid = OLD.replace("budget: {trials: 60, hours: 2}", "method: grid\nbudget: {hours: 2}").replace(
        "lr: {min: 1e-5, max: 1e-1, log: true}", "lr: {min: 0.01, max: 0.05, step: 0.01}"
    ).replace("momentum: {min: 0.0, max: 0.99,", "momentum: {min: 0.0, max: 0.9, step: 0.1,")  # fmt: skip
    _, sweep, _ = written(grid)
    assert (sweep.budget.trials, sweep.method.name) == (None, "grid")


def test_a_file_of_json_is_yaml_too_and_becomes_readable():
    text, sweep, _ = written(
        '{"sweep": "j", "command": "true {args}", "metrics": {"loss": {"goal": "minimize"}},\n'
        '"parameters": {"x": {"min": 0.0, "max": 1.0}}, "budget": {"trials": 4}}'
    )
    assert sweep.name == "first-2" and '"command": "true {args}"\n' in text


def test_the_metric_that_was_looked_at_is_searched_for():
    text = OLD.replace("metrics: {val_loss: {goal: minimize, target: 0.3}}",
                       "metrics: {val_loss: {goal: minimize}, size_mb: {goal: minimize}}")  # fmt: skip
    sweep = parse_sweep(text)
    table = dataclasses.replace(table_of(sweep), metric=sweep.metric("size_mb"))
    assert parse_sweep(refined_text(refinement(sweep.space), table, name="b")).objectives == ("size_mb",)


def test_a_table_needs_to_be_told_what_is_trained():
    space = SearchSpace(parameters=(real("x", 0.0, 1.0), choice("kind", "a", "b")))
    table = TrialTable(
        name="t", source="t.csv", metric=Metric(name="loss", goal="minimize"), space=space, trials=(),
        base={"epochs": 5},
    )  # fmt: skip
    found = refinement(space, first=({"x": 0.25, "kind": "a"},))
    with pytest.raises(SurefootError, match="must say what to train"):
        refined_text(found, table, name="t-2")
    text = refined_text(found, table, name="t-2", trained=Trained(command="true {args}"))
    sweep = parse_sweep(text)
    assert (sweep.space, sweep.base, sweep.continues) == (space, {"epochs": 5}, None)
    assert sweep.first == ({"x": 0.25, "kind": "a"},) and sweep.budget.trials == 40


# --- any space -------------------------------------------------------------------------------------------------------

NAMES = st.text(
    st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="= \u00a0\u3000"), min_size=1, max_size=12
).filter(lambda t: not t.startswith("-") and t == t.strip() and "=" not in t and not any(c.isspace() for c in t))
WORDS = st.one_of(NAMES, st.sampled_from(["yes", "null", "1e-3", "a: b # c", 'say "x"', "😀", "x, y", "[z]", "~", "'"]))


@st.composite
def parameters(draw, name):
    kind = draw(
        st.sampled_from(["real", "log", "step", "int", "intstep", "intlog", "choice", "weights", "bool", "normal"])
    )
    low = draw(st.integers(1, 50))
    span = draw(st.integers(2, 60))
    if kind == "real":
        return real(name, low / 7, (low + span) / 7)
    if kind == "log":
        return real(name, low * 1e-7, (low + span) * 1e-3, log=True)
    if kind == "step":
        return real(name, low / 10, (low + span) / 10, step=0.1)
    if kind == "int":
        return integer(name, low, low + span)
    if kind == "intstep":
        return integer(name, low, low + span, step=2)
    if kind == "intlog":
        return integer(name, low, low + span, log=True)
    if kind == "bool":
        return boolean(name)
    if kind == "normal":
        cut = draw(st.booleans())
        return Parameter(name=name, kind="float", normal=(low / 3, span / 9), low=low / 9 if cut else None, high=None)
    values = draw(
        st.lists(st.one_of(WORDS, st.integers(-9, 999), st.booleans()), min_size=2, max_size=4, unique_by=str)
    )
    return choice(name, *values, weights=[i + 1 for i in range(len(values))] if kind == "weights" else ())


@st.composite
def spaces(draw):
    """Parameters of every kind, and under the first choice's values children, two of them by one name."""
    names = draw(st.lists(NAMES, min_size=4, max_size=6, unique=True))
    parent = choice(names[0], *draw(st.lists(WORDS, min_size=2, max_size=3, unique=True)))
    found = [parent, *(draw(parameters(name)) for name in names[1:-1])]
    twins = [
        dataclasses.replace(draw(parameters(names[-1])), when={parent.name: (value,)}) for value in parent.choices[:2]
    ]
    if found[1].kind in ("bool", "categorical"):
        found[1] = dataclasses.replace(found[1], role=draw(st.sampled_from(["nuisance", "scientific"])))
    return SearchSpace(parameters=(*found, *twins))


@settings(max_examples=60, deadline=None)
@given(space=spaces(), said=st.text(max_size=60), style=st.sampled_from(["conservative", "aggressive"]))
def test_any_space_is_read_back_as_it_was_whatever_the_comments_say(space, said, style):
    lines = tuple(dataclasses.replace(unchanged(p), reason=said, action="narrowed") for p in space.parameters)
    found = dataclasses.replace(refinement(space, lines), style=style, not_concluded=(said,))
    table = TrialTable(
        name="t", source=said, metric=Metric(name="the loss", goal="minimize"), space=space, trials=(),
    )  # fmt: skip
    text = refined_text(found, table, name="next", trained=Trained(command="true {args}"))
    assert parse_sweep(text).space == space
    assert refinement_text(found).count("\n") == len(lines) + 4


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_written_and_read_back_as_itself(text):
    line = f"{scalar(text) if text else flow('')}: {flow([text, {'a': text}])}"
    assert YAML(typ="safe", pure=True).load(line) == {text: [text, {"a": text}]}
    assert all(one.startswith("# ") and "\n" not in one for one in comment(text))


# --- W&B's format ----------------------------------------------------------------------------------------------------

WANDB = textwrap.dedent("""\
    # the team's sweep
    program: train.py
    name: theirs
    method: bayes
    metric: {name: val_loss, goal: minimize}
    run_cap: 30
    parameters:
      lr:
        distribution: log_uniform_values
        min: 1e-5
        max: 1e-1
      batch: {values: [16, 32, 64]}
      flag: {values: [yes, no]}
      noise: {distribution: normal, mu: 0, sigma: 1}
      model:
        parameters:
          depth: {min: 2, max: 8}
          kind: {value: cnn}
    early_terminate: {type: hyperband, min_iter: 3}
    """)


def in_wandb(**changes):
    """The refined file of that sweep with some parameters changed, its text and the sweep that it is."""
    (sweep,) = [parse_sweep(WANDB, "theirs.yaml")]
    lines = []
    for p in sweep.space.parameters:
        change = changes.get(p.name.rpartition(".")[2], {})
        value = change.get("value")
        after = None if "value" in change else dataclasses.replace(p, **change)
        action = "fixed" if after is None else "narrowed" if change else "kept"
        lines.append(dataclasses.replace(unchanged(p), after=after, action=action, value=value))
    space = SearchSpace(parameters=tuple(line.after for line in lines if line.after))
    found = refinement(
        space, tuple(lines), trials=25, fixed={line.before.name: line.value for line in lines if not line.after}
    )
    text = refined_text(found, table_of(sweep), name="theirs-2")
    return text, parse_sweep(text, "theirs-2.yaml"), space


def test_a_sweep_of_wandb_stays_one_with_other_ranges_and_the_reasons_at_its_head():
    text, sweep, space = in_wandb(lr={"low": 0.001, "high": 0.01}, batch={"choices": (32, 64)}, depth={"low": 4})
    assert sweep.space == space and sweep.name == "theirs-2"
    assert sweep.budget.trials == 25 and sweep.stopping is not None and sweep.base == {"model.kind": "cnn"}
    assert text.startswith("# Refined (conservative)") and "# the team's sweep" in text
    assert "# lr: narrowed from 1e−05 … 0.1 (refine.few_trials, n 3): why not." in text
    assert "no trial is carried over" in " ".join(text.replace("\n# ", " ").split())


def test_a_fixed_parameter_of_wandb_is_a_value_and_a_normal_one_stays_as_it_was():
    text, sweep, _ = in_wandb(batch={"value": 64}, noise={"low": 0.0})
    assert sweep.base == {"batch": 64, "model.kind": "cnn"}
    [noise] = sweep.space.named("noise")
    assert noise.low is None and "noise stays as it was" in text


IN_A_GRID = [
    integer("x", 2, 9),
    integer("x", 4, 64, step=4),
    real("x", 0.25, 1.5, step=0.25),
    choice("x", "a", 2, True),
    boolean("x"),
]
DRAWN = [
    integer("x", 2, 64, log=True),
    real("x", 0.1, 0.7),
    real("x", 1e-4, 1e-2, log=True),
    choice("x", "a", "b", weights=(1, 3)),
]


@pytest.mark.parametrize(
    ("parameter", "is_grid"), [*((p, True) for p in IN_A_GRID), *((p, False) for p in (*IN_A_GRID, *DRAWN))]
)
def test_a_parameter_in_wandb_s_words_is_the_same_one(parameter, is_grid):
    def refuse(key, message):
        raise AssertionError(f"{key} {message}")

    block = wandb_block(parameter, is_grid=is_grid)
    assert read_parameter(("x",), block, is_grid=is_grid, refuse=refuse).parameter == parameter


# --- for a person ----------------------------------------------------------------------------------------------------


def test_a_person_reads_one_aligned_line_a_parameter():
    lr, momentum = real("lr", 1e-5, 1e-1, log=True), real("momentum", 0.0, 1.0)
    kind = choice("optimizer", "a", "b", "c")
    lines = (
        dataclasses.replace(unchanged(lr), after=real("lr", 5e-4, 2e-3, log=True), action="narrowed", p=0.003),
        unchanged(kind),
        dataclasses.replace(unchanged(momentum), after=None, action="fixed", value=0.9),
    )
    found = refinement(SearchSpace(parameters=(lr, kind)), lines, carried=("1",), fixed={"momentum": 0.9})
    assert (
        refinement_text(dataclasses.replace(found, share=0.25))
        == textwrap.dedent("""\
        lr         narrowed  1e−05 … 0.1 → 0.0005 … 0.002  (why not; p = .003)
        optimizer  kept      (why not)
        momentum   fixed     0.9  (why not)

        25 % of the old space is searched still, and 1 parameter is fixed. 1 earlier trial lies in it.
        """)
        + f"{ADVICE}\n"
    )
    assert line_text(lines[0]) == "lr: narrowed from 1e−05 … 0.1 (refine.few_trials, n 3, p = .003): why not."


def test_a_normal_distribution_is_told_with_what_cuts_it_off():
    normal = Parameter(name="x", kind="float", normal=(0.0, 1.5))
    assert spelled(normal) == "normal around 0 ± 1.5"
    assert spelled(dataclasses.replace(normal, high=2.0)) == "normal around 0 ± 1.5 within – … 2"
