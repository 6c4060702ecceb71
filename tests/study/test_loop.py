"""The loop end to end: baseline, experiments, one champion, claims on fresh seeds, all on record."""

import statistics

import pytest
from study_cases import check_invariants, decisions, experiment, verdicts

from surefoot.comparison import study_noise
from surefoot.plan import confirming_seeds, exploring_seeds
from surefoot.stats.noise import paired_set
from surefoot.verdict import Cause, Decision, End

GAIN = experiment("gain", better={"gain": 5.0})
NULL = experiment("null", other={"label": "other"})
LOSS = experiment("loser", worse={"gain": -9.0})
THIRD = experiment("third", y={"third": "y"})


def by_id(story):
    return {e.id: e for e in story.experiments}


def test_the_champion_moves_one_step_at_a_time_and_every_step_is_confirmed(cases):
    story = cases.run(GAIN, LOSS, THIRD)
    assert story.phase == "done"
    assert decisions(story) == {"gain": "ADOPT better", "loser": "KEEP", "third": "ADOPT y"}
    assert verdicts(story)["gain/better"] == verdicts(story)["third/y"] == "SUPPORTED"
    assert [p.label for p in story.path] == ["baseline", "gain: better", "third: y"]
    assert by_id(story)["third"].champion_before == by_id(story)["gain"].champion_after
    assert (story.champion_config["gain"], story.champion_config["third"]) == (5.0, "y")
    assert [c.is_confirmed for c in story.claims] == [True, True]
    assert story.overall.is_confirmed
    assert story.overall.estimate == pytest.approx(9, abs=1)
    check_invariants(cases.record)


def test_claims_rest_on_seeds_that_no_experiment_trained_on(cases):
    cases.run(GAIN, LOSS, THIRD)
    uses = cases.record.uses(1)
    seeds = {run.id: run.seed for run in cases.record.runs(1)}
    confirming = {seeds[u.run_id] for u in uses if u.experiment == "confirmation"}
    exploring = {seeds[u.run_id] for u in uses if u.experiment != "confirmation"}
    assert confirming == set(confirming_seeds(3))
    assert exploring == set(exploring_seeds(3))
    assert cases.record.events(1, "claim")[-1].payload["seeds"] == list(confirming_seeds(3))


def test_the_record_says_what_was_decided_and_on_which_runs(cases):
    story = cases.run(GAIN, LOSS)
    events = cases.record.events(1, "decision")
    assert [(e.experiment, e.payload["decision"], e.payload["arm"]) for e in events] == [
        ("gain", "ADOPT", "better"),
        ("loser", "KEEP", ""),
    ]
    runs = {run.id: run for run in cases.record.runs(1)}
    assert sorted((runs[i].config["gain"], runs[i].seed) for i in events[0].payload["runs"]) == [
        (gain, seed) for gain in (0.0, 5.0) for seed in (1, 2, 3)
    ]
    rows = cases.record.verdicts(1)
    assert [(r.experiment, r.arm, r.verdict) for r in rows] == [
        ("gain", "better", "SUPPORTED"),
        ("loser", "worse", str(story.experiments[1].verdicts[0].answer)),
    ]
    assert rows[0].estimate == pytest.approx(5, abs=1.5)
    assert len(cases.record.events(1, "claim")) == 1
    state = cases.record.events(1, "state")[-1].payload
    assert (state["phase"], state["is_claimed"], state["planned"]) == ("done", True, 0)
    # The seeds that chose the champion flatter it: the state counts on those that chose nothing.
    assert state["champion"] == pytest.approx(statistics.fmean(story.overall.step.after_values))
    assert state["baseline"] == pytest.approx(statistics.fmean(story.overall.step.before_values))


def test_an_arm_far_below_on_its_first_seed_costs_one_run(cases):
    story = cases.run(LOSS)
    arm = by_id(story)["loser"]
    assert (arm.steps["worse"].end, arm.arms[0].seeds, arm.runs_trained) == (End.SCREENED, (1,), 1)


def test_an_arm_of_which_more_is_asked_is_not_screened(cases):
    expect = [{"arm": "worse", "metric": "score", "is": "worse"}]
    story = cases.run(experiment("loser", expect, worse={"gain": -9.0}))
    assert verdicts(story) == {"loser/worse": "SUPPORTED"}
    assert decisions(story) == {"loser": "KEEP"}


def test_every_kind_of_prediction_is_answered_on_every_metric(cases):
    expect = [
        {"arm": "good", "metric": "score", "is": "better", "by": 2.0},
        {"arm": "good", "metric": "loss", "is": "worse"},
        {"arm": "good", "metric": "score", "between": [3.0, 7.0]},
        {"arm": "bad", "metric": "score", "is": "worse"},
        {"arm": "bad", "metric": "loss", "is": "better", "by": 0.5},
        {"arm": "alike", "metric": "score", "is": "same", "within": 3.0},
        {"arm": "alike", "metric": "score", "between": [2.0, 9.0]},
    ]
    arms = {"good": {"gain": 5.0, "drop": 1.0}, "bad": {"gain": -5.0, "drop": -1.0}, "alike": {"left": True}}
    story = cases.run(experiment("many", expect, **arms), seeds=5)
    assert [f"{v.answer}" for v in story.experiments[0].verdicts] == [*["SUPPORTED"] * 6, "REFUTED"]
    assert decisions(story) == {"many": "ADOPT good"}


def test_a_metric_to_be_minimised_is_a_gain_when_it_falls(cases):
    story = cases.run(
        experiment("less", [{"arm": "down", "metric": "loss", "is": "better"}], down={"drop": -0.5}), primary="loss"
    )
    assert decisions(story) == {"less": "ADOPT down"}
    verdict = story.experiments[0].steps["down"]
    assert verdict.estimate < 0 < verdict.gain
    assert story.overall.is_confirmed


def test_predictions_about_another_metric_alone_are_answered_and_nothing_is_adopted(cases):
    story = cases.run(experiment("side", [{"arm": "down", "metric": "loss", "is": "better"}], down={"drop": -0.5}))
    assert verdicts(story)["side/down/loss"] == "SUPPORTED"
    assert decisions(story) == {"side": "KEEP"}


def test_a_null_arm_is_not_adopted_and_nothing_is_confirmed(cases):
    story = cases.run(NULL)
    assert decisions(story) == {"null": "KEEP"}
    assert (story.phase, story.claims, story.overall) == ("done", (), None)
    assert not [u for u in cases.record.uses(1) if u.experiment == "confirmation"]


def test_an_arm_that_has_become_the_champion_trains_nothing(cases):
    again = experiment("again", same={"gain": 5.0})
    story = cases.run(GAIN, again)
    verdict = by_id(story)["again"].verdicts[0]
    assert (verdict.end, verdict.cause) == (End.IDENTICAL, Cause.EQUIVALENT)
    assert (by_id(story)["again"].runs_trained, by_id(story)["again"].steps) == (0, {})
    assert decisions(story)["again"] == "KEEP"


def test_two_arms_made_equal_by_a_moved_champion_are_one_training(cases):
    both = experiment("both", a={"third": "y"}, b={"third": "y", "gain": 5.0})
    story = cases.run(GAIN, both)
    arms = by_id(story)["both"].arms
    assert arms[0].values == arms[1].values
    assert len(arms[0].seeds) == 3
    assert by_id(story)["both"].runs_trained == 3
    check_invariants(cases.record)


def test_two_experiments_share_the_runs_they_both_ask_for(cases):
    first = experiment("first", a={"gain": -0.1}, b={"gain": 0.1})
    second = experiment("second", b={"gain": 0.1})
    story = cases.run(first, second, rule={"screen": False})
    assert by_id(story)["second"].runs_trained == 0
    assert by_id(story)["second"].runs_reused == 6


# --- factorials ----------------------------------------------------------------------------------------------------


def factorial(name, expect, **factors):
    return {"id": name, "hypothesis": f"{name} interact.", "factorial": factors, "expect": expect}


def test_an_interaction_is_found_and_the_best_cell_adopted(cases):
    expect = [{"interaction": ["left", "right"], "metric": "score", "is": "better"}]
    story = cases.run(factorial("pair", expect, left=[False, True], right=[False, True]))
    assert verdicts(story) == {"pair/left × right": "SUPPORTED"}
    assert decisions(story) == {"pair": "ADOPT left=true, right=true"}
    found = {c.label: c.verdict.estimate for c in story.experiments[0].contrasts}
    assert found == {
        "left: False → True": pytest.approx(2, abs=1),
        "right: False → True": pytest.approx(2, abs=1),
        "left: False → True × right: False → True": pytest.approx(4, abs=1),
    }
    assert {len(arm.seeds) for arm in story.experiments[0].arms} == {3}


def test_a_factorial_may_stand_apart_from_its_champion(cases):
    expect = [{"main": "left", "metric": "score", "is": "same", "within": 9.0}]
    cells = factorial("apart", expect, left=[False, True], gain=[3.0, 7.0])
    story = cases.run(cells, seeds=5)
    assert verdicts(story) == {"apart/left": "SUPPORTED"}
    assert story.champion_config["gain"] == 7.0


def test_three_levels_and_three_factors_give_each_contrast_its_interval(cases):
    expect = [{"arm": "third=z, left=false, right=false", "metric": "score", "is": "better"}]
    story = cases.run(
        factorial("wide", expect, third=["x", "y", "z"], left=[False, True], right=[False, True]),
        rule={"screen": False},
    )
    contrasts = {c.label: c.verdict for c in story.experiments[0].contrasts}
    assert len(contrasts) == (2 + 1 + 1) + (2 + 2 + 1)
    assert contrasts["third: x → z"].estimate == pytest.approx(8, abs=1)
    assert contrasts["third: x → y × left: False → True"].estimate == pytest.approx(0, abs=1.5)
    assert all(v.interval for v in contrasts.values())
    assert story.champion_config["third"] == "z"


# --- runs that end badly -------------------------------------------------------------------------------------------


def test_an_arm_that_diverges_is_refuted_and_told(cases):
    story = cases.run(experiment("wild", boom={"gain": 9.0, "mode": "diverge"}))
    assert verdicts(story) == {"wild/boom": "REFUTED"}
    assert decisions(story) == {"wild": "KEEP"}
    assert "boom, seed 1: INFEASIBLE (score is nan at step 4)" in story.experiments[0].losses


def test_a_seed_that_crashed_drops_its_pair_and_is_told(cases):
    arm = {"gain": 5.0, "mode": "crash", "bad_seed": 2}
    story = cases.run(experiment("shaky", arm=arm), seeds=4, rule={"looks": [4], "screen": False})
    entry = story.experiments[0]
    assert (entry.steps["arm"].n, decisions(story)) == (3, {"shaky": "KEEP"})
    (loss,) = entry.losses
    assert loss.startswith("arm, seed 2: FAILED (ValueError: bad shape")


def test_an_arm_that_always_crashes_is_inconclusive(cases):
    story = cases.run(experiment("broken", arm={"mode": "crash"}), GAIN)
    assert verdicts(story)["broken/arm"] == "INCONCLUSIVE underpowered"
    assert decisions(story) == {"broken": "KEEP", "gain": "ADOPT better"}


def test_a_study_whose_baseline_diverges_says_so_and_compares_nothing(cases):
    story = cases.run(GAIN, baseline={"mode": "diverge"})
    assert (story.phase, story.champion_values) == ("baseline", ())
    assert [e.state for e in story.experiments] == ["waiting"]
    assert story.run_counts["infeasible"] == 3
    assert not cases.record.events(1, "decision")


def test_a_fact_that_moves_without_its_driver_confounds_the_comparison(cases):
    story = cases.run(experiment("sneaky", arm={"gain": 5.0, "sneak": True}))
    assert verdicts(story) == {"sneaky/arm": "INCONCLUSIVE confounded"}
    assert story.experiments[0].verdicts[0].confounds == ("steps 3 → 4",)
    assert decisions(story) == {"sneaky": "KEEP"}


def test_an_allowed_or_declared_fact_does_not_confound(cases):
    allowed = {**experiment("allowed", arm={"gain": 5.0, "sneak": True}), "allow": ["steps"]}
    longer = experiment("longer", arm={"gain": 9.0, "steps": 5})
    story = cases.run(allowed, longer)
    assert decisions(story) == {"allowed": "ADOPT arm", "longer": "ADOPT arm"}
    assert [c.is_confirmed for c in story.claims] == [True, True]


def test_a_training_that_ignores_its_seed_proves_nothing(cases):
    story = cases.run(GAIN, baseline={"sd": 0.0})
    assert story.experiments[0].verdicts[0].end is End.UNTESTABLE
    assert decisions(story) == {"gain": "KEEP"}


def test_whole_numbers_with_ties_are_compared(cases):
    story = cases.run(GAIN, NULL, baseline={"is_whole": True}, seeds=5)
    assert decisions(story)["null"] == "KEEP"
    assert story.phase == "done"


def test_of_two_arms_that_cannot_be_told_apart_the_cheaper_is_adopted(cases):
    arms = {"dear": {"gain": 5.0, "cost": 2.0}, "cheap": {"gain": 5.0, "cost": 1.0}}
    story = cases.run(experiment("price", **arms))
    assert decisions(story) == {"price": "ADOPT cheap"}


# --- numbers -------------------------------------------------------------------------------------------------------


def test_gap_costs_and_expected_false_adopts_are_as_by_hand(cases):
    story = cases.run(GAIN, LOSS)
    values = {gain: [50 + gain + noise(seed, gain) for seed in (1, 2, 3)] for gain in (0.0, 5.0)}
    entry = by_id(story)["gain"]
    assert entry.gap_before == pytest.approx(60 - statistics.fmean(values[0.0]))
    assert entry.gap_after == story.target_gap == pytest.approx(60 - statistics.fmean(values[5.0]))
    assert story.path[1].exploring == pytest.approx(values[5.0])
    assert story.path[1].is_claimed
    assert story.expected_false_adopts == pytest.approx(2 * 0.20)
    assert (entry.runs_trained, entry.runs_reused) == (3, 3)
    assert (by_id(story)["loser"].runs_trained, by_id(story)["loser"].runs_reused) == (1, 1)
    assert story.run_counts["complete"] == 3 + 3 + 1 + 2 * 3
    seconds = sum(r.provenance.wall_seconds for r in cases.record.runs(1) if r.config["gain"] == 5.0 and r.seed < 100)
    assert entry.train_seconds == pytest.approx(seconds)


def test_q_values_are_benjamini_hochberg_over_the_tested_arms(cases):
    story = cases.run(GAIN, experiment("small", arm={"gain": 0.01}), rule={"screen": False})
    p, q = [e.steps[a].p for e, a in zip(story.experiments, ("better", "arm"), strict=True)], story.q_values
    assert q["small / arm"] == pytest.approx(max(p))
    assert q["gain / better"] == pytest.approx(min(2 * min(p), max(p)))


def noise(seed, gain):
    from study_toy import Config, outcome

    return outcome(Config(gain=gain), seed)[0] - 50 - gain


def test_the_most_runs_announced_are_never_exceeded(cases):
    story = cases.run(GAIN, LOSS, THIRD, NULL)
    announced = cases.ear.most_runs[0]
    assert sum(story.run_counts[s] for s in ("complete", "failed", "infeasible") if s in story.run_counts) <= announced
    left = cases.ear.most_runs[1:]
    assert all(n >= len(left) - i - 1 for i, n in enumerate(left))


def test_after_twenty_comparisons_the_champion_meets_new_seeds(cases):
    arms = {f"a{i}": {"gain": -9.0 - i} for i in range(20)}
    story = cases.run(experiment("crowd", **arms), GAIN)
    assert {a.seeds for a in story.experiments[0].arms} == {(1,)}
    assert story.experiments[1].arms[0].seeds == story.experiments[1].champion.seeds == exploring_seeds(3, 1)


def test_noise_is_learnt_only_from_experiments_decided_before(cases):
    many = [experiment(f"e{i}", arm={"gain": i / 1000}) for i in range(1, 9)]
    story = cases.run(*many, seeds=4, rule={"screen": False, "looks": [4]})
    floor, past = story.baseline.values["score"], []
    for entry in cases.read(*many, seeds=4, rule={"screen": False, "looks": [4]}).experiments:
        assert entry.noise == study_noise(floor, past)
        past.append(paired_set(entry.arms[0].values["score"], entry.champion.values["score"]))
    assert story.experiments[-1].noise.correlation is not None


def test_an_adopted_arm_is_judged_by_the_seeds_it_was_adopted_on(cases):
    """It trains more seeds as champion; they are no part of the experiment that adopted it."""
    longer = {"rule": {"looks": [3, 5, 8]}, "seeds": 8}
    story = cases.run(GAIN, experiment("close", arm={"gain": 5.2}), experiment("like", [
        {"arm": "arm", "metric": "score", "is": "same", "within": 9.0}], arm={"label": "other"}), **longer)  # fmt: skip
    gain, like = story.experiments[0], story.experiments[2]
    assert like.champion.seeds == exploring_seeds(8)
    assert (gain.steps["better"].n, gain.arms[0].seeds, gain.champion.seeds) == (3, (1, 2, 3), (1, 2, 3))
    assert gain.choice.decision is Decision.ADOPT
