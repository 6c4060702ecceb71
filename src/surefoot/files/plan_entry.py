"""The shape of a plan's file: its keys and their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from surefoot.files.entry import Entries, Finite, Name, Positive, Strict
from surefoot.files.plan_document import Path_
from surefoot.files.program_entry import ProgramEntry
from surefoot.files.search_entry import complete_schema
from surefoot.files.sweep_entry import MOST_SEEDS, AtLeastOne, SpaceEntry
from surefoot.thresholds import Thresholds

MOST_ARMS = 100
MOST_ROUNDS = 10
MOST_RECOMMENDATIONS = 8

Level = Annotated[float, Field(gt=0, lt=0.5)]


class MetricEntry(Strict):
    """One metric: which way it should go, its unit, where the study wants it, and what change is worth having."""

    goal: Literal["minimize", "maximize"]
    unit: str = ""
    target: Finite | None = None
    min_effect: Positive | None = None


class BudgetEntry(Strict):
    """The most a study may spend."""

    runs: Annotated[int, Field(ge=1)] | None = None
    hours: Positive | None = None
    run_minutes: Positive | None = None


class RuleEntry(Strict):
    """How the study decides."""

    looks: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] | None = None
    adopt: Level = 0.20
    support: Level = 0.05
    claim: Level = 0.05
    confirm_seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 8
    screen: bool = True


class ExpectEntry(Strict):
    """One typed prediction."""

    arm: str | None = None
    main: str | None = None
    interaction: list[str] | None = None
    metric: str
    is_: Literal["better", "worse", "same"] | None = Field(default=None, alias="is")
    by: Positive | None = None
    within: Positive | None = None
    between: Annotated[list[Finite], Field(min_length=2, max_length=2)] | None = None


class SearchEntry(SpaceEntry):
    """A search whose best trials become an experiment's arms."""

    trials: AtLeastOne | None = None
    top: Annotated[int, Field(ge=1, le=MOST_ARMS)] = 3


class ExperimentEntry(Strict):
    """A hypothesis with its arms (or factors, or a search for them) and predictions."""

    id: Name
    hypothesis: Annotated[str, Field(min_length=1)]
    because: str = ""
    arms: dict[Name, dict[str, Any]] | None = None
    factorial: dict[str, list[Any]] | None = None
    search: SearchEntry | None = None
    expect: Annotated[list[ExpectEntry], Field(min_length=1)]
    allow: list[str] = Field(default_factory=list)
    repeats: str = ""


class OptimiseEntry(Strict):
    """How the study goes on from its diagnosis."""

    strategy: Literal["targeted", "sweep", "iterative", "none"] = "targeted"
    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] | None = None
    recommendations: Annotated[int, Field(ge=1, le=MOST_RECOMMENDATIONS)] = 3
    trials: AtLeastOne = 20


class FinaliseEntry(Strict):
    """How the study ends: final seeds of its own, and the formats that the model is exported in."""

    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 3
    export: list[Literal["torch", "onnx"]] = Field(default=["torch", "onnx"])


class OverrideEntry(Strict):
    """A predicate of a gate that a person lets pass, and why."""

    gate: str
    predicate: str
    because: str


class PlanEntry(Strict):
    """A Surefoot study: one goal pursued from its baseline to its target."""

    study: Name
    workload: Any
    metrics: Annotated[dict[str, MetricEntry], Field(min_length=1)]
    primary: str | None = None
    seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 8
    rule: RuleEntry = RuleEntry()
    budget: BudgetEntry = BudgetEntry()
    baseline: dict[str, Any] = Field(default_factory=dict)
    experiments: list[ExperimentEntry] = Field(default_factory=list)
    optimise: OptimiseEntry | None = None
    thresholds: dict[str, Any] = Field(default_factory=dict)
    overrides: list[OverrideEntry] = Field(default_factory=list)
    finalise: Any = False


ENTRIES: Entries = {
    ("metrics", "*"): MetricEntry,
    ("budget",): BudgetEntry,
    ("rule",): RuleEntry,
    ("experiments", "*"): ExperimentEntry,
    ("experiments", "*", "expect", "*"): ExpectEntry,
    ("experiments", "*", "search"): SearchEntry,
    ("optimise",): OptimiseEntry,
    ("overrides", "*"): OverrideEntry,
    ("finalise",): FinaliseEntry,
}
REASONS: Mapping[Path_, str] = {("seeds",): "one seed says nothing of the noise"}


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of a plan, for editors."""
    schema = PlanEntry.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    complete_schema(definitions["SearchEntry"]["properties"], definitions)
    definitions["ProgramEntry"] = ProgramEntry.model_json_schema(by_alias=True)
    definitions["FinaliseEntry"] = FinaliseEntry.model_json_schema(by_alias=True)
    schema["properties"]["finalise"] = {
        "anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/FinaliseEntry"}],
        "default": False,
    }
    schema["properties"]["thresholds"] = {
        "type": "object",
        "properties": {
            name: {"type": "number", "default": getattr(Thresholds(), name)} for name in Thresholds.__slots__
        },
        "additionalProperties": False,
        "default": {},
    }
    named = {"type": "string", "minLength": 1}
    schema["properties"]["workload"] = {"anyOf": [named, {"$ref": "#/$defs/ProgramEntry"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Surefoot plan"}
