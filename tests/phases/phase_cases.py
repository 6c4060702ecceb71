"""Synthetic dossiers: a study that went through all its phases, one that a person helped, one that is stuck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from surefoot.claim import Claim, Step
from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.finding import Finding
from surefoot.ledger import LedgerRow
from surefoot.phases.attribution import Effect, attribution
from surefoot.phases.dossier import Dossier
from surefoot.phases.final import ClassScore, Exported, Final
from surefoot.phases.outlook import Outlook
from surefoot.phases.round import Round
from surefoot.plan import Finalise, Optimise, Override, Plan, Rule
from surefoot.run import Measurement, Metric, Provenance, Run, Status

ACCURACY = Metric(name="val_accuracy", goal="maximize", unit="%", target=75.0, min_effect=0.5)
LOSS = Metric(name="val_loss", goal="minimize")
BASE = {"width": 8, "depth": 1, "dropout": 0.0, "weight_decay": 0.0, "flip": False, "lr": 0.01, "steps": 400}
CHAMPION = {**BASE, "dropout": 0.4, "weight_decay": 0.0001}
SEEDS, CONFIRM, FINAL_SEEDS = (1, 2, 3), (10_001, 10_002, 10_003), (20_001, 20_002)
REGISTERED, BEGUN, ROUND_REGISTERED, TRIED = (f"2026-03-0{day}T09:00:00.000000+00:00" for day in (1, 2, 3, 4))
OPENED = "2026-03-06T10:30:00.000000+00:00"
ENVIRONMENT = {
    "python": "3.11.9",
    "torch": "2.6.0",
    "machine": "bench",
    "cores": "2",
    "device": "cpu",
    "threads": "1",
    "git commit": "3f2a" * 10,
    "git state": "clean",
    "packages": "numpy==2.1.0, torch==2.6.0",
}
CONFUSION = ((90, 6, 4), (8, 80, 12), (5, 15, 80))
CLASSES = ("cat", "dog", "ship")


def run_of(
    number: int,
    config: Mapping[str, Any],
    seed: int,
    accuracy: float,
    *,
    started_at: str = BEGUN,
    status: Status = Status.COMPLETE,
    **facts: Any,
) -> Run:
    """A run of four measurements whose validation accuracy ends at `accuracy`."""
    measurements = tuple(
        Measurement(
            step=100 * i,
            values={
                "train_loss": 2.0 / i,
                "clean_train_loss": 1.9 / i,
                "val_loss": 1.2 + 0.1 / i,
                "val_accuracy": accuracy - 4.0 + i,
                "clean_train_accuracy": 24.0 * i,
                "gradient_norm": 1.0,
                "learning_rate": 0.01,
            },
        )
        for i in range(1, 5)
    )
    return Run(
        id=number,
        key=f"{number:064x}",
        workload="cifar10",
        config=dict(config),
        seed=seed,
        status=status,
        measurements=measurements,
        facts={"steps": 400, "utilisation": 0.9, "seconds_per_step": 0.02 + seed % 10 / 2000, **facts},
        checkpoints={"best": "b0" * 32, "last": "1a" * 32},
        provenance=Provenance(
            code_fingerprint="5be2" * 16,
            data_fingerprint="a91c" * 16,
            git_commit="3f2a" * 10,
            git_dirty=False,
            versions={"python": "3.11.9", "torch": "2.6.0"},
            machine="bench",
            started_at=started_at,
            wall_seconds=8.0,
        ),
        finals=dict(measurements[-1].values),
    )


def runs_of(
    first: int, config: Mapping[str, Any], seeds: Sequence[int], values: Sequence[float], started_at: str = BEGUN
) -> tuple[Run, ...]:
    """One run a seed, numbered from `first` on."""
    return tuple(
        run_of(first + i, config, seed, value, started_at=started_at)
        for i, (seed, value) in enumerate(zip(seeds, values, strict=True))
    )


def recommendation(
    id_: str, kind: str, patch: Mapping[str, Any], promise: tuple[float, float] | None
) -> Recommendation:
    """A recommendation of the overfitting symptom, with the promise of the workflow document."""
    said = None
    if promise:
        said = Promise(metric="val_accuracy", low=promise[0], high=promise[1], unit="%", source="the workflow document")
    title = " ".join(f"{name} {value}" for name, value in patch.items())
    return Recommendation(
        id=id_, kind=kind, title=title, patch=patch, because="it regularises", symptom="overfitting", promise=said
    )


DROPOUT = recommendation("R1", "dropout", {"dropout": 0.4}, (3.0, 5.0))
DECAY = recommendation("R2", "weight_decay", {"weight_decay": 0.0001}, (2.0, 4.0))
FLIP = recommendation("R3", "augmentation", {"flip": True}, (2.0, 3.0))


def symptom(rule: str = "overfitting", *recommendations: Recommendation, **changes: Any) -> Symptom:
    """A symptom of the baseline."""
    finding = Finding(
        rule=f"diagnosis.{rule}",
        subject="the baseline",
        sentence="Train accuracy is 23 points above validation.",
        severity="warning",
        evidence={"gap": 23.0},
    )
    given = {"confidence": 0.99, "degree": "strong", **changes}
    return Symptom(rule=rule, finding=finding, recommendations=recommendations, **given)


OVERFITS = Diagnosis(
    subject="the baseline", symptoms=(symptom("overfitting", DROPOUT, DECAY, FLIP),), primary="overfitting", histories=3
)


def plan(**changes: Any) -> Plan:
    """The plan of the study; what is given replaces a part of it."""
    given: dict[str, Any] = {
        "study": "cats",
        "workload": "cifar10",
        "metrics": (ACCURACY, LOSS),
        "primary": "val_accuracy",
        "rule": Rule(looks=(3,), confirm_seeds=3),
        "baseline": BASE,
        "optimise": Optimise(rounds=2, recommendations=2),
        "finalise": Finalise(seeds=2, exports=("torch", "onnx")),
    }
    return Plan(**{**given, **changes})


def round_of(number: int = 1, **changes: Any) -> Round:
    """A round that adopted dropout and weight decay together, and ended at the target."""
    given: dict[str, Any] = {
        "number": number,
        "strategy": "targeted",
        "diagnosis": OVERFITS,
        "tried": (DROPOUT, DECAY),
        "skipped": ((FLIP, "the round tries 2 at most"),),
        "experiments": (f"round-{number}", f"round-{number}-ablation"),
        "adopted": "all",
        "gain": 5.1,
        "interval": (4.2, 6.0),
        "n": 3,
        "attributions": (
            attribution(
                DROPOUT,
                alone=Effect(gain=3.9, interval=(3.0, 4.8), n=3),
                within=Effect(gain=3.2, interval=(2.1, 4.3), n=3),
                metric=ACCURACY,
            ),
            attribution(
                DECAY,
                alone=Effect(gain=1.1, interval=(-0.6, 2.8), n=3, detectable=2.1),
                within=Effect(gain=0.9, interval=(-0.9, 2.7), n=3, detectable=2.1),
                metric=ACCURACY,
            ),
        ),
        "outlook": Outlook(turn="finalise", because="val_accuracy 77.0 % has reached the target 75 %."),
    }
    return Round(**{**given, **changes})


def row_of(recommendation: Recommendation = DROPOUT, **changes: Any) -> LedgerRow:
    """The row of the ledger that the round left of a recommendation."""
    promise = recommendation.promise
    promised = (promise.low, promise.high) if promise else (0.0, 0.0)
    given: dict[str, Any] = {
        "study": "cats",
        "experiment": "round-1",
        "arm": recommendation.kind,
        "recommendation": recommendation.id,
        "kind": recommendation.kind,
        "title": recommendation.title,
        "metric": "val_accuracy",
        "unit": "%",
        "first_promised": promised,
        "promised": promised,
        "got": 3.9,
        "interval": (3.0, 4.8),
        "n": 3,
        "verdict": "SUPPORTED",
    }
    return LedgerRow(**{**given, **changes})


def scores_of(confusion: Sequence[Sequence[int]]) -> tuple[ClassScore, ...]:
    """Each class' precision, recall and F1, by their definitions."""
    found = []
    for i, name in enumerate(CLASSES):
        row, column, right = sum(confusion[i]), sum(r[i] for r in confusion), confusion[i][i]
        found.append(
            ClassScore(
                name=name,
                support=row,
                precision=right / column if column else 0.0,
                recall=right / row if row else 0.0,
                f1=2 * right / (row + column) if row + column else 0.0,
            )
        )
    return tuple(found)


def exported(format_: str, file: str, **changes: Any) -> Exported:
    """An export that agrees with the original."""
    given = {
        "agreement": 1.0,
        "accuracy": 100 * 250 / 300,
        "original_accuracy": 100 * 250 / 300,
        "latency_seconds": 0.002,
        "original_latency_seconds": 0.003,
        "sha256": 64 * file[:1],
    }
    return Exported(format=format_, file=file, **{**given, **changes})


def final_of(**changes: Any) -> Final:
    """The end: two final runs, the split opened, the model in two formats."""
    given: dict[str, Any] = {
        "config": CHAMPION,
        "runs": runs_of(41, CHAMPION, FINAL_SEEDS, (83.0, 82.4), "2026-03-05T09:00:00"),
        "bundled_seed": FINAL_SEEDS[0],
        "opened_at": OPENED,
        "validation": {"val_accuracy": (83.0, 82.4), "val_loss": (1.2, 1.3)},
        "test": {"val_accuracy": (100 * 250 / 300, 82.0), "val_loss": (1.25, 1.3)},
        "classes": CLASSES,
        "confusion": CONFUSION,
        "per_class": scores_of(CONFUSION),
        "exports": (exported("torch", "model.pt2"), exported("onnx", "net.onnx")),
        "bundle": "bundle",
        "files": {"model.pt2": "m" * 64, "net.onnx": "n" * 64, "model.safetensors": "5" * 64, "config.yaml": "c" * 64},
    }
    return Final(**{**given, **changes})


CONFIRMED = Claim(
    step=Step(name="round-1", before="baseline", after="round-1", before_values=(), after_values=()),
    metric="val_accuracy",
    is_confirmed=True,
    n=3,
    estimate=5.0,
    interval=(4.1, 5.9),
)
DOCUMENTS = (
    *("training_config.yaml", "reproducibility_manifest.md", "baseline_results.md", "diagnostic_report.md"),
    *("optimization_config.yaml", "optimization_results.md", "final_config.yaml", "test_results.md", "final_report.md"),
)


def whole(**changes: Any) -> Dossier:
    """A study whose every gate is open, with nothing to note; what is given replaces a part of the dossier."""
    given: dict[str, Any] = {
        "plan": plan(),
        "registered_at": REGISTERED,
        "environment": ENVIRONMENT,
        "data_fingerprint": "a91c" * 16,
        "code_fingerprint": "5be2" * 16,
        "baseline": runs_of(1, BASE, SEEDS, (72.1, 71.4, 72.6)),
        "champion": runs_of(11, CHAMPION, SEEDS, (77.2, 76.4, 77.4), TRIED),
        "diagnosis": OVERFITS,
        "rounds": (round_of(),),
        "ledger": (row_of(), row_of(DECAY, got=1.1, interval=(-0.6, 2.8), verdict="INCONCLUSIVE (underpowered)")),
        "overall": CONFIRMED,
        "claims": (CONFIRMED,),
        "final": final_of(),
        "hours": 0.5,
        "registrations": {"round-1": ROUND_REGISTERED, "round-1-ablation": ROUND_REGISTERED},
        "tried": {
            "round-1": runs_of(11, CHAMPION, SEEDS, (77.2, 76.4, 77.4), TRIED),
            "round-1-ablation": runs_of(21, {**BASE, "dropout": 0.4}, SEEDS, (76.1, 75.4, 76.6), TRIED),
        },
        "decision": Outlook(turn="finalise", because="val_accuracy 77.0 % has reached the target 75 %."),
        **changes,
    }
    return Dossier(**{"plan_hash": given["plan"].hash, **given})


def idling(device: str) -> tuple[Run, ...]:
    """The baseline's runs on a device that was busy a fifth of the time."""
    return tuple(
        replace(
            run,
            facts={**run.facts, "utilisation": 0.2},
            provenance=replace(run.provenance, device=device),
        )
        for run in whole().baseline
    )


def helped() -> Dossier:
    """A study whose device idled and whose dog is badly served, both let pass by a person with reasons."""
    overrides = (
        Override(gate="baseline", predicate="device_used", because="The machine is shared, and the night is long."),
        Override(gate="finalise", predicate="classes_served", because="The dogs' labels are known to be bad."),
        Override(gate="plan", predicate="data_known", because="Not needed: the fingerprint is there."),
    )
    idle = idling("cuda:0")
    confusion = ((90, 6, 4), (40, 30, 30), (5, 15, 80))
    final = final_of(
        confusion=confusion,
        per_class=scores_of(confusion),
        test={"val_accuracy": (100 * 200 / 300, 67.0), "val_loss": (1.25, 1.3)},
        validation={"val_accuracy": (67.0, 66.9), "val_loss": (1.2, 1.3)},
    )
    ceiling = Outlook(turn="ceiling", because="8.1 pp short of the target 75 %: the 2 rounds allowed are done.")
    return whole(
        plan=plan(overrides=overrides),
        baseline=idle,
        environment={**ENVIRONMENT, "device": "cuda:0"},
        final=final,
        rounds=(round_of(outlook=ceiling),),
        decision=ceiling,
    )


def stuck() -> Dossier:
    """A study whose baseline lost a seed and a checkpoint, and that nobody could diagnose."""
    first, second, third = runs_of(1, BASE, SEEDS, (72.1, 71.4, 72.6))
    failed = replace(second, status=Status.INFEASIBLE, reason="train_loss became NaN at step 40", checkpoints={})
    return whole(
        baseline=(first, failed, third),
        champion=(first, failed, third),
        damage={1: "best.pt is missing"},
        diagnosis=None,
        rounds=(),
        ledger=(),
        claims=(),
        overall=None,
        final=None,
        decision=None,
        registrations={},
        tried={},
    )
