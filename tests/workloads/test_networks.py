"""The nets have the journal's parameter counts, start alike, and refuse kindly."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surefoot.workloads import networks

PUBLISHED_COUNTS = [
    (networks.blocks, (4, 32), 93_130),
    (networks.stack, (2, 64, "none"), 6_461_514),
    (networks.stack, (2, 64, "batch"), 6_461_770),
    (networks.stack, (4, 32, "none"), 832_298),
    (networks.stack, (4, 32, "instance"), 832_298),
    (networks.stack, (4, 32, "batch"), 832_554),
    (networks.stack, (4, 32, "layer"), 832_554),
    (networks.stack, (4, 32, "group"), 832_554),
    (networks.stack, (6, 16, "none"), 113_530),
    (networks.stack, (6, 16, "batch"), 113_722),
    (networks.stack, (6, 64, "instance"), 588_106),
    (networks.stack, (6, 64, "batch"), 588_874),
    (networks.stack, (8, 32, "instance"), 103_338),
    (networks.stack, (8, 32, "batch"), 103_850),
]


@pytest.mark.parametrize(("build", "arguments", "count"), PUBLISHED_COUNTS)
def test_parameter_counts_are_the_journals(build, arguments, count):
    assert networks.parameter_count(build(*arguments)) == count


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group", "instance"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8)])
def test_a_stack_answers_ten_classes_for_either_image_size(shape, norm, dropout):
    net = networks.stack(3, 8, norm, dropout, shape=shape)
    assert net(torch.randn(2, *shape)).shape == (2, 10)


def test_dropout_adds_no_parameters_and_no_dropout_adds_no_layer():
    with_dropout, without = networks.stack(4, 32, "batch", 0.1), networks.stack(4, 32, "batch", 0.0)
    assert networks.parameter_count(with_dropout) == networks.parameter_count(without)
    assert networks.dropout_found(with_dropout) == "Dropout2d(0.1) x4, Dropout(0.1) x1"
    assert networks.dropout_found(without) == "none"


def test_what_normalises_is_read_off_the_net():
    found = {norm: networks.norms_found(networks.stack(4, 32, norm)) for norm in ("none", "batch", "layer", "instance")}
    assert found == {
        "none": "none",
        "batch": "BatchNorm2d x4",
        "layer": "GroupNorm(1) x4",
        "instance": "InstanceNorm2d x4",
    }
    assert networks.norms_found(networks.blocks(4, 32)) == "none"


@pytest.mark.parametrize("training", [True, False])
def test_instance_norm_is_torchs_instance_norm(training):
    images = torch.randn(5, 6, 7, 7, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(5, 6, 7, 7, dtype=torch.float64)
    results = []
    for layer in (networks.InstanceNorm2d(6), nn.InstanceNorm2d(6)):
        normalised = layer.train(training)(images)
        (gradient,) = torch.autograd.grad((normalised * weights).sum(), images)
        results.append((normalised, gradient))
    torch.testing.assert_close(*results)


def test_group_norm_refuses_filters_it_cannot_divide():
    with pytest.raises(ValueError, match="norm group needs filters in multiples of 8; got 12"):
        networks.stack(2, 12, "group")


def test_an_unknown_norm_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r'none, batch, layer, group, instance; got "bach"'):
        networks.stack(2, 8, "bach")


def test_blocks_refuse_images_they_would_pool_away():
    with pytest.raises(ValueError, match=r"at least 28x28.*got 8x8: use net stack"):
        networks.blocks(4, 32, shape=(1, 8, 8))


def test_a_stack_refuses_to_pool_an_image_away():
    assert networks.stack(8, 8, shape=(1, 8, 8))(torch.randn(1, 1, 8, 8)).shape == (1, 10)
    with pytest.raises(ValueError, match=r"halves the image 4 times.*8x8; use fewer layers"):
        networks.stack(9, 8, shape=(1, 8, 8))


def test_layers_that_two_nets_share_start_from_the_same_weights():
    plain = networks.seeded(networks.stack(4, 16), seed=3).state_dict()
    deeper = networks.seeded(networks.stack(6, 16, "batch", 0.2), seed=3).state_dict()
    shared = [f"{layer}.{part}" for layer in ("conv0", "conv1", "conv2", "conv3", "out") for part in ("weight", "bias")]
    assert all(torch.equal(plain[name], deeper[name]) for name in shared)


def test_another_seed_starts_from_other_weights():
    one, other = (networks.seeded(networks.stack(2, 8), seed=seed).state_dict() for seed in (0, 1))
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_seeding_keeps_torchs_own_distribution_of_weights():
    weights = torch.cat(
        [networks.seeded(networks.stack(4, 32), seed)[2].weight.detach().flatten() for seed in range(5)]
    )
    bound = 1 / (32 * 9) ** 0.5  # uniform, torch's kaiming_uniform with a = sqrt(5)
    assert weights.abs().max() <= bound
    assert weights.std() == pytest.approx(bound / 3**0.5, rel=0.01)
