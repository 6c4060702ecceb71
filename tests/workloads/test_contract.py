"""What every built-in workload keeps."""

from __future__ import annotations

import dataclasses
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from surefoot.errors import SealedSplitError, SpaceError, WorkloadError
from surefoot.run import config_hash
from surefoot.workload import WORKLOADS, as_config, check_requirements, find_workload
from surefoot.workloads import classifier, datasets

# What looks at a trained net.
OF_EXPORTS = ("predicting", "folding", "exporting", "classes")
# What runs other people's scripts, and trains nothing itself.
OF_PROGRAMS = ("program", "function", "script", "arguments", "metric_readers")
SMALL = {
    "digits": {"steps": 6, "eval_every": 3},
    "fashion_mnist": {"layers": 3, "filters": 4, "batch_size": 16, "steps": 6, "eval_every": 3, "train_examples": 500},
    "cifar10": {"width": 4, "batch_size": 16, "steps": 6, "eval_every": 3, "crop_padding": 4, "mixup": 0.2},
}
NORMS = {"digits": "x2", "fashion_mnist": "x3", "cifar10": "x12"}
DROPOUT = {
    "digits": "Dropout2d(0.1) x2, Dropout(0.1) x1",
    "fashion_mnist": "Dropout2d(0.1) x3, Dropout(0.1) x1",
    "cifar10": "Dropout(0.1) x1",
}
EVALUATED = {"digits": 360, "fashion_mnist": 10_000, "cifar10": 50}
SIZE = {"digits": "filters", "fashion_mnist": "filters", "cifar10": "width"}  # the setting that makes a net larger
MODULES = {"cifar10": {"augmentation", "cifar10_files", "residual"}}  # that only this workload rests on
ROOTS = {"fashion_mnist": "data_root", "cifar10": "cifar10_root"}  # the fixtures that say where the data are
MEASURED = {
    "train_loss",
    "clean_train_loss",
    "clean_train_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "gradient_norm",
}
FACTS = {
    "steps": int,
    "samples": int,
    "train_examples": int,
    "evaluated_examples": int,
    "train_evaluated_examples": int,
    "classes": int,
    "parameters": int,
    "normalisation": str,
    "dropout": str,
    "augmentation": str,
    "train_loss_measured": str,
    "optimizer": str,
    "schedule": str,
    "precision": str,
    "stop_reason": str,
    "best_step": int,
    "largest_gradient_norm": float,
    "seconds_per_step": float,
    "images_per_second": float,
    "device": str,
    "threads": int,
    "utilisation": float,
}


@pytest.fixture(params=sorted(WORKLOADS))
def workload(request):
    return find_workload(request.param)


@pytest.fixture
def root(workload, request):
    """Where the workload's data are; nothing where it brings them."""
    return request.getfixturevalue(ROOTS[workload.name]) if workload.name in ROOTS else None


@pytest.fixture
def train(workload, root, make_context):
    """Trains a small run: its measurements, its facts, its context and its config."""

    def run(seed: int = 0, **settings):
        context = make_context(seed, data_root=root)
        config = as_config(workload, workload.complete({**SMALL[workload.name], **settings}))
        generator, measurements = workload.train(config, context), []
        while True:
            try:
                measurements.append(next(generator))
            except StopIteration as end:
                return measurements, end.value, context, config

    return run


KEPT: dict[str, tuple] = {}  # the small run of each workload, trained once


@pytest.fixture
def trained(workload, train, tmp_path):
    """The small run with seed 0: its measurements, its facts, its context and its config; the folder is a copy."""
    if workload.name not in KEPT:
        KEPT[workload.name] = train(norm="batch", dropout=0.1)
    measurements, facts, context, config = KEPT[workload.name]
    folder = shutil.copytree(context.artifacts, tmp_path / "trained")
    return measurements, facts, dataclasses.replace(context, artifacts=folder), config


def losses(measurements) -> list[dict[str, float]]:
    return [dict(measurement.values) for measurement in measurements]


def test_every_workload_has_a_small_run_here():
    assert set(SMALL) == set(WORKLOADS)


def test_the_defaults_are_inside_the_space(workload):
    assert workload.space.checked(workload.defaults()) == workload.defaults()
    assert set(workload.space.names()) == set(workload.defaults())
    assert config_hash(workload.complete({})) == config_hash(workload.defaults())


def test_the_code_fingerprint_covers_whatever_trains(workload):
    everything = {path.stem for path in Path(classifier.__file__).parent.glob("*.py")}
    everything -= {module for name, own in MODULES.items() if name != workload.name for module in own}
    everything -= {"__init__", "trivial", *OF_EXPORTS, *WORKLOADS, *OF_PROGRAMS}
    assert {name.rpartition(".")[2] for name in workload.sources} == everything


def test_configs_are_frozen_and_sources_and_requirements_exist(workload):
    with pytest.raises(dataclasses.FrozenInstanceError):
        workload.config().lr = 1.0
    check_requirements(workload)
    assert re.fullmatch("[0-9a-f]{64}", workload.code_fingerprint())


def test_a_run_measures_every_metric_at_increasing_steps(workload, train):
    measurements, _, _, _ = train(steps=4)
    assert [measurement.step for measurement in measurements] == [3, 4]
    for measurement in measurements:
        assert {metric.name for metric in workload.metrics} <= set(measurement.values)
        assert set(measurement.values) == MEASURED
        assert all(type(value) is float and math.isfinite(value) for value in measurement.values.values())


def test_the_same_seed_gives_the_same_numbers_to_the_bit(train, trained):
    assert losses(train(norm="batch", dropout=0.1, steps=3)[0]) == losses(trained[0])[:1]


def test_another_seed_gives_other_numbers(train, trained):
    assert losses(train(seed=1, norm="batch", dropout=0.1, steps=3)[0]) != losses(trained[0])[:1]


def test_the_facts_are_counted(workload, trained):
    _, facts, _, config = trained
    expected = FACTS | ({"data": str} if workload.name == "cifar10" else {})
    assert {name: type(value) for name, value in facts.items()} == expected
    assert (facts["steps"], facts["samples"]) == (6, 6 * config.batch_size)
    assert facts["normalisation"] == f"BatchNorm2d {NORMS[workload.name]}"
    assert facts["dropout"] == DROPOUT[workload.name]
    assert facts["stop_reason"] == "steps done"
    assert facts["evaluated_examples"] == EVALUATED[workload.name]
    assert facts["train_evaluated_examples"] == min(1000, facts["train_examples"])
    assert facts["classes"] == 10
    assert set(workload.drivers) <= set(facts)
    assert all(setting in workload.space.names() for drivers in workload.drivers.values() for setting in drivers)


def test_a_loss_that_is_no_number_is_reported_and_ends_the_run(train):
    measurements, facts, context, _ = train(optimizer="sgd", lr=1e6, steps=100, eval_every=100)
    assert not math.isfinite(measurements[-1].values["train_loss"])
    assert facts["stop_reason"] == f"non-finite loss at step {measurements[-1].step}"
    assert facts["steps"] == measurements[-1].step < 100
    assert not (context.artifacts / "last.pt").exists()


def test_a_checkpoint_measures_as_it_did_in_training(workload, trained):
    measurements, facts, context, config = trained
    by_step = {measurement.step: measurement.values for measurement in measurements}
    for checkpoint, step in (("last", 6), ("best", facts["best_step"])):
        again = workload.evaluate(config, context, checkpoint, "validation")
        assert again == {name: pytest.approx(by_step[step][name], rel=1e-5) for name in again}
        assert set(again) == {metric.name for metric in workload.metrics}


def test_the_test_split_opens_in_finalise_only(workload, trained):
    _, _, context, config = trained
    with pytest.raises(SealedSplitError):
        workload.evaluate(config, context, "last", "test")
    opened = workload.evaluate(config, dataclasses.replace(context, is_test_open=True), "last", "test")
    assert opened != workload.evaluate(config, context, "last", "validation")


def test_a_truncated_checkpoint_is_refused_in_one_line(workload, trained):
    _, _, context, config = trained
    path = context.artifacts / "best.pt"
    whole = path.read_bytes()
    for part in (0, 1, 4, 7):
        path.write_bytes(whole[: len(whole) * part // 8])
        with pytest.raises(WorkloadError, match=r"best\.pt is damaged .*; train the run again") as error:
            workload.evaluate(config, context, "best", "validation")
        assert "\n" not in str(error.value)


def test_a_missing_checkpoint_and_another_nets_are_refused(workload, trained):
    _, _, context, config = trained
    with pytest.raises(WorkloadError, match=r"last\.pt does not fit the net of this config"):
        size = SIZE[workload.name]
        larger = dataclasses.replace(config, **{size: 2 * getattr(config, size)})
        workload.evaluate(larger, context, "last", "validation")
    (context.artifacts / "last.pt").unlink()
    with pytest.raises(WorkloadError, match=r"last\.pt is missing"):
        workload.evaluate(config, context, "last", "validation")


def test_a_checkpoint_executes_no_code(workload, trained, tmp_path):
    _, _, context, config = trained
    torch.save({"conv0.weight": Trap(str(tmp_path / "sprung"))}, context.artifacts / "best.pt")
    with pytest.raises(WorkloadError, match="damaged and cannot be read"):
        workload.evaluate(config, context, "best", "validation")
    assert not (tmp_path / "sprung").exists()


def test_what_learns_nothing_comes_to_what_the_validation_labels_say(workload, root, make_context):
    told = workload.baselines(root)
    labels = datasets.load(workload.name, "validation", make_context(data_root=root)).labels
    shares = np.bincount(labels) / len(labels)
    assert told.evaluated_on == len(labels)
    assert told.values["val_accuracy"]["majority class"] == pytest.approx(100 * shares.max())
    assert told.values["val_loss"]["equal probabilities"] == pytest.approx(-(shares * np.log(shares)).sum())
    assert set(told.values) <= {metric.name for metric in workload.metrics}


def test_baselines_need_no_data(workload, tmp_path):
    assert workload.baselines(tmp_path / "nowhere").values == workload.baselines(None).values
    assert not (tmp_path / "nowhere").exists()


def test_settings_no_net_can_be_built_of_are_refused_before_training(workload):
    size = SIZE[workload.name]
    with pytest.raises(WorkloadError, match=f"norm group needs {size} in multiples of 8; got 12"):
        as_config(workload, workload.complete({"norm": "group", size: 12}))
    with pytest.raises(SpaceError, match=r'norm must be one of .*; got "bach"\. Did you mean "batch"'):
        workload.complete({"norm": "bach"})


def test_digits_refuse_the_nets_that_pool_them_away():
    digits = find_workload("digits")
    with pytest.raises(SpaceError, match='net must be one of stack; got "blocks"'):
        digits.complete({"net": "blocks"})


def test_blocks_with_what_they_have_no_place_for_are_refused_before_training():
    fashion_mnist = find_workload("fashion_mnist")
    for settings in ({"norm": "batch"}, {"dropout": 0.1}):
        with pytest.raises(WorkloadError, match="net blocks has neither norm nor dropout"):
            as_config(fashion_mnist, fashion_mnist.complete({"net": "blocks", **settings}))


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")
