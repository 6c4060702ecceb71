"""An experiment with a search: what it looked through, what it picked, and how much of that was luck."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from stories import ACCURACY, BASE, experiment_of, full_story, values_around

from surefoot.plan import Prediction, SearchPlan
from surefoot.reports.as_json import journal_json
from surefoot.reports.html import report_html
from surefoot.reports.journal import entry, journal_markdown
from surefoot.reports.pictures import Picture, all_figures
from surefoot.reports.searched import picked_values, search_sentences, search_table, searched
from surefoot.reports.story import PickStory, SearchStory
from surefoot.space import SearchSpace, choice, real
from surefoot.sweep import Method

SPACE = SearchSpace(parameters=(real("lr", 1e-4, 0.1, log=True), real("dropout", 0.0, 0.5)))
PLAN = SearchPlan(space=SPACE, trials=20, top=2, method=Method(name="tpe"))
FOUND = SearchStory(
    method="tpe",
    trials={"complete": 18, "failed": 2},
    ending="all 20 trials were made",
    picks=(
        PickStory(arm="best", trial=12, changes={"lr": 0.01}, explored=91.8),
        PickStory(arm="second", trial=3, changes={"lr": 0.02}, explored=90.9),
    ),
)


def an_experiment(search=FOUND, plan=PLAN, **arms):
    arms = arms or {"best": values_around(89.9, 1), "second": values_around(86.2, 2)}
    return experiment_of(
        1,
        "step",
        values_around(86.1, 0),
        {name: ({"lr": 0.01}, values) for name, values in arms.items()},
        [Prediction(arm="best", metric="val_accuracy", relation="better")],
        base=BASE,
        hypothesis="A tuned step helps.",
        search=searched(plan, search),
    )


def a_running_one(plan=PLAN):
    story = an_experiment()
    return replace(
        story, state="running", arms=(), steps={}, verdicts=(), contrasts=(), choice=None, champion=None,
        search=searched(plan, None),
    )  # fmt: skip


def a_story(experiment):
    return replace(full_story(), experiments=(experiment,))


def test_what_was_searched_is_told_with_its_trials_by_state():
    said = " ".join(search_sentences(an_experiment(), full_story()))
    assert "It searched lr (0.0001 to 0.1, log) and dropout (0 to 0.5) by tpe" in said
    assert "18 complete and 2 failed (all 20 trials were made)" in said


def test_the_luck_of_the_best_pick_is_its_exploring_value_against_its_fresh_mean():
    e = an_experiment()
    best, second = picked_values(e, ACCURACY)
    values = e.arms[0].values["val_accuracy"]
    assert best.mean == pytest.approx(sum(values) / len(values)) and best.n == len(values)
    assert best.luck == pytest.approx(91.8 - best.mean)
    assert best.survives == "survives fresh seeds"
    assert second.survives in ("does not survive fresh seeds", "not shown to survive fresh seeds")
    said = search_sentences(e, full_story())[-1]
    assert "Its best trial showed val_accuracy 91.80 % (trial 12, arm best); on 8 fresh seeds" in said
    assert said.endswith("it came to 89.90 %, so 1.90 pp of it was luck. The picked config survives fresh seeds.")


def test_where_less_is_better_luck_is_positive_too():
    metric = replace(ACCURACY, goal="minimize")
    best, _ = picked_values(an_experiment(), metric)
    assert best.luck == pytest.approx(best.mean - 91.8)


def test_every_pick_stands_beside_its_race():
    table = search_table(an_experiment(), ACCURACY)
    assert [row[:2] for row in table.rows] == [("best", "trial 12"), ("second", "trial 3")]
    assert table.rows[0][2:6] == ("91.80", "89.90", "8", "+1.90")


def test_a_pick_whose_race_has_not_begun_is_still_racing():
    e = an_experiment()
    e = replace(e, arms=(), steps={})
    best, _ = picked_values(e, ACCURACY)
    assert best.mean is None and best.luck is None and best.survives == "still racing"
    assert search_sentences(e, full_story())[-1].endswith("its race will say how much of that is luck.")


def test_an_experiment_that_still_searches_says_that_it_explores():
    e = a_running_one()
    told = "\n".join(entry(e, a_story(e)))
    flat = " ".join(told.split())
    assert "It searches lr (0.0001 to 0.1, log) and dropout (0 to 0.5) by tpe: 20 trials" in flat
    assert "the best 2 will race on fresh seeds" in flat
    assert "No decision: still exploring." in flat


def test_scientific_settings_are_said_to_be_tuned_alike():
    space = SearchSpace(parameters=(choice("norm", "batch", "layer", role="scientific"), *SPACE.parameters))
    plan = replace(PLAN, space=space)
    said = "Each of its 2 scientific settings was given the same number of trials."
    assert said in search_sentences(an_experiment(plan=plan), full_story())
    running = search_sentences(a_running_one(plan), full_story())
    assert "the best of each of 2 settings will race on fresh seeds" in running[0]
    assert "20 trials, as many for each setting, each on a single seed" in running[0]
    assert said not in search_sentences(an_experiment(), full_story())


def test_journal_page_and_json_tell_the_search():
    story = a_story(an_experiment())
    journal = journal_markdown(story)
    assert "| picked | trial    |" in journal and "survives fresh seeds" in journal
    pictures = {name: Picture(name=name, title="", caption="left out") for name in all_figures(story)}
    page = report_html(story, pictures).replace("\xa0", " ")
    assert "It searched lr (0.0001 to 0.1, log)" in page and "survives fresh seeds" in page
    told = journal_json(story)["experiments"][0]["search"]
    json.dumps(told, allow_nan=False)
    assert told["picks"][0]["luck"] == pytest.approx(91.8 - told["picks"][0]["mean"])
    assert told["trials"] == {"complete": 18, "failed": 2} and told["asked"] == 20


def test_an_experiment_without_a_search_tells_none():
    story = full_story()
    assert search_sentences(story.experiments[0], story) == []
    assert journal_json(story)["experiments"][0]["search"] is None
    assert searched(None, None) is None
