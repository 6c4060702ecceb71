"""A search that is rebuilt from its record proposes what it would have proposed without a break."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from search_cases import METHODS, loss, proposals, recalled, search_by, tell

from surefoot.run import Status

WHOLE = {"grid": 35, "random": 30, "sobol": 30, "tpe": 40, "gp": 10, "cmaes": 45, "nsga2": 45}


@cache
def whole(method):
    return tuple(proposals(search_by(method), WHOLE[method]))


@pytest.mark.parametrize("method", METHODS)
def test_a_search_goes_on_from_every_trial_as_without_a_break(method):
    told = whole(method)
    for k in (3, 7) if method == "gp" else range(0, WHOLE[method] - 2, 3):
        search = recalled(search_by(method), told[:k])
        assert proposals(search, 2) == list(told[k : k + 2]), f"after {k} trials"


@pytest.mark.parametrize("method", ["cmaes", "nsga2", "tpe"])
def test_the_order_of_recalling_and_telling_does_not_matter(method):
    told = whole(method)
    search = search_by(method)
    for proposal in reversed(told[:30]):
        search.recall(proposal.number, proposal.settings, proposal.origin)
    for proposal in told[:30]:
        tell(search, proposal.number, loss(proposal.settings))
    assert proposals(search, 3) == list(told[30:33])


def test_a_fresh_process_goes_on_from_a_record_of_text():
    past = {m: [(p.number, p.settings, p.origin) for p in whole(m)[:-3]] for m in METHODS}
    done = subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).parent / "search_cases.py"],
        input=json.dumps(past),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "5"},
    )
    said = json.loads(done.stdout)
    for method in METHODS:
        assert said[method] == [[p.number, p.settings, p.origin] for p in whole(method)[-3:]], method
    assert done.stderr == ""


@pytest.mark.parametrize("method", METHODS)
def test_two_searches_with_one_seed_agree_and_two_seeds_do_not(method):
    count = 6
    assert tuple(proposals(search_by(method), count)) == whole(method)[:count]
    if method != "grid":
        other = proposals(search_by(method, seed=8), count)
        assert not {json.dumps(p.settings) for p in other} & {json.dumps(p.settings) for p in whole(method)[:count]}


@pytest.mark.parametrize("method", METHODS)
def test_a_trial_left_running_is_not_proposed_again_and_its_late_answer_counts(method):
    told = whole(method)
    search = recalled(search_by(method), told[:8])
    running = told[8]
    search.recall(running.number, running.settings, running.origin)
    search.tell(running.number, values=None, status=Status.INTERRUPTED)
    proposal = search.ask()
    assert proposal.number == 9
    assert proposal.settings != running.settings
    tell(search, 8, loss(running.settings))
    tell(search, 9, loss(proposal.settings))
    assert search.ask().number == 10


@pytest.mark.parametrize("method", METHODS)
def test_trials_that_no_longer_fit_keep_their_numbers_only(method):
    search = search_by(method)
    told = whole(method)
    assert search.recall(0, told[0].settings, told[0].origin)
    assert not search.recall(1, {**told[1].settings, "layers": 99}, told[1].origin)
    assert not search.recall(2, {"layers": 1}, told[2].origin)
    tell(search, 0, loss(told[0].settings))
    search.tell(1, values=[0.0], status=Status.COMPLETE)
    assert search.ask().number == 3


def test_the_first_configs_are_proposed_once_over_all_resumes():
    first = ({"optimizer": "sgd", "momentum": 0.5}, {"optimizer": "adam"})
    for method in ("random", "tpe", "cmaes", "nsga2"):
        told = proposals(search_by(method, first=first), 12)
        assert [p.origin == "first" for p in told] == [True] * 2 + [False] * 10
        for k in (1, 2, 5):
            search = recalled(search_by(method, first=first), told[:k])
            assert proposals(search, 12 - k) == told[k:]


def test_numbers_start_where_the_record_ends():
    assert search_by("tpe", first_number=17).ask().number == 17


@pytest.mark.parametrize("method", ["tpe", "gp", "cmaes", "nsga2"])
def test_a_trial_that_went_on_is_told_again_and_the_later_answer_counts(method):
    told = whole(method)[:12]

    def once(search, number, value):
        search.tell(number, values=[value], status=Status.COMPLETE)

    def paused_first(search, number, value):
        search.tell(number, values=None, curve={1: value + 5}, status=Status.PRUNED)
        search._source.settle()  # as before a proposal
        once(search, number, value)

    plain = recalled(search_by(method), told, once)
    promoted = recalled(search_by(method), told, paused_first)
    plain._source.settle()
    promoted._source.settle()
    values = [[t.values for t in s._source._ledger.study.get_trials(deepcopy=False)] for s in (plain, promoted)]
    assert values[0] == values[1]
    assert all(math.isfinite(v) for (v,) in values[0])
