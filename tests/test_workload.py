"""A workload is found by name, or the message says what is wrong with the name or its module."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from dataclasses import dataclass

import pytest

from surefoot.errors import SealedSplitError, SpaceError, WorkloadError
from surefoot.run import Metric
from surefoot.space import SearchSpace, integer, real
from surefoot.workload import WORKLOADS, RunContext, Workload, as_config, check_requirements, find_workload


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
