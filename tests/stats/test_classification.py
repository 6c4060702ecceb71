"""Confusion matrix and class rates, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from surefoot.errors import StatisticsError
from surefoot.stats.classification import class_rates, confusion, share_right


def drawn(seed: int, n: int = 400, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes - 2, size=n)  # the last two classes have no example
    guesses = np.where(rng.random(n) < 0.6, labels, rng.integers(1, classes - 1, size=n))  # and the last no guess
    return labels, guesses


@pytest.mark.parametrize("seed", range(5))
def test_the_matrix_and_its_rates_are_those_of_scikit_learn(seed):
    labels, guesses = drawn(seed)
    matrix = confusion(labels, guesses, 7)
    assert (matrix == confusion_matrix(labels, guesses, labels=range(7))).all()
    theirs = np.asarray(precision_recall_fscore_support(labels, guesses, labels=range(7), zero_division=0))
    ours = np.asarray([(rates.precision, rates.recall, rates.f1, rates.support) for rates in class_rates(matrix)]).T
    assert ours == pytest.approx(theirs)


def test_the_totals_agree():
    labels, guesses = drawn(9)
    matrix = confusion(labels, guesses, 7)
    rates = class_rates(matrix)
    assert matrix.sum() == len(labels) == sum(one.support for one in rates)
    assert matrix.sum(axis=1).tolist() == np.bincount(labels, minlength=7).tolist()
    assert matrix.sum(axis=0).tolist() == np.bincount(guesses, minlength=7).tolist()
    assert share_right(matrix) == pytest.approx((labels == guesses).mean())


def test_a_rate_with_nothing_to_divide_by_is_zero():
    without_either, never_predicted = class_rates([[0, 0, 0], [0, 0, 3], [0, 0, 1]])[:2]
    assert (without_either.support, without_either.precision, without_either.recall, without_either.f1) == (0, 0, 0, 0)
    assert (never_predicted.support, never_predicted.precision, never_predicted.recall) == (3, 0, 0)


def test_one_class_and_one_example_make_a_matrix():
    assert confusion([0], [0], 1).tolist() == [[1]]


@pytest.mark.parametrize(
    ("labels", "guesses", "says"),
    [
        ([0, 1], [0], "got 2 labels, 1 predictions"),
        ([], [], "at least one example; got none"),
        ([0, 3], [0, 0], "a label must be a class from 0 to 2; got 3"),
        ([0, 0], [0, -1], "a prediction must be a class from 0 to 2; got -1"),
        ([0.5], [0], "labels must be a row of whole numbers; got float64"),
        ([[0]], [0], "labels must be a row of whole numbers; got int64 of shape"),
    ],
)
def test_what_no_matrix_can_be_made_of_is_named(labels, guesses, says):
    with pytest.raises(StatisticsError, match=says):
        confusion(labels, guesses, 3)
