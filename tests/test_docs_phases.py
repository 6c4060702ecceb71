"""docs/phases.md and docs/plan.md say what the code does: every predicate, document, key and threshold by its name."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from surefoot.files.plan_entry import FinaliseEntry, OptimiseEntry, PlanEntry
from surefoot.phases.gates import PREDICATES
from surefoot.reports.phases_documents import DOCUMENTS
from surefoot.thresholds import Thresholds

DOCS = Path(__file__).parent.parent / "docs"
PHASES = (DOCS / "phases.md").read_text(encoding="utf-8")
PLAN = (DOCS / "plan.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*)<!-- /{name} -->", PHASES, re.DOTALL)
    assert found, name
    return found.group(1)


def test_every_gate_is_told_with_its_predicates_in_their_order():
    rows = [row.strip("|").split("|") for row in section("predicates").strip().splitlines()[2:]]
    told = {gate.strip(): tuple(re.findall(r"`(\w+)`", names)) for gate, names in rows}
    assert told == dict(PREDICATES)


def test_every_document_is_told():
    assert re.findall(r"^- `([\w.]+)`", section("documents"), re.MULTILINE) == [name for name, _, _ in DOCUMENTS]


@pytest.mark.parametrize(("entry", "name"), [(OptimiseEntry, "optimise"), (FinaliseEntry, "finalise")])
def test_every_key_is_told_with_its_default(entry, name):
    table = PHASES.split(f"| key of `{name}`")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(entry.model_fields)


def test_every_key_of_a_plan_is_told():
    top = PLAN.split("\n\n")[2]
    assert set(re.findall(r"^\| `(\w+)`", top, re.MULTILINE)) == set(PlanEntry.model_fields)


def test_every_threshold_named_in_the_docs_is_one_and_each_has_a_reason():
    names = {field.name for field in dataclasses.fields(Thresholds)}
    told = set(re.findall(r"thresholds: \{([^}]*)\}", PHASES)[0].replace(",", " ").split()[::2])
    assert {name.strip(":") for name in told} <= names
    for name in ("least_gain", "diminishing_rounds", "diminishing_gain", "gain_per_hour", "hours"):
        assert f"`{name}`" in PHASES and name in names
