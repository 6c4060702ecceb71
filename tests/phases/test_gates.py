"""Gates: every predicate is satisfied by evidence, and by nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from phase_cases import (
    BASE,
    CHAMPION,
    CLASSES,
    CONFIRMED,
    CONFUSION,
    DECAY,
    DROPOUT,
    ENVIRONMENT,
    FLIP,
    OVERFITS,
    REGISTERED,
    SEEDS,
    exported,
    final_of,
    helped,
    idling,
    plan,
    recommendation,
    round_of,
    row_of,
    run_of,
    runs_of,
    scores_of,
    stuck,
    symptom,
    whole,
)

from surefoot.diagnosis.symptom import Diagnosis
from surefoot.phases.attribution import attribution
from surefoot.phases.gate import PHASES
from surefoot.phases.gates import GATES, PREDICATES, gate_of, unknown_overrides
from surefoot.phases.outlook import Outlook
from surefoot.plan import Finalise, Optimise, Override, Rule
from surefoot.run import Measurement, Metric, Status
from surefoot.thresholds import Thresholds

RUNS = whole().baseline
TRIED = whole().tried
OPEN_FINAL = {"test": {"val_accuracy": (70.0, 71.0)}, "validation": {"val_accuracy": (72.9, 72.8)}}
CEILING = Outlook(turn="ceiling", because="the 2 rounds allowed are done.")
ITERATE = Outlook(turn="iterate", because="round 1 gained +1.2 pp.")


def checked(predicate, dossier):
    [function] = [f for gate in GATES.values() for f in gate if f.__name__ == predicate]
    return function(dossier)


def baseline(**changes):
    return whole(baseline=tuple(replace(run, **changes) for run in RUNS))


def facts(**changes):
    return whole(baseline=tuple(replace(run, facts={**run.facts, **changes}) for run in RUNS))


def placed(number, **changes):
    """The whole dossier, one of whose baseline runs has another provenance."""
    run = RUNS[number]
    others = tuple(r for r in RUNS if r is not run)
    return whole(baseline=(*others, replace(run, provenance=replace(run.provenance, **changes))))


def measured(values):
    """The whole dossier, whose first baseline run has these measurements of the training loss."""
    curve = tuple(Measurement(step=s, values={"train_loss": v, "val_loss": 1.0}) for s, v in enumerate(values, start=1))
    return whole(baseline=(replace(RUNS[0], measurements=curve), *RUNS[1:]))


def diagnosed(**changes):
    return whole(diagnosis=replace(OVERFITS, **changes), rounds=())


def advised(*recommendations, **changes):
    return diagnosed(symptoms=(symptom("overfitting", *recommendations, **changes),))


def rounded(**changes):
    return whole(rounds=(round_of(**changes),), decision=None)


def ended(**changes):
    return whole(final=final_of(**changes))


def shown(*exports):
    return ended(exports=exports)


HEALTHY = Diagnosis(subject="the baseline", histories=3)
TORCH, ONNX = exported("torch", "model.pt2"), exported("onnx", "net.onnx")
NOT_ADOPTED = {"adopted": "", "gain": None, "interval": None, "n": 0, "attributions": ()}
UNMEASURED = attribution(DECAY, alone=None, within=None, metric=plan().metrics[0])
NO_FINAL = whole(plan=plan(finalise=None), final=None)
OPENED_ONLY = whole(plan=plan(finalise=Finalise()), final=None)
UNSETTLED = whole(overall=None, champion=RUNS, rounds=(round_of(outlook=ITERATE),), decision=None)
NO_TARGET = plan(metrics=(Metric(name="val_accuracy", goal="maximize", unit="%"),))
LOSS_ONLY = plan(metrics=(Metric(name="val_loss", goal="minimize", target=2.0),), primary="val_loss")
DISABLED = replace(DROPOUT, is_applicable=False, patch={})

# Predicate, how it is answered, the dossier, and what the evidence says.
SPENT = {"round-1": "the budget is spent", "round-1-ablation": "the budget is spent"}


def bare(*measures):
    """The end of a workload that can do no more than that, and tells no classes."""
    return replace(ended(confusion=(), per_class=(), classes=()), measures=measures)


CASES = (
    # ── plan ──
    ("plan_registered", "blocked", whole(plan_hash=""), "not on record"),
    ("plan_registered", "blocked", whole(registered_at=""), "not on record"),
    ("plan_registered", "blocked", whole(plan_hash="0" * 64), "00000000, the one at hand"),
    ("plan_registered", "noted", placed(0, started_at="2026-02-01T00:00:00"), "1 of 3 baseline runs had been trained"),
    ("seeds_fixed", "blocked", whole(baseline=(*RUNS, run_of(9, BASE, 777, 72.0))), "run 9 has seed 777"),
    ("config_complete", "blocked", baseline(config={**BASE, "lr": 0.1}), "lr 0.01 → 0.1"),
    ("config_complete", "noted", whole(plan=plan(baseline={}), baseline=()), "no settings"),
    ("data_known", "blocked", whole(data_fingerprint=""), "No fingerprint"),
    ("data_known", "blocked", placed(1, data_fingerprint="ffff"), "run 2 read other data"),
    ("data_known", "noted", whole(data_fingerprint="none"), "names no data"),
    ("code_known", "blocked", whole(code_fingerprint=""), "No fingerprint"),
    ("code_known", "blocked", placed(2, code_fingerprint="ffff"), "run 3 had other code"),
    ("environment_known", "blocked", whole(environment={**ENVIRONMENT, "packages": ""}), "packages"),
    ("environment_known", "blocked", whole(environment={}), "python, machine, device, threads and packages"),
    ("commit_known", "noted", whole(environment={**ENVIRONMENT, "git commit": "none"}), "no git commit"),
    ("commit_known", "noted", whole(environment={**ENVIRONMENT, "git state": "with uncommitted changes"}), "changes"),
    ("target_set", "noted", whole(plan=NO_TARGET), "has no target"),
    (
        "thresholds_default",
        "noted",
        whole(plan=plan(thresholds=Thresholds(class_f1=0.4))),
        "class_f1 0.4 (default 0.5)",
    ),
    # ── baseline ──
    ("baseline_complete", "blocked", whole(baseline=()), "trains 3 seeds"),
    ("baseline_complete", "blocked", whole(baseline=RUNS[:2]), "No run of seed 3 is on record"),
    ("baseline_complete", "blocked", baseline(status=Status.FAILED, reason="out of memory"), "out of memory"),
    ("losses_finite", "blocked", measured([2.0, math.nan]), "train_loss of run 1 is NaN at step 2"),
    ("losses_finite", "blocked", measured([2.0, math.inf]), "∞"),
    ("losses_finite", "blocked", measured([]), "no curves on record"),
    ("losses_finite", "blocked", whole(baseline=()), "no curves on record"),
    ("loss_fell", "blocked", measured([2.0, 2.1]), "run 1"),
    ("loss_fell", "blocked", measured([2.0, math.nan]), "run 1"),
    ("loss_fell", "blocked", whole(plan=plan(thresholds=Thresholds(least_loss_drop=0.8))), "at least 80 %"),
    ("loss_fell", "not applicable", whole(baseline=()), "cannot be told"),
    ("device_used", "blocked", whole(baseline=idling("cuda:0")), "Busy 20 %"),
    ("device_used", "noted", whole(baseline=idling("cpu")), "Busy 20 % of the time, the mean of 3 runs, under 40 %"),
    ("device_used", "noted", facts(utilisation=0.55), "under 60 %"),
    ("device_used", "not applicable", facts(utilisation=None), "did not say"),
    ("baseline_checkpoints", "blocked", whole(damage={2: "last.pt is missing"}), "Run 2: last.pt is missing"),
    ("baseline_checkpoints", "blocked", baseline(status=Status.INFEASIBLE), "No complete run"),
    ("baseline_checkpoints", "noted", baseline(checkpoints={"last": "1a"}), "no best checkpoint"),
    ("baseline_checkpoints", "not applicable", baseline(checkpoints={}), "writes no checkpoints"),
    ("noise_known", "blocked", whole(baseline=RUNS[:1]), "1 finite value"),
    ("noise_known", "blocked", whole(baseline=(RUNS[0], replace(RUNS[0], seed=2))), "does the training use its seed?"),
    ("noise_known", "noted", whole(baseline=RUNS[:2]), "rough"),
    ("step_times_even", "noted", whole(baseline=(*RUNS[:2], facts(seconds_per_step=0.03).baseline[2])), "run 3 took"),
    ("step_times_even", "not applicable", facts(seconds_per_step=None), "0 runs"),
    ("provenance_recorded", "blocked", placed(0, versions={}), "run 1 does not say"),
    ("provenance_recorded", "blocked", whole(baseline=()), "no run"),
    ("provenance_recorded", "noted", placed(0, machine="other"), "2 different places"),
    # ── diagnose ──
    ("diagnosis_recorded", "blocked", whole(diagnosis=None), "no diagnosis"),
    ("diagnosis_recorded", "blocked", whole(baseline=RUNS[:2]), "rests on 3 trainings, the record has 2 runs"),
    ("diagnosis_recorded", "blocked", whole(diagnosis=replace(OVERFITS, subject="the champion", histories=2)), "2"),
    ("primary_named", "blocked", diagnosed(primary="stall"), "names stall"),
    ("primary_named", "noted", diagnosed(primary=""), "though overfitting matched"),
    ("primary_named", "satisfied", whole(diagnosis=HEALTHY), "Nothing is to be treated"),
    ("confidence_stated", "blocked", advised(DROPOUT, confidence=math.nan), "no confidence"),
    ("confidence_stated", "noted", advised(DROPOUT, confidence=0.7), "under 90 %"),
    ("confidence_stated", "noted", advised(DROPOUT, is_noise=True), "could be noise"),
    ("confidence_stated", "not applicable", whole(diagnosis=HEALTHY), "No symptom"),
    ("limits_stated", "noted", diagnosed(notes=("Train and validation are measured differently.",)), "differently"),
    ("limits_stated", "blocked", whole(diagnosis=None), "no diagnosis"),
    ("recommendations_concrete", "blocked", advised(replace(DROPOUT, patch={})), "R1 names no setting"),
    ("recommendations_concrete", "noted", advised(DISABLED, DECAY), "by hand"),
    ("recommendations_concrete", "noted", advised(), "nothing is known to try"),
    ("recommendations_concrete", "not applicable", whole(diagnosis=HEALTHY), "recommends nothing"),
    ("recommendations_applicable", "blocked", advised(recommendation("R1", "lr", {"lr": 0.01}, (1, 2))), "R1 would"),
    ("recommendations_applicable", "noted", advised(DISABLED, DECAY), "1 of 2"),
    ("recommendations_applicable", "not applicable", whole(diagnosis=HEALTHY), "recommends nothing"),
    (
        "promises_stated",
        "blocked",
        advised(recommendation("R1", "lr", {"lr": 1.0}, (3.0, 2.0))),
        "R1 promises no range",
    ),
    ("promises_stated", "blocked", advised(recommendation("R1", "lr", {"lr": 1.0}, (math.nan, 2.0))), "R1"),
    ("promises_stated", "noted", advised(recommendation("R1", "lr", {"lr": 1.0}, None), DECAY), "R1 would gain; R2"),
    ("promises_stated", "not applicable", whole(diagnosis=HEALTHY), "recommends nothing"),
    # ── optimise ──
    ("experiments_registered", "blocked", whole(registrations={"round-1": REGISTERED}), "round-1-ablation"),
    ("experiments_registered", "blocked", rounded(experiments=()), "No registration"),
    ("experiments_registered", "noted", whole(tried={**TRIED, "round-1": RUNS}), "3 runs had been trained before"),
    ("experiments_registered", "not applicable", whole(rounds=()), "no round"),
    ("recommendations_answered", "blocked", rounded(skipped=()), "R3 of round 1 (flip True)"),
    ("recommendations_answered", "blocked", rounded(skipped=((FLIP, " "),)), "R3"),
    ("recommendations_answered", "not applicable", whole(rounds=()), "no round"),
    ("trials_ended", "blocked", whole(tried={"round-1": TRIED["round-1"]}), "No run of round-1-ablation"),
    (
        "trials_ended",
        "blocked",
        whole(tried={**TRIED, "round-1": (replace(RUNS[0], status=Status.RUNNING),)}),
        "RUNNING",
    ),
    (
        "trials_ended",
        "noted",
        whole(tried={**TRIED, "round-1": (replace(RUNS[0], status=Status.INFEASIBLE),)}),
        "no value",
    ),
    ("trials_ended", "noted", whole(tried={}, skipped=SPENT), "round-1: the budget is spent"),
    ("compared_by_pairs", "noted", whole(rounds=(round_of(**NOT_ADOPTED),), skipped=SPENT), "not tried to its end"),
    ("trials_ended", "not applicable", whole(rounds=()), "no round"),
    ("compared_by_pairs", "blocked", rounded(interval=None), "round 1"),
    ("compared_by_pairs", "blocked", rounded(n=1), "round 1"),
    ("compared_by_pairs", "blocked", whole(rounds=(round_of(**NOT_ADOPTED),), ledger=(), tried={}), "round 1"),
    (
        "compared_by_pairs",
        "noted",
        whole(rounds=(round_of(**NOT_ADOPTED),), ledger=(row_of(interval=None),)),
        "SUPPORTED",
    ),
    ("compared_by_pairs", "satisfied", whole(rounds=(round_of(**NOT_ADOPTED),)), "nothing adopted, 2 arms compared"),
    ("compared_by_pairs", "satisfied", whole(rounds=(round_of(**NOT_ADOPTED),), ledger=()), "2 configs raced"),
    ("compared_by_pairs", "not applicable", whole(rounds=()), "no round"),
    ("work_attributed", "blocked", rounded(attributions=round_of().attributions[:1]), "weight_decay 0.0001 in round 1"),
    ("work_attributed", "blocked", rounded(attributions=(round_of().attributions[0], UNMEASURED)), "weight_decay"),
    ("work_attributed", "noted", rounded(strategy="sweep", attributions=()), "search of round 1"),
    ("work_attributed", "satisfied", rounded(tried=(DROPOUT,), attributions=()), "single change"),
    ("work_attributed", "not applicable", whole(rounds=(round_of(**NOT_ADOPTED),)), "moved the champion"),
    ("champion_whole", "blocked", whole(champion=()), "No run of the champion"),
    (
        "champion_whole",
        "blocked",
        whole(champion=TRIED["round-1"][:2]),
        "adopted on 3 pairs, and the record has 2 runs",
    ),
    ("champion_whole", "blocked", whole(champion=RUNS[:1], rounds=()), "1 run of the champion gave"),
    ("champion_whole", "blocked", whole(champion=(*RUNS[:2], replace(RUNS[2], status=Status.RUNNING))), "RUNNING"),
    ("champion_whole", "noted", whole(champion=(*RUNS[:2], replace(RUNS[2], status=Status.FAILED))), "run 3 is FAILED"),
    ("champion_checkpoints", "blocked", whole(damage={12: "best.pt is missing"}), "Run 12"),
    ("champion_checkpoints", "not applicable", whole(champion=baseline(checkpoints={}).baseline), "no checkpoints"),
    ("outcome_settled", "blocked", UNSETTLED, "No gain is confirmed"),
    ("outcome_settled", "noted", replace(UNSETTLED, rounds=(round_of(outlook=CEILING),)), "The ceiling is accepted"),
    (
        "outcome_settled",
        "noted",
        whole(overall=replace(CONFIRMED, is_confirmed=False, reason="too small")),
        "too small",
    ),
    ("outcome_settled", "satisfied", whole(overall=None), "meets the target 75 %"),
    ("outcome_settled", "not applicable", whole(overall=None, champion=RUNS, rounds=(), decision=None), "no round"),
    ("decision_recorded", "blocked", rounded(outlook=None), "Round 1 has no decision"),
    ("decision_recorded", "blocked", rounded(outlook=ITERATE), "The decision is to iterate"),
    ("decision_recorded", "satisfied", whole(rounds=()), "No round"),
    ("decision_recorded", "not applicable", whole(rounds=(), decision=None), "no round"),
    # ── finalise ──
    ("final_complete", "blocked", whole(final=None), "0 of 2 final runs"),
    ("final_complete", "blocked", ended(runs=final_of().runs[:1]), "1 of 2 final runs"),
    ("final_complete", "blocked", ended(runs=(replace(RUNS[0], status=Status.INTERRUPTED),)), "INTERRUPTED"),
    ("final_complete", "not applicable", OPENED_ONLY, "asks for no final training"),
    ("final_seeds_fresh", "blocked", ended(runs=runs_of(41, CHAMPION, (2, 10_001), (83.0, 82.0))), "Seed 2 and 10001"),
    ("final_seeds_fresh", "not applicable", whole(final=None), "no final run yet"),
    ("final_config_chosen", "blocked", ended(config=BASE), "dropout"),
    ("final_config_chosen", "blocked", whole(champion=RUNS), "differs from the champion's"),
    ("final_config_chosen", "blocked", whole(final=None), "No final config"),
    ("final_config_chosen", "not applicable", OPENED_ONLY, "no final training"),
    ("final_checkpoints", "blocked", whole(damage={41: "last.pt is not the file that was recorded"}), "Run 41"),
    ("final_checkpoints", "blocked", ended(checkpoint="swa"), "swa checkpoint is to count, and run 41 and run 42"),
    ("final_checkpoints", "blocked", whole(final=None), "no final run"),
    ("final_checkpoints", "not applicable", OPENED_ONLY, "no final training"),
    ("split_opened_once", "blocked", whole(opened_before_finalise=True), "before the end"),
    ("split_opened_once", "blocked", replace(OPENED_ONLY, opened_before_finalise=True), "before the end"),
    ("split_opened_once", "blocked", ended(opened_at=""), "still sealed"),
    ("split_opened_once", "noted", whole(sealed_asks=("run 7 (seed 1)",)), "refused, by run 7 (seed 1)"),
    ("split_opened_once", "not applicable", OPENED_ONLY, "not opened before"),
    ("splits_agree", "blocked", ended(validation={"val_accuracy": (88.0, 88.0)}), "5.33 apart"),
    ("splits_agree", "blocked", ended(test={}), "Nothing was measured"),
    ("splits_agree", "blocked", whole(final=None), "Nothing was measured"),
    ("splits_agree", "noted", ended(**OPEN_FINAL), "2.35 apart: acceptable"),
    ("splits_agree", "not applicable", whole(plan=LOSS_ONLY), "in points"),
    ("target_met", "blocked", ended(test={"val_accuracy": (70.0, 70.1)}), "4.95 pp short"),
    ("target_met", "blocked", ended(test={}), "Nothing was measured"),
    ("target_met", "noted", ended(test={"val_accuracy": (74.0, 74.5)}), "which the noise of 2 seeds allows for"),
    ("target_met", "noted", whole(final=final_of(test={"val_accuracy": (70.0, 70.1)}), decision=CEILING), "ceiling"),
    ("target_met", "not applicable", whole(plan=NO_TARGET), "no target"),
    ("confusion_agrees", "blocked", ended(confusion=((91, 5, 4), *CONFUSION[1:])), "precision of cat"),
    (
        "confusion_agrees",
        "blocked",
        ended(confusion=((95, 6, 4), *CONFUSION[1:])),
        "105 examples in the matrix and 100",
    ),
    ("confusion_agrees", "blocked", ended(confusion=CONFUSION[:2]), "not of the same classes"),
    ("confusion_agrees", "blocked", ended(test={"val_accuracy": (82.8, 82.0)}), "82.8 % was measured"),
    ("confusion_agrees", "noted", ended(test={"val_accuracy": (83.3, 82.0)}), "83.3 % was measured"),
    ("confusion_agrees", "noted", ended(test={"val_loss": (1.0, 1.1)}), "no accuracy in %"),
    ("confusion_agrees", "not applicable", bare("evaluate"), "no classes"),
    ("confusion_agrees", "blocked", bare("evaluate", "predict"), "measured, but not predicted"),
    ("splits_agree", "not applicable", bare(), "no `evaluate`"),
    ("target_met", "not applicable", bare(), "no `evaluate`"),
    ("classes_served", "blocked", whole(final=helped().final), "F1 under 0.5: dog"),
    ("classes_served", "noted", whole(plan=plan(thresholds=Thresholds(class_f1_note=0.8))), "under 0.8: dog 0.796"),
    ("classes_served", "not applicable", ended(per_class=()), "no classes"),
    ("exported", "blocked", shown(TORCH), "onnx: none on record"),
    ("exported", "blocked", shown(TORCH, exported("onnx", "", error="no such operator")), "onnx: no such operator"),
    ("exported", "not applicable", NO_FINAL, "asks for no export"),
    ("export_agrees", "blocked", shown(TORCH, exported("onnx", "net.onnx", agreement=0.99)), "onnx on 99 %"),
    ("export_agrees", "blocked", shown(exported("torch", "model.pt2", agreement=None), ONNX), "Not measured for torch"),
    ("export_agrees", "blocked", shown(), "No exported file"),
    ("export_agrees", "not applicable", NO_FINAL, "asks for no export"),
    ("export_accurate", "blocked", shown(exported("torch", "model.pt2", accuracy=82.0), ONNX), "torch 82 % against"),
    ("export_accurate", "blocked", shown(exported("torch", "model.pt2", accuracy=None), ONNX), "Not measured"),
    ("export_accurate", "not applicable", NO_FINAL, "asks for no export"),
    ("export_fast", "blocked", shown(exported("torch", "model.pt2", latency_seconds=0.2), ONNX), "torch 200 ms"),
    ("export_fast", "blocked", shown(exported("torch", "model.pt2", latency_seconds=None), ONNX), "Not measured"),
    (
        "export_fast",
        "noted",
        shown(exported("torch", "model.pt2", latency_seconds=0.004), ONNX),
        "torch is slower than",
    ),
    (
        "export_fast",
        "satisfied",
        shown(exported("torch", "model.pt2", latency_measured="CPU time on one thread, median of 541"), ONNX),
        "is allowed (torch: CPU time on one thread, median of 541).",
    ),
    ("export_fast", "not applicable", NO_FINAL, "asks for no export"),
    ("bundle_whole", "blocked", ended(bundle=""), "There is no bundle"),
    ("bundle_whole", "blocked", whole(bundle_damage={"config.yaml": "is missing"}), "config.yaml is missing"),
    ("bundle_whole", "blocked", shown(TORCH, exported("onnx", "net.onnx", sha256="f" * 64)), "has the checksum nnnn"),
    ("bundle_whole", "blocked", ended(files={"model.pt2": "m" * 64, "net.onnx": "n" * 64}), "no weights"),
    ("bundle_whole", "blocked", ended(files={"model.pt2": "m" * 64, "w.safetensors": "5"}), "net.onnx is not in it"),
    ("bundle_whole", "not applicable", NO_FINAL, "asks for no export"),
)


@pytest.mark.parametrize(("predicate", "state", "dossier", "says"), CASES, ids=[f"{c[0]}-{c[1]}-{c[3]}" for c in CASES])
def test_a_predicate_answers_by_its_evidence(predicate, state, dossier, says):
    found = checked(predicate, dossier)
    assert (found.state, says in found.evidence) == (state, True), found.evidence


@pytest.mark.parametrize("phase", PHASES)
def test_a_study_with_all_its_evidence_passes_every_gate_without_a_note(phase):
    gate = gate_of(phase, whole())
    assert gate.is_open
    assert {check.predicate: check.evidence for check in gate.checks if check.state != "satisfied"} == {}


@pytest.mark.parametrize("predicate", [name for names in PREDICATES.values() for name in names])
def test_no_predicate_is_without_a_way_to_object(predicate):
    assert any(name == predicate and state in ("blocked", "noted") for name, state, _, _ in CASES)


@pytest.mark.parametrize("phase", PHASES)
def test_each_check_bears_the_name_of_its_predicate_and_is_a_sentence(phase):
    for dossier in (whole(), helped(), stuck(), *(case[2] for case in CASES)):
        checks = gate_of(phase, dossier).checks
        assert tuple(check.predicate for check in checks) == PREDICATES[phase]
        for check in checks:
            assert check.question[0].isupper() and check.question.endswith("."), check
            assert check.evidence.endswith((".", "?")) and "None" not in check.evidence, check
            assert ".." not in check.evidence and "nan" not in check.evidence, check


def test_names_are_unique_over_all_gates():
    names = [name for names in PREDICATES.values() for name in names]
    assert len(set(names)) == len(names)
    assert tuple(PREDICATES) == PHASES


def test_an_override_lets_a_blocked_predicate_pass_and_keeps_its_evidence():
    gate = gate_of("baseline", helped())
    [check] = gate.overridden
    assert (check.predicate, check.override) == ("device_used", "The machine is shared, and the night is long.")
    assert "Busy 20 %" in check.evidence
    assert gate.is_open


def test_an_override_of_what_is_satisfied_says_nothing():
    [check] = [c for c in gate_of("plan", helped()).checks if c.predicate == "data_known"]
    assert (check.state, check.override) == ("satisfied", "")


def test_an_override_without_a_reason_lets_nothing_pass():
    silent = plan(overrides=(Override(gate="baseline", predicate="baseline_complete", because="  "),))
    assert not gate_of("baseline", whole(plan=silent, baseline=())).is_open


def test_an_override_holds_for_its_own_gate_only():
    elsewhere = plan(overrides=(Override(gate="plan", predicate="baseline_complete", because="No."),))
    found = gate_of("baseline", whole(plan=elsewhere, baseline=()))
    assert "baseline_complete" in [check.predicate for check in found.blocked]


def test_what_was_satisfied_blocks_when_its_evidence_is_deleted_and_says_how_to_restore_it():
    assert gate_of("baseline", whole()).is_open
    without_run = gate_of("baseline", whole(baseline=RUNS[1:]))
    without_file = gate_of("baseline", whole(damage={1: "best.pt is missing"}))
    assert "No run of seed 1 is on record: `surefoot run PLAN` trains it again." in without_run.blocked[0].evidence
    assert [c.evidence for c in without_file.blocked] == [
        "Run 1: best.pt is missing. Put the file back, or run it again."
    ]


def test_a_diagnosis_after_a_round_rests_on_the_champion_until_its_own_round_begins():
    again = replace(OVERFITS, subject="the champion after round 1", histories=2)
    waiting = whole(diagnosis=again, champion=TRIED["round-1"][:2])
    begun = whole(diagnosis=again, rounds=(round_of(), round_of(2, diagnosis=again)))
    assert checked("diagnosis_recorded", waiting).state == "satisfied"
    assert checked("diagnosis_recorded", begun).state == "satisfied"
    assert checked("recommendations_applicable", waiting).state == "blocked", "the champion has dropout 0.4 already"
    assert checked("recommendations_applicable", begun).state == "satisfied"


def test_an_accepted_ceiling_without_a_round_may_end_below_the_target():
    below = final_of(test={"val_accuracy": (70.0, 70.1)})
    skipped = Outlook(turn="finalise", because="Near the ceiling: 1 recommendation promises 1 pp at most.")
    at_target = whole(final=below, rounds=(), decision=skipped, diagnosis=None)
    no_rounds = whole(final=below, rounds=(), decision=skipped, plan=plan(optimise=Optimise(strategy="none")))
    assert checked("target_met", whole(final=below, rounds=(), decision=skipped)).state == "noted"
    assert checked("target_met", at_target).state == "blocked", "a baseline at its target accepted nothing less"
    assert checked("target_met", no_rounds).state == "blocked", "nothing was weighed"


def test_a_metric_that_should_fall_meets_its_target_from_above():
    below, above = (ended(test={"val_loss": values}) for values in ((1.9, 2.05), (2.4, 2.41)))
    assert checked("target_met", replace(below, plan=LOSS_ONLY)).state == "satisfied"
    assert checked("target_met", replace(above, plan=LOSS_ONLY)).state == "blocked"


def test_a_class_without_examples_is_told_and_blocks_nothing():
    confusion = ((90, 6, 4), (0, 0, 0), (5, 5, 90))
    found = checked("classes_served", ended(confusion=confusion, per_class=scores_of(confusion)))
    assert found.state == "noted"
    assert "no test example of dog" in found.evidence
    assert CLASSES[1] == "dog"


def test_an_ablation_may_take_up_the_runs_of_its_own_round():
    later = {"round-1": "2026-03-03T09:00:00", "round-1-ablation": "2026-03-05T09:00:00"}
    shared = {"round-1": TRIED["round-1"], "round-1-ablation": TRIED["round-1"]}
    alone = {"round-1": TRIED["round-1-ablation"], "round-1-ablation": TRIED["round-1"]}
    assert checked("experiments_registered", whole(registrations=later, tried=shared)).state == "satisfied"
    assert checked("experiments_registered", whole(registrations=later, tried=alone)).state == "noted"


def test_more_seeds_than_the_rule_has_today_are_no_strays():
    assert checked("seeds_fixed", whole(plan=plan(rule=Rule(looks=(2,))))).state == "satisfied"
    assert len(SEEDS) == 3


def test_unknown_overrides_are_told_with_the_nearest_name():
    told = unknown_overrides(
        (
            Override(gate="base", predicate="device_used", because="x"),
            Override(gate="baseline", predicate="device_use", because="x"),
            Override(gate="plan", predicate="exported", because="x"),
            Override(gate="plan", predicate="data_known", because="x"),
        )
    )
    assert len(told) == 3
    assert told[0].startswith('gate must be one of plan, baseline, diagnose, optimise, finalise; got "base"')
    assert told[1].endswith('Did you mean "device_used"?')
    assert told[2].endswith("It belongs to the gate finalise")
