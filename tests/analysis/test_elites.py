"""What the best trials share: the document's figures, exposure, the sampler's own choice, and odd tables."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from analysis_cases import arc_table, microbead_table, rows_of, table, view
from surefoot.analysis.elites import best_rows, elites, elites_section
from surefoot.analysis.noise import noise_floor
from surefoot.analysis.view import view_of
from surefoot.space import SearchSpace, choice, integer, real
from surefoot.trials import Trial

NORMS = SearchSpace(parameters=(choice("norm", "batch", "layer", "none"), real("lr", 0.0, 1.0)))


def trial(i, state="COMPLETE", value=None, origin="", **settings):
    return Trial(name=str(i), state=state, settings=settings, value=value, origin=origin)


def random_trials(n, rng, origin="", **settings):
    drawn = [{"norm": str(rng.choice(["batch", "layer", "none"])), "lr": float(rng.uniform())} for _ in range(n)]
    return [trial(i, value=float(rng.normal()), origin=origin, **row) for i, row in enumerate(drawn)]


def share(found, key, level):
    return next(s for s in found.levels_of(key) if s.level == level)


def rules(section):
    return [finding.rule for finding in section.findings]


def test_the_documents_full_convergence_is_chance():
    seen = view_of(arc_table(20))
    found = elites(seen)
    assert found.n_elite == 5
    unanimous = {(s.key, s.level): s for s in found.levels if s.k == s.n_elite}
    assert {key: (s.k, s.tried, s.started, round(s.p, 3)) for key, s in unanimous.items()} == {
        ("encoder_type", "cnn"): (5, 15, 20, 0.194),
        ("use_scheduler", True): (5, 15, 20, 0.194),
        ("use_cosine", False): (5, 15, 20, 0.194),
        ("batch_size", 16): (5, 14, 20, 0.129),
        ("demo_agg[encoder_type=cnn]", "flatten"): (5, 12, 15, 0.264),
    }
    assert not any(s.is_evidence for s in found.levels)
    section = elites_section(seen, found)
    (told,) = [f for f in section.findings if f.rule == "elites.convergence"]
    assert set(told.evidence) == {key for key, _ in unanimous}
    assert told.severity == "warning" and told.sentence.endswith("None of that is evidence for them.")
    assert told.sentence.startswith(
        "All 5 elites used encoder_type cnn (15 of the 20 trials tried did: chance alone gives that in 19 % of draws), "
        "batch_size 16 (14 of 20: 13 %), use_scheduler true (15 of 20: 19 %), use_cosine false (15 of 20: 19 %) and "
        "where encoder_type is cnn, demo_agg flatten (12 of 15: 26 %)."
    )


def test_the_elite_that_breaks_the_rule_is_named():
    seen = view_of(arc_table(20))
    section = elites_section(seen, elites(seen))
    (told,) = (f for f in section.findings if f.rule == "elites.exceptions")
    assert told.subject == "use_coords[encoder_type=cnn]"
    assert "4 of the 5 elites where encoder_type is cnn used use_coords false" in told.sentence
    assert "trial 12 (rank 5, 0.2875) has true" in told.sentence


def test_no_range_of_the_document_is_narrower_than_chance():
    seen = view_of(arc_table(20))
    found = elites(seen)
    lr = next(r for r in found.ranges if r.key == "lr")
    assert (lr.low, lr.high) == pytest.approx((6.652713276546046e-05, 2.013164620438137e-04), rel=1e-9)
    assert not any(r.is_evidence for r in found.ranges)
    assert "elites.range_chance" in rules(elites_section(seen, found))


def test_a_pruned_trial_counts_as_tried_and_one_that_failed_or_runs_does_not():
    rows = [trial(i, value=float(i), norm="batch" if i < 4 else "layer") for i in range(16)]
    rows += [trial(16 + i, state="PRUNED", norm="batch") for i in range(20)]
    rows += [trial(36, state="FAILED", norm="batch"), trial(37, state="RUNNING", norm="layer")]
    found = elites(view(rows, space=SearchSpace(parameters=(choice("norm", "batch", "layer"),))))
    batch = share(found, "norm", "batch")
    assert (batch.k, batch.n_elite, batch.tried, batch.started) == (4, 4, 24, 36)
    assert (batch.tried_complete, batch.complete) == (4, 16)
    assert batch.p_complete < 0.001 < 0.1 < batch.p


def test_a_level_that_only_survives_more_often_is_told_apart():
    rng = np.random.default_rng(0)
    rows = [trial(i, value=float(rng.normal()), norm="batch" if i < 38 else "layer") for i in range(40)]
    rows += [trial(40 + i, state="PRUNED", norm="layer") for i in range(60)]
    seen = view(rows, space=SearchSpace(parameters=(choice("norm", "batch", "layer"),)))
    (told,) = (f for f in elites_section(seen, elites(seen)).findings if f.rule == "elites.enriched")
    assert "ended less often" in told.sentence


def test_a_level_that_helps_is_evidence():
    rng = np.random.default_rng(1)
    rows = [dataclasses.replace(t, value=t.value - 3 * (t.settings["norm"] == "batch")) for t in random_trials(60, rng)]
    seen = view(rows, space=NORMS)
    found = elites(seen)
    assert share(found, "norm", "batch").is_evidence
    assert not share(found, "norm", "layer").is_evidence
    (told,) = (f for f in elites_section(seen, found).findings if f.rule == "elites.enriched")
    assert told.evidence["p"] == share(found, "norm", "batch").p


def test_at_most_one_null_study_in_twenty_has_a_level_or_a_range_called_evidence():
    levels, ranges = [], []
    for seed in range(300):
        found = elites(view(random_trials(40, np.random.default_rng([2, seed])), space=NORMS))
        levels.append(any(s.is_evidence for s in found.levels))
        ranges.append(any(r.is_evidence for r in found.ranges))
    limit = 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean(levels) <= limit and np.mean(ranges) <= limit


def test_a_number_that_the_best_trials_agree_on_is_evidence_and_its_range_is_told():
    rng = np.random.default_rng(3)
    rows = random_trials(80, rng)
    rows = [dataclasses.replace(t, value=20 * abs(t.settings["lr"] - 0.4) + 0.1 * t.value) for t in rows]
    seen = view(rows, space=NORMS)
    found = elites(seen)
    (lr,) = found.ranges
    assert lr.is_evidence and 0.2 < lr.low < lr.middle[0] < lr.median < lr.middle[1] < lr.high < 0.6
    told = elites_section(seen, found)
    assert "elites.range" in rules(told)
    json.dumps([f.definition() for f in told.findings], allow_nan=False)


def test_the_samplers_choice_is_said_and_the_random_starts_are_tested_alone():
    rng = np.random.default_rng(4)
    rows = random_trials(16, rng, origin="random")
    # The sampler fell in love with batch, and got better for another reason.
    rows += [trial(16 + i, value=-4 + 0.01 * i, origin="tpe", norm="batch", lr=0.1) for i in range(30)]
    seen = view(rows, space=NORMS)
    found = elites(seen)
    assert found.chosen_by_model == 30
    assert found.independent is not None
    assert (found.independent.n, found.independent.n_elite, found.independent.started) == (16, 4, 16)
    assert share(found, "norm", "batch").is_evidence
    assert not any(s.is_evidence for s in found.independent.levels)
    section = elites_section(seen, found)
    sampler = next(f for f in section.findings if f.rule == "elites.sampler")
    assert sampler.severity == "warning" and "(tpe) chose 30 of the 46 trials" in sampler.sentence
    enriched = next(f for f in section.findings if f.rule == "elites.enriched")
    assert "drawn without the sampler" in enriched.sentence
    assert [s.name for s in section.sheets] == ["elites", "elites_levels", "elites_ranges", "elites_levels_independent"]


def test_too_few_random_starts_are_not_tested_alone():
    rows = random_trials(11, np.random.default_rng(5), origin="random")
    rows += [trial(11 + i, value=-4 - 0.01 * i, origin="tpe", norm="batch", lr=0.1) for i in range(9)]
    seen = view(rows, space=NORMS)
    found = elites(seen)
    assert found.independent is None
    assert "Of those drawn without it fewer than 12 completed" in next(
        f.sentence for f in elites_section(seen, found).findings if f.rule == "elites.sampler"
    )


def test_ties_at_the_cut_are_elites_too_and_it_is_said():
    seen = view(rows_of([1.0, 2.0, 2.0, 2.0, 3, 4, 5, 6], x=[1, 2, 3, 4, 5, 6, 7, 8]))
    found = elites(seen)
    assert (found.wanted, found.n_elite, found.rows, found.cut) == (2, 4, (0, 1, 2, 3), 2.0)
    assert "4 trials count as elites where a quarter of 8 is 2" in elites_section(seen, found).findings[0].sentence


def test_the_best_come_first_whatever_the_goal():
    assert best_rows(np.array([3.0, 1.0, 9.0, 5.0])) == (2,)
    assert best_rows(np.array([3.0, 1.0, 9.0, 5.0, 9.0]), 0.5) == (2, 4, 3)
    assert best_rows(np.array([])) == ()
    up = elites(view(rows_of([1.0, 2, 3, 4, 5, 6, 7, 8], x=list(range(8))), goal="maximize"))
    assert up.rows == (7, 6)


def test_trials_within_the_noise_of_the_best_are_counted():
    rows = [trial(i, value=1.0 + 0.01 * (i % 12), norm="batch", lr=i / 24) for i in range(22)]
    rows += [trial(22, value=1.0, norm="none", lr=0.5), trial(23, value=1.2, norm="none", lr=0.5)]
    seen = view(rows, space=NORMS)
    noise = noise_floor(seen)
    assert noise is not None
    found = elites(seen, noise)
    expected = {i for i in range(seen.n) if seen.values[i] <= seen.values.min() + noise.sd}
    assert set(found.near_best) == expected
    told = next(f for f in elites_section(seen, found).findings if f.rule == "elites.near_best")
    assert told.evidence["near_best"] == len(expected) and told.severity == "warning"
    assert elites(seen).near_best == ()


def test_counts_are_within_the_trials_where_a_parameter_existed():
    found = elites(view_of(arc_table(20)))
    assert {s.started for s in found.levels_of("demo_agg[encoder_type=cnn]")} == {15}
    assert sum(s.k for s in found.levels_of("demo_agg[encoder_type=cnn]")) == 5
    assert not found.levels_of("ctx_n_head[encoder_type=context]")


def test_the_figure_shows_elites_beside_what_was_tried():
    seen = view_of(arc_table(20))
    (figure,) = elites_section(seen, elites(seen)).figures
    panel = next(p for p in figure.panels if p.title == "encoder_type")
    assert panel.x.categories == ("cnn", "context")
    shares = {points.label: points.y for points in panel.points}
    assert shares == {"tried": (0.75, 0.25), "elites": (1.0, 0.0), "reached by chance": (1.0, 0.6)}
    lr = next(p for p in figure.panels if p.title == "lr")
    assert [(line.label, len(line.x), line.y[-1]) for line in lr.lines] == [("tried", 20, 1.0), ("elites", 5, 1.0)]


def test_the_microbead_elites_agree_on_nothing():
    found = elites(view_of(microbead_table()))
    assert found.n_elite == 4
    assert not any(s.is_evidence for s in found.levels) and not any(r.is_evidence for r in found.ranges)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_few_trials_get_a_reason_and_no_finding(n):
    seen = view(random_trials(n, np.random.default_rng(6)), space=NORMS)
    section = elites_section(seen, elites(seen))
    assert not section.findings and section.not_applicable.startswith("because")


def test_equal_values_have_no_elites():
    rows = [dataclasses.replace(t, value=1.0) for t in random_trials(20, np.random.default_rng(7))]
    seen = view(rows, space=NORMS)
    assert "20 of 20 trials tie" in elites_section(seen, elites(seen)).not_applicable


def test_constants_and_thousand_choices_and_rare_parameters_are_survived():
    space = SearchSpace(
        parameters=(
            choice("tag", *(f"t{i}" for i in range(1000))),
            choice("fixed", "only"),
            integer("depth", 1, 3, when={"fixed": "only"}),
            real("rare", 0.0, 1.0, when={"tag": ("t0", "t1")}),
        )
    )
    rows = [
        trial(i, value=float(-i), tag=f"t{i}", fixed="only", depth=2, **({"rare": 0.5} if i < 2 else {}))
        for i in range(60)
    ]
    seen = view(rows, space=space)
    found = elites(seen)
    assert not any(s.is_testable for s in found.levels)
    assert not found.levels_of("fixed") and not found.levels_of("depth[fixed=only]")
    section = elites_section(seen, found)
    assert not section.not_applicable and len(section.figures[0].panels[0].x.categories) == 10


def test_only_the_trials_of_a_narrowed_view_are_its_exposure():
    seen = view_of(table(random_trials(40, np.random.default_rng(8)), space=NORMS))
    found = elites(seen.among(np.arange(40) < 16))
    assert (found.n, found.started, found.n_elite) == (16, 16, 4)
