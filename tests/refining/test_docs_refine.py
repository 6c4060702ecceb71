"""docs/refine.md names every rule and the thresholds of both styles."""

from __future__ import annotations

import re
from pathlib import Path

import surefoot
from surefoot.refining.line import CARES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "refine.md").read_text(encoding="utf-8")


def test_every_rule_stands_in_the_page_and_no_other():
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/surefoot/refining").glob("*.py"))
    assert set(re.findall(r"^\| `(refine\.\w+)`", PAGE, re.MULTILINE)) == set(re.findall(r'"(refine\.\w+)"', code))


def test_the_styles_are_as_the_page_says():
    rows = [tuple(cell.strip() for cell in line.strip("| ").split("|")) for line in PAGE.splitlines() if "|" in line]
    start = next(i for i, row in enumerate(rows) if row == ("conservative", "aggressive"))
    q, padding, least, dead = rows[start + 2 : start + 6]
    for place, style in enumerate(("conservative", "aggressive"), 1):
        care = CARES[style]
        assert [float(row[place]) for row in (q, padding, least)] == [care.q, care.padding, care.least]
        assert dead[place] == ("fixed" if care.fixes else "kept")


def test_the_keys_of_the_document_are_those_of_the_page():
    path = ROOT / "examples" / "invented_trials.csv"
    table = surefoot.read_trials(path, value="val_accuracy", goal="maximize", rows=10)
    told = surefoot.refine(surefoot.analyze(table)).definition()
    named = set(re.findall(r"`(\w+)`", PAGE.split("## The styles")[0]))
    assert {*told, *told["lines"][0]} <= named
