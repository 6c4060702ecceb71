"""CIFAR-10 trains in colour, arms see the same crops, and a stop changes nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from surefoot.workload import find_workload
from surefoot.workloads import augmentation, cifar10, datasets, training
from surefoot.workloads.cifar10 import Config

CIFAR10 = find_workload("cifar10")
SMALL = {"width": 4, "batch_size": 16, "steps": 8, "eval_every": 2}
AUGMENTED = {"crop_padding": 4, "flip": True, "jitter": 0.2, "cutout": 8, "mixup": 0.4}
TIMED = ("seconds_per_step", "images_per_second", "utilisation", "resumed_from")


def train(config: Config, context, measurements: int | None = None):
    """What the run yields, and its facts; closed after so many measurements it has none."""
    run, yielded = CIFAR10.train(config, context), []
    while measurements is None or len(yielded) < measurements:
        try:
            yielded.append(next(run))
        except StopIteration as end:
            return yielded, end.value
    run.close()
    return yielded, None


@pytest.fixture
def seen(monkeypatch):
    """Every augmented batch of the trainings that follow."""
    batches = []
    original = augmentation._augmented

    def recorded(*arguments):
        images, labels = original(*arguments)
        batches.append((images.clone(), labels.clone()))
        return images, labels

    monkeypatch.setattr(augmentation, "_augmented", recorded)
    return batches


def test_colour_images_are_normalised_channel_by_channel(cifar10_root, make_context):
    context = make_context(data_root=cifar10_root)
    examples = datasets.load("cifar10", "train", context)
    means, deviations = training.pixel_statistics(examples)
    assert means == pytest.approx(examples.images.mean((0, 2, 3)), rel=1e-12)
    assert deviations == pytest.approx(examples.images.std((0, 2, 3)), rel=1e-12)
    images, _ = training.to_tensors(examples, (means, deviations), torch.channels_last, torch.device("cpu"))
    assert images.is_contiguous(memory_format=torch.channels_last)
    normalised = images.double().numpy()
    assert normalised.mean((0, 2, 3)) == pytest.approx(np.zeros(3), abs=1e-5)
    assert normalised.std((0, 2, 3)) == pytest.approx(np.ones(3), rel=1e-5)


def test_arms_that_differ_in_other_settings_see_the_same_crops(cifar10_root, make_context, seen):
    config = Config(**{**SMALL, **AUGMENTED, "eval_every": 8})
    other = {"lr": 0.01, "width": 6, "dropout": 0.3, "optimizer": "sgd", "clip_norm": 1.0}
    for arm in (config, dataclasses.replace(config, **other)):
        train(arm, make_context(3, data_root=cifar10_root))
    assert len(seen) == 16
    for one, another in zip(seen[:8], seen[8:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, another, strict=True))


def test_another_seed_sees_other_crops_and_every_batch_its_own(cifar10_root, make_context, seen):
    config = Config(**{**SMALL, **AUGMENTED, "batch_size": 100, "steps": 2})
    for seed in (3, 4):
        train(config, make_context(seed, data_root=cifar10_root))
    assert not torch.equal(seen[0][0], seen[2][0])
    assert not torch.equal(seen[0][0], seen[1][0])


@pytest.mark.parametrize("stops", [1, 3])
def test_a_stopped_run_with_augmentation_ends_as_if_it_never_had_been(cifar10_root, make_context, stops):
    config = Config(**{**SMALL, **AUGMENTED, "dropout": 0.2})
    never, stopped = (make_context(3, data_root=cifar10_root) for _ in range(2))
    expected, facts = train(config, never)
    first, _ = train(config, stopped, stops)
    torch.manual_seed(99)  # what another run would leave the process in
    rest, same = train(config, dataclasses.replace(stopped, resume=True))
    assert first + rest == expected
    assert same["resumed_from"] == first[-1].step
    assert {k: v for k, v in same.items() if k not in TIMED} == {k: v for k, v in facts.items() if k not in TIMED}
    for name in ("best.pt", "last.pt"):
        assert (stopped.artifacts / name).read_bytes() == (never.artifacts / name).read_bytes()


@pytest.mark.parametrize(
    ("settings", "augmented", "measured"),
    [
        ({}, "none", "as validation is"),
        ({"dropout": 0.1}, "none", "with dropout"),
        ({"flip": True}, "flip", "with augmentation"),
        ({"cutout": 8, "dropout": 0.1}, "cutout 8", "with dropout and augmentation"),
    ],
)
def test_the_facts_say_whether_losses_compare(cifar10_root, make_context, settings, augmented, measured):
    _, facts = train(Config(**{**SMALL, "steps": 1, **settings}), make_context(data_root=cifar10_root))
    assert (facts["augmentation"], facts["train_loss_measured"]) == (augmented, measured)
    assert facts["data"] == "other files, 250 training and 40 test images"


def test_augmentation_off_trains_on_the_images_as_they_are(cifar10_root, make_context, seen):
    short = {**SMALL, "steps": 2}
    off, _ = train(Config(**short), make_context(data_root=cifar10_root))
    assert seen == []
    on, _ = train(Config(**{**short, "crop_padding": 1}), make_context(data_root=cifar10_root))
    assert len(seen) == 2
    assert off[0].values["train_loss"] != on[0].values["train_loss"]


def test_a_few_seconds_are_enough_to_learn(cifar10_root, make_context):
    config = Config(**{**SMALL, "steps": 40, "eval_every": 20, "lr": 0.01})
    measurements, _ = train(config, make_context(data_root=cifar10_root))
    assert measurements[-1].values["clean_train_accuracy"] > 60
    assert measurements[-1].values["val_accuracy"] > 40


def test_the_smallest_default_is_a_net_of_78002_parameters():
    from surefoot.workloads.networks import parameter_count

    assert parameter_count(cifar10.net(Config(), (3, 32, 32))) == 78_002
    assert parameter_count(cifar10.net(Config(width=64, depth=2), (3, 32, 32))) == 11_173_962
