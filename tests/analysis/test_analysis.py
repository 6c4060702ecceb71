"""The whole analysis: every section in the order of the report, the most severe finding first, the same twice."""

import numpy as np
import pytest

from analysis_cases import arc_table, rows_of, table
from surefoot.analysis.analysis import SEVERITIES, analyze

KEYS = (
    *("trials", "instruments", "learnability", "noise", "importance", "direction"),
    *("elites", "boundaries", "interactions", "convergence", "stopping", "confounds"),
)


def planted(n, seed=0):
    rng = np.random.default_rng(seed)
    lr, depth = rng.uniform(0.0, 1.0, n), rng.integers(1, 6, n)
    norm = [("batch", "layer", "none")[i] for i in rng.integers(0, 3, n)]
    loss = 2 - 1.5 * lr + 0.05 * rng.standard_normal(n)
    return table(rows_of(loss.tolist(), lr=lr.tolist(), depth=depth.tolist(), norm=norm))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 30])
def test_every_section_speaks_or_says_why_not(n):
    found = analyze(planted(n))
    assert tuple(section.key for section in found.sections) == KEYS
    for section in found.sections:
        assert section.title and (section.findings or section.sheets or section.not_applicable), section.key


def test_findings_come_with_what_may_overturn_a_conclusion_first():
    found = analyze(arc_table())
    severities = [SEVERITIES.index(finding.severity) for finding in found.findings]
    assert severities == sorted(severities)
    assert found.findings[0].rule == "instruments.depends" or "depends on batch_size" in found.findings[0].sentence
    assert len(found.findings) == sum(len(section.findings) for section in found.sections)


def test_the_planted_effect_is_found_by_every_section_that_asks_and_nothing_else_is():
    found = analyze(planted(40))
    assert [row.key for row in found.importance.rows if row.is_real] == ["lr"]
    assert {row.key for row in found.directions.shown} == {"lr"}
    [lr] = [row for row in found.directions.numbers if row.key == "lr"]
    assert (lr.direction, lr.helps) == ("decrease", "larger")


def test_the_same_table_and_seed_give_the_same_analysis():
    first, second = analyze(planted(25), seed=3), analyze(planted(25), seed=3)
    assert [f.definition() for f in first.findings] == [f.definition() for f in second.findings]
    assert [s.sheets for s in first.sections] == [s.sheets for s in second.sections]
