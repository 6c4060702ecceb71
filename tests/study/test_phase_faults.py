"""What a person changes or mends between two runs of a phased study: it goes on from there, once each, and says so."""

from __future__ import annotations

import pytest

# The toy's training loss falls by 91 %.
STRICT = {"least_loss_drop": 0.95}
END = {"seeds": 2, "export": []}


def phased(target=77.0, **more):
    metrics = {"val_accuracy": {"goal": "maximize", "unit": "%", "target": target}}
    return {"workload": "phase_toy:TOY", "metrics": metrics, "optimise": {}, **more}


def gate(story, phase):
    return next(g for g in story.phases.gates if g.phase == phase)


def check(story, phase, predicate):
    return next(c for c in gate(story, phase).checks if c.predicate == predicate)


def test_rounds_that_are_added_go_on_from_what_was_tried(cases):
    story = cases.run(**phased(99.0, optimise={"recommendations": 1}))
    assert story.phases.decision.turn == "ceiling" and len(story.phases.rounds) == 1
    plan = phased(99.0, optimise={"recommendations": 1, "rounds": 2})
    story = cases.run(**plan)
    first, second = story.phases.rounds
    assert first.outlook.turn == "iterate" and second.outlook.turn == "ceiling" and story.phase == "done"
    assert not any(label.startswith(("baseline", "round-1")) for label, _, _ in cases.ear.trained)
    assert [row.got > 7 for row in story.phases.ledger if row.experiment == "round-1"] == [True]
    assert check(story, "plan", "plan_registered").state == "noted"
    again = cases.run(**plan)
    assert not cases.ear.trained
    assert (again.phases.turns, again.phases.ledger) == (story.phases.turns, story.phases.ledger)


def test_another_target_asks_again_how_it_ends(cases):
    story = cases.run(**phased(60.0))
    assert not story.phases.rounds and story.phases.decision.turn == "finalise"
    story = cases.run(**phased(77.0))
    assert story.phases.rounds[0].adopted == "dropout"
    story = cases.run(**phased(90.0))
    assert story.phases.decision.turn == "ceiling" and not cases.ear.trained
    assert sum("asked again" in turn for turn in story.phases.turns) == 2


def test_after_the_test_split_was_opened_optimising_stays_closed(cases):
    cases.run(**phased(99.0, optimise={"recommendations": 1}, finalise=END))
    story = cases.run(**phased(99.0, optimise={"recommendations": 1, "rounds": 2}, finalise=END))
    assert len(story.phases.rounds) == 1 and not cases.ear.trained
    assert any("the test split was opened since" in notice for notice in cases.ear.notices)


def test_a_threshold_set_later_closes_a_gate_that_was_open(cases):
    cases.run(**phased(60.0))
    story = cases.run(**phased(60.0, thresholds=STRICT))
    assert not gate(story, "baseline").is_open and story.phase == "baseline"
    override = {"gate": "baseline", "predicate": "loss_fell", "because": "a short training on purpose"}
    story = cases.run(**phased(60.0, thresholds=STRICT, overrides=[override]))
    assert gate(story, "baseline").is_open and story.phase == "done"
    assert cases.run(**phased(60.0, thresholds=STRICT)).phase == "baseline"
    assert cases.run(**phased(60.0)).phase == "done" and not cases.ear.trained


def test_a_round_that_the_budget_ends_says_so_and_goes_on_with_a_larger_one(cases):
    plan = phased(85.0, baseline={"decay_worth": 6.0})
    story = cases.run(**plan, budget={"runs": 8})
    assert "the budget of 8 runs is spent" in story.phases.decision.because and story.phase == "done"
    assert check(story, "optimise", "trials_ended").state == "noted"
    assert {row.got for row in story.phases.ledger} == {None}
    story = cases.run(**plan, budget={"runs": 40})
    assert story.phases.rounds[0].adopted == "all" and len(story.phases.rounds[0].experiments) == 2
    assert len(story.phases.ledger) == 2 and all(row.got > 4 for row in story.phases.ledger)


def test_a_round_whose_runs_failed_is_answered_again_once_they_are_mended(cases):
    (cases.home / "broken").touch()
    story = cases.run(**phased(90.0))
    assert not story.phases.rounds[0].adopted
    assert next(row for row in story.phases.ledger if row.kind == "dropout").got is None
    (cases.home / "broken").unlink()
    story = cases.run(**phased(90.0))
    assert story.phases.rounds[0].adopted == "dropout" and story.phase == "done"
    assert [row.got > 7 for row in story.phases.ledger if row.kind == "dropout"] == [True]
    assert "12.5" in story.phases.decision.because  # short of the target, as the champion is now


def test_the_gate_before_the_last_training_is_asked_again_each_time(cases):
    story = cases.interrupted(19, **phased(finalise=END))
    assert story.phase == "finalise" and len(story.phases.final.runs) == 1
    run = story.experiments[0].arms[1].runs[0]
    (cases.home / "artifacts" / run.key[:2] / run.key / "last.pt").unlink()
    story = cases.run(**phased(finalise=END))
    assert check(story, "optimise", "champion_checkpoints").state == "blocked"
    assert not cases.ear.trained and story.test_opened_at == ""


def test_where_less_is_better_gains_count_downwards(cases):
    story = cases.run(**{**phased(), "metrics": {"val_loss": {"goal": "minimize", "target": 0.63}}})
    (round_,) = story.phases.rounds
    assert round_.adopted and round_.interval[0] > 0.05
    worth = {a.title.split()[0]: a for a in round_.attributions}
    assert worth["dropout"].alone == pytest.approx(0.07, abs=0.01) and "alone −0.07" in worth["dropout"].says
    assert round_.outlook.turn == "finalise" and story.overall.is_confirmed and story.overall.estimate < 0


def test_what_could_not_be_predicted_or_exported_is_tried_again(cases):
    cases.run(**phased(finalise=END))
    (cases.home / "broken").touch()
    plan = phased(finalise={"seeds": 2, "export": ["torch", "onnx"]})
    story = cases.run(**plan)
    blocked = {c.predicate for c in gate(story, "finalise").blocked}
    assert {"exported", "confusion_agrees"} <= blocked and story.phase == "finalise"
    (cases.home / "broken").unlink()
    story = cases.run(**plan)
    assert gate(story, "finalise").is_open and (cases.home / "toy" / "bundle" / "model.onnx").is_file()
