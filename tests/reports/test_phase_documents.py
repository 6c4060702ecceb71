"""The documents of the phases hold what the record holds, and only that.

The golden documents are written anew by `SUREFOOT_REGENERATE=1 pytest tests/reports/test_phase_documents.py`; read
the difference before keeping it.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import phase_stories as cases
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from stories import BASE, full_story, poisoned

from surefoot.phases.final import ClassScore
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.phases_documents import documents
from surefoot.run import Metric
from surefoot.thresholds import Thresholds

GOLDEN = Path(__file__).with_name("golden") / "phases"
NAMES = sorted(documents(cases.overridden()))
ODD = {
    "text": 'a: "b" # c',
    "empty": "",
    "yes": "yes",
    "null": "null",
    "number": "1e3",
    "line": "two\nlines\ttab",
    "sign": "− é 🙂 \x07\x85",
    "key: odd #": 1,
    "tiny": 1e-05,
    "large": 1e22,
    "whole": 3.0,
    "negative": -0.5,
    "flag": True,
    "off": False,
    "none": None,
    "list": [1, 2.5e-7, "x, y", [True]],
    "nested": {"a b": "~", "c": {}},
}
# Surrogates are no text that a file can hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | TEXTS
CONFIGS = st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=3), max_size=5)


def text_of(story, name):
    return documents(story)[name].decode()


def plain(text):
    return " ".join(text.split())


def with_phases(story, **changes):
    return replace(story, phases=replace(story.phases, **changes))


def with_final(**changes):
    return with_phases(cases.ended(), final=cases.final_of(**changes))


def loaded(content):
    return YAML(typ="safe", pure=True).load(content.decode())


@pytest.mark.parametrize("name", NAMES)
def test_each_document_of_a_whole_study_is_the_golden_one(name):
    path, content = GOLDEN / name, documents(cases.overridden())[name]
    if os.environ.get("SUREFOOT_REGENERATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert content.decode() == path.read_text(encoding="utf-8")


def test_there_is_no_golden_document_that_is_not_written():
    assert sorted(p.relative_to(GOLDEN).as_posix() for p in GOLDEN.rglob("*") if p.is_file()) == NAMES


def test_only_documents_whose_phase_was_reached_are_written():
    always = {"training_config.yaml", "reproducibility_manifest.md", "checklists/plan.md"}
    trained = always | {"baseline_results.md", "checklists/baseline.md"}
    optimised = {"diagnostic_report.md", "optimization_config.yaml", "optimization_results.md"}
    optimised |= trained | {"checklists/diagnose.md"}
    end = {
        "final_config.yaml",
        "test_results.md",
        "final_report.md",
        "checklists/optimise.md",
        "checklists/finalise.md",
    }
    assert set(documents(cases.planned())) == always
    assert set(documents(cases.blocked())) == set(documents(cases.before_diagnosis())) == trained
    assert set(documents(cases.after_round())) == optimised
    assert set(documents(cases.ended())) == optimised | end
    bare = {"training_config.yaml", "reproducibility_manifest.md", "baseline_results.md"}
    assert set(documents(cases.end_alone())) == bare | {name for name in end if "/" not in name}
    assert documents(full_story()) == {}, "a study without phases has no documents of them"


def test_a_config_with_odd_values_loads_back_as_it_was():
    story = with_phases(cases.ended(), baseline_config=ODD, final_config={**ODD, "text": "other # text", "new": "off"})
    found = documents(replace(story, champion_config={**ODD, "tiny": 2e-05}))
    assert loaded(found["training_config.yaml"]) == ODD
    assert loaded(found["optimization_config.yaml"]) == {**ODD, "tiny": 2e-05}
    assert loaded(found["final_config.yaml"]) == {**ODD, "text": "other # text", "new": "off"}
    for name, value in loaded(found["training_config.yaml"]).items():
        assert type(value) is type(ODD[name]), name


@given(config=CONFIGS)
def test_any_config_loads_back_as_it_was_in_yaml_of_both_versions(config):
    story = replace(cases.planned(), phases=PhaseStory(phase="plan", baseline_config=config))
    content = documents(story)["training_config.yaml"]
    assert loaded(content) == config
    # YAML 1.1 has no way to write a few characters; what it reads, it reads alike.
    assert "\x7f" in str(config) or yaml.safe_load(content.decode()) == config


def test_what_is_not_a_finite_number_is_one_in_yaml_too():
    story = replace(cases.planned(), phases=PhaseStory(phase="plan", baseline_config={"a": math.inf, "b": -math.inf}))
    assert loaded(documents(story)["training_config.yaml"]) == {"a": math.inf, "b": -math.inf}


def test_what_changed_says_from_what_and_by_which_recommendation():
    story = cases.after_round()
    champion = {name: value for name, value in cases.REGULARISED.items() if name != "norm"} | {"lr": 0.01}
    lines = text_of(replace(story, champion_config=champion), "optimization_config.yaml").splitlines()
    assert "dropout: 0.4  # NEW, was 0.0, by R1 (dropout)" in lines
    assert "weight_decay: 0.0005  # NEW, by R2 (weight_decay)" in lines
    assert "lr: 0.01  # CHANGED: from 0.001" in lines
    assert '# REMOVED: norm, was "none"' in lines
    before = lines[lines.index("dropout: 0.4  # NEW, was 0.0, by R1 (dropout)") - 1]
    assert before.startswith("# R1 (dropout): ") and "promised +3 to +5 pp, got +1.14 ± 0.25 pp" in before


def test_with_several_rounds_a_change_names_its_round():
    story = cases.after_round()
    second = replace(cases.first_round(), number=2, experiments=("round-2",), tried=(), adopted="")
    page = text_of(with_phases(story, rounds=(cases.first_round(), second)), "optimization_config.yaml")
    assert "by R1 of round 1 (dropout)" in page


def test_a_change_that_no_recommendation_asked_for_names_its_experiment():
    story = cases.after_round()
    page = text_of(with_phases(story, rounds=(replace(cases.first_round(), tried=()),)), "optimization_config.yaml")
    assert "dropout: 0.4  # NEW, was 0.0, by experiment round-1" in page


CHANGES = {
    "a baseline's value": (
        "baseline_results.md",
        lambda s: replace(s, baseline=replace(s.baseline, values={"val_accuracy": (71.234, *[80.0] * 7)})),
        "71.2",
    ),
    "a baseline's fact": (
        "baseline_results.md",
        lambda s: replace(
            s,
            baseline=replace(
                s.baseline,
                runs=(cases.with_facts(s.baseline.runs[0], images_per_second=777.0), *s.baseline.runs[1:]),
            ),
        ),
        "777",
    ),
    "a promise's outcome": (
        "optimization_results.md",
        lambda s: with_phases(s, ledger=(replace(s.phases.ledger[0], got=2.3456, interval=(2.0, 2.6)),)),
        "+2.35 pp",
    ),
    "an attribution": (
        "optimization_results.md",
        lambda s: with_phases(
            s,
            rounds=(
                replace(s.phases.rounds[0], attributions=(replace(s.phases.rounds[0].attributions[0], within=7.77),)),
            ),
        ),
        "+7.77",
    ),
    "a test value": ("test_results.md", lambda s: with_final(test={"val_accuracy": (88.11, 92.6667, 90.0)}), "88.11"),
    "a latency": (
        "test_results.md",
        lambda s: with_final(exports=(replace(cases.final_of().exports[0], latency_seconds=0.00456),)),
        "4.56 ms",
    ),
    "a threshold": (
        "test_results.md",
        lambda s: with_phases(s, thresholds=Thresholds(split_excellent=0.5, split_mismatch=3.3)),
        "mismatch (at least 3.3 pp)",
    ),
    "the hours": ("final_report.md", lambda s: replace(s, hours=7.7), "7.7 hours"),
    "a target": ("final_report.md", lambda s: replace(s, primary=replace(s.primary, target=97.5)), "97.5 %"),
    "a fresh seed": ("reproducibility_manifest.md", lambda s: replace(s, fresh_seeds=(31415,)), "31415 (1 seed)"),
    "a revision": ("reproducibility_manifest.md", lambda s: replace(s, plan_hash="ab" * 32), "ab" * 32),
}


@pytest.mark.parametrize("what", CHANGES)
def test_another_value_in_the_record_is_another_value_on_the_page(what):
    name, change, expected = CHANGES[what]
    before, after = text_of(cases.ended(), name), text_of(change(cases.ended()), name)
    assert expected in plain(after) and expected not in plain(before)


def test_best_and_last_stand_beside_each_other_and_are_never_mixed_up():
    page = text_of(cases.blocked(), "baseline_results.md")
    section = page[page.index("## Best step and last step") : page.index("## Curves")]
    for run in cases.blocked().baseline.runs:
        row = next(line for line in section.splitlines() if line.startswith(f"| {run.seed} "))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        values = {m.step: m.values["val_accuracy"] for m in run.measurements}
        assert cells[1] == "500" and float(cells[2]) == pytest.approx(values[500], abs=0.01)
        assert cells[3] == "400" and float(cells[4]) == pytest.approx(values[400], abs=0.01)
        assert cells[5] == "the run (best.pt)"


def test_a_run_that_names_no_best_step_has_the_metrics_own_best():
    story = cases.blocked()
    runs = tuple(replace(run, facts={}) for run in story.baseline.runs)
    rows = text_of(replace(story, baseline=replace(story.baseline, runs=runs)), "baseline_results.md")
    assert rows.count("| val_accuracy") >= len(runs) and "the run (best.pt)" not in rows


def test_only_evidence_ticks_a_box():
    for make in cases.ALL.values():
        for gate in make().phases.gates:
            page = text_of(make(), f"checklists/{gate.phase}.md")
            ticked = sum(check.state in ("satisfied", "noted") for check in gate.checks)
            assert page.count("- [x]") == ticked and page.count("- [ ]") == len(gate.checks) - ticked
            assert "Nothing here can be ticked by hand" in page
            assert all(check.predicate in page for check in gate.checks)


def test_an_override_is_bold_unticked_and_carries_its_reason_wherever_the_gate_is_told():
    for name in ("checklists/baseline.md", "baseline_results.md", "final_report.md"):
        page = MarkdownIt("commonmark", {"html": True}).render(text_of(cases.overridden(), name))
        bold = plain(" ".join(part.split("</strong>")[0] for part in page.split("<strong>")[1:]))
        assert "OVERRIDDEN by a person, device_used." in bold and "The machine is shared on weekdays" in bold
        assert "Busy 21 % of the time" in bold, "what the record says against it stands beside the reason"
        assert "<b>" not in page, "a reason is text"


def test_a_shut_gate_says_first_what_blocks_it():
    page = text_of(cases.blocked(), "checklists/baseline.md")
    assert "**The gate of baseline is shut: of 3 predicates, 1 satisfied, 1 blocked and 1 not applicable.**" in page
    assert "- [ ] **BLOCKED, device_used." in page


def test_the_totals_of_the_confusion_matrix_are_its_sums():
    page = text_of(cases.ended(), "test_results.md")
    start = page.index("| true class, taken for →")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page[start:].split("\n\n")[0].split("\n")]
    counts = [[int(cell) for cell in row[1:]] for row in rows[2:]]
    assert [row[-1] for row in counts] == [100, 100, 100, 300]
    assert counts[-1] == [sum(column) for column in zip(*counts[:-1], strict=True)]
    assert "278 of them right: 92.67 %. Its totals agree with the per-class table and the measured" in plain(page)


def test_a_matrix_that_contradicts_the_accuracy_or_the_classes_says_so_in_bold():
    wrong = with_final(test={"val_accuracy": (92.3333, 95.4, 91.6667)})
    assert "**DISAGREES: the matrix says 92.67 % of 300 images, the test accuracy" in text_of(wrong, "test_results.md")
    scores = (ClassScore(name="coat", support=90, precision=1.0, recall=1.0, f1=1.0),)
    page = text_of(with_final(per_class=scores), "test_results.md")
    assert "**DISAGREES: class coat has 100 images in the matrix and 90 in the per-class table.**" in page


def test_what_was_not_compared_is_not_said_to_agree():
    page = text_of(with_final(per_class=(), test={}, validation={}), "test_results.md")
    assert "278 of them right" in page and "agree" not in page
    assert "Nothing has been measured on both splits yet." in page


@pytest.mark.parametrize(
    ("apart", "said"),
    [(1.99, "excellent"), (2.0, "acceptable"), (4.99, "acceptable"), (5.0, "mismatch"), (-5.0, "mismatch")],
)
def test_validation_minus_test_is_judged_by_the_thresholds(apart, said):
    page = text_of(
        with_final(validation={"val_accuracy": (90.0 + apart,)}, test={"val_accuracy": (90.0,)}), "test_results.md"
    )
    row = next(line for line in page.splitlines() if line.startswith("| 20001 | 901 |  ") and "9" in line)
    assert said in row


def test_a_metric_that_is_not_in_points_is_not_judged():
    story = with_final(validation={"val_loss": (0.3,)}, test={"val_loss": (9.3,)})
    story = replace(story, metrics=(story.primary, Metric(name="val_loss", goal="minimize")))
    assert "not judged: the thresholds are in points" in text_of(story, "test_results.md")


def test_a_finalise_killed_in_the_middle_leaves_dashes_not_other_seeds_values():
    page = text_of(with_final(test={"val_accuracy": (92.3333,)}), "test_results.md")
    row = next(line for line in page.splitlines() if line.startswith("| 20003 | 903 |  ") and "95.2" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")][3:] == ["–", "–", "–"]


def test_a_failed_export_is_told_in_bold_with_its_reason_and_the_other_stands():
    page = plain(text_of(cases.failed_export(), "test_results.md"))
    assert "**Export to onnx FAILED: the operator aten::nonesuch has no ONNX form.**" in page
    assert "Export to torch (model.pt2): predicts the same class on 100 %" in page


def test_the_manifest_names_the_seeds_of_every_purpose_and_how_to_train_a_run_again():
    page = plain(text_of(cases.ended(), "reproducibility_manifest.md"))
    for said in ("1 … 8 (8 seeds)", "10001 … 10008 (8 seeds)", "20001 … 20003 (3 seeds)", "surefoot reproduce 901"):
        assert said in page
    assert "none yet" in text_of(cases.planned(), "reproducibility_manifest.md")


def test_a_setting_that_the_plan_does_not_change_is_not_said_to_be_new():
    page = text_of(replace(cases.after_round(), champion_config=BASE), "optimization_config.yaml")
    assert "NEW" not in page and "CHANGED" not in page and "Nothing differs from the baseline." in page


@pytest.mark.parametrize("payload", ["<script>x</script>", "|x|", "`a`", "**b**", "\n# head\n- item", "![x](y)", "# c"])
def test_text_of_a_plan_stays_text_in_every_document(payload):
    told, hostile = cases.overridden(), poisoned(cases.overridden(), payload)
    gates = tuple(replace(a, phase=b.phase) for a, b in zip(hostile.phases.gates, told.phases.gates, strict=True))
    environment = dict(zip(told.phases.environment, hostile.phases.environment.values(), strict=True))
    hostile = with_phases(hostile, phase=told.phases.phase, gates=gates, environment=environment)
    ours, found = documents(told), documents(hostile)
    for name, content in found.items():
        if name.endswith(".md"):
            page = MarkdownIt("commonmark", {"html": True}).enable("table").render(content.decode())
            assert "<script" not in page and "<img" not in page and "<strong>b" not in page
            assert page.count("<h1>") == 1
            quiet = MarkdownIt("commonmark").enable("table").render(ours[name].decode())
            assert page.count("<tr>") == quiet.count("<tr>"), name
    assert loaded(found["training_config.yaml"]) == hostile.phases.baseline_config
    assert loaded(found["final_config.yaml"]) == hostile.phases.final_config
