"""The journal says what was believed, measured and decided, and calls a result only what is claimed.

The golden page is written anew by `SUREFOOT_REGENERATE=1 pytest tests/reports/test_journal.py`; read the
difference before keeping it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from stories import crowded_story, empty_story, full_story, poisoned, started_story

from surefoot.comparison import NoValue
from surefoot.reports.journal import journal_markdown
from surefoot.reports.markdown import paragraph
from surefoot.words import number

GOLDEN = Path(__file__).with_name("golden") / "journal.md"


@pytest.fixture(scope="module")
def journal() -> str:
    return journal_markdown(full_story())


def section(journal: str, title: str) -> str:
    start = journal.index(f"## {title}")
    end = journal.find("\n## ", start + 3)
    return journal[start : end if end > 0 else None]


def test_the_journal_of_a_whole_study_is_the_golden_page(journal):
    if os.environ.get("SUREFOOT_REGENERATE"):
        GOLDEN.write_text(journal, encoding="utf-8")
    assert journal == GOLDEN.read_text(encoding="utf-8")


def test_every_seeds_value_is_on_the_page(journal):
    story = full_story()
    for experiment in story.experiments:
        page = section(journal, f"{experiment.number} · {experiment.id}")
        for arm in (experiment.champion, *experiment.arms):
            for value in arm.values["val_accuracy"]:
                assert (value.value if isinstance(value, NoValue) else number(value, 3)) in page
    for claim in story.claims:
        for value in (*claim.step.before_values, *claim.step.after_values):
            assert number(value, 3) in section(journal, "Claims")


def test_the_word_result_is_used_for_claims_only(journal):
    claimed = section(journal, "Claims")
    assert re.search(r"Claimed: 1 result", claimed)
    assert "result" not in journal.replace(claimed, "").lower()


def test_without_a_confirmed_claim_nothing_is_called_a_result():
    story = full_story()
    unconfirmed = tuple(replace(c, is_confirmed=False, reason="not shown") for c in story.claims)
    for told in (empty_story(), started_story(), crowded_story(), replace(story, claims=unconfirmed)):
        assert "result" not in journal_markdown(told).lower()


def test_a_claim_that_failed_on_fresh_seeds_stands_under_not_claimed(journal):
    claims = section(journal, "Claims")
    assert claims.index("- normalisation") < claims.index("Not claimed:") < claims.index("- width")
    assert "Not claimed: the gain did not show again on fresh seeds" in section(journal, "4 · width")


def test_what_was_known_before_a_late_registration_is_said_at_the_experiment(journal):
    late, honest = section(journal, "3 · optimiser"), section(journal, "1 · normalisation")
    assert "Already known when this was registered: normalisation: instance adopted" in late
    assert "before any run" not in late
    assert "We predicted, before any run (plan 3f9a1c00, revision 1, registered 2026-01-02 14:02 UTC)" in honest


def test_each_prediction_is_answered_with_its_cause(journal):
    for words in (
        "sgd: REFUTED. Predicted: sgd raises val_accuracy.",
        "faster: INCONCLUSIVE (underpowered).",
        "slower: SUPPORTED. Predicted: slower leaves val_accuracy as it is within ±0.3 pp.",
        "wide, longer: INCONCLUSIVE (confounded).",
        "steps 500 against 750",
        "hot: INCONCLUSIVE (diverged).",
        "narrow: INCONCLUSIVE (screened out).",
        "norm × dropout: SUPPORTED.",
    ):
        assert words in " ".join(journal.split())


def test_an_underpowered_verdict_says_what_it_could_have_shown_and_what_it_needs(journal):
    story = full_story()
    verdict = next(v for v in story.experiments[2].verdicts if v.prediction.arm == "faster")
    text = " ".join(section(journal, "3 · optimiser").split())
    assert f"{verdict.n} pairs would have shown a true difference of" in text
    assert re.search(rf"about {verdict.more_seeds} more seeds? would settle it", text)


def test_a_factorial_shows_main_effects_and_interaction_each_with_its_interval(journal):
    page = section(journal, "2 · synergy")
    for label in ("norm: none → instance", "dropout: 0.0 → 0.1", "norm × dropout"):
        row = next(line for line in page.splitlines() if line.startswith(f"| {label}"))
        assert re.search(r"[+−]\d\.\d\d … [+−]\d\.\d\d", row)


def test_the_gap_is_told_in_the_metrics_unit_with_the_share_closed(journal):
    assert "Gap to 92 %: 5.90 → 2.60 pp (56 % closed by this step)." in " ".join(journal.split())


def test_no_interval_is_bootstrapped_and_no_number_is_nan(journal):
    assert "bootstrap" not in journal.lower()
    assert not re.search(r"\bnan\b", journal, re.I)


def test_a_minus_is_a_minus_sign(journal):
    assert not re.search(r"(?<![\w-])-\d", journal)


def test_a_study_that_has_not_begun_has_a_journal_without_tables_of_nothing():
    journal = journal_markdown(empty_story())
    assert "Nothing is measured yet" in journal
    assert "The baseline has not been trained yet" in journal
    assert "No decision: not begun." in journal


def test_an_experiment_half_way_shows_its_seeds_and_no_verdict():
    page = section(journal_markdown(started_story()), "1 · normalisation")
    assert "88.770" in page and "not decided yet; the next look is at 3 seeds" in page
    assert "SUPPORTED" not in page


def test_an_adopted_step_without_fresh_seeds_is_not_yet_claimed():
    story = full_story()
    journal = journal_markdown(replace(story, claims=(), overall=None))
    assert "Not yet claimed: 8 fresh seeds will confirm or not." in " ".join(journal.split())
    assert "Nothing is claimed yet" in journal


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", "|x|", "`a`", "**b**", "\n# head\n- item", "![x](y)"])
def test_text_of_a_plan_stays_text_in_markdown(payload):
    page = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(journal_markdown(poisoned(full_story(), payload)))
    )
    assert "<script" not in page and "<img" not in page and "<strong>b" not in page and "<code>" not in page
    assert page.count("<h1>") == 1
    plain = MarkdownIt("commonmark").enable("table").render(journal_markdown(full_story()))
    for tag in ("<tr>", "<td", "<th", "<li>", "<h2>"):
        assert page.count(tag) == plain.count(tag)


def test_no_wrapped_line_can_begin_a_list_or_a_heading():
    text = " ".join(["word"] * 22 + ["- 1. # + = > 2)"] * 40)
    assert MarkdownIt("commonmark").render(paragraph(text)).count("<p>") == 1


def test_the_journal_needs_neither_matplotlib_nor_jinja():
    code = "import sys, surefoot.reports.journal, surefoot.reports.as_json, surefoot.reports.write\n"
    code += "sys.exit(any(m in sys.modules for m in ('matplotlib', 'jinja2', 'torch', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
