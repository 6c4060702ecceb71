"""A comparison is confounded where the arms' runs did something else than was declared."""

from __future__ import annotations

import pytest

from surefoot.confounds import common_facts, fact_differences
from surefoot.run import Provenance, Run, Status

DRIVERS = {"steps": ("steps",), "samples": ("steps", "batch_size"), "parameters": ("layers", "norm")}


def run(*, data: str = "d" * 64, code: str = "c" * 64, device: str = "cpu", **facts) -> Run:
    return Run(
        id=1,
        key="k",
        workload="w",
        config={},
        seed=1,
        status=Status.COMPLETE,
        facts=facts,
        provenance=Provenance(data_fingerprint=data, code_fingerprint=code, device=device),
    )


def found(arm: list[Run], champion: list[Run], *changed: str, allow: tuple[str, ...] = ()) -> dict[str, bool]:
    differences = fact_differences(arm, champion, changed=changed, drivers=DRIVERS, allow=allow)
    return {str(d): d.is_declared for d in differences}


def test_alike_runs_differ_in_nothing():
    assert found([run(steps=300), run(steps=300)], [run(steps=300)]) == {}


def test_a_fact_that_no_changed_setting_moves_confounds():
    assert found([run(steps=300)], [run(steps=200)], "norm") == {"steps 200 → 300": False}


def test_a_fact_that_the_changed_setting_moves_is_declared():
    assert found([run(steps=300)], [run(steps=200)], "steps") == {"steps 200 → 300": True}
    assert found([run(parameters=832_554)], [run(parameters=832_298)], "norm") == {"parameters 832,298 → 832,554": True}


def test_the_plan_may_allow_a_fact():
    assert found([run(steps=300)], [run(steps=200)], "norm", allow=("steps",)) == {"steps 200 → 300": True}


@pytest.mark.parametrize("name", ["data", "code", "device"])
def test_data_code_and_device_are_compared_always_and_nothing_declares_them(name):
    shown = found([run(**{name: "other"})], [run()], "steps", "norm", "layers", "batch_size")
    assert [key.split()[0] for key in shown] == [name]
    assert not any(shown.values())


def test_one_run_that_is_different_is_enough():
    assert found([run(steps=300), run(steps=299)], [run(steps=300)]) == {"steps 300 → 299 or 300": False}


def test_a_length_that_early_stopping_chose_is_an_outcome():
    stopped = [run(steps=120, stop_reason="patience: no gain in 5 evaluations", parameters=10)]
    assert found(stopped, [run(steps=300, parameters=10)]) == {}
    assert found(stopped, [run(steps=300, parameters=11)]) == {"parameters 11 → 10": False}


def test_a_fact_that_one_side_never_recorded_is_no_difference():
    assert found([run(steps=300)], [run()]) == {}
    assert found([], [run(steps=300)]) == {}


def test_nothing_is_a_value():
    assert found([run(steps=0)], [run(steps=300)], "norm") == {"steps 300 → 0": False}


def test_common_facts_are_those_that_are_one_and_the_same():
    runs = [run(steps=1_500, samples=10), run(steps=1_500, samples=20)]
    assert common_facts(runs, DRIVERS) == ("steps 1,500", "data dddddddd", "code cccccccc", "device cpu")
