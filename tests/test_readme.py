"""The README says what is there."""

import importlib.util
from pathlib import Path

from surefoot.files.plan_file import read_plan

ROOT = Path(__file__).resolve().parent.parent


def readme_writer():
    spec = importlib.util.spec_from_file_location("readme_writer", ROOT / "docs" / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_shows_todays_tree_and_files():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_writer().readme_with(text) == text, "run `make docs`"


def test_the_first_study_has_twenty_lines_and_is_sound():
    plan = ROOT / "examples" / "first.yaml"
    assert len(plan.read_text(encoding="utf-8").splitlines()) <= 20
    assert [e.id for e in read_plan(plan).experiments] == ["normalisation", "dropout"]


def test_every_link_to_a_file_leads_somewhere():
    import re

    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
