"""The loop trains as a plain torch loop does, and says truthfully what it did."""

from __future__ import annotations

import errno
import math
import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from surefoot.errors import WorkloadError
from surefoot.workloads import datasets, networks, optimising, training
from surefoot.workloads.datasets import Examples
from surefoot.workloads.digits import Config

NORMS = ("none", "batch", "layer", "group", "instance")


@pytest.fixture(scope="module")
def examples():
    """Small images whose class can be seen in them: 203 to train on, 77 to choose on."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (10, 8, 8))
    labels = rng.integers(0, 10, 280)
    images = np.clip(patterns[labels] + rng.normal(0, 60, (280, 8, 8)), 0, 255).astype(np.uint8)
    return Examples(images=images[:203], labels=labels[:203]), Examples(images=images[203:], labels=labels[203:])


def builder(config: Config):
    def build(seed: int) -> nn.Module:
        net = networks.stack(config.layers, config.filters, config.norm, config.dropout, shape=(1, 8, 8))
        return networks.seeded(net, seed)

    return build


def trained(examples, context, **settings):
    config = Config(**settings)
    generator, measurements = training.fit(builder(config), *examples, config, context), []
    while True:
        try:
            measurements.append(next(generator))
        except StopIteration as end:
            return measurements, end.value


def plain_losses(examples, config: Config, seed: int) -> list[float]:
    """The batch losses of a loop as anyone would write it, given our weights and our order."""
    net = networks.stack(config.layers, config.filters, config.norm, shape=(1, 8, 8))
    for name, layer in list(net.named_children()):
        if isinstance(layer, networks.InstanceNorm2d):
            setattr(net, name, nn.InstanceNorm2d(config.filters))
    networks.seeded(net, seed)
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[config.optimizer]
    momentum = {"momentum": config.momentum} if config.optimizer == "sgd" else {}
    optimizer = make(net.parameters(), lr=config.lr, weight_decay=config.weight_decay, **momentum)
    pixels = torch.tensor(examples[0].images, dtype=torch.float64)
    images = ((pixels - pixels.mean()) / pixels.std(correction=0)).float().unsqueeze(1)
    labels = torch.tensor(examples[0].labels)
    losses = []
    for batch in training.batches(len(labels), config.batch_size, config.steps, seed):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(images[batch]), labels[batch])
        loss.backward()
        if config.clip_norm:
            nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("optimizer", "lr", "momentum"),
    [("adam", 1e-3, 0.9), ("adamw", 1e-3, 0.9), ("sgd", 1e-2, 0.9), ("sgd", 1e-2, 0.5), ("sgd", 1e-2, 0.0)],
)
def test_the_losses_are_those_of_a_plain_loop(examples, make_context, norm, optimizer, lr, momentum):
    settings = {"norm": norm, "optimizer": optimizer, "momentum": momentum, "lr": lr}
    settings |= {"weight_decay": 0.01, "steps": 8, "clip_norm": 5.0}
    measurements, _ = trained(examples, make_context(4), eval_every=1, **settings)
    ours = [measurement.values["train_loss"] for measurement in measurements]
    assert ours == pytest.approx(plain_losses(examples, Config(**settings), seed=4), rel=1e-3)


def test_train_loss_is_the_mean_since_the_last_measurement(examples, make_context):
    every = [m.values["train_loss"] for m in trained(examples, make_context(), steps=7, eval_every=1)[0]]
    sparse = [m.values["train_loss"] for m in trained(examples, make_context(), steps=7, eval_every=3)[0]]
    assert sparse == pytest.approx([np.mean(every[:3]), np.mean(every[3:6]), every[6]])


def test_clean_training_values_are_those_of_the_weights_on_the_training_images(examples, make_context):
    context, config = make_context(), Config(steps=12, eval_every=12, dropout=0.3, norm="batch")
    measurements, facts = trained(examples, context, steps=12, eval_every=12, dropout=0.3, norm="batch")
    net = training.read_checkpoint(builder(config)(0), context.artifacts / "last.pt")
    images, labels = training.to_tensors(
        examples[0], training.pixel_statistics(examples[0]), torch.contiguous_format, torch.device("cpu")
    )
    with torch.no_grad():
        logits = net.eval()(images)
    values = measurements[-1].values
    assert values["clean_train_loss"] == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-4)
    assert values["clean_train_accuracy"] == pytest.approx(100 * (logits.argmax(1) == labels).double().mean().item())
    assert facts["train_evaluated_examples"] == 203
    assert facts["train_loss_measured"] == "with dropout"


def test_many_training_images_are_evaluated_on_a_thousand_equally_many_of_each_class(make_context):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 120)
    many = Examples(images=rng.integers(0, 256, (1200, 8, 8)).astype(np.uint8), labels=labels)
    shuffled = rng.permutation(1200)
    chosen = datasets.balanced(many, 1000)
    again = datasets.balanced(Examples(images=many.images[shuffled], labels=labels[shuffled]), 1000)
    assert np.bincount(chosen.labels).tolist() == [100] * 10
    assert np.array_equal(chosen.images, again.images)
    assert trained((many, many), make_context(), steps=1)[1]["train_evaluated_examples"] == 1000


def test_the_largest_gradient_norm_is_that_of_any_step_before_it_is_clipped(examples, make_context):
    settings = {"steps": 9, "lr": 0.02, "clip_norm": 0.5}
    every, facts = trained(examples, make_context(), eval_every=1, **settings)
    norms = [measurement.values["gradient_norm"] for measurement in every]
    assert facts["largest_gradient_norm"] == max(norms) > 0.5
    assert trained(examples, make_context(), eval_every=4, **settings)[1]["largest_gradient_norm"] == max(norms)


def test_throughput_and_utilisation_are_of_the_training_steps(examples, make_context):
    _, facts = trained(examples, make_context(), steps=20)
    assert facts["images_per_second"] == pytest.approx(16 / facts["seconds_per_step"])
    assert 0 < facts["utilisation"] <= 1


def test_an_evaluation_is_a_mean_over_every_example(examples):
    net = networks.seeded(networks.stack(2, 4, "batch", 0.5, shape=(1, 8, 8)), 0)
    images, labels = torch.randn(203, 1, 8, 8), torch.tensor(examples[0].labels)
    measured = training.measure(net, images, labels)
    assert net.training
    with torch.no_grad():
        logits = net.eval()(images)
    assert measured["loss"] == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert measured["accuracy"] == pytest.approx(100 * (logits.argmax(1) == labels).double().mean().item())


def test_the_order_passes_every_example_before_any_comes_again():
    stream = torch.cat(list(training.batches(10, 4, 10, seed=0)))
    assert len(stream) == 40
    epochs = stream.view(4, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_the_order_is_the_seeds_whatever_the_batch_size_and_the_steps():
    small = torch.cat(list(training.batches(50, 5, 40, seed=7)))
    large = torch.cat(list(training.batches(50, 20, 5, seed=7)))
    assert torch.equal(small[:100], large)
    assert not torch.equal(small, torch.cat(list(training.batches(50, 5, 40, seed=8))))


def test_arms_with_other_nets_see_the_same_first_batch(examples, make_context, monkeypatch):
    seen = []
    original = training.batches
    monkeypatch.setattr(training, "batches", lambda *a: (seen.append(b.tolist()) or b for b in original(*a)))
    for settings in ({}, {"norm": "batch", "dropout": 0.3}, {"filters": 16, "layers": 4}):
        trained(examples, make_context(5), steps=4, **settings)
    assert seen[:4] == seen[4:8] == seen[8:]


@pytest.mark.parametrize("eval_every", [1, 7, 40, 1000])
def test_the_step_a_loss_stopped_being_a_number_is_right(examples, make_context, eval_every):
    settings = {"optimizer": "sgd", "lr": 5.0, "weight_decay": 0.42, "steps": 1000}
    losses = plain_losses(examples, Config(**{**settings, "steps": 200}), seed=0)
    first = next(step for step, loss in enumerate(losses, start=1) if not math.isfinite(loss))
    measurements, facts = trained(examples, make_context(), eval_every=eval_every, **settings)
    assert facts["stop_reason"] == f"non-finite loss at step {facts['steps']}"
    # weights that overflowed in the step before show in the validation loss first
    assert facts["steps"] in (first - 1, first)
    assert measurements[-1].step == facts["steps"]
    assert not all(map(math.isfinite, measurements[-1].values.values()))


def test_patience_ends_a_run_that_gets_no_better(examples, make_context):
    settings = {"lr": 0.02, "steps": 2000, "eval_every": 10, "patience": 3}
    measurements, facts = trained(examples, make_context(), **settings)
    losses = [measurement.values["val_loss"] for measurement in measurements]
    best = int(np.argmin(losses))
    assert facts["stop_reason"] == "patience"
    assert len(losses) == best + 1 + 3
    assert facts["best_step"] == measurements[best].step
    assert facts["steps"] == measurements[-1].step < 2000


def test_patience_that_cannot_act_leaves_the_reason_steps_done(examples, make_context):
    assert trained(examples, make_context(), steps=4, eval_every=1, patience=4)[1]["stop_reason"] == "steps done"


def test_schedules_follow_their_definitions():
    def factors(name, steps=100):
        return [optimising.rate_factor(name, step, steps) for step in range(1, steps + 1)]

    assert set(factors("constant")) == {1.0}
    cosine = factors("cosine")
    assert cosine[0] == 1.0
    assert cosine[50] == pytest.approx(0.5)
    assert cosine == sorted(cosine, reverse=True)
    assert 0 < cosine[-1] < 0.001
    warm = factors("warmup_cosine")
    assert warm[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert warm[4:] == sorted(warm[4:], reverse=True)
    assert 0 < warm[-1] < 0.001
    assert factors("step") == pytest.approx([1.0] * 50 + [0.1] * 25 + [0.01] * 25)
    for name in ("cosine", "warmup_cosine", "step"):
        assert all(0 < factor <= 1 for steps in (1, 2, 3) for factor in factors(name, steps))


@pytest.mark.parametrize(
    ("schedule", "steps", "text"),
    [
        ("constant", 4, "constant lr 0.0005"),
        ("step", 1, "constant lr 0.0005"),
        ("step", 4, "step lr 0.0005 to 5e-06, at most 0.0005, over 4 steps"),
        ("cosine", 4, "cosine lr 0.0005 to 7.32233e-05, at most 0.0005, over 4 steps"),
    ],
)
def test_the_schedule_fact_says_what_the_rate_really_did(examples, make_context, schedule, steps, text):
    measurements, facts = trained(examples, make_context(), schedule=schedule, steps=steps, eval_every=1)
    assert facts["schedule"] == text
    rates = [measurement.values["learning_rate"] for measurement in measurements]
    assert rates == [5e-4 * optimising.rate_factor(schedule, step, steps) for step in range(1, steps + 1)]


def test_mixed_precision_on_a_cpu_is_said_to_do_nothing(examples, make_context):
    plain, mixed = (trained(examples, make_context(), steps=3, mixed_precision=is_mixed) for is_mixed in (False, True))
    assert plain[0] == mixed[0]
    assert mixed[1]["precision"] == "float32 (mixed precision acts on CUDA only)"


def test_the_best_checkpoint_is_there_when_its_measurement_arrives(examples, make_context):
    context = make_context()
    config = Config(steps=100, eval_every=10)
    run = training.fit(builder(config), *examples, config, context)
    next(run)
    assert [path.name for path in context.artifacts.iterdir()] == ["best.pt"]


def test_best_and_last_are_one_file_when_the_last_is_the_best(examples, make_context):
    context = make_context()
    _, facts = trained(examples, context, steps=20, eval_every=10)
    assert facts["best_step"] == 20
    assert (context.artifacts / "best.pt").samefile(context.artifacts / "last.pt")
    assert sorted(path.name for path in context.artifacts.iterdir()) == ["best.pt", "last.pt"]


def test_training_again_in_the_same_folder_replaces_both_checkpoints(examples, make_context):
    context = make_context()
    trained(examples, context, steps=20, eval_every=10)
    _, facts = trained(examples, context, lr=0.05, steps=200, eval_every=10)
    assert facts["best_step"] < 200
    assert not (context.artifacts / "best.pt").samefile(context.artifacts / "last.pt")
    assert sorted(path.name for path in context.artifacts.iterdir()) == ["best.pt", "last.pt"]


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    path = tmp_path / "best.pt"
    old, new = (networks.seeded(networks.stack(2, 4, shape=(1, 8, 8)), seed) for seed in (0, 1))
    training.write_checkpoint(old, path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        training.write_checkpoint(new, path)
    assert [file.name for file in tmp_path.iterdir()] == ["best.pt"]
    read = training.read_checkpoint(new, path).state_dict()
    assert all(torch.equal(value, read[name]) for name, value in old.state_dict().items())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_refused(examples, make_context):
    with pytest.raises(WorkloadError, match='got "cuda", and torch finds none: use cpu'):
        trained(examples, make_context(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("is_mixed", [False, True])
def test_cuda_trains_to_the_loss_of_the_cpu(examples, make_context, is_mixed):
    settings = {"norm": "batch", "steps": 20, "eval_every": 20, "mixed_precision": is_mixed}
    cpu, cuda = (trained(examples, make_context(device=device), **settings) for device in ("cpu", "cuda"))
    assert cuda[0][-1].values["val_loss"] == pytest.approx(cpu[0][-1].values["val_loss"], rel=0.1)


def test_threads_are_those_of_the_context(examples, make_context):
    assert trained(examples, make_context(threads=2), steps=1)[1]["threads"] == 2
    assert trained(examples, make_context(threads=1), steps=1)[1]["threads"] == 1
