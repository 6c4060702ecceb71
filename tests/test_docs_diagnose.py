"""docs/diagnose.md tells every symptom and every threshold as the code has it."""

import re
from pathlib import Path

from surefoot.cli.parser import make_parser
from surefoot.diagnosis.symptom import SYMPTOMS
from surefoot.records.histories import CONFIGS, DEEPEST
from surefoot.thresholds import Thresholds

TEXT = (Path(__file__).parents[1] / "docs" / "diagnose.md").read_text("utf-8")
OF_THE_DIAGNOSIS = (
    *("exploding_norm", "vanishing_norm", "leap", "jumping_loss", "rough_loss", "restless", "late_fall", "arrived"),
    *("stall_share", "overfit_mild", "overfit_moderate", "overfit_strong"),
    *(
        "overfit_loss_gap",
        "memorised",
        "underfit_share",
        "underfit_points",
        "unstable_deviation",
        "split_mismatch",
        "split_excellent",
    ),
    *("ceiling_gap", "confident", "utilisation_block", "utilisation_note", "step_time_spread"),
)


def test_every_symptom_has_its_row_in_the_order_of_the_report():
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.MULTILINE)) == SYMPTOMS


def test_every_threshold_is_told_with_its_default():
    told = {name: float(value) for name, value in re.findall(r"(\w+) = ([\d.]*\d)", TEXT)}
    assert told == {name: getattr(Thresholds(), name) for name in OF_THE_DIAGNOSIS}


def test_the_options_and_files_it_names_are_there():
    options = set(re.findall(r"(--[a-z][a-z-]*)", TEXT))
    parsed = make_parser().parse_args(["diagnose", "x"])
    assert {option[2:].replace("-", "_") for option in options} <= set(vars(parsed))
    named = set(re.findall(r"`([a-z]+\.json)`", TEXT))
    assert {name for name in CONFIGS if name != "hyperparameters.json"} <= named
    assert f"at most {['', 'one', 'two', 'three', 'four', 'five', 'six'][DEEPEST]} folders deep" in TEXT
