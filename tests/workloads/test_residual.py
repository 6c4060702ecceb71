"""The residual net is ResNet-18 at full size, and its blocks compute what the paper draws."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from surefoot.workloads import networks
from surefoot.workloads.residual import ResidualBlock, residual


def counted(width: int, depth: int) -> int:
    """The parameters of the net with batch norm, by hand."""
    total, inputs = 3 * 9 * width + 2 * width, width
    for stage in range(4):
        outputs = width * 2**stage
        for block in range(depth):
            total += 9 * inputs * outputs + 9 * outputs * outputs + 2 * 2 * outputs
            if inputs != outputs or (stage and not block):
                total += inputs * outputs + 2 * outputs
            inputs = outputs
    return total + 10 * inputs + 10


def test_full_width_and_depth_are_resnet_18_with_11173962_parameters():
    net = residual(64, 2)
    assert networks.parameter_count(net) == 11_173_962 == counted(64, 2)
    assert networks.norms_found(net) == "BatchNorm2d x20"


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (16, 1), (8, 3), (5, 2)])
def test_narrower_and_shallower_nets_have_the_parameters_counted_by_hand(width, depth):
    assert networks.parameter_count(residual(width, depth)) == counted(width, depth)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group", "instance"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28)])
def test_it_answers_ten_classes_with_any_norm(norm, shape):
    assert residual(8, 1, norm, 0.2, shape=shape)(torch.randn(2, *shape)).shape == (2, 10)


def test_the_last_stage_sees_an_eighth_of_the_image():
    net = residual(4, 2)
    features = net[: list(dict(net.named_children())).index("pool")](torch.randn(2, 3, 32, 32))
    assert features.shape == (2, 32, 4, 4)


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(6, 6, 1), (6, 12, 2)])
def test_a_block_adds_two_normalised_convolutions_to_what_came_in(inputs, outputs, stride):
    block = ResidualBlock(inputs, outputs, stride, "batch").eval()
    for layer in block.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
    images = torch.randn(3, inputs, 8, 8)

    def normalised(layer, x):
        shape = (1, -1, 1, 1)
        return (x - layer.running_mean.view(shape)) / (layer.running_var.view(shape) + layer.eps).sqrt()

    hidden = functional.conv2d(images, block.conv1.weight, stride=stride, padding=1)
    hidden = functional.conv2d(normalised(block.norm1, hidden).relu(), block.conv2.weight, padding=1)
    carried = images
    if stride == 2:
        carried = normalised(block.shortcut.norm, functional.conv2d(images, block.shortcut.conv.weight, stride=2))
    expected = (normalised(block.norm2, hidden) + carried).relu()
    before = images.clone()
    torch.testing.assert_close(block(images), expected)
    assert torch.equal(images, before)


def test_dropout_stands_before_the_classifier_and_adds_no_parameters():
    assert networks.dropout_found(residual(8, 2, dropout=0.3)) == "Dropout(0.3) x1"
    assert networks.dropout_found(residual(8, 2)) == "none"
    assert networks.parameter_count(residual(8, 2, dropout=0.3)) == networks.parameter_count(residual(8, 2))


def test_blocks_that_two_depths_share_start_from_the_same_weights():
    shallow, deep = (networks.seeded(residual(8, depth), seed=3).state_dict() for depth in (1, 2))
    shared = [name for name in shallow if name in deep and shallow[name].shape == deep[name].shape]
    assert {"stem.weight", "stage3_block0.conv2.weight", "out.bias"} <= set(shared)
    assert all(torch.equal(shallow[name], deep[name]) for name in shared)


def test_group_norm_refuses_a_width_it_cannot_divide():
    with pytest.raises(ValueError, match="multiples of 8; got 12"):
        residual(12, 1, "group")
