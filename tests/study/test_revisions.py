"""A plan may be edited at any time; what was known by then shows, and no look is free."""

import shutil

import pytest
from study_cases import Cases, check_invariants, decisions, experiment, plan_of, plan_text, repeat, verdicts

from surefoot.files.plan_file import parse_plan
from surefoot.plan import confirming_seeds, exploring_seeds
from surefoot.study.telling import _earlier_confirmations

GAIN = experiment("gain", better={"gain": 5.0})
LOSS = experiment("loser", worse={"gain": -9.0})
THIRD = experiment("third", y={"third": "y"})
SMALL = experiment("small", arm={"gain": 0.2})


def by_id(story):
    return {e.id: e for e in story.experiments}


# --- what is trained once ------------------------------------------------------------------------------------------


def test_comments_and_layout_make_no_revision(cases):
    cases.run(GAIN)
    plan = parse_plan("# a thought\n" + plan_text(GAIN).replace("\n", "\n\n"))
    study = cases.study(plan)
    assert not study.is_new_revision
    study.run(cases.pool, cases.ear)
    assert len(cases.record.revisions(1)) == 1


def test_a_second_study_uses_the_runs_of_the_first_and_says_so(cases):
    cases.run(GAIN, LOSS)
    story = cases.run(GAIN, THIRD, study="second")
    assert by_id(story)["gain"].runs_reused == 6
    assert by_id(story)["gain"].runs_trained == 0
    assert cases.ear.trained[0][0] == "third / y"
    keys = [run.key for study in (1, 2) for run in cases.record.runs(study)]
    assert len(set(keys)) == len({run.id for study in (1, 2) for run in cases.record.runs(study)})


def test_runs_on_other_data_are_not_used_and_the_change_is_told(cases):
    first = cases.run(GAIN)
    (cases.data / "version").write_text("data-2")
    story = cases.run_afresh(GAIN)
    assert len(cases.ear.trained) == first.run_counts["complete"]
    (notice,) = [n for n in cases.ear.notices if "data changed" in n]
    assert "data-1 → data-2" in notice
    assert story.notices == (notice,)
    assert len(cases.record.events(1, "decision")) == 2
    cases.run(GAIN)
    assert (cases.ear.trained, cases.ear.notices) == ([], [])
    check_invariants(cases.record)


def test_a_change_of_data_is_told_once_even_if_the_run_after_it_was_interrupted(cases):
    cases.run(GAIN)
    (cases.data / "version").write_text("data-2")
    cases.interrupted(1, GAIN)
    story = cases.run_afresh(GAIN)
    assert story.phase == "done"
    assert len(story.notices) == 1
    assert cases.read(GAIN).champion_config == story.champion_config


# --- what an edit may and may not do -------------------------------------------------------------------------------


def test_an_experiment_added_after_results_is_registered_beside_them(cases):
    cases.run(GAIN)
    story = cases.run(GAIN, THIRD)
    claims = "claims: gain: better (score) confirmed"
    assert [r.known for r in story.revisions] == [(), ("12 finished runs", "gain: ADOPT better", claims)]
    assert story.revisions[1].changes == ("experiment third added",)
    assert [(e.revision, e.known) for e in story.experiments] == [(1, ()), (2, ())]
    assert "gain / better" not in {label for label, *_ in cases.ear.trained}


def test_an_experiment_edited_before_it_began_is_simply_registered_again(cases):
    cases.interrupted(1, GAIN, THIRD)
    story = cases.run(GAIN, experiment("third", z={"third": "z"}))
    assert (by_id(story)["third"].revision, by_id(story)["third"].known) == (2, ())
    assert decisions(story)["third"] == "ADOPT z"


def test_an_experiment_edited_after_its_decision_is_marked(cases):
    cases.run(GAIN)
    expect = [{"arm": "better", "metric": "score", "is": "better", "by": 2.0}]
    story = cases.run({**GAIN, "hypothesis": "I knew it.", "expect": expect})
    assert by_id(story)["gain"].known == ("edited in revision 2, when its decision (ADOPT better) was known",)
    assert cases.ear.trained == []
    again = cases.run(GAIN)
    assert len(by_id(again)["gain"].known) == 2


def test_a_looser_least_effect_after_the_decision_is_marked_but_a_new_target_is_not(cases):
    metrics = {"score": {"goal": "maximize", "target": 60.0, "min_effect": 20.0}}
    assert decisions(cases.run(GAIN, metrics=metrics)) == {"gain": "KEEP"}
    metrics["score"]["target"] = 70.0
    story = cases.run(GAIN, metrics=metrics)
    assert (story.revisions[1].changes, by_id(story)["gain"].known) == (("metrics changed",), ())
    assert cases.ear.trained == []
    metrics["score"]["min_effect"] = 1.0
    story = cases.run(GAIN, metrics=metrics)
    assert decisions(story) == {"gain": "ADOPT better"}
    assert by_id(story)["gain"].known == ("edited in revision 3, when its decision (KEEP) was known",)


def test_more_seeds_after_a_look_are_refused_and_new_experiments_get_them(cases):
    first = cases.run(SMALL, rule={"screen": False})
    story = cases.run(SMALL, THIRD, seeds=5, rule={"screen": False})
    (note,) = [n for n in cases.ear.notices if n.startswith("small")]
    assert "keeps the rule it was registered with (looks 3" in note and "repeats: small" in note
    assert by_id(story)["small"].rule.looks == (3,)
    assert by_id(story)["third"].rule.looks == (3, 5)
    assert verdicts(story)["small/arm"] == verdicts(first)["small/arm"]
    # The noise it was judged by is that of its own three baseline seeds, though five are there by now.
    assert by_id(story)["small"].noise == by_id(first)["small"].noise
    assert by_id(story)["small"].steps["arm"] == by_id(first)["small"].steps["arm"]


def test_fewer_seeds_leave_what_was_decided_with_more(cases):
    first = cases.run(SMALL, seeds=5, rule={"screen": False})
    story = cases.run(SMALL, THIRD, seeds=3, rule={"screen": False})
    assert by_id(story)["small"].steps["arm"] == by_id(first)["small"].steps["arm"]
    assert by_id(story)["third"].rule.seeds == 3


def test_the_same_arms_under_a_new_name_are_a_repeat(cases):
    cases.run(SMALL, rule={"screen": False})
    story = cases.run(SMALL, experiment("fresh", other={"gain": 0.2}), rule={"screen": False})
    entry = by_id(story)["fresh"]
    (known,) = entry.known
    assert "fresh asks again what small asked" in known and known in cases.ear.notices
    assert (entry.rule.adopt_alpha, entry.rule.support_alpha) == (0.10, 0.025)
    assert entry.arms[0].seeds == entry.champion.seeds == exploring_seeds(3, 51)


@pytest.mark.parametrize(
    "disguise",
    [
        {"other": {"gain": 0.2, "third": "x"}},
        {"other": {"gain": 0.2}, "dummy": {"gain": -9.0}},
    ],
    ids=["a setting of the baseline", "one arm more"],
)
def test_a_disguised_question_gets_no_more_seeds_for_free(cases, disguise):
    cases.run(SMALL, rule={"screen": False})
    story = cases.run(experiment("fresh", **disguise), seeds=5, rule={"screen": False})
    entry = by_id(story)["fresh"]
    assert entry.rule.adopt_alpha == 0.10
    assert set(entry.champion.seeds).isdisjoint(exploring_seeds(5))


def test_some_arms_again_under_the_same_rule_are_marked_and_not_trained_again(cases):
    cases.run(SMALL, rule={"screen": False})
    story = cases.run(SMALL, experiment("more", arm={"gain": 0.2}, new={"gain": 0.3}), rule={"screen": False})
    entry = by_id(story)["more"]
    assert entry.known == ("1 of its arms had been trained in small",)
    assert (entry.runs_trained, entry.rule.adopt_alpha) == (3, 0.20)


def test_a_repeat_keeps_its_error_and_seeds_through_later_edits(cases):
    rule = {"screen": False}
    cases.run(SMALL, rule=rule)
    twin = experiment("twin", other={"gain": 0.2})
    cases.interrupted(0, SMALL, twin, rule=rule)
    before = cases.study(plan_of(SMALL, twin, rule=rule)).story()
    story = cases.run(SMALL, twin, rule=rule, budget={"runs": 200})
    assert not [n for n in cases.ear.notices if "keeps the rule" in n]
    for found in (by_id(before)["twin"], by_id(story)["twin"]):
        assert found.rule.adopt_alpha == 0.10
    assert by_id(story)["twin"].arms[0].seeds == exploring_seeds(3, 51)


def test_each_explicit_repeat_halves_the_error_on_seeds_of_its_own(cases):
    first, second = repeat("again", "small", arm={"gain": 0.2}), repeat("thrice", "again", arm={"gain": 0.2})
    story = cases.run(SMALL, first, second, rule={"screen": False})
    assert [e.rule.adopt_alpha for e in story.experiments] == [0.20, 0.10, 0.05]
    assert [e.champion.seeds[0] for e in story.experiments] == [1, 5101, 5201]


def test_a_repeat_that_replaces_a_repeat_is_the_next_one(cases):
    """Taking the first repeat out of the plan does not give its error back."""
    rule = {"screen": False}
    cases.run(SMALL, repeat("again", "small", arm={"gain": 0.2}), rule=rule)
    story = cases.run(SMALL, repeat("anew", "small", arm={"gain": 0.2}), rule=rule, seeds=5)
    entry = by_id(story)["anew"]
    assert (entry.rule.adopt_alpha, entry.champion.seeds[0]) == (0.05, 5201)


def test_an_experiment_that_takes_over_anothers_arms_asks_again(cases):
    rule = {"screen": False}
    cases.run(SMALL, THIRD, rule=rule)
    story = cases.run(SMALL, experiment("third", y={"gain": 0.2}), rule=rule)
    entry = by_id(story)["third"]
    assert entry.rule.adopt_alpha == 0.10
    assert entry.champion.seeds == exploring_seeds(3, 51)
    assert any("edited in revision 2" in k for k in entry.known)


def test_dummy_experiments_before_it_give_no_experiment_new_seeds(cases):
    cases.run(SMALL, rule={"screen": False})
    crowd = experiment("crowd", **{f"a{i}": {"gain": -9.0 - i} for i in range(20)})
    crowd["expect"] = [{"arm": "a0", "metric": "score", "is": "better"}]
    story = cases.run(crowd, SMALL, rule={"screen": False}, seeds=3)
    assert by_id(story)["small"].champion.seeds == exploring_seeds(3)


def test_a_removed_experiment_leaves_the_story_and_stays_on_record(cases):
    cases.run(GAIN, THIRD)
    story = cases.run(THIRD)
    assert decisions(story) == {"third": "ADOPT y"}
    assert story.champion_config["gain"] == 0.0
    assert story.revisions[1].changes == ("experiment gain removed",)
    assert [e.experiment for e in cases.record.events(1, "decision")] == ["gain", "third", "third"]
    back = cases.run(GAIN, THIRD)
    assert (back.champion_config["gain"], by_id(back)["gain"].revision) == (5.0, 1)
    assert (
        cases.record.events(1, "decision")[-1].payload["champion_before"]
        != (cases.record.events(1, "decision")[-2].payload["champion_before"])
    )


def test_a_new_order_tells_the_steps_in_that_order(cases):
    cases.run(GAIN, THIRD)
    story = cases.run(THIRD, GAIN)
    assert [p.label for p in story.path] == ["baseline", "third: y", "gain: better"]
    assert story.revisions[1].changes == ("experiments in another order",)
    check_invariants(cases.record)


def test_another_baseline_decides_everything_anew_and_keeps_the_old_verdicts(cases):
    cases.run(GAIN, LOSS)
    old = [(r.id, r.verdict) for r in cases.record.verdicts(1)]
    story = cases.run(GAIN, LOSS, baseline={"third": "y"})
    assert story.champion_config["third"] == "y"
    assert [(r.id, r.verdict) for r in cases.record.verdicts(1)][: len(old)] == old
    assert len(cases.record.events(1, "decision")) == 4
    assert decisions(story) == {"gain": "ADOPT better", "loser": "KEEP"}


# --- asked again on another champion -------------------------------------------------------------------------------


def test_a_touch_of_the_baseline_gives_no_experiment_its_error_back(cases):
    rule = {"screen": False}
    cases.run(SMALL, rule=rule)
    found = [by_id(cases.run(SMALL, rule=rule, baseline={"cost": i * 1e-9}))["small"] for i in (1, 2)]
    assert [(e.rule.adopt_alpha, e.rule.support_alpha) for e in found] == [(0.10, 0.025), (0.05, 0.0125)]
    seeds = [set(exploring_seeds(3)), *(set(e.champion.seeds) for e in found)]
    assert len(set.union(*seeds)) == 9
    assert found[0].known == ("asked again on another champion in revision 2, when its decision (KEEP) was known",)
    assert [k.split(",")[0][-1] for k in found[1].known] == ["2", "3"]
    later = by_id(cases.run(SMALL, THIRD, rule=rule, baseline={"cost": 1e-9}))["small"]
    assert (later.rule, later.champion.seeds, later.steps) == (found[0].rule, found[0].champion.seeds, found[0].steps)
    first = by_id(cases.run(SMALL, rule=rule))["small"]
    assert (first.rule.adopt_alpha, first.champion.seeds, first.known) == (0.20, exploring_seeds(3), ())


def test_an_experiment_put_before_it_asks_the_later_one_again(cases):
    cases.run(SMALL, rule={"screen": False})
    entry = by_id(cases.run(GAIN, THIRD, SMALL, rule={"screen": False}))["small"]
    assert (entry.rule.adopt_alpha, entry.known[0][:50]) == (0.10, "asked again on another champion in revision 2, whe")


def test_a_repeat_counts_every_champion_its_question_was_asked_on(cases):
    rule = {"screen": False}
    cases.run(SMALL, rule=rule)
    cases.run(SMALL, rule=rule, baseline={"cost": 1e-9})
    twin = experiment("twin", other={"gain": 0.2})
    entry = by_id(cases.run(SMALL, twin, rule=rule, baseline={"cost": 1e-9}))["twin"]
    assert (entry.rule.adopt_alpha, entry.champion.seeds) == (0.05, exploring_seeds(3, 52))


def test_a_champion_asked_on_and_edited_away_before_the_decision_counts_too(cases):
    rule = {"screen": False}
    cases.interrupted(4, SMALL, rule=rule)
    entry = by_id(cases.run(SMALL, rule=rule, baseline={"cost": 1e-9}))["small"]
    assert entry.known == ("asked again on another champion in revision 2, when some of its runs were known",)
    assert entry.rule.adopt_alpha == 0.10


def test_what_chance_adopts_counts_the_experiments_that_were_removed(cases):
    rule = {"screen": False}
    cases.run(SMALL, rule=rule)
    story = cases.run(experiment("other", arm={"gain": 0.1}), rule=rule)
    assert story.expected_false_adopts == pytest.approx(2 * 0.20)
    assert story.notices == ("removed from the plan in revision 2: small, KEEP",)
    back = cases.run(SMALL, experiment("other", arm={"gain": 0.1}), rule=rule)
    assert (back.expected_false_adopts, back.notices) == (pytest.approx(2 * 0.20), ())


# --- confirming again ----------------------------------------------------------------------------------------------


def seeds_of_claims(cases):
    return [tuple(e.payload["seeds"]) for e in cases.record.events(1, "claim")]


def test_another_path_is_confirmed_on_seeds_that_are_fresh_for_it(cases):
    cases.run(GAIN)
    story = cases.run(GAIN, THIRD)
    assert seeds_of_claims(cases) == [confirming_seeds(3), confirming_seeds(3, 1)]
    assert [len(p.fresh) for p in story.path] == [3, 3, 3]


def test_a_question_confirmed_again_has_half_the_error(cases, tmp_path):
    """Reordering changes the path, and so the fresh seeds, but not what is asked of its two ends."""
    cases.run(GAIN, THIRD)
    free = cases.run(THIRD, GAIN)
    assert free.overall.is_confirmed
    (tmp_path / "strict").mkdir()
    strict, rule = Cases(tmp_path / "strict", cases.pool), {"claim": 1.5 * free.overall.p}
    strict.run(GAIN, THIRD, rule=rule)
    story = strict.run(THIRD, GAIN, rule=rule)
    strict.close()
    assert story.overall.p == free.overall.p
    assert not story.overall.is_confirmed
    assert "2 times" in story.overall.reason


METRICS = {"score": {"goal": "maximize"}, "loss": {"goal": "minimize"}}
BOTH = experiment("both", arm={"gain": 5.0, "drop": -5.0})


@pytest.mark.parametrize(
    "edit",
    [{"confirm": 4}, {"rule": {"claim": 0.45}}, {"primary": "loss"}, {"baseline": {"cost": 1e-9}}],
    ids=["seeds", "error", "metric", "baseline"],
)
def test_no_edit_of_the_plan_confirms_on_seeds_that_were_seen(cases, edit):
    """Nor at full error: that the edit is small makes it no other question."""
    cases.run(BOTH, primary="score", metrics=METRICS)
    story = cases.run(BOTH, **{"primary": "score", "metrics": METRICS, **edit})
    assert seeds_of_claims(cases) == [confirming_seeds(3), confirming_seeds(edit.get("confirm", 3), 1)]
    payloads = [e.payload["confirmation"] for e in cases.record.events(1, "state")]
    assert _earlier_confirmations(cases.record, 1, payloads[-1]) == (1, 1)
    assert story.phase == "done"
    again = cases.run(BOTH, **{"primary": "score", "metrics": METRICS, **edit})
    assert (cases.ear.trained, again.overall) == ([], story.overall)


def test_going_back_to_an_old_path_finds_its_old_claims(cases):
    first = cases.run(GAIN)
    cases.run(GAIN, THIRD)
    story = cases.run(GAIN)
    assert cases.ear.trained == []
    assert story.overall == first.overall
    assert seeds_of_claims(cases)[-1] == confirming_seeds(3)


def test_a_confirmation_that_was_interrupted_and_edited_away_has_used_its_seeds(cases):
    cases.interrupted(8, GAIN)
    confirming = {run.seed for run in cases.record.runs(1) if run.seed > 10_000}
    assert confirming and not cases.record.events(1, "claim")
    cases.run(GAIN, THIRD)
    assert seeds_of_claims(cases) == [confirming_seeds(3, 1)]


def test_the_test_split_is_opened_once_and_stays_closed_for_another_champion(cases):
    assert not cases.run(GAIN).test_opened_at
    story = cases.run(GAIN, finalise=True)
    assert {name: len(values["score"]) for name, values in story.test_values.items()} == {"baseline": 3, "champion": 3}
    opening, values = cases.record.events(1, "opening")
    assert "values" not in opening.payload and opening.at < values.at
    assert cases.run(GAIN, finalise=True).test_values == story.test_values
    assert len(cases.record.events(1, "opening")) == 2
    later = cases.run(GAIN, THIRD, finalise=True)
    assert [n for n in cases.ear.notices if "stays closed" in n]
    assert (len(cases.record.events(1, "opening")), later.test_values) == (2, story.test_values)


def test_a_corrupted_checkpoint_is_told_in_a_line_and_the_study_survives(cases):
    cases.run(GAIN)
    for path in cases.home.glob("artifacts/*/*/last.pt"):
        path.write_text("{")
    story = cases.run(GAIN, finalise=True)
    assert (story.phase, story.test_opened_at) == ("done", "")
    (told,) = [n for n in cases.ear.notices if "test split" in n]
    assert told.startswith("the test split stays sealed: 6 of 6 checkpoints are missing or not the recorded ones")
    assert "\n" not in told


def test_missing_checkpoints_do_not_use_the_test_split_up(cases):
    cases.run(GAIN)
    (cases.home / "artifacts").rename(cases.home / "elsewhere")
    assert not cases.run(GAIN, finalise=True).test_opened_at
    assert not cases.record.events(1, "opening")
    shutil.rmtree(cases.home / "artifacts", ignore_errors=True)
    (cases.home / "elsewhere").rename(cases.home / "artifacts")
    story = cases.run(GAIN, finalise=True)
    assert {name: len(values["score"]) for name, values in story.test_values.items()} == {"baseline": 3, "champion": 3}


def test_an_evaluation_that_fails_records_no_values_and_is_tried_again(cases):
    cases.run(GAIN, study="failing", workload="study_toy:FRAGILE")
    (cases.data / "no_test").touch()
    first = cases.run(GAIN, study="failing", workload="study_toy:FRAGILE", finalise=True)
    assert first.test_opened_at and first.test_values == {}
    (cases.data / "no_test").unlink()
    story = cases.run(GAIN, study="failing", workload="study_toy:FRAGILE", finalise=True)
    assert (set(story.test_values), story.test_opened_at) == ({"baseline", "champion"}, first.test_opened_at)


def test_a_revision_lists_the_claims_and_the_opening_that_were_known(cases):
    cases.run(GAIN, finalise=True)
    story = cases.run(GAIN, THIRD, finalise=True)
    claims, opening = story.revisions[1].known[-2:]
    assert claims == "claims: gain: better (score) confirmed"
    assert opening == f"the test split, opened {story.test_opened_at[:16]}"
