"""The ledger: promises beside outcomes, and what they make of the next promise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.ledger import LedgerRow, corrected, correction, ledger_sentence

DROPOUT = Recommendation(
    id="R1",
    kind="dropout",
    title="dropout 0.4",
    patch={"dropout": 0.4},
    because="it overfits",
    symptom="overfitting",
    promise=Promise(metric="val_accuracy", low=3.0, high=5.0, unit="%", source="the workflow document"),
)


def row(got=1.2, reach=0.6, promised=(3.0, 5.0), **changes):
    given = {
        "study": "cats",
        "experiment": "round-1",
        "arm": "dropout",
        "recommendation": "R1",
        "kind": "dropout",
        "title": "dropout 0.4",
        "metric": "val_accuracy",
        "unit": "%",
        "first_promised": promised,
        "promised": promised,
        "got": got,
        "interval": None if got is None or reach is None else (got - reach, got + reach),
        "n": 5,
        "verdict": "SUPPORTED",
    }
    return LedgerRow(**{**given, **changes})


def test_the_sentence_says_promise_outcome_and_judgement():
    assert ledger_sentence(row()) == (
        "dropout 0.4: promised +3 to +5 pp, got +1.20 ± 0.60 pp (95 %, 5 pairs): less than promised"
    )


@pytest.mark.parametrize(
    ("got", "reach", "judgement"),
    [
        (1.2, 0.6, "less than promised"),
        (-2.0, 0.5, "less than promised, and harm"),
        (7.0, 0.5, "more than promised"),
        (4.0, 0.5, "as promised"),
        (3.5, 1.5, "it may be as promised"),
        (2.0, 4.0, "not shown, nor shown to differ from the promise"),
    ],
)
def test_a_promise_is_judged_by_the_interval(got, reach, judgement):
    assert ledger_sentence(row(got, reach)).endswith(f": {judgement}")


def test_what_has_no_outcome_is_said_to_have_none():
    assert ledger_sentence(row(None, verdict="")).endswith("not tried to its end yet")
    assert ledger_sentence(row(None, verdict="REFUTED")).endswith("got no value: REFUTED")
    assert ledger_sentence(row(reach=None, n=1)).endswith("got +1.2 pp on 1 pair: too few to tell")


def test_a_corrected_promise_stands_beside_the_source_s():
    said = ledger_sentence(row(first_promised=(3.0, 5.0), promised=(0.5, 2.5)))
    assert "promised +0.5 to +2.5 pp (the source says +3 to +5), got" in said


def test_other_units_are_named_and_a_negative_promise_keeps_its_sign():
    said = ledger_sentence(row(0.01, 0.002, (-0.05, 0.05), unit="nats"))
    assert "promised −0.05 to +0.05 nats, got +0.0100 ± 0.0020 nats" in said


def test_without_results_a_promise_stands_as_it_is():
    assert corrected(DROPOUT, ()) == DROPOUT
    assert corrected(DROPOUT, (row(None),)) == DROPOUT
    assert corrected(replace(DROPOUT, promise=None), (row(),)).promise is None
    found = correction("dropout", ())
    assert (found.factor, found.reach, found.n) == (1.0, 0.0, 0)


def test_the_factor_is_the_posterior_mean_of_a_normal_model():
    """Against the posterior of the ratio on a fine grid, for one result: r = .3, s = .15/1.96, τ = .25, ω = .5."""
    found = correction("dropout", (row(1.2, 0.6),))
    ratios = np.linspace(-4, 6, 20_001)
    s = 0.15 / 1.959964
    density = np.exp(-((ratios - 1) ** 2) / (2 * 0.25) - (0.3 - ratios) ** 2 / (2 * (s**2 + 0.0625)))
    density /= density.sum()
    mean = float((ratios * density).sum())
    variance = float(((ratios - mean) ** 2 * density).sum())
    assert found.factor == pytest.approx(mean, abs=1e-6)
    assert found.reach == pytest.approx(1.959964 * math.sqrt(0.0625 + variance), abs=1e-5)


def test_more_results_weigh_more_and_precise_ones_most():
    one, four = correction("dropout", (row(),)), correction("dropout", (row(),) * 4)
    vague = correction("dropout", (row(reach=6.0),))
    assert 0.3 < four.factor < one.factor < vague.factor < 1
    assert four.reach < one.reach


def test_a_corrected_promise_says_what_corrected_it():
    found = corrected(DROPOUT, (row(), row(1.5), row(0.8)))
    assert found.promise is not None and DROPOUT.promise is not None
    assert found.promise.source == "the workflow document, corrected by 3 earlier results"
    factor = correction("dropout", (row(), row(1.5), row(0.8))).factor
    assert found.promise.middle == pytest.approx(4 * factor)
    assert found.promise.middle < DROPOUT.promise.middle
    assert replace(found, promise=DROPOUT.promise) == DROPOUT


def test_the_kind_s_own_results_count_alone_where_there_are_any():
    other = row(6.0, kind="flip")
    assert correction("dropout", (row(), other)) == correction("dropout", (row(),))


def test_a_kind_without_results_borrows_those_of_all_kinds():
    found = correction("mixup", (row(), row(1.0, kind="flip")))
    assert found.is_pooled and found.n == 2
    assert found.factor == correction("dropout", (row(), row(1.0))).factor
    assert found.sentence.startswith("No earlier result of mixup, and 2 of other kinds came to 0.27 of")
    mixup = replace(DROPOUT, kind="mixup")
    assert corrected(mixup, (row(),)).promise.source.endswith("corrected by 1 earlier result of other kinds")


def test_results_of_other_metrics_and_units_count_as_ratios():
    in_points = row(1.2, 0.6, (3.0, 5.0))
    in_nats = row(0.012, 0.006, (0.03, 0.05), metric="val_loss", unit="")
    assert correction("dropout", (in_points,)).factor == pytest.approx(correction("dropout", (in_nats,)).factor)


def test_what_was_promised_after_a_correction_does_not_correct_again():
    assert correction("dropout", (row(promised=(0.5, 1.5), first_promised=(3.0, 5.0)),)) == correction(
        "dropout", (row(),)
    )


def test_what_is_confounded_or_promised_nothing_corrects_nothing():
    assert correction("dropout", (row(verdict="INCONCLUSIVE (confounded)"), row(promised=(-1.0, 1.0)))).n == 0


def test_an_arm_that_was_screened_out_on_one_pair_still_counts_a_little():
    found = correction("dropout", (row(-2.0, None, n=1),))
    assert found.n == 1
    assert correction("dropout", (row(-2.0, 0.6),)).factor < found.factor < 1


def test_a_range_is_never_narrower_than_the_source_s_own():
    wide = replace(DROPOUT, promise=replace(DROPOUT.promise, low=-6.0, high=14.0))
    found = corrected(wide, tuple(row(4.0, 0.1) for _ in range(50))).promise
    assert found.high - found.low >= 0.99 * 20


def test_seeds_that_all_agree_do_not_divide_by_nothing():
    assert math.isfinite(correction("dropout", (row(reach=0.0), row(2.0, 0.0))).factor)


def _history(rng, truth, studies):
    """Promises of +2 to +6 over the studies, each kept `truth` times with a spread of .2, seen with noise."""
    rows, covered, uncorrected, errors, plain = [], [], [], [], []
    for _ in range(studies):
        middle = rng.uniform(2.0, 6.0)
        promise = Promise(metric="val_accuracy", low=0.6 * middle, high=1.4 * middle, unit="%")
        said = corrected(replace(DROPOUT, promise=promise), rows).promise
        got = middle * rng.normal(truth, 0.2)
        covered.append(said.low <= got <= said.high)
        uncorrected.append(promise.low <= got <= promise.high)
        errors.append(abs(said.middle - got))
        plain.append(abs(promise.middle - got))
        error = rng.uniform(0.2, 0.6)
        rows.append(row(got + rng.normal(0, error), 1.96 * error, (promise.low, promise.high)))
    return [np.mean(x[3:]) for x in (covered, uncorrected, errors, plain)]


@pytest.mark.parametrize("truth", [1 / 3, 1.0])
def test_corrected_promises_hold_more_often_where_advice_is_too_optimistic_and_no_less_where_it_is_honest(truth):
    rng = np.random.default_rng(5)
    found = np.array([_history(rng, truth, 12) for _ in range(150)])
    covered, uncorrected, error, plain = found.mean(axis=0)
    if truth < 1:
        assert uncorrected < 0.15 < 0.90 < covered
        assert error < 0.5 * plain
    else:
        assert covered >= uncorrected - 0.01
        assert error < 1.15 * plain
