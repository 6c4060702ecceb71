"""An experiment may be a search: single seeds explore, the best few race on fresh ones, and only that counts."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from study_cases import (
    Cases,
    Ear,
    check_invariants,
    decisions,
    experiment,
    journal,
    plan_of,
    plan_text,
    repeat,
    search,
    verdicts,
)

from surefoot.execution import WorkerPool
from surefoot.plan import BLOCK, SEARCH_BLOCK, exploring_seeds
from surefoot.run import config_hash
from surefoot.storage import Record
from surefoot.study.forecast import forecast, forecast_text
from surefoot.study.walk import ASKED_AGAIN_BLOCK

HERE = Path(__file__).parent
GAIN = {"gain": {"min": 0.0, "max": 5.0}}
THIRDS = {"third": {"choices": ["x", "y", "z"], "role": "scientific"}, **GAIN}
WIDE = {"gain": {"min": -9.0, "max": 5.0}}
TUNE = search("tune", parameters=GAIN)
LABEL = experiment("label", other={"label": "other"})
SMALL = dict(seeds=2, confirm=2)


def by_id(story):
    return {e.id: e for e in story.experiments}


def seeds_of(cases, *names):
    seeds = {run.id: run.seed for run in cases.record.runs(1)}
    return {seeds[use.run_id] for use in cases.record.uses(1) if use.experiment in names}


def trials_of(cases, experiment, study=1):
    return cases.record.trials(study, f"{experiment}/search")


# --- what a search does ----------------------------------------------------------------------------------------------


def test_a_search_explores_and_its_best_race_on_seeds_that_it_never_saw(cases):
    story = cases.run(TUNE, LABEL)
    tune = by_id(story)["tune"]
    assert seeds_of(cases, "tune/search") == set(exploring_seeds(1, SEARCH_BLOCK))
    assert seeds_of(cases, "tune", "label", "baseline", "confirmation").isdisjoint(seeds_of(cases, "tune/search"))
    values = {row.number: runs[0].final("score") for row in trials_of(cases, "tune") if (runs := by_trial(cases, row))}
    best = sorted(values, key=values.get, reverse=True)[:3]
    assert [(pick.arm, pick.trial) for pick in tune.search.picks] == list(
        zip(("best", "second", "third"), best, strict=True)
    )
    assert [pick.explored for pick in tune.search.picks] == [values[number] for number in best]
    assert [arm.name for arm in tune.arms] == ["best", "second", "third"]
    assert tune.search.trials == {"complete": 6}
    assert decisions(story)["tune"].startswith("ADOPT")
    check_invariants(cases.record)


def by_trial(cases, row):
    return cases.record.trial_runs(1, row.sweep)[row.number]


def test_what_comes_later_builds_on_what_the_search_found(cases):
    story = cases.run(TUNE, LABEL)
    adopted = next(a for a in by_id(story)["tune"].arms if a.name == by_id(story)["tune"].choice.arm)
    assert by_id(story)["label"].champion_before == adopted.config
    assert by_id(story)["label"].arms[0].config == {**adopted.config, "label": "other"}


def test_picks_alone_count_in_the_statistics_of_the_study(cases):
    story = cases.run(TUNE, LABEL)
    assert story.expected_false_adopts == pytest.approx(4 * 0.20)
    assert set(story.q_values) == {"tune / best", "tune / second", "tune / third", "label / other"}
    # Baseline and champions on their seeds; 6 trials, 3 arms.
    assert by_id(story)["tune"].runs_trained == 6 + 9
    assert story.run_counts["complete"] == 3 + 15 + 3 + 3 * len(story.path)


def test_scientific_settings_are_tuned_alike_and_the_best_of_each_is_an_arm(cases):
    expect = [{"arm": "third=z", "metric": "score", "is": "better"}]
    story = cases.run(search("which", expect, parameters=THIRDS, trials=9))
    which = by_id(story)["which"]
    tried = [row.settings["third"] for row in trials_of(cases, "which")]
    assert {third: tried.count(third) for third in "xyz"} == {"x": 3, "y": 3, "z": 3}
    assert [arm.name for arm in which.arms] == ["third=x", "third=y", "third=z"]
    assert verdicts(story)["which/third=z"] == "SUPPORTED"
    assert story.champion_config["third"] == "z"


def test_the_studys_target_ends_no_search(cases):
    metrics = {"score": {"goal": "maximize", "target": 40.0}}
    story = cases.run(TUNE, metrics=metrics)
    assert by_id(story)["tune"].search.ending == "all 6 trials were made"


def test_trials_that_were_ended_early_race_nowhere(cases):
    stop_early = {"rule": "asha", "min_steps": 2, "max_steps": 6, "eta": 3, "promotes": False}
    story = cases.run(search("tune", parameters=GAIN, trials=9, stop_early=stop_early), baseline={"steps": 6})
    tune = by_id(story)["tune"]
    assert tune.search.trials["pruned"] >= 1
    picked = {pick.trial for pick in tune.search.picks}
    complete = {row.number for row in trials_of(cases, "tune") if by_trial(cases, row)[0].status == "COMPLETE"}
    assert picked <= complete


def test_a_constraint_on_a_metric_keeps_a_trial_from_the_race(cases):
    parameters = {**GAIN, "drop": {"min": 0.0, "max": 2.0}}
    story = cases.run(search("tune", parameters=parameters, trials=9, constraints=["loss <= 2"]))
    assert all(pick.changes["drop"] < 1.3 for pick in by_id(story)["tune"].search.picks)


# --- what a search may come to ---------------------------------------------------------------------------------------


def test_fewer_configs_than_arms_leave_their_predictions_open(cases):
    expect = [{"arm": arm, "metric": "score", "is": "better"} for arm in ("best", "third")]
    story = cases.run(search("few", expect, parameters={"third": ["x", "y"]}, method="grid", trials=3), LABEL)
    few = by_id(story)["few"]
    # The champion's own config is tried, and is no arm.
    assert few.search.trials == {"complete": 2}
    assert few.search.ending == "every config of the space was tried"
    assert [arm.name for arm in few.arms] == ["best"]
    assert verdicts(story)["few/best"] == "SUPPORTED"
    assert verdicts(story)["few/third"] == "INCONCLUSIVE underpowered"
    assert "the search found no config to race as third" in [v.reason for v in few.verdicts]
    assert [p.arm for p in few.predictions] == ["best", "third"]
    assert by_id(story)["label"].state == "decided"
    assert journal(cases.read(search("few", expect, parameters={"third": ["x", "y"]}, method="grid", trials=3), LABEL))


def test_a_champion_that_is_the_best_there_is_stays(cases):
    story = cases.run(search("tune", parameters={"gain": {"min": -9.0, "max": -5.0}}, first=[{"gain": -5.0}]))
    assert decisions(story) == {"tune": "KEEP"}
    assert story.phase == "done"


@pytest.mark.parametrize(("mode", "state"), [("crash", "failed"), ("diverge", "infeasible")])
def test_a_search_without_a_value_is_skipped_and_the_study_goes_on(cases, mode, state):
    parameters = {**GAIN, "mode": {"choices": [mode]}}
    story = cases.run(search("tune", parameters=parameters), LABEL)
    tune = by_id(story)["tune"]
    assert (tune.state, decisions(story)["tune"]) == ("skipped", "KEEP")
    assert tune.note.startswith("its search found no config with a value: ")
    assert tune.search.trials == {state: 5 if mode == "crash" else 6}
    assert ("all 5 trials failed, the last one with: ValueError: bad shape" in tune.note) == (mode == "crash")
    assert by_id(story)["label"].state == "decided"
    again = cases.run(search("tune", parameters=parameters), LABEL)
    assert (cases.ear.trials, journal(again)) == ([], journal(story))
    edited = search("tune", parameters=parameters, search_seed=1)
    assert by_id(cases.run(edited, LABEL))["tune"].state == "skipped"
    assert len(cases.ear.trials) == (5 if mode == "crash" else 0)


# --- interrupted -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, pool):
    """What the small study comes to when nothing happens to it."""
    with contextlib.closing(Cases(tmp_path_factory.mktemp("searched"), pool)) as cases:
        story = cases.run(TUNE, LABEL, **SMALL)
        yield story, journal(story), len(cases.record.runs(1))


def check_same(cases, story, undisturbed):
    whole, text, runs = undisturbed
    assert journal(story) == text
    assert [e.search for e in story.experiments] == [e.search for e in whole.experiments]
    assert len({run.key for run in cases.record.runs(1)}) == runs
    assert len(cases.record.events(1, "explored")) == len(cases.record.events(1, "claim")) == 1
    check_invariants(cases.record)


class Stopping(Ear):
    """Asks the pool to stop after so many runs, trials included."""

    def __init__(self, pool, after):
        super().__init__()
        self.pool, self.after, self.ended = pool, after, 0

    def run_ended(self, outcome, most_runs):
        super().run_ended(outcome, most_runs)
        self.count()

    def trial_ended(self, trial, exploration):
        super().trial_ended(trial, exploration)
        self.count()

    def count(self):
        self.ended += 1
        if self.ended == self.after:
            self.pool.interrupt()


@pytest.mark.parametrize("after", [3, 7, 8, 10])
def test_an_interrupt_in_the_search_or_its_race_changes_nothing(cases, undisturbed, after):
    with WorkerPool(1, threads=1) as pool:
        cases.run(TUNE, LABEL, ear=Stopping(pool, after), pool=pool, **SMALL)
    trained = [run.key for run in cases.record.runs(1) if run.status == "COMPLETE"]
    assert len(trained) == after
    check_same(cases, cases.run(TUNE, LABEL, **SMALL), undisturbed)


class Crash(Exception):
    pass


def test_a_crash_after_any_write_of_the_search_is_healed(tmp_path, pool, monkeypatch, undisturbed):
    """Where a coordinator that is killed can die: between two writes nothing lasts."""
    for n in itertools.count(9, 5):
        (tmp_path / str(n)).mkdir()
        with contextlib.closing(Cases(tmp_path / str(n), pool)) as cases:
            with monkeypatch.context() as patch:
                crash_at_write(patch, cases.record, n)
                try:
                    cases.run(TUNE, LABEL, **SMALL)
                    break
                except Crash:
                    pass
            check_same(cases, cases.run(TUNE, LABEL, **SMALL), undisturbed)
    assert n > 50


def crash_at_write(patch, record, n):
    together, count = record._database.together, itertools.count(1)

    @contextlib.contextmanager
    def counted(**options):
        with together(**options) as transaction:
            yield transaction
        if next(count) == n:
            raise Crash

    patch.setattr(record._database, "together", counted)


def command(folder, at):
    line = [sys.executable, str(HERE / "coordinator.py"), at, "plan.yaml", "home", "data"]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_kill_9_in_the_search_and_in_its_race_loses_nothing(tmp_path, undisturbed):
    (tmp_path / "plan.yaml").write_text(plan_text(TUNE, LABEL, **SMALL))
    (tmp_path / "data").mkdir()
    for at in ("15", "12b", "14"):
        assert command(tmp_path, at).returncode == -signal.SIGKILL
    done = command(tmp_path, "never")
    assert done.returncode == 0, done.stderr
    with contextlib.closing(Cases.__new__(Cases)) as cases:
        cases.record = Record.open(tmp_path / "home")
        check_same(cases, cases.read(TUNE, LABEL, **SMALL), undisturbed)


# --- asked again, edited, repeated -----------------------------------------------------------------------------------


def test_a_search_is_asked_again_on_another_champion_with_half_the_error(cases):
    cases.run(TUNE)
    first = {row.number for row in trials_of(cases, "tune")}
    story = cases.run(experiment("third", y={"third": "y"}), TUNE)
    tune = by_id(story)["tune"]
    new = [row for row in trials_of(cases, "tune") if row.number not in first]
    assert decisions(story)["third"] == "ADOPT y"
    assert {row.config["third"] for row in new} == {"y"}
    assert len(new) == 6
    assert tune.rule.adopt_alpha == pytest.approx(0.10)
    assert "asked again on another champion in revision 2" in tune.known[0]
    assert min(tune.champion.seeds) > ASKED_AGAIN_BLOCK * BLOCK
    assert seeds_of(cases, "tune/search") == set(exploring_seeds(1, SEARCH_BLOCK))
    assert journal(cases.read(experiment("third", y={"third": "y"}), TUNE)) == journal(story)


def test_a_search_that_never_came_to_its_race_has_asked_nothing(cases):
    with WorkerPool(1, threads=1) as pool:
        cases.run(TUNE, ear=Stopping(pool, 5), pool=pool)
    story = cases.run(experiment("third", y={"third": "y"}), TUNE)
    tune = by_id(story)["tune"]
    assert (tune.rule.adopt_alpha, tune.known) == (0.20, ())
    assert tune.champion.seeds == exploring_seeds(3)
    assert journal(cases.run(experiment("third", y={"third": "y"}), TUNE)) == journal(story)
    assert cases.ear.trained == cases.ear.trials == []


def test_a_search_that_is_edited_keeps_the_trials_that_still_fit(cases):
    cases.run(search("tune", parameters=WIDE))
    story = cases.run(TUNE)
    tune = by_id(story)["tune"]
    fitting = sum(row.settings["gain"] >= 0 for row in trials_of(cases, "tune") if row.number < 6)
    assert len(cases.ear.trials) == 6 - fitting
    assert sum(tune.search.trials.values()) == 6
    assert tune.known[0].startswith("edited in revision 2, when its decision")


def test_an_edit_after_the_search_was_seen_is_marked(cases):
    with WorkerPool(1, threads=1) as pool:
        cases.run(TUNE, ear=Stopping(pool, 6), pool=pool)
    expect = [{"arm": "best", "metric": "score", "is": "better", "by": 3.0}]
    story = cases.run(search("tune", expect, parameters=GAIN))
    assert by_id(story)["tune"].known == ("edited in revision 2, when some of its runs were known",)
    assert by_id(story)["tune"].rule.adopt_alpha == 0.20


def test_a_repeat_explores_nothing_anew_where_the_champion_is_the_same(cases):
    lost = {"gain": {"min": -9.0, "max": -5.0}}
    again = {**search("again", parameters=lost), "repeats": "tune"}
    story = cases.run(search("tune", parameters=lost), again, rule={"screen": False})
    assert by_id(story)["again"].rule.adopt_alpha == pytest.approx(0.10)
    assert by_id(story)["again"].search.picks == by_id(story)["tune"].search.picks
    assert not set(by_id(story)["again"].champion.seeds) & set(by_id(story)["tune"].champion.seeds)
    assert len([run for run in cases.record.runs(1) if run.seed == exploring_seeds(1, SEARCH_BLOCK)[0]]) == 6


def test_the_same_search_under_another_name_counts_as_a_repeat(cases):
    lost = {"gain": {"min": -9.0, "max": -5.0}}
    cases.run(search("tune", parameters=lost))
    story = cases.run(search("tune", parameters=lost), search("once-more", parameters=lost))
    assert by_id(story)["once-more"].rule.adopt_alpha == pytest.approx(0.10)
    assert any("once-more asks again what tune asked" in note for note in cases.ear.notices)


def test_other_data_are_explored_anew(cases):
    cases.run(TUNE)
    (cases.data / "version").write_text("data-2")
    story = cases.run_afresh(TUNE)
    assert [state for _, state in cases.ear.trials] == ["COMPLETE"] * 6
    assert {pick.trial for pick in by_id(story)["tune"].search.picks} <= set(range(6, 12))
    assert journal(cases.read(TUNE)) == journal(story)


def test_another_primary_metric_picks_anew_from_the_same_trials(cases):
    metrics = {"score": {"goal": "maximize"}, "loss": {"goal": "minimize"}}
    parameters = {**GAIN, "drop": {"min": -3.0, "max": 3.0}}
    tune = search("tune", parameters=parameters)
    first = cases.run(tune, metrics=metrics, primary="score")
    story = cases.run(tune, metrics=metrics, primary="loss")
    assert cases.ear.trials == []
    found = by_id(story)["tune"].search.picks
    assert found != by_id(first)["tune"].search.picks
    assert found[0].changes["drop"] == min(row.settings["drop"] for row in trials_of(cases, "tune"))


# --- budget ----------------------------------------------------------------------------------------------------------


def test_a_search_that_the_budget_cannot_hold_is_skipped_with_a_reason(cases):
    # Baseline 3, race 9, confirmation 6: 18 without a trial, and three are needed.
    story = cases.run(TUNE, budget={"runs": 20})
    tune = by_id(story)["tune"]
    assert (tune.state, trials_of(cases, "tune")) == ("skipped", [])
    assert tune.note == (
        "the budget is too small for its search: 3 runs are trained, 9 are kept for its race and 6 to confirm, "
        "and of the others it needs 3 at least, one for each arm"
    )
    assert by_id(cases.run(TUNE, budget={"runs": 40}))["tune"].state == "decided"


@pytest.mark.parametrize("after", [None, 5])
def test_a_search_that_the_budget_holds_in_part_explores_what_it_can(cases, after):
    if after:
        with WorkerPool(1, threads=1) as pool:
            cases.run(TUNE, ear=Stopping(pool, after), pool=pool, budget={"runs": 22})
    story = cases.run(TUNE, budget={"runs": 22})
    tune = by_id(story)["tune"]
    assert tune.state == "decided"
    assert tune.search.ending == "4 of 6 trials were made; the study's budget held no more"
    assert len(trials_of(cases, "tune")) == 4
    assert any(note.startswith("tune: its search can make 4 of its 6 trials") for note in cases.ear.notices)
    assert story.run_counts["complete"] <= 22
    assert story.phase == "done" and (len(story.path) == 1 or story.overall is not None)


def test_the_runs_of_a_search_are_counted_before_they_begin(cases):
    cases.run(TUNE, LABEL)
    # Baseline 3, 6 trials, 3 arms and 1 arm on 3 seeds, and 3 configs to confirm on 3.
    assert cases.ear.most_runs[0] == 3 + 6 + 9 + 3 + 9
    assert cases.ear.most_runs == sorted(cases.ear.most_runs, reverse=True)
    assert cases.ear.most_runs[-1] == 0


# --- before it runs --------------------------------------------------------------------------------------------------


def test_a_forecast_says_what_a_search_means():
    found = forecast(plan_of(TUNE, LABEL), None, None)
    tune = found["experiments"][0]
    assert tune["search"] == {"method": "random", "trials": 6, "arms": ["best", "second", "third"]}
    assert (tune["arms"], tune["most_runs"]) == (3, 6 + 9)
    assert tune["detectable_sd"] == found["experiments"][1]["detectable_sd"]
    assert "tune: a search of 6 trials by random, one seed each, then 3 arms, at most 15 runs" in forecast_text(found)


def test_a_forecast_warns_of_settings_that_are_hardly_tuned():
    expect = [{"arm": "third=z", "metric": "score", "is": "better"}]
    found = forecast(plan_of(search("which", expect, parameters=THIRDS, trials=9)), None, None)
    assert "which tunes each of its 3 settings with 3 trials; that finds little" in found["warnings"]


def test_a_search_is_another_one_when_any_word_of_it_changes():
    plain = plan_of(TUNE).experiments[0].search
    for change in ({"trials": 7}, {"top": 2}, {"search_seed": 1}, {"method": "sobol"}, {"first": [{"gain": 1.0}]}):
        other = plan_of(search("tune", parameters=GAIN, **change)).experiments[0].search
        assert other.hash != plain.hash
    assert plan_of(TUNE).experiments[0].search.hash == plain.hash
    assert config_hash(plain.definition())


def test_a_plain_repeat_of_a_search_may_name_its_arms(cases):
    first = cases.run(TUNE)
    changes = by_id(first)["tune"].arms[0].changes
    story = cases.run(TUNE, repeat("again", "tune", best=dict(changes)))
    assert by_id(story)["again"].state == "decided"
