"""A workload is found by name, or the message says what is wrong with the name or its module."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from dataclasses import dataclass

import pytest

from surefoot.errors import DataError, SealedSplitError, SpaceError, WorkloadError
from surefoot.run import Metric
from surefoot.space import SearchSpace, integer, real
from surefoot.workload import (
    TRIVIAL,
    WORKLOADS,
    Baselines,
    RunContext,
    Workload,
    as_config,
    check_requirements,
    find_workload,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    lr: float = 1
    layers: int = 2


def workload(**others) -> Workload:
    return Workload(
        **{
            "name": "toy",
            "summary": "",
            "config": Config,
            "metrics": (Metric(name="loss", goal="minimize"),),
            "space": SearchSpace(parameters=(real("lr", 0.0, 1.0), integer("layers", 1, 8))),
            "train": lambda config, context: iter(()),
            **others,
        }
    )


TOY = workload()


def test_a_workload_of_ones_own_is_found_by_module_and_attribute():
    assert find_workload(f"{__name__}:TOY") is TOY


@pytest.mark.parametrize("name", WORKLOADS)
def test_built_in_workloads_are_found_by_their_name(name):
    assert find_workload(name).name == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("digts", 'workload must be one of digits, .*got "digts". Did you mean "digits"?'),
        ("", 'workload must be one of .*got ""'),
        ("a b:c", "workload must be one of"),
        ("os:", "workload must be one of"),
        (":x", "workload must be one of"),
        ("a..b:c", "workload must be one of"),
        ("os:path", "workload must name a surefoot.Workload; os has none"),
        (f"{__name__}:TOYS", 'has TOY, got "TOYS". Did you mean "TOY"?'),
        ("no_such_module_here:W", "cannot import the workload module .*ModuleNotFoundError"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name, says):
    with pytest.raises(WorkloadError) as caught:
        find_workload(name)
    assert re.search(says, str(caught.value))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines"),
        ("import sys; sys.exit('bye')\n", "SystemExit: bye"),
        ("raise SystemExit\n", "SystemExit: no reason given"),
    ],
)
def test_a_module_that_breaks_when_imported_is_one_line(tmp_path, monkeypatch, text, says):
    (tmp_path / "broken_workload.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_workload", raising=False)
    with pytest.raises(WorkloadError) as caught:
        find_workload("broken_workload:W")
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_module_in_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "lies_here.py").write_text(f"from {__name__} import TOY\n")
    monkeypatch.syspath_prepend("")
    monkeypatch.chdir(tmp_path)
    assert find_workload("lies_here:TOY") is TOY


def test_a_module_beside_the_plan_is_found_and_stays_findable(tmp_path, monkeypatch):
    (tmp_path / "lies_there.py").write_text(f"from {__name__} import TOY\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert find_workload("lies_there:TOY", beside=tmp_path) is TOY
    assert str(tmp_path) in sys.path  # which the workers inherit


def test_only_a_module_that_lies_elsewhere_is_advised_to_be_looked_for(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WorkloadError, match=r"no_such_module_here.*; run it from the plan's folder"):
        find_workload("no_such_module_here:W")
    with pytest.raises(WorkloadError, match=r"no_such_library.$"):
        find_workload("needs_more:W")


def test_defaults_come_in_their_parameters_type():
    assert repr(TOY.defaults()) == "{'lr': 1.0, 'layers': 2}"
    assert TOY.complete({"layers": 3.0}) == {"lr": 1.0, "layers": 3}


def test_a_default_outside_the_space_is_a_mistake():
    with pytest.raises(SpaceError, match="layers must be"):
        workload(space=SearchSpace(parameters=(integer("layers", 3, 8),))).defaults()


def test_a_config_that_the_workload_refuses_is_one_line():
    with pytest.raises(WorkloadError, match="workload toy refuses this config"):
        as_config(TOY, {"depth": 3})

    def broken():
        raise KeyError

    with pytest.raises(WorkloadError, match="workload toy refuses this config: KeyError"):
        as_config(workload(config=broken), {})


def test_a_missing_library_names_the_extra_that_brings_it():
    with pytest.raises(WorkloadError, match=r'needs no_such_library, .*pip install "surefoot\[torch\]"'):
        check_requirements(workload(requires={"no_such_library": "torch"}))
    check_requirements(workload(requires={"json": "torch"}))


def test_a_missing_package_is_a_missing_library():
    with pytest.raises(WorkloadError, match=r"needs no_such_library.part, which is not installed"):
        check_requirements(workload(requires={"no_such_library.part": "torch"}))


@dataclass(frozen=True)
class WithoutDefault:
    lr: float
    layers: int = 2


@dataclass(frozen=True)
class WithoutLayers:
    lr: float = 1.0


@dataclass(frozen=True)
class WithMore:
    lr: float = 1.0
    layers: int = 2
    more: str = "of the same"


@dataclass(frozen=True)
class Refusing:
    lr: float = 1.0

    def __post_init__(self):
        raise ValueError("never\nmind")


@dataclass(frozen=True)
class Odd:
    lr: float = 1.0
    layers: int = 2
    path: object = object


LOSS = Metric(name="loss", goal="minimize")


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"name": 3}, "name must be text; got 3"),
        ({"train": "train"}, 'train must be a function; got "train"'),
        ({"fingerprint": None}, "fingerprint must be a function; got nothing"),
        ({"predict": "predict"}, 'predict must be a function or nothing; got "predict"'),
        ({"export": 3}, "export must be a function or nothing; got 3"),
        ({"config": WithoutDefault}, "every field of the config needs a default, the first baseline; lr has none"),
        ({"config": dict}, "config must be a dataclass; got"),
        ({"config": Config()}, "config must be a dataclass; got"),
        ({"config": Refusing}, "the config cannot be made of its defaults: ValueError: never mind"),
        ({"config": Odd}, "path must have a plain default"),
        ({"config": WithoutLayers}, "layers is a parameter of the space but no field of the config"),
        ({"space": (real("lr"),)}, "space must be a SearchSpace"),
        ({"space": SearchSpace(parameters=("lr",))}, "space must be a SearchSpace of a tuple of Parameters"),
        ({"metrics": {"loss": "minimize"}}, "metrics must be a tuple of Metric"),
        ({"metrics": LOSS}, "metrics must be a tuple of Metric"),
        ({"metrics": ("loss",)}, "metrics must be a tuple of Metric"),
        ({"metrics": ()}, "metrics must hold at least one Metric"),
        ({"metrics": (LOSS, LOSS)}, "metrics must have different names; got loss, loss"),
        ({"metrics": (Metric(name="loss", goal="min"),)}, 'must be minimize or maximize; got "min"'),
        ({"drivers": {"steps": "layers"}}, 'drivers of "steps" must be a tuple of settings, as .*; got "layers"'),
        ({"drivers": ("steps",)}, "drivers must map a fact to a tuple of settings"),
        ({"sources": "my_models"}, 'sources must be a tuple of module names, as .*; got "my_models"'),
        ({"requires": ("torch",)}, "requires must map a module to the extra"),
    ],
)
def test_a_workload_that_breaks_its_contract_is_not_found_and_says_why(monkeypatch, parts, says):
    monkeypatch.setattr(sys.modules[__name__], "TOY", workload(**parts))
    with pytest.raises(WorkloadError) as caught:
        find_workload(f"{__name__}:TOY")
    assert re.search(rf"workload {__name__}:TOY breaks its contract: .*{says}", str(caught.value)), str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_config_may_have_more_fields_than_the_space_has_parameters(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "TOY", workload(config=WithMore))
    assert find_workload(f"{__name__}:TOY").defaults()["more"] == "of the same"


def raises(error: BaseException):
    def function(data_root):
        raise error

    return function


@pytest.mark.parametrize("question", ["fingerprint", "missing"])
class TestWhatAWorkloadSaysOfItsData:
    def ask(self, question: str, function) -> str:
        toy = workload(**{question: function})
        return toy.data_fingerprint(None) if question == "fingerprint" else toy.missing_data(None)

    def test_text_is_handed_on(self, question):
        assert self.ask(question, lambda data_root: f"{data_root} it is") == "None it is"

    @pytest.mark.parametrize("error", [KeyError("a\nb"), SystemExit("a b"), OSError()])
    def test_what_it_raises_is_one_line(self, question, error):
        with pytest.raises(
            WorkloadError, match=f"{question} of workload toy broke: {type(error).__name__}: "
        ) as caught:
            self.ask(question, raises(error))
        assert len(str(caught.value).splitlines()) == 1

    def test_our_own_mistakes_pass(self, question):
        with pytest.raises(DataError, match=r"^get it there$"):
            self.ask(question, raises(DataError("get it there")))

    @pytest.mark.parametrize("answer", [None, 3, b"abc"])
    def test_anything_but_text_is_refused(self, question, answer):
        with pytest.raises(WorkloadError, match=f"{question} of workload toy must return text; got"):
            self.ask(question, lambda data_root: answer)

    def test_a_function_of_other_arguments_is_refused(self, question):
        with pytest.raises(WorkloadError, match="broke: TypeError: "):
            self.ask(question, lambda: "")


def test_the_code_fingerprint_follows_the_source_text(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "its_training.py").write_text("A = 1\n")
    toy = workload(sources=("its_training",))
    before = toy.code_fingerprint()
    assert toy.code_fingerprint() == before
    (tmp_path / "its_training.py").write_text("A = 2\n")
    assert toy.code_fingerprint() != before


@pytest.mark.parametrize("part", ["train", "evaluate", "config"])
def test_the_module_of_every_part_is_in_the_code_fingerprint_unasked(tmp_path, monkeypatch, part):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "its_own_model", raising=False)
    (tmp_path / "its_own_model.py").write_text("def part(*_): return 1\n")
    own = importlib.import_module("its_own_model").part
    toys = workload(**{part: own}), workload(**{part: functools.partial(own, "digits")})
    before = [toy.code_fingerprint() for toy in toys]
    (tmp_path / "its_own_model.py").write_text("def part(*_): return 2\n")
    after = [toy.code_fingerprint() for toy in toys]
    assert before[0] == before[1] != after[0] == after[1]


def test_a_source_that_cannot_be_read_is_refused():
    with pytest.raises(WorkloadError, match='the source of "no_such_source" cannot be read'):
        workload(sources=("no_such_source",)).code_fingerprint()


def test_the_test_split_is_sealed_until_finalise(tmp_path):
    context = RunContext(seed=1, artifacts=tmp_path)
    context.require("train")
    context.require("validation")
    with pytest.raises(SealedSplitError, match="sealed until finalise"):
        context.require("test")
    RunContext(seed=1, artifacts=tmp_path, is_test_open=True).require("test")


def test_a_workload_of_ones_own_may_say_what_learning_nothing_comes_to():
    told = Baselines(values={"loss": {"constant": 1.5}}, evaluated_on=73)
    assert workload(trivial=lambda data_root: told).baselines(None) is told
    assert workload().baselines(None) is None


def test_a_workload_that_only_shares_a_built_in_ones_name_has_not_its_baselines():
    assert set(TRIVIAL) == set(WORKLOADS)
    assert workload(name="digits").baselines(None) is None


@pytest.mark.parametrize(
    ("trivial", "says"),
    [
        (lambda data_root: {"loss": 1.5}, "trivial of workload toy must return Baselines; got"),
        (lambda data_root: 1 / 0, "trivial of workload toy broke: ZeroDivisionError"),
    ],
)
def test_baselines_that_break_are_a_mistake_of_the_workload(trivial, says):
    with pytest.raises(WorkloadError, match=says):
        workload(trivial=trivial).baselines(None)


def test_what_a_workload_says_of_its_baselines_is_no_part_of_its_code_fingerprint():
    toy = workload(trivial=find_workload)
    assert toy.code_fingerprint() == workload().code_fingerprint()
