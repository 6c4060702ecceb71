"""Synthetic stories of a study with phases: a healthy end, an override, a shut gate, before and within the rounds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from stories import BASE, NOISE, RULE, SEEDS, arm_of, empty_story, experiment_of, full_story, run_of, values_around

from surefoot.claim import Step, confirm
from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.finding import Finding
from surefoot.ledger import LedgerRow
from surefoot.phases.final import ClassScore, Exported, Final
from surefoot.phases.gate import Check, Gate
from surefoot.phases.outlook import Outlook
from surefoot.phases.round import Attribution, Round
from surefoot.plan import Prediction, confirming_seeds
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.story import ExperimentStory, PathPoint, RevisionStory, Story
from surefoot.run import Metric, Run
from surefoot.thresholds import Thresholds

ACCURACY = Metric(name="val_accuracy", goal="maximize", unit="%", target=90.0, min_effect=0.3)
REGULARISED = {**BASE, "dropout": 0.4, "weight_decay": 0.0005}
FINAL_SEEDS = (20_001, 20_002, 20_003)
TESTED = (92.3333, 92.6667, 91.6667)
CONFUSION = ((90, 8, 2), (5, 93, 2), (1, 4, 95))
OVERRIDE = "The machine is shared on weekdays; <b>nothing</b> of the values hangs on it. — A. Person"

DROPOUT = Recommendation(
    id="R1",
    kind="dropout",
    title="dropout of 0.4",
    patch={"dropout": 0.4},
    because="it keeps units from relying on each other",
    symptom="overfitting",
    promise=Promise(metric="val_accuracy", low=3.0, high=5.0, unit="pp", source="the workflow document"),
    impact="high",
)
DECAY = Recommendation(
    id="R2",
    kind="weight_decay",
    title="weight decay of 0.0005",
    patch={"weight_decay": 0.0005},
    because="it keeps weights small",
    symptom="overfitting",
    promise=Promise(metric="val_accuracy", low=1.0, high=2.0, unit="pp", source="corrected by 3 earlier results"),
)
CROPS = Recommendation(
    id="R3",
    kind="augmentation",
    title="random crops",
    patch={"crop_padding": 2},
    because="it shows each image in other places",
    symptom="overfitting",
    effort="medium",
    is_applicable=False,
)
OVERFITTING = Diagnosis(
    subject="baseline",
    primary="overfitting",
    histories=8,
    notes=("train_loss is measured with dropout on and is not compared with val_loss",),
    symptoms=(
        Symptom(
            rule="overfitting",
            degree="strong",
            finding=Finding(
                rule="diagnosis.overfitting",
                subject="baseline",
                sentence="accuracy is 99.1 % on training images and 81.2 % on validation ones: 17.9 points apart",
                severity="warning",
                evidence={"gap": 17.9},
                advice="Regularise before anything else",
            ),
            confidence=0.998,
            recommendations=(DROPOUT, DECAY, CROPS),
        ),
        Symptom(
            rule="inefficient_resources",
            finding=Finding(
                rule="diagnosis.inefficient_resources",
                subject="baseline",
                sentence="the device is busy 52 % of the time",
                evidence={"utilisation": 0.52},
            ),
            confidence=0.7,
            is_noise=True,
            share=0.5,
        ),
    ),
)
HEALTHY = Diagnosis(subject="champion of round 1", histories=8)


def with_facts(run: Run, **facts: Any) -> Run:
    """The run with the facts that a training of today tells, and both checkpoints."""
    told = {"images_per_second": 5231.4, "utilisation": 0.52, "largest_gradient_norm": 7.25, "parameters": 832298}
    return replace(
        run,
        facts={**run.facts, **told, "best_step": 400, **facts},
        checkpoints={"best": f"{run.id:02d}be57" * 8, "last": f"{run.id:02d}1a57" * 8},
    )


def overfit_baseline():
    """The baseline's arm: eight seeds, with facts and checkpoints."""
    arm = arm_of("baseline", {}, BASE, values_around(81.2, 0))
    return replace(arm, runs=tuple(with_facts(run) for run in arm.runs))


def check(predicate: str, state: str, question: str, evidence: str, *rests: str, override: str = "") -> Check:
    """A predicate and its answer."""
    return Check(
        predicate=predicate, question=question, state=state, evidence=evidence, rests_on=rests, override=override
    )


RUNS = tuple(f"run {seed}" for seed in SEEDS)
PLAN_GATE = Gate(
    phase="plan",
    checks=(
        check("plan_registered", "satisfied", "The plan is on record.", "Plan 3f9a1c00, revision 1.", "event 1"),
        check("commit_known", "noted", "The folder is at a commit.", "It has changes that are not committed."),
    ),
)
BASELINE_GATE = Gate(
    phase="baseline",
    checks=(
        check("baseline_complete", "satisfied", "The baseline is trained to its end.", "8 runs, all COMPLETE.", *RUNS),
        check("device_used", "noted", "The device is busy.", "Busy 52 % of the time, under 60 %.", *RUNS),
        check("step_times_even", "not applicable", "The runs take the same time.", "The time a step is not known."),
    ),
)
DIAGNOSE_GATE = Gate(
    phase="diagnose",
    checks=(check("diagnosis_recorded", "satisfied", "A diagnosis is on record.", "Overfitting.", "event 9"),),
)
OPTIMISE_GATE = Gate(
    phase="optimise",
    checks=(check("work_attributed", "satisfied", "It is known what did the work.", "An ablation of 2.", "event 12"),),
)
FINAL_GATE = Gate(
    phase="finalise",
    checks=(
        check("final_complete", "satisfied", "The final training is complete.", "3 runs, all COMPLETE.", "run 901"),
    ),
)
BUSY = "Busy 21 % of the time, the mean of 8 runs; at least 40 % is asked: look at the loading of data."


def _device(state: str, override: str = "") -> Gate:
    asked = check("device_used", state, "The device is busy while it trains.", BUSY, *RUNS, override=override)
    return replace(BASELINE_GATE, checks=(BASELINE_GATE.checks[0], asked, *BASELINE_GATE.checks[2:]))


BLOCKED_GATE, OVERRIDDEN_GATE = _device("blocked"), _device("overridden", OVERRIDE)


def _registered(arm: str) -> Prediction:
    return Prediction(arm=arm, metric="val_accuracy", relation="better")


@lru_cache(maxsize=1)
def targeted() -> ExperimentStory:
    """The top two recommendations, alone and together."""
    return experiment_of(
        1,
        "round-1",
        values_around(81.2, 0),
        {
            "dropout": (dict(DROPOUT.patch), values_around(82.4, 1)),
            "weight decay": (dict(DECAY.patch), values_around(81.25, 2)),
            "together": ({**DROPOUT.patch, **DECAY.patch}, values_around(82.9, 3)),
        },
        [_registered("dropout"), _registered("weight decay"), _registered("together")],
        base=BASE,
        hypothesis="What the diagnosis recommends against overfitting helps.",
        because="The baseline overfits.",
        gap_before=8.8,
        gap_after=7.1,
    )


@lru_cache(maxsize=1)
def ablation() -> ExperimentStory:
    """Each recommendation taken away from all of them."""
    return experiment_of(
        2,
        "round-1-ablation",
        values_around(82.9, 3),
        {
            "without dropout": ({"dropout": 0.0}, values_around(81.3, 2)),
            "without weight decay": ({"weight_decay": 0.0}, values_around(82.5, 1)),
        },
        [],
        base=REGULARISED,
        hypothesis="One of the parts did the work.",
        gap_before=7.1,
        gap_after=7.1,
    )


def _row(found: Recommendation, arm: str, which: int, **rest: Any) -> LedgerRow:
    step = targeted().steps[arm]
    assert found.promise is not None
    promised = (found.promise.low, found.promise.high)
    told = {"first_promised": promised, "promised": promised, "got": step.gain, "interval": step.interval, "n": step.n}
    return LedgerRow(
        **{
            "study": "fashion-cnn",
            "experiment": "round-1",
            "arm": arm,
            "recommendation": found.id,
            "kind": found.kind,
            "title": found.title,
            "metric": "val_accuracy",
            "unit": "%",
            "verdict": str(step.answer),
            **told,
            **rest,
        }
    )


def ledger() -> tuple[LedgerRow, ...]:
    """One promise that fell short, one corrected before that did nothing."""
    return _row(DROPOUT, "dropout", 1), _row(DECAY, "weight decay", 2, first_promised=(2.0, 4.0))


ITERATE = Outlook(
    turn="iterate", because="the champion gained 1.7 pp and is 7.1 pp short of the target; one round is left"
)
CEILING = Outlook(turn="ceiling", because="two rounds in a row gained under 2 pp")


def first_round(outlook: Outlook | None = ITERATE) -> Round:
    """The targeted round with its ablation."""
    step = targeted().steps["together"]
    return Round(
        number=1,
        strategy="targeted",
        diagnosis=OVERFITTING,
        tried=(DROPOUT, DECAY),
        skipped=((CROPS, "the workload has no setting crop_padding"),),
        experiments=("round-1", "round-1-ablation"),
        adopted="together",
        gain=step.gain,
        interval=step.interval,
        n=step.n,
        attributions=(
            Attribution(
                recommendation="R1",
                title="dropout",
                alone=1.2,
                alone_interval=(0.97, 1.43),
                alone_n=8,
                within=1.6,
                within_interval=(1.31, 1.89),
                within_n=8,
                says="dropout did most of the work, alone and with the rest",
            ),
            Attribution(recommendation="R2", title="weight decay", within=0.4, within_interval=(0.1, 0.7), within_n=8),
        ),
        outlook=outlook,
    )


def final_of(**rest: Any) -> Final:
    """Three final trainings, tested, exported in two formats, bundled."""
    runs = tuple(
        replace(with_facts(run_of(REGULARISED, seed, 91.0 + i / 2, 0.31, 901 + i)), key=f"{901 + i:064x}")
        for i, seed in enumerate(FINAL_SEEDS)
    )
    names = ("shirt", "coat", "bag")
    scores = []
    for i, name in enumerate(names):
        taken, support = sum(row[i] for row in CONFUSION), sum(CONFUSION[i])
        precision, recall = CONFUSION[i][i] / taken, CONFUSION[i][i] / support
        f1 = 2 * precision * recall / (precision + recall)
        scores.append(ClassScore(name=name, support=support, precision=precision, recall=recall, f1=f1))
    told = {
        "config": REGULARISED,
        "runs": runs,
        "bundled_seed": FINAL_SEEDS[1],
        "opened_at": "2026-01-04T11:00:00+00:00",
        "validation": {"val_accuracy": (91.0, 91.5, 95.2)},
        "test": {"val_accuracy": TESTED},
        "classes": names,
        "confusion": CONFUSION,
        "per_class": tuple(scores),
        "exports": (
            _exported("torch", "model.pt2", latency=0.00112),
            _exported("onnx", "model.onnx", latency=0.00071),
        ),
        "bundle": "fashion-cnn/bundle",
        "files": {"config.yaml": "c0f1" * 16, "model.safetensors": "5afe" * 16},
    }
    return Final(**{**told, **rest})


def _exported(name: str, file: str, latency: float) -> Exported:
    return Exported(
        format=name,
        file=file,
        sha256="e4b0" * 16,
        agreement=1.0,
        accuracy=TESTED[1],
        original_accuracy=TESTED[1],
        latency_seconds=latency,
        original_latency_seconds=0.00184,
        latency_measured="CPU time on one thread, median of 541, in turns with the original",
    )


ENVIRONMENT = {
    "python": "3.11.8",
    "torch": "2.13.0",
    "machine": "2 cores, 8 GiB",
    "device": "cpu",
    "threads": "1",
    "git commit": "1f3e9b2",
    "git state": "clean",
    "packages": "numpy 1.26.4, torch 2.13.0",
}


def planned() -> Story:
    """Registered, nothing trained: the first gate only."""
    phases = PhaseStory(phase="plan", gates=(PLAN_GATE,), environment=ENVIRONMENT, baseline_config=BASE)
    return replace(empty_story(), primary=ACCURACY, metrics=(ACCURACY, *empty_story().metrics[1:]), phases=phases)


def _trained(phase: str, *gates: Gate, **rest: Any) -> Story:
    phases = PhaseStory(phase=phase, gates=(PLAN_GATE, *gates), environment=ENVIRONMENT, baseline_config=BASE, **rest)
    full = full_story()
    baseline = overfit_baseline()
    return replace(
        full,
        phase=phase,
        metrics=(ACCURACY, *full.metrics[1:]),
        primary=ACCURACY,
        revisions=(RevisionStory(number=1, plan_hash="8c01de" + "0" * 58, registered_at="2026-01-02T14:02:11+00:00"),),
        baseline=baseline,
        champion_config=BASE,
        champion_values=baseline.values["val_accuracy"],
        experiments=(),
        path=(PathPoint(label="baseline", experiment="", exploring=baseline.values["val_accuracy"]),),
        claims=(),
        overall=None,
        fresh_seeds=(),
        target_gap=8.8,
        test_values={},
        test_opened_at="",
        expected_false_adopts=0.0,
        q_values={},
        run_counts={"complete": 8},
        notices=(),
        phases=phases,
    )


def blocked() -> Story:
    """The baseline is trained, and its gate is shut."""
    return _trained("baseline", BLOCKED_GATE, turns=("The baseline began when the plan's gate opened",))


def before_diagnosis() -> Story:
    """The baseline's gate is open and nothing is diagnosed yet."""
    return _trained("diagnose", BASELINE_GATE)


def after_round() -> Story:
    """One round with its ablation is over, and another follows."""
    turns = ("The baseline is 8.8 pp short of its target: it is diagnosed",)
    told = _trained(
        "optimise",
        BASELINE_GATE,
        DIAGNOSE_GATE,
        diagnosis=OVERFITTING,
        rounds=(first_round(),),
        ledger=ledger(),
        decision=ITERATE,
        turns=turns,
        thresholds=Thresholds(least_gain=1.0),
        set_thresholds={"least_gain": 1.0},
    )
    values = values_around(82.9, 3)
    step = PathPoint(label="dropout 0 → 0.4, weight_decay 0.0005", experiment="round-1", exploring=values)
    return replace(
        told,
        champion_config=REGULARISED,
        champion_values=values,
        experiments=(targeted(), ablation()),
        path=(*told.path, step),
        target_gap=7.1,
        run_counts={"complete": 48},
    )


@lru_cache(maxsize=1)
def ended() -> Story:
    """A study at its end: every gate open, the champion claimed, tested, exported."""
    told = after_round()
    fresh = values_around(81.0, 2), values_around(82.6, 0)
    label = told.path[1].label
    step = Step(name="round-1", before="baseline", after=label, before_values=fresh[0], after_values=fresh[1])
    whole = replace(step, name="overall", after="champion")
    phases = replace(
        told.phases,
        phase="finalise",
        gates=(PLAN_GATE, BASELINE_GATE, DIAGNOSE_GATE, OPTIMISE_GATE, FINAL_GATE),
        rounds=(first_round(CEILING),),
        decision=CEILING,
        final=final_of(),
        final_config=REGULARISED,
        turns=(*told.phases.turns, "The ceiling is accepted: the champion is trained once more"),
    )
    return replace(
        told,
        phase="finalise",
        path=(replace(told.path[0], fresh=fresh[0]), replace(told.path[1], fresh=fresh[1], is_claimed=True)),
        claims=confirm((step,), metric=ACCURACY, rule=RULE, noise=NOISE),
        overall=confirm((whole,), metric=ACCURACY, rule=RULE, noise=NOISE)[0],
        fresh_seeds=confirming_seeds(8),
        run_counts={"complete": 67},
        phases=phases,
    )


def overridden() -> Story:
    """The same end, past a gate that a person overrode."""
    told = ended()
    gates = tuple(OVERRIDDEN_GATE if gate.phase == "baseline" else gate for gate in told.phases.gates)
    return replace(told, phases=replace(told.phases, gates=gates))


def failed_export() -> Story:
    """The same end, where one format could not be written."""
    told = ended()
    broken = Exported(format="onnx", error="the operator aten::nonesuch has no ONNX form")
    final = final_of(exports=(final_of().exports[0], broken))
    return replace(told, phases=replace(told.phases, final=final))


def end_alone() -> Story:
    """A study without gates that trains its champion once more and exports it."""
    told = ended()
    phases = replace(
        told.phases,
        phase="done",
        gates=(),
        turns=(),
        diagnosis=None,
        rounds=(),
        ledger=(),
        decision=None,
        thresholds=Thresholds(),
        set_thresholds={},
    )
    return replace(told, phases=phases)


ALL = {
    "planned": planned,
    "blocked": blocked,
    "before-diagnosis": before_diagnosis,
    "after-round": after_round,
    "ended": ended,
    "overridden": overridden,
    "failed-export": failed_export,
    "end-alone": end_alone,
}
