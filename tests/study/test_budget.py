"""A budget ends experiments, never the confirmation; a failed run is tried again, never behind a decision's back."""

import pytest
from study_cases import check_invariants, decisions, experiment, verdicts

from surefoot.errors import PlanError
from surefoot.execution import WorkerPool

GAIN = experiment("gain", better={"gain": 5.0})
THIRD = experiment("third", y={"third": "y"})
LATE = experiment("late", z={"third": "z"})


def by_id(story):
    return {e.id: e for e in story.experiments}


def fails_until_fixed(**more):
    return {"gain": 5.0, "mode": "crash_until_fixed", "bad_seed": 2, **more}


# --- budget --------------------------------------------------------------------------------------------------------


def test_the_budget_ends_the_experiment_it_cannot_pay_and_keeps_the_confirmations_share(cases):
    # Baseline 3, gain 3, third 1 of 3; six are kept to confirm the step that was taken, three for one more.
    story = cases.run(GAIN, THIRD, LATE, budget={"runs": 16})
    assert decisions(story) == {"gain": "ADOPT better", "third": "KEEP", "late": "KEEP"}
    assert [e.state for e in story.experiments] == ["decided", "skipped", "skipped"]
    assert by_id(story)["third"].note.startswith("the budget of 16 runs is spent")
    assert story.overall.is_confirmed
    assert story.run_counts["complete"] <= 16
    skips = cases.record.events(1, "skip")
    assert [e.experiment for e in skips] == ["third", "late"]
    assert all("budget" in n for n in cases.ear.notices)


def test_a_later_revision_with_more_budget_goes_on(cases):
    cases.run(GAIN, THIRD, budget={"runs": 16})
    assert cases.run(GAIN, THIRD, budget={"runs": 16}).experiments[1].state == "skipped"
    assert cases.ear.trained == []
    story = cases.run(GAIN, THIRD, budget={"runs": 60})
    assert decisions(story) == {"gain": "ADOPT better", "third": "ADOPT y"}
    assert story.revisions[1].known[1:3] == ("gain: ADOPT better", "third: skipped")
    check_invariants(cases.record)


def test_the_noise_of_a_skipped_experiment_is_nobodys_prior(cases):
    skipped = cases.run(GAIN, THIRD, LATE, budget={"runs": 16})
    whole = cases.run(GAIN, THIRD, LATE, budget={"runs": 90})
    assert by_id(skipped)["late"].noise.correlation == by_id(skipped)["third"].noise.correlation
    assert whole.phase == "done"


def test_an_experiment_stays_skipped_though_others_train_its_runs(cases):
    cases.run(GAIN, THIRD, LATE, budget={"runs": 16})
    cases.run(GAIN, THIRD, LATE, study="other")
    story = cases.run(GAIN, THIRD, LATE, budget={"runs": 16})
    assert [e.state for e in story.experiments] == ["decided", "skipped", "skipped"]


def test_hours_end_a_study_too_and_it_still_confirms(cases):
    slow = {"pause_ms": 40}
    story = cases.run(GAIN, THIRD, LATE, baseline=slow, budget={"hours": 21 * 0.12 / 3600})
    states = [e.state for e in story.experiments]
    assert states[-1] == "skipped" and "hours is spent" in story.experiments[-1].note
    assert story.phase == "done"
    assert all(len(p.fresh) == 3 for p in story.path) or len(story.path) == 1


def test_a_budget_too_small_for_the_baseline_is_told_before_anything_trains(cases):
    with pytest.raises(PlanError, match="must allow for the baseline: the budget of 2 runs is spent: 0 are trained, 3"):
        cases.run(GAIN, budget={"runs": 2})
    assert cases.record.runs(1) == []


def test_the_budget_holds_for_a_confirmation_that_was_made_longer(cases):
    cases.run(GAIN, budget={"runs": 12})
    story = cases.run(GAIN, confirm=60, budget={"runs": 12}, finalise=True)
    assert (cases.ear.trained, story.phase, story.claims, story.overall) == ([], "done", (), None)
    assert len(story.path) == 2 and not story.test_opened_at
    (notice,) = story.notices
    assert (
        notice.startswith("the claims were not tested: the budget of 12 runs is spent") and notice in cases.ear.notices
    )
    assert cases.run(GAIN, confirm=60, budget={"runs": 12}, finalise=True).notices == story.notices
    story = cases.run(GAIN, confirm=4, budget={"runs": 30})
    assert (story.overall.n, story.overall.is_confirmed, story.notices) == (4, True, ())


def test_the_budget_holds_for_a_baseline_that_was_made_longer(cases):
    cases.run(GAIN, budget={"runs": 12})
    with pytest.raises(PlanError, match="must allow for the baseline: the budget of 12 runs is spent: 12 are trained"):
        cases.run(GAIN, seeds=40, budget={"runs": 12})
    assert len(cases.record.runs(1)) == 12


def test_runs_of_another_study_cost_no_budget(cases):
    cases.run(GAIN, study="first")
    story = cases.run(GAIN, study="second", budget={"runs": 3})
    assert decisions(story) == {"gain": "ADOPT better"}
    assert cases.ear.trained == []


# --- failed runs ---------------------------------------------------------------------------------------------------


def test_a_failed_run_of_an_undecided_experiment_is_tried_again_by_the_next_command(cases):
    arm = experiment("shaky", arm=fails_until_fixed())
    plan = dict(rule={"looks": [2, 4], "screen": False})
    cases.interrupted(7, arm, seeds=4, **plan)
    assert [t for t in cases.ear.trained if t[2] == "FAILED"] == [("shaky / arm", 2, "FAILED")]
    (cases.data / "fixed").touch()
    story = cases.run(arm, seeds=4, **plan)
    assert [t[1:] for t in cases.ear.trained[:1]] == [(2, "COMPLETE")]
    assert (story.experiments[0].losses, story.experiments[0].steps["arm"].end) == ((), "above")


def test_a_failed_run_of_a_decided_experiment_is_not(cases):
    arm = experiment("shaky", arm=fails_until_fixed())
    first = cases.run(arm, rule={"screen": False})
    assert "arm, seed 2: FAILED" in first.experiments[0].losses[0]
    (cases.data / "fixed").touch()
    again = cases.run(arm, rule={"screen": False})
    assert cases.ear.trained == []
    assert (again.experiments[0].losses, verdicts(again)) == (first.experiments[0].losses, verdicts(first))


def test_an_arm_that_was_lost_altogether_is_tried_again_once_the_cause_is_gone(cases):
    lost = {**fails_until_fixed(), "bad_seed": 0}
    first = cases.run(experiment("lost", arm=lost), rule={"screen": False})
    assert first.experiments[0].steps["arm"].end == "untestable"
    (cases.data / "fixed").touch()
    again = cases.run(experiment("lost", arm=lost), rule={"screen": False})
    assert [t[2] for t in cases.ear.trained if t[0] == "lost / arm"] == ["COMPLETE"] * 3
    assert again.experiments[0].steps["arm"].n == 3


def test_a_failed_baseline_run_is_not_tried_again_behind_a_decisions_back(cases):
    base = {"mode": "crash_until_fixed", "bad_seed": 2}
    first = cases.run(GAIN, seeds=4, baseline=base, rule={"looks": [4], "screen": False})
    assert first.experiments[0].steps["better"].n == 3
    (cases.data / "fixed").touch()
    again = cases.run(GAIN, THIRD, seeds=4, baseline=base, rule={"looks": [4], "screen": False})
    assert again.experiments[0].steps["better"] == first.experiments[0].steps["better"]
    assert not [t for t in cases.ear.trained if t[0] == "baseline"]


def test_a_failed_baseline_is_tried_again_at_most_three_times(cases):
    base = {"mode": "crash_until_fixed"}
    for attempt in (1, 2, 3):
        story = cases.run(GAIN, baseline=base)
        assert (story.phase, len(cases.ear.trained)) == ("baseline", 3), attempt
    cases.run(GAIN, baseline=base)
    assert cases.ear.trained == []


def test_a_failed_baseline_goes_on_once_the_cause_is_gone(cases):
    base = {"mode": "crash_until_fixed"}
    assert cases.run(GAIN, baseline=base).phase == "baseline"
    (cases.data / "fixed").touch()
    story = cases.run(GAIN, baseline=base)
    assert decisions(story) == {"gain": "ADOPT better"}
    check_invariants(cases.record)


def test_a_failed_confirmation_run_is_not_tried_again_after_the_claim(cases):
    arm = experiment("shaky", arm=fails_until_fixed(bad_seed=10_002))
    first = cases.run(arm)
    assert first.overall.n == 2
    (cases.data / "fixed").touch()
    assert cases.run(arm).overall == first.overall
    assert cases.ear.trained == []


def test_a_worker_killed_in_mid_run_is_tried_once_more_at_once(cases):
    story = cases.run(experiment("fragile", arm={"gain": 5.0, "mode": "kill_once", "bad_seed": 2}))
    statuses = [(seed, status) for label, seed, status in cases.ear.trained if label == "fragile / arm"]
    assert statuses == [(1, "COMPLETE"), (2, "FAILED"), (2, "COMPLETE"), (3, "COMPLETE")]
    assert (story.experiments[0].losses, decisions(story)) == ((), {"fragile": "ADOPT arm"})
    check_invariants(cases.record)


def test_a_run_over_its_minutes_is_ended_and_the_study_goes_on(cases):
    arm = experiment("slow", arm={"gain": 5.0, "mode": "sleep", "bad_seed": 1})
    story = cases.run(arm, seeds=4, budget={"run_minutes": 0.01}, rule={"looks": [4], "screen": False})
    assert "arm, seed 1: FAILED (time limit of 0.6 s reached" in story.experiments[0].losses[0]
    assert decisions(story) == {"slow": "KEEP"}


def test_two_workers_come_to_the_same_story_as_one(cases, tmp_path):
    from study_cases import Cases, journal

    one = journal(cases.run(GAIN, THIRD))
    (tmp_path / "two").mkdir()
    with WorkerPool(2, threads=1) as pool:
        two = Cases(tmp_path / "two", pool)
        assert journal(two.run(GAIN, THIRD)) == one
        two.close()
