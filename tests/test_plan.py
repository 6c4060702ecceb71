"""Seeds, looks, cells and repeats: what the plan's values mean."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.plan import (
    BLOCK,
    CONFIRM_SEED,
    Arm,
    Experiment,
    Finalise,
    Plan,
    Prediction,
    Rule,
    cell_name,
    confirming_seeds,
    exploring_seeds,
    factorial_arms,
    looks_up_to,
    same_config,
)
from surefoot.run import Metric

BETTER = Prediction(arm="a", metric="loss", relation="better")


def experiment(name: str, **others) -> Experiment:
    values = {"id": name, "hypothesis": "h", "arms": (Arm(name="a", changes={"x": 1}),), "predictions": (BETTER,)}
    return Experiment(**{**values, **others})


def plan(*experiments: Experiment, **others) -> Plan:
    values = {"study": "s", "workload": "w", "metrics": (Metric(name="loss", goal="minimize"),), "primary": "loss"}
    return Plan(**{**values, "baseline": {"x": 0, "y": 0}, "experiments": experiments, **others})


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, BLOCK), st.integers(1, BLOCK))
def test_blocks_of_seeds_share_none(block, other, n, m):
    first, second = set(exploring_seeds(n, block)), set(exploring_seeds(m, other))
    assert len(first) == n
    assert bool(first & second) == (block == other)
    assert bool(set(confirming_seeds(n, block)) & set(confirming_seeds(m, other))) == (block == other)


@given(st.integers(0, 98), st.integers(1, BLOCK), st.integers(0, 50))
def test_a_confirmation_never_meets_an_exploring_seed(block, n, confirm_block):
    assert max(exploring_seeds(n, block)) < CONFIRM_SEED <= min(confirming_seeds(n, confirm_block))


@pytest.mark.parametrize(
    ("seeds", "looks"), [(2, (2,)), (3, (3,)), (4, (3, 4)), (5, (3, 5)), (8, (3, 5, 8)), (12, (3, 5, 8, 12))]
)
def test_the_looks_are_3_5_and_8_as_far_as_they_go(seeds, looks):
    assert looks_up_to(seeds) == looks
    assert Rule(looks=looks).seeds == seeds


def test_a_factorial_has_every_combination_the_first_levels_first():
    arms = factorial_arms({"norm": ["none", "batch"], "on": [False, True], "n": [1, 2, 3]})
    assert len(arms) == 12
    assert len({arm.name for arm in arms}) == 12
    assert arms[0].changes == {"norm": "none", "on": False, "n": 1}
    assert arms[0].name == "norm=none, on=false, n=1"
    assert cell_name(["a"], (0.5,)) == "a=0.5"


def test_each_repeat_of_an_experiment_has_half_the_error_of_the_one_before():
    first, other = experiment("first"), experiment("other")
    again, third = experiment("again", repeats="first"), experiment("third", repeats="again")
    whole = plan(first, other, again, third)
    assert [whole.repeat_number(e) for e in whole.experiments] == [0, 0, 1, 2]
    assert [whole.rule_of(e).support_alpha for e in whole.experiments] == [0.05, 0.05, 0.025, 0.0125]
    assert whole.rule_of(third).adopt_alpha == 0.05
    assert whole.rule_of(third).claim_alpha == 0.05, "a claim is tested on fresh seeds and spends its own"


def test_an_arm_without_a_prediction_is_asked_the_plain_question():
    two = experiment("e", arms=(Arm(name="a", changes={"x": 1}), Arm(name="b", changes={"x": 2})))
    assert two.predictions_of("a", "loss") == (BETTER,)
    (plain,) = two.predictions_of("b", "loss")
    assert (plain.arm, plain.metric, plain.relation, plain.is_registered) == ("b", "loss", "better", False)


def test_the_subject_of_a_prediction_reads_as_words():
    assert Prediction(interaction=("norm", "dropout"), metric="m", relation="same").subject == "norm × dropout"
    assert Prediction(main="norm", metric="m", relation="same").subject == "norm"


@pytest.mark.parametrize(
    "change",
    [
        {"study": "t"},
        {"workload": "v"},
        {"primary": "other"},
        {"finalise": Finalise()},
        {"baseline": {"x": 0, "y": 1}},
        {"metrics": (Metric(name="loss", goal="minimize", target=1.0),)},
        {"rule": Rule(looks=(3, 5))},
        {"rule": Rule(is_screened=False)},
    ],
    ids=str,
)
def test_the_hash_follows_what_the_plan_says(change):
    whole = plan(experiment("e"))
    assert dataclasses.replace(whole, **change).hash != whole.hash


def test_the_hash_does_not_follow_where_and_how_it_was_written():
    whole = plan(experiment("e"))
    assert dataclasses.replace(whole, text="# other", path="other.yaml").hash == whole.hash


def test_the_order_of_factors_is_no_part_of_a_factorial():
    def crossed(*names: str) -> Experiment:
        factors = {name: [0, 1] for name in names}
        return experiment("e", factors=tuple((k, tuple(v)) for k, v in factors.items()), arms=factorial_arms(factors))

    assert crossed("a", "b").content_hash == crossed("b", "a").content_hash
    assert crossed("a", "b").content_hash != crossed("a", "c").content_hash


def test_one_and_one_point_nothing_are_the_same_config():
    assert same_config({"x": 1, "y": "a"}, {"y": "a", "x": 1.0})
    assert not same_config({"x": 1}, {"x": True})


def test_an_unknown_metric_is_a_key_error():
    with pytest.raises(KeyError):
        plan().metric("accuracy")
