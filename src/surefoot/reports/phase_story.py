"""What a report tells of a study's phases: gates, diagnoses, rounds, the ledger, the end; as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.diagnosis.symptom import Diagnosis
from surefoot.ledger import LedgerRow
from surefoot.phases.final import Final
from surefoot.phases.gate import Gate
from surefoot.phases.outlook import Outlook
from surefoot.phases.round import Round
from surefoot.thresholds import Thresholds


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseStory:
    """The phases so far.

    `gates` are those that were reached, in order; `turns` say in sentences why each phase followed the one before.
    `diagnosis` is the first, the baseline's; later ones stand in their rounds. `decision`
    is the last outlook. `environment` is what the manifest prints. `baseline_config` and `final_config` are whole.
    """

    phase: str
    gates: tuple[Gate, ...] = ()
    turns: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    rounds: tuple[Round, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    decision: Outlook | None = None
    final: Final | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    set_thresholds: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    baseline_config: Mapping[str, Any] = field(default_factory=dict)
    final_config: Mapping[str, Any] = field(default_factory=dict)
