"""The walk is a function of the runs: neither their order nor other runs change what was decided."""

import dataclasses

import pytest
import study_toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_cases import decisions, experiment, plan_of, repeat

from surefoot.comparison import NoValue
from surefoot.run import Measurement, Provenance, Run, Status, config_hash
from surefoot.study.walk import FIRST_REPEAT_BLOCK, Material, Registration, value_of, walk

PLACE = Provenance(code_fingerprint="code", data_fingerprint="data")
ARMS = st.fixed_dictionaries(
    {},
    optional={
        "gain": st.sampled_from([-1.0, 0.3, 1.0, 4.0]),
        "left": st.booleans(),
        "third": st.sampled_from(["x", "y"]),
        "mode": st.sampled_from(["behave", "crash", "diverge"]),
        "bad_seed": st.sampled_from([1, 2, 4]),
    },
).filter(bool)


def run_of(config, seed, number):
    """The run that the toy would have made, without making it."""
    config = study_toy.Config(**config)
    is_bad = config.mode in ("crash", "diverge") and config.bad_seed in (0, seed)
    score, loss = study_toy.outcome(config, seed)
    status = {"crash": Status.FAILED, "diverge": Status.INFEASIBLE}[config.mode] if is_bad else Status.COMPLETE
    return Run(
        id=number,
        key=f"{number}",
        workload="toy",
        config=dataclasses.asdict(config),
        seed=seed,
        status=status,
        measurements=() if is_bad else (Measurement(step=3, values={"score": score, "loss": loss}),),
        facts={} if is_bad else {"steps": config.steps},
        provenance=PLACE,
    )


class World:
    """The runs so far, and a walk over them."""

    def __init__(self, plan):
        self.plan, self.runs = plan, {}
        self.registered = {}
        for e in plan.experiments:
            number = plan.repeat_number(e)
            block = FIRST_REPEAT_BLOCK + number if number else None
            self.registered[e.id] = Registration(
                revision=1, plan_hash="", registered_at="", rule=plan.rule_of(e), block=block
            )

    def train(self, config, seed):
        key = (config_hash(config), seed)
        self.runs.setdefault(key, run_of(config, seed, len(self.runs)))

    def walk(self):
        def find(config, seed):
            return self.runs.get((config_hash(config), seed))

        return walk(Material(plan=self.plan, workload=study_toy.TOY, registrations=self.registered, find=find))

    def to_the_end(self, choose):
        """Trains some of what is wanted, `choose` says which, until nothing is; every walk on the way."""
        walks = [self.walk()]
        while walks[-1].wanted:
            for request in choose(walks[-1].wanted):
                self.train(request.config, request.seed)
            walks.append(self.walk())
        return walks


def without_gaps(story):
    """An experiment's story but for the gaps, which are told with all that is known of a champion by now."""
    runs = {"champion": story.champion and dataclasses.replace(story.champion, runs=())}
    arms = tuple(dataclasses.replace(arm, runs=()) for arm in story.arms)
    return dataclasses.replace(story, gap_before=None, gap_after=None, arms=arms, **runs)


@st.composite
def plans(draw):
    found = []
    for i in range(draw(st.integers(1, 3))):
        arms = draw(st.lists(ARMS, min_size=1, max_size=3, unique_by=lambda a: config_hash({**DEFAULTS, **a})))
        arms = [a for a in arms if config_hash({**DEFAULTS, **a}) != config_hash(DEFAULTS)]
        if arms:
            relation = draw(st.sampled_from(["better", "worse", "same"]))
            expect = [{"arm": "a0", "metric": draw(st.sampled_from(["score", "loss"])), "is": relation}]
            found.append(experiment(f"e{i}", expect, **{f"a{j}": a for j, a in enumerate(arms)}))
    if found and draw(st.booleans()):
        found.append(repeat("again", found[0]["id"], **found[0]["arms"]))
    metrics = {"score": {"goal": "maximize", "min_effect": 0.1}, "loss": {"goal": "minimize", "min_effect": 0.05}}
    return plan_of(*found, seeds=5, confirm=3, metrics=metrics, rule={"looks": [3, 5], "adopt": 0.3})


DEFAULTS = study_toy.TOY.defaults()
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(plan=plans(), data=st.data())
def test_the_order_in_which_runs_end_does_not_matter(plan, data):
    whole = World(plan).to_the_end(lambda wanted: wanted)[-1]
    world = World(plan)

    def some(wanted):
        return data.draw(st.lists(st.sampled_from(wanted), min_size=1, unique_by=id))

    last = world.to_the_end(some)[-1]
    assert [without_gaps(e) for e in last.experiments] == [without_gaps(e) for e in whole.experiments]
    assert (last.champion, last.claims, last.overall) == (whole.champion, whole.claims, whole.overall)


@QUICK
@given(plan=plans())
def test_what_is_decided_stays_as_it_was_decided(plan):
    known = {}
    for found in World(plan).to_the_end(lambda wanted: wanted[:2]):
        for e in found.experiments:
            if e.state == "decided":
                assert known.setdefault(e.id, without_gaps(e)) == without_gaps(e)


@QUICK
@given(plan=plans(), strangers=st.lists(st.tuples(ARMS, st.integers(1, 5)), max_size=30))
def test_runs_that_nobody_asked_for_change_nothing(plan, strangers):
    world = World(plan)
    before = world.to_the_end(lambda wanted: wanted)[-1]
    for changes, seed in strangers:
        for config in (DEFAULTS, before.champion):
            world.train({**config, **changes}, seed)
    after = world.walk()
    assert [without_gaps(e) for e in after.experiments] == [without_gaps(e) for e in before.experiments]
    assert not after.wanted


@QUICK
@given(plan=plans())
def test_no_confirming_seed_was_an_exploring_one(plan):
    world = World(plan)
    last = world.to_the_end(lambda wanted: wanted)[-1]
    fresh = {seed for arm in last.fresh for seed in arm.seeds}
    exploring = {s for e in last.experiments for arm in (e.champion, *e.arms) for s in arm.seeds}
    assert not fresh & (exploring | set(last.baseline.seeds))
    assert len(last.path) == 1 + sum(d.startswith("ADOPT") for d in decisions(last).values())


def test_a_champion_adopted_by_a_repeat_has_its_values_there():
    adopted_by = set()
    for hundredths in range(1, 60):
        arm = {"gain": hundredths / 100}
        plan = plan_of(
            experiment("first", a=arm), repeat("again", "first", a=arm), rule={"adopt": 0.4, "screen": False}
        )
        last = World(plan).to_the_end(lambda wanted: wanted)[-1]
        assert len(last.champion_values) == 3
        adopted_by.add(last.path[-1].experiment)
    assert "again" in adopted_by


@pytest.mark.parametrize(("value", "told"), [(1e99, 1e99), (1e101, NoValue.DIVERGED), (-1e308, NoValue.DIVERGED)])
def test_a_value_beyond_all_measure_is_a_divergence(value, told):
    measured = Measurement(step=1, values={"loss": value})
    run = Run(
        id=1,
        key="k",
        workload="w",
        config={},
        seed=1,
        status=Status.COMPLETE,
        measurements=(measured,),
        provenance=PLACE,
    )
    assert value_of(run, "loss") == told
