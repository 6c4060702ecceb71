"""What a checkpoint says of a split: the order, the labels and the probabilities of the net itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from surefoot.errors import SealedSplitError, WorkloadError
from surefoot.workload import RunContext, as_config, find_workload
from surefoot.workloads import classes, datasets, networks, training

DIGITS = find_workload("digits")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    context = RunContext(seed=2, artifacts=tmp_path_factory.mktemp("run"))
    config = as_config(DIGITS, DIGITS.complete({"steps": 40, "eval_every": 20, "dropout": 0.3}))
    for _ in DIGITS.train(config, context):
        pass
    return config, context


def test_scores_are_the_nets_probabilities_in_the_order_of_the_split(trained):
    config, context = trained
    found = DIGITS.predict(config, context, "last", "validation")
    split = datasets.load("digits", "validation", context)
    mean, deviation = (each[0] for each in training.pixel_statistics(datasets.load("digits", "train", context)))
    net = networks.stack(config.layers, config.filters, config.norm, config.dropout, shape=(1, 8, 8))
    net.load_state_dict(torch.load(context.artifacts / "last.pt"))
    with torch.inference_mode():
        logits = net.eval()((torch.tensor(split.images).float().unsqueeze(1) - mean) / deviation)
    assert (found.labels == split.labels).all()
    assert found.scores == pytest.approx(functional.softmax(logits, 1).numpy(), abs=1e-5)
    assert found.scores.sum(axis=1) == pytest.approx(np.ones(len(split)), abs=1e-12)
    assert found.classes == tuple("0123456789")


def test_predictions_come_to_what_evaluate_says(trained):
    config, context = trained
    found, told = (ask(config, context, "best", "validation") for ask in (DIGITS.predict, DIGITS.evaluate))
    assert 100 * (found.scores.argmax(1) == found.labels).mean() == pytest.approx(told["val_accuracy"])
    right = found.scores[np.arange(len(found.labels)), found.labels]
    assert -np.log(right).mean() == pytest.approx(told["val_loss"], rel=1e-5)


def test_the_test_split_opens_in_finalise_only(trained, tmp_path):
    config, context = trained
    with pytest.raises(SealedSplitError):
        DIGITS.predict(config, context, "last", "test")
    with pytest.raises(SealedSplitError):
        DIGITS.export(config, context, "last", tmp_path / "out", ("torch",))
    opened = DIGITS.predict(config, dataclasses.replace(context, is_test_open=True), "last", "test")
    assert len(opened.labels) == 360


def test_a_damaged_checkpoint_is_refused_in_one_line(trained, tmp_path):
    config, context = trained
    whole = (context.artifacts / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    context = dataclasses.replace(context, artifacts=tmp_path)
    with pytest.raises(WorkloadError, match=r"last\.pt is damaged .*; train the run again"):
        DIGITS.predict(config, context, "last", "validation")


def test_every_dataset_has_a_name_for_each_class():
    assert all(len(set(names)) == len(names) == networks.CLASSES for names in classes.NAMES.values())
