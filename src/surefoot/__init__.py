"""Surefoot: from a model's baseline to its target by verified steps.

The public names, in the order of the method: say what may vary and what is trained, plan, run,
decide, read what the trials say, refine, diagnose. Each is loaded when it is first used, so that `import surefoot`
is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis, analyze
    from surefoot.claim import Claim, confirm
    from surefoot.comparison import NoValue, study_noise
    from surefoot.diagnosis.diagnosis import diagnose
    from surefoot.diagnosis.symptom import Diagnosis, Ground
    from surefoot.errors import SurefootError
    from surefoot.execution import Place, WorkerPool
    from surefoot.files.plan_file import parse_plan, read_plan
    from surefoot.files.sweep_file import parse_sweep, read_sweep
    from surefoot.finding import Finding
    from surefoot.history import History
    from surefoot.plan import Plan, Prediction, Rule
    from surefoot.program import Program
    from surefoot.records.histories import read_histories
    from surefoot.records.table import read_trials
    from surefoot.refining.refinement import Refinement, refine
    from surefoot.reporting import Stopped, report
    from surefoot.reports.analysis_write import write_analysis
    from surefoot.run import Measurement, Metric, Run, Status
    from surefoot.space import Parameter, SearchSpace, boolean, choice, integer, real
    from surefoot.storage import Record
    from surefoot.study.loop import Study
    from surefoot.sweep import Continuation, Expectation, Sweep
    from surefoot.sweeping.loop import Sweeping
    from surefoot.thresholds import Thresholds
    from surefoot.trials import Trial, TrialTable, Trivial
    from surefoot.verdict import Verdict, decide
    from surefoot.workload import Baselines, RunContext, Workload

_HOMES = {
    "SurefootError": "errors",
    "Parameter": "space",
    "real": "space",
    "integer": "space",
    "choice": "space",
    "boolean": "space",
    "SearchSpace": "space",
    "Metric": "run",
    "Measurement": "run",
    "Run": "run",
    "Status": "run",
    "Program": "program",
    "Workload": "workload",
    "RunContext": "workload",
    "Baselines": "workload",
    "report": "reporting",
    "Stopped": "reporting",
    "Plan": "plan",
    "Prediction": "plan",
    "Rule": "plan",
    "Sweep": "sweep",
    "Continuation": "sweep",
    "Expectation": "sweep",
    "read_plan": "files.plan_file",
    "parse_plan": "files.plan_file",
    "read_sweep": "files.sweep_file",
    "parse_sweep": "files.sweep_file",
    "Record": "storage",
    "Place": "execution",
    "WorkerPool": "execution",
    "Study": "study.loop",
    "Sweeping": "sweeping.loop",
    "NoValue": "comparison",
    "study_noise": "comparison",
    "decide": "verdict",
    "Verdict": "verdict",
    "confirm": "claim",
    "Claim": "claim",
    "TrialTable": "trials",
    "Trial": "trials",
    "Trivial": "trials",
    "read_trials": "records.table",
    "Finding": "finding",
    "analyze": "analysis.analysis",
    "Analysis": "analysis.analysis",
    "refine": "refining.refinement",
    "Refinement": "refining.refinement",
    "write_analysis": "reports.analysis_write",
    "History": "history",
    "read_histories": "records.histories",
    "Ground": "diagnosis.symptom",
    "diagnose": "diagnosis.diagnosis",
    "Diagnosis": "diagnosis.symptom",
    "Thresholds": "thresholds",
}

__all__ = [  # noqa: RUF022 - in the order of the method
    "SurefootError",
    "Parameter",
    "real",
    "integer",
    "choice",
    "boolean",
    "SearchSpace",
    "Metric",
    "Measurement",
    "Run",
    "Status",
    "Program",
    "Workload",
    "RunContext",
    "Baselines",
    "report",
    "Stopped",
    "Plan",
    "Prediction",
    "Rule",
    "Sweep",
    "Continuation",
    "Expectation",
    "read_plan",
    "parse_plan",
    "read_sweep",
    "parse_sweep",
    "Record",
    "Place",
    "WorkerPool",
    "Study",
    "Sweeping",
    "NoValue",
    "study_noise",
    "decide",
    "Verdict",
    "confirm",
    "Claim",
    "TrialTable",
    "Trial",
    "Trivial",
    "History",
    "read_trials",
    "read_histories",
    "Finding",
    "analyze",
    "Analysis",
    "refine",
    "Refinement",
    "write_analysis",
    "Thresholds",
    "Ground",
    "diagnose",
    "Diagnosis",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'surefoot' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"surefoot.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
