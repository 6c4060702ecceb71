"""The journal as JSON keeps its promised shape and every raw value."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from stories import crowded_story, empty_story, full_story, started_story

from surefoot.comparison import NoValue
from surefoot.reports.as_json import journal_json

PROMISED = {"arm", "metric", "verdict", "cause", "decision", "n", "estimate", "interval", "p", "detectable"}


@pytest.mark.parametrize("story", [full_story(), started_story(), empty_story(), crowded_story()])
def test_the_document_is_strict_json_and_survives_the_round_trip(story):
    document = journal_json(story)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_verdicts_have_the_promised_keys_in_the_order_of_the_experiments():
    document = journal_json(full_story())
    assert [e["id"] for e in document["experiments"]] == ["normalisation", "synergy", "optimiser", "width"]
    for experiment in document["experiments"]:
        assert experiment["verdicts"]
        assert all(set(v) >= PROMISED for v in experiment["verdicts"])


def test_every_raw_value_is_there_and_a_diverged_seed_is_named():
    story, document = full_story(), journal_json(full_story())
    for told, found in zip(story.experiments, document["experiments"], strict=True):
        for arm, raw in zip(told.arms, found["arms"], strict=True):
            assert raw["seeds"] == list(arm.seeds)
            for metric, values in arm.values.items():
                assert raw["values"][metric] == [v.value if isinstance(v, NoValue) else v for v in values]
    assert "diverged" in document["experiments"][3]["arms"][2]["values"]["val_accuracy"]


def test_a_number_that_json_cannot_hold_becomes_text():
    story = full_story()
    odd = replace(story, champion_values=(math.nan, math.inf), target_gap=-math.inf)
    document = journal_json(odd)
    assert document["champion"]["values"] == ["NaN", "Infinity"] and document["gap"] == "-Infinity"
    json.dumps(document, allow_nan=False)


def test_an_undecided_prediction_is_waiting_not_inconclusive():
    document = journal_json(started_story())
    assert {v["verdict"] for v in document["experiments"][0]["verdicts"]} == {"WAITING"}
