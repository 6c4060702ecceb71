"""A study goes from gate to gate by evidence: diagnosed, optimised in rounds, decided, and the same after any stop."""

from __future__ import annotations

import pytest
from study_cases import Cases, plan_of

from surefoot.errors import PlanError
from surefoot.run import Status
from surefoot.storage import Record

TOY = {"workload": "phase_toy:TOY"}
# The toy's training loss falls by 91 %.
STRICT = {"least_loss_drop": 0.95}


def metrics(target=77.0):
    return {"val_accuracy": {"goal": "maximize", "unit": "%", "target": target}}


def phased(target=77.0, **more):
    return {**TOY, "metrics": metrics(target), "optimise": {}, **more}


def gate(story, phase):
    return next(g for g in story.phases.gates if g.phase == phase)


def check(story, phase, predicate):
    return next(c for c in gate(story, phase).checks if c.predicate == predicate)


@pytest.fixture(scope="module")
def improved(pool, tmp_path_factory):
    """The overfitting study gone to its end once, for all that look at it, and its story."""
    found = Cases(tmp_path_factory.mktemp("improved"), pool)
    yield found, found.run(**phased())
    found.close()


def test_an_overfitting_baseline_is_diagnosed_improved_and_decided(improved):
    _, story = improved
    assert story.phases.diagnosis.primary == "overfitting"
    (round_,) = story.phases.rounds
    assert round_.adopted == "dropout" and round_.interval[0] > 5
    assert round_.outlook.turn == "finalise" and story.phases.decision == round_.outlook
    assert [g.phase for g in story.phases.gates] == ["plan", "baseline", "diagnose", "optimise"]
    assert all(g.is_open for g in story.phases.gates)
    assert story.overall.is_confirmed and story.phase == "done"


def test_the_ledger_holds_each_promise_beside_what_it_really_did(improved):
    _, story = improved
    rows = {row.kind: row for row in story.phases.ledger}
    assert rows["dropout"].got == pytest.approx(8, abs=1) and rows["dropout"].verdict == "SUPPORTED"
    assert rows["dropout"].promised == rows["dropout"].first_promised
    assert abs(rows["weight_decay"].got) < 1 and "SUPPORTED" not in rows["weight_decay"].verdict


def test_what_a_recommendation_came_to_corrects_the_next_studys_promise(cases):
    cases.run(**phased())
    story = cases.run(**phased(study="second", baseline={"steps": 120}))
    row = next(row for row in story.phases.ledger if row.kind == "weight_decay")
    assert row.promised[0] < row.first_promised[0] and sum(row.promised) < sum(row.first_promised)
    assert next(iter(story.phases.rounds)).tried[0].promise.source != "the workflow document"


def test_changes_adopted_together_are_taken_apart_by_an_ablation(cases):
    story = cases.run(**phased(85.0, baseline={"decay_worth": 6.0}))
    (round_,) = story.phases.rounds
    assert round_.adopted == "all" and round_.experiments == ("round-1", "round-1-ablation")
    worth = {a.title.split()[0]: a for a in round_.attributions}
    assert worth["dropout"].within_interval[0] > 0 and worth["weight"].within_interval[0] > 0
    ablation = next(e for e in story.experiments if e.id == "round-1-ablation")
    assert {arm.name for arm in ablation.arms} == {"without dropout", "without weight_decay"}
    assert {str(v.answer) for v in ablation.verdicts} == {"SUPPORTED"}


def test_what_rounds_try_is_registered_before_it_is_trained(improved):
    cases, story = improved
    runs = {run.id: run for run in cases.record.runs(1)}
    registered = {e.id: e.registered_at for e in story.experiments}
    for use in cases.record.uses(1):
        if use.experiment in registered and use.arm != "champion":
            assert runs[use.run_id].provenance.started_at > registered[use.experiment]
    assert [revision.changes for revision in story.revisions][1:] == [("experiment round-1 added",)]


def test_a_baseline_at_its_target_is_not_diagnosed(cases):
    story = cases.run(**phased(60.0))
    assert story.phases.diagnosis is None and not story.phases.rounds and story.phase == "done"
    assert story.phases.decision.turn == "finalise"
    assert {label for label, _, _ in cases.ear.trained} == {"baseline"}


def test_a_closed_gate_stops_the_study_and_says_what_is_in_the_way(cases):
    story = cases.run(**phased(thresholds=STRICT))
    assert not gate(story, "baseline").is_open and story.phase == "baseline"
    assert {label for label, _, _ in cases.ear.trained} == {"baseline"}
    assert any("loss_fell" in notice and "95 %" in notice for notice in cases.ear.notices)


def test_an_override_lets_one_predicate_pass_and_stays_in_sight(cases):
    override = {"gate": "baseline", "predicate": "loss_fell", "because": "a short training on purpose"}
    story = cases.run(**phased(thresholds=STRICT, overrides=[override]))
    found = check(story, "baseline", "loss_fell")
    assert (found.state, found.override) == ("overridden", "a short training on purpose")
    assert gate(story, "baseline").is_open and story.phases.rounds
    assert any("overridden" in notice and "on purpose" in notice for notice in cases.ear.notices)


def test_an_override_of_what_is_not_asked_is_a_mistake(cases):
    override = {"gate": "baseline", "predicate": "device_usde", "because": "x"}
    with pytest.raises(PlanError, match="device_used"):
        cases.run(**phased(overrides=[override]))


def test_a_threshold_of_the_plan_is_what_its_gates_ask(cases):
    thresholds = {"utilisation_block": 0.1, "utilisation_note": 0.2}
    story = cases.run(**phased(60.0, baseline={"utilisation": 0.3}, thresholds=thresholds))
    assert check(story, "baseline", "device_used").state == "satisfied"
    assert story.phases.set_thresholds == thresholds


def test_a_gate_whose_evidence_was_deleted_closes_again(improved):
    (cases, story), plan = improved, phased()
    run = story.baseline.runs[0]
    path = cases.home / "artifacts" / run.key[:2] / run.key / "best.pt"
    kept = path.read_bytes()
    path.unlink()
    story = cases.run(**plan)
    found = check(story, "baseline", "baseline_checkpoints")
    assert found.state == "blocked" and "best.pt" in found.evidence and str(run.id) in found.evidence
    path.write_bytes(kept)
    story = cases.run(**plan)
    assert gate(story, "baseline").is_open and not cases.ear.trained


def test_the_test_split_asked_for_before_the_end_is_refused_and_on_record(cases):
    story = cases.run(**phased(baseline={"peeks": 1}))
    runs = cases.record.runs(1)
    assert {run.status for run in runs} == {Status.FAILED}
    assert all("the test split is sealed" in run.reason for run in runs)
    assert story.test_opened_at == "" and not gate(story, "baseline").is_open


def test_a_finished_study_trains_nothing_more_and_tells_the_same(improved):
    (cases, story), plan = improved, phased()
    again = cases.run(**plan)
    assert not cases.ear.trained
    assert again.phases == story.phases
    assert cases.read(**plan).phases == story.phases


@pytest.mark.parametrize("after", [2, 11])  # in the baseline, and in the round
def test_an_interrupted_study_comes_to_the_same_end(cases, after):
    plan = phased(85.0, baseline={"decay_worth": 6.0})
    story = cases.interrupted(after, **plan)
    assert len(story.phases.rounds) < 1 or story.phases.rounds[0].outlook is None
    story = cases.run(**plan)
    (round_,) = story.phases.rounds
    assert round_.adopted == "all" and len(round_.experiments) == 2
    labels = [(label, seed) for label, seed, status in cases.ear.trained if status == "COMPLETE"]
    assert len(labels) == len(set(labels))


def test_rounds_go_on_until_they_are_used_up_and_try_nothing_twice(cases):
    story = cases.run(**phased(99.0, optimise={"strategy": "iterative", "recommendations": 1}))
    tried = [tuple(r.patch.items()) for round_ in story.phases.rounds for r in round_.tried]
    assert len(tried) == len(set(tried)) >= 2
    assert story.phases.decision.turn == "ceiling"
    subjects = [round_.diagnosis.subject for round_ in story.phases.rounds]
    assert subjects[:2] == ["the baseline", "the champion after round 1"]


def test_a_sweep_searches_what_the_diagnosis_suspects(cases):
    story = cases.run(**phased(optimise={"strategy": "sweep", "trials": 4, "recommendations": 2}))
    (round_,) = story.phases.rounds
    search = story.experiments[0].search
    assert sum(search.trials.values()) == 4 and [name.split()[0] for name in search.space] == [
        "dropout",
        "weight_decay",
    ]
    assert round_.adopted and story.champion_config["dropout"] >= 0.2


def test_the_strategy_none_leaves_it_at_the_plans_own_experiments(cases):
    own = {"id": "mine", "hypothesis": "Dropout helps.", "arms": {"half": {"dropout": 0.5}}}
    own["expect"] = [{"arm": "half", "metric": "val_accuracy", "is": "better"}]
    story = cases.run(own, **phased(optimise={"strategy": "none"}))
    assert story.phases.diagnosis.primary == "overfitting" and not story.phases.rounds
    assert [e.id for e in story.experiments] == ["mine"] and story.champion_config["dropout"] == 0.5


def test_other_code_is_gone_through_anew(improved):
    cases, _ = improved
    study = cases.study(plan_of(**phased()))
    study.phases.standing = "another"
    assert study.phases.log().rounds == {} and study.phases.grown.experiments == ()


def test_the_record_keeps_where_it_was_trained(improved):
    cases, story = improved
    assert story.phases.environment["threads"] == "1" and "numpy==" in story.phases.environment["packages"]
    with Record.open(cases.home, read_only=True) as record:
        assert len(record.events(1, "environment")) == 1
