"""Dossier: everything that a gate may look at, as values read from the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from surefoot.claim import Claim
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.ledger import LedgerRow
from surefoot.phases.final import Final
from surefoot.phases.outlook import Outlook
from surefoot.phases.round import Round
from surefoot.plan import Plan
from surefoot.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """What is known of a study by now; what has not come yet is empty.

    `environment` tells where it is trained, as `reproducibility_manifest.md` prints it: python, torch, machine,
    cores, device, threads, git commit, git state, packages. `baseline` and `champion` are runs on the exploring seeds,
    with measurements. `damage` says of a run (by id) what is wrong with its checkpoints on disk, as "best.pt is
    missing"; a run that is not in it was looked at and is whole. `sealed_asks` are runs that asked for the test
    split before finalise and were refused. `registrations` maps each experiment of the rounds to the time
    it went on record, `tried` to the runs of its arms. `bundle_damage` says of a file of the bundle what is wrong
    with it on disk; one that is not in it is whole. `diagnosis` is the latest, of the baseline or of the champion
    after a round; `decision` the latest outlook, with or without a round before it. `skipped` says why an experiment
    was not tried to its end, as by the budget. `measures` is what the workload can do with a checkpoint of the two:
    "evaluate" it on a split, "predict" example by example.
    """

    plan: Plan
    plan_hash: str = ""
    registered_at: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    data_fingerprint: str = ""
    code_fingerprint: str = ""
    baseline: tuple[Run, ...] = ()
    champion: tuple[Run, ...] = ()
    damage: Mapping[int, str] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None
    rounds: tuple[Round, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    claims: tuple[Claim, ...] = ()
    overall: Claim | None = None
    final: Final | None = None
    sealed_asks: tuple[str, ...] = ()
    opened_before_finalise: bool = False
    hours: float = 0.0
    registrations: Mapping[str, str] = field(default_factory=dict)
    tried: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    bundle_damage: Mapping[str, str] = field(default_factory=dict)
    decision: Outlook | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    measures: tuple[str, ...] = ("evaluate", "predict")
