"""The study's numbers as CSV for other programs: full precision, and no text a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from surefoot.comparison import NoValue
from surefoot.reports.story import ArmStory, Story
from surefoot.reports.tables import all_verdicts
from surefoot.run import config_hash
from surefoot.verdict import Verdict

# What a spreadsheet takes for a formula. OWASP, "CSV injection".
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def all_sheets(story: Story) -> dict[str, str]:
    """Every CSV by its file name."""
    return {
        "runs.csv": runs_sheet(story),
        "verdicts.csv": verdicts_sheet(story),
        "claims.csv": claims_sheet(story),
        "curves.csv": curves_sheet(story),
    }


def runs_sheet(story: Story) -> str:
    """A row for every seed of every arm and metric: the final value, or why there is none."""
    headers = ("experiment", "arm", "seed", "metric", "value", "missing", "config")
    rows = []
    for experiment, arm in _arms(story):
        digest = config_hash(arm.config)[:12] if arm.config else ""
        for metric, values in arm.values.items():
            for seed, value in zip(arm.seeds, values, strict=False):
                missing = value.value if isinstance(value, NoValue) else ""
                rows.append((experiment, arm.name, seed, metric, "" if missing else value, missing, digest))
    for claim in story.claims:
        sides = (("before", claim.step.before_values), ("after", claim.step.after_values))
        for side, values in sides:
            for seed, value in zip(story.fresh_seeds, values, strict=True):
                missing = value.value if isinstance(value, NoValue) else ""
                row = (f"claim {claim.step.name}", side, seed, claim.metric, "" if missing else value, missing, "")
                rows.append(row)
    return sheet(headers, rows)


def verdicts_sheet(story: Story) -> str:
    """A row for every verdict on a prediction, then for every arm's step in the primary metric."""
    headers: tuple[str, ...] = ("experiment", "question", "about", "metric", "is", "by", "registered", "verdict")
    headers += ("cause", "end", "n")
    headers += ("estimate", "low", "high", "p", "threshold", "sd_of_difference", "correlation", "detectable")
    headers += ("more_seeds", "decision", "method", "reason")
    rows = []
    for e in story.experiments:
        rows += [(e.id, "prediction", *_verdict(v)) for v in all_verdicts(e)]
        rows += [(e.id, "adoption", *_verdict(v)) for v in e.steps.values()]
    return sheet(headers, rows)


def claims_sheet(story: Story) -> str:
    """A row for every step tested on fresh seeds, and one for champion against baseline."""
    headers: tuple[str, ...] = (
        "step",
        "before",
        "after",
        "metric",
        "claimed",
        "n",
        "estimate",
        "low",
        "high",
        "p",
        "p_adjusted",
        "wins",
    )
    headers += ("share_low", "share_high", "detectable", "method", "reason")
    rows = []
    for c in (*story.claims, *([story.overall] if story.overall else [])):
        low, high = c.interval or (None, None)
        about = (c.step.name, c.step.before, c.step.after, c.metric, c.is_confirmed, c.n, c.estimate, low, high)
        rows.append((*about, c.p, c.p_adjusted, c.wins, *c.share_better, c.detectable, c.method, c.reason))
    return sheet(headers, rows)


def curves_sheet(story: Story) -> str:
    """A row for every measurement of every run shown in the story."""
    rows = []
    for experiment, arm in _arms(story):
        for run in arm.runs:
            for m in run.measurements:
                rows += [(experiment, arm.name, run.seed, m.step, name, value) for name, value in m.values.items()]
    return sheet(("experiment", "arm", "seed", "step", "metric", "value"), rows)


def _arms(story: Story) -> list[tuple[str, ArmStory]]:
    found = [("baseline", story.baseline)] if story.baseline else []
    for e in story.experiments:
        found += [(e.id, arm) for arm in (e.champion, *e.arms) if arm is not None]
    return found


def _verdict(v: Verdict) -> tuple[Any, ...]:
    p, (low, high) = v.prediction, v.interval or (None, None)
    answer = v.answer.value if v.is_settled else "WAITING"
    asked = (p.subject, p.metric, p.relation, p.by, p.is_registered, answer, v.cause.value, v.end.value, v.n)
    measured = (v.estimate, low, high, v.p, v.threshold, v.sd_of_difference, v.correlation, v.detectable)
    return (*asked, *measured, v.more_seeds, v.decision.value, v.method, v.reason)


def sheet(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows as CSV; no cell of it is a formula."""
    stream = io.StringIO()
    # RFC 4180; it also makes the writer quote a carriage return inside a text.
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_cell(header) for header in headers])
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """A number as it is; text that a spreadsheet would run, behind an apostrophe."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
