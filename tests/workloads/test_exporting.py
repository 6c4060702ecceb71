"""What is exported is the net: the same classes, whatever was folded; what fails says why and leaves the rest."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from surefoot.workload import as_config, find_workload
from surefoot.workloads import exporting, networks, training
from surefoot.workloads.datasets import Examples
from surefoot.workloads.folding import folded
from surefoot.workloads.predicting import OfPixels

STATISTICS = ((30.0, 90.0, 120.0), (20.0, 60.0, 80.0))
BOTH = ("torch", "onnx")


@pytest.fixture(autouse=True)
def nothing_is_timed_for_long(monkeypatch):
    monkeypatch.setattr(exporting, "latencies", partial(exporting.latencies, seconds=0.05))


def lived(net: nn.Module) -> nn.Module:
    """The net after some training-mode passes, so that its running statistics are not those of a fresh one."""
    torch.manual_seed(0)
    for _ in range(3):
        net.train()(torch.randn(16, 3, 32, 32) * 2 + 1)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
    return net.eval()


def residual(norm: str) -> nn.Module:
    from surefoot.workloads.residual import residual

    return residual(8, 1, norm, 0.2)


NETS = {
    **{norm: partial(networks.stack, 3, 8, norm, 0.2, shape=(3, 32, 32)) for norm in ("none", "batch", "group")},
    "layer": partial(networks.stack, 2, 8, "layer", shape=(3, 32, 32)),
    "instance": partial(networks.stack, 2, 8, "instance", shape=(3, 32, 32)),
    "blocks": partial(networks.blocks, 1, 8, shape=(3, 32, 32)),
    "residual": partial(residual, "batch"),
}


@pytest.mark.parametrize("name", NETS)
def test_folding_changes_no_output(name):
    net, layout = training.laid_out(lived(NETS[name]()), torch.device("cpu"))
    original = OfPixels(net, STATISTICS).eval()
    before = {key: value.clone() for key, value in original.state_dict().items()}
    pixels = torch.randint(0, 256, (8, 3, 32, 32)).float()
    model = folded(original, layout)
    with torch.inference_mode():
        assert torch.allclose(model(pixels), original(pixels), rtol=1e-3, atol=1e-4)
    assert not [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d | nn.Dropout | nn.Dropout2d)]
    assert all(torch.equal(before[key], value) for key, value in original.state_dict().items())


class Shared(nn.Module):
    """Uses one convolution twice, and one norm after something that is read again."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images):
        once = self.norm(self.conv(images))
        return (self.norm(self.conv(once)) + once).mean((2, 3))


def test_layers_used_twice_are_left_alone():
    net = lived(Shared())
    original = OfPixels(net, STATISTICS).eval()
    pixels = torch.randint(0, 256, (4, 3, 16, 16)).float()
    with torch.inference_mode():
        assert torch.allclose(folded(original, torch.contiguous_format)(pixels), original(pixels), atol=1e-4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small net that was really trained on the digits, its config and its context, the test split open."""
    from surefoot.workload import RunContext

    digits = find_workload("digits")
    config = as_config(digits, digits.complete({"steps": 120, "eval_every": 60, "norm": "batch", "dropout": 0.1}))
    context = RunContext(seed=1, artifacts=tmp_path_factory.mktemp("run"), is_test_open=True)
    for _ in digits.train(config, context):
        pass
    return digits, config, context


def test_every_format_predicts_what_the_net_predicts(trained, tmp_path):
    digits, config, context = trained
    facts = digits.export(config, context, "last", tmp_path, BOTH)
    said = digits.predict(config, context, "last", "test")
    told = digits.evaluate(config, context, "last", "test")
    assert [export["format"] for export in facts["exports"]] == list(BOTH)
    for export in facts["exports"]:
        assert (export["error"], export["agreement"] >= 0.999) == ("", True)
        assert export["original_accuracy"] == pytest.approx(told["val_accuracy"])
        assert export["sha256"] == facts["files"][export["file"]] == exporting.sha256(tmp_path / export["file"])
    assert facts["takes"] == "float32 pixels from 0 to 16, of shape (n, 1, 8, 8)"
    pixels = exporting.raw_pixels(opened_images(context))
    for form in exporting.FORMATS.values():
        run = form.load(tmp_path / form.file)
        assert torch.softmax(run(pixels).double(), 1).numpy() == pytest.approx(said.scores, abs=1e-4)
        assert torch.allclose(run(pixels[:1]), run(pixels)[:1], atol=1e-4)  # of one image too


def opened_images(context):
    from surefoot.workloads import datasets

    return datasets.load("digits", "test", context)


def test_the_weights_are_the_checkpoints_with_what_normalises(trained, tmp_path):
    from safetensors import safe_open

    digits, config, context = trained
    digits.export(config, context, "last", tmp_path, ())
    state = torch.load(context.artifacts / "last.pt")
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert {name for name in file.keys()} == set(state)  # noqa: SIM118  (no mapping)
        assert all(torch.equal(file.get_tensor(name), value) for name, value in state.items())
        (mean,) = json.loads(file.metadata()["means"])
    assert 4 < mean < 6


@pytest.mark.parametrize(("absent", "left"), [("onnxruntime", "torch"), ("onnxscript", "torch"), ("safetensors", "")])
def test_a_library_that_is_absent_costs_its_format_alone(trained, tmp_path, monkeypatch, absent, left):
    digits, config, context = trained
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == absent else found(name, *rest))
    facts = digits.export(config, context, "last", tmp_path, BOTH if left else ())
    failed = [export for export in facts["exports"] if export["error"]]
    assert len(failed) == 1
    assert failed[0]["error"].endswith(f'needs {absent}, which is not installed; pip install "surefoot[export]"')
    whole = [export["format"] for export in facts["exports"] if not export["error"]]
    assert whole == ([left] if left else [])
    assert {path.name for path in tmp_path.iterdir()} == set(facts["files"])


class Fickle(nn.Module):
    """Chooses its way by what it sees, which no exporter can write down."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(16, 2)

    def forward(self, images):
        flat = images.flatten(1)
        return self.out(flat) if float(flat.sum()) > 0 else self.out(-flat)


def exported(net, folder, make_context):
    context = make_context()
    training.write_checkpoint(net, context.artifacts / "last.pt")
    rng = np.random.default_rng(0)
    examples = Examples(images=rng.integers(0, 256, (40, 4, 4), dtype=np.uint8), labels=rng.integers(0, 2, 40))
    return exporting.export(lambda seed: net, examples, examples, context, "last", folder, BOTH)


def test_a_net_that_cannot_be_exported_says_so_and_leaves_its_weights(make_context, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.onnx").write_bytes(b"of an earlier attempt")
    facts = exported(Fickle(), out, make_context)
    assert [export["format"] for export in facts["exports"]] == list(BOTH)
    for export in facts["exports"]:
        assert set(export) == {"format", "error"}
        assert export["error"]
        assert "\n" not in export["error"]
    assert [path.name for path in out.iterdir()] == ["model.safetensors"] == list(facts["files"])


def test_a_file_that_does_not_read_back_is_no_export(make_context, tmp_path, monkeypatch):
    def write_half(model, pixels, path):
        exporting.write_onnx(model, pixels, path)
        path.write_bytes(path.read_bytes()[:100])

    broken = dataclasses.replace(exporting.FORMATS["onnx"], write=write_half)
    monkeypatch.setitem(exporting.FORMATS, "onnx", broken)
    facts = exported(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), tmp_path / "out", make_context)
    errors = {export["format"]: bool(export["error"]) for export in facts["exports"]}
    assert errors == {"torch": False, "onnx": True}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.pt2", "model.safetensors"]


def test_timing_leaves_the_threads_as_they_were(make_context):
    torch.set_num_threads(2)
    timings = exporting.latencies((lambda image: image + 1, lambda image: image @ image), torch.ones(3, 1, 4, 4))
    assert torch.get_num_threads() == 2
    assert all(second > 0 for second in timings.seconds)
    assert timings.runs >= exporting.FEWEST_RUNS
    torch.set_num_threads(1)
