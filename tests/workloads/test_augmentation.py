"""Each operation does to a batch what it would do image by image; what is drawn is the seed's alone."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from surefoot.workloads import augmentation
from surefoot.workloads.augmentation import DRAWS, crop, cut_out, draws, flip, jitter, mix, mixup_weight

OFF = {"crop_padding": 0, "flip": False, "jitter": 0.0, "cutout": 0, "mixup": 0.0}
ON = {"crop_padding": 4, "flip": True, "jitter": 0.3, "cutout": 5, "mixup": 0.4}
STATISTICS = ((120.0, 110.0, 90.0), (60.0, 50.0, 70.0))


@pytest.fixture(params=[(3, 12, 10), (1, 9, 9)], ids=str)
def pixels(request):
    """Images with pixels from 0 to 255, float64 of shape (n, channels, height, width)."""
    return np.random.default_rng(0).integers(0, 256, (7, *request.param)).astype(float)


@pytest.fixture(params=[torch.channels_last, torch.contiguous_format], ids=["channels last", "channels first"])
def images(request, pixels):
    """The same, normalised, as a training holds them."""
    means, deviations = (np.array(each[: pixels.shape[1]]).reshape(1, -1, 1, 1) for each in STATISTICS)
    return torch.tensor((pixels - means) / deviations, dtype=torch.float32).contiguous(memory_format=request.param)


def statistics_of(images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return STATISTICS[0][: images.shape[1]], STATISTICS[1][: images.shape[1]]


def settings(**on) -> SimpleNamespace:
    return SimpleNamespace(**{**OFF, **on})


@pytest.mark.parametrize("padding", [1, 4])
def test_a_crop_is_a_window_of_the_padded_image(images, padding):
    rng = np.random.default_rng(1)
    rows, columns = rng.integers(0, 2 * padding + 1, (2, len(images)))
    rows[:2], columns[:2] = (0, 2 * padding), (2 * padding, 0)
    cropped = crop(images, padding, torch.tensor(rows), torch.tensor(columns)).numpy()
    height, width = images.shape[2:]
    for image, found, row, column in zip(images.numpy(), cropped, rows, columns, strict=True):
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
        assert np.array_equal(found, padded[:, row : row + height, column : column + width])


def test_a_flip_mirrors_the_chosen_images_alone(images):
    chosen = np.array([True, False, True, True, False, False, True])
    flipped = flip(images, torch.tensor(chosen)).numpy()
    for image, found, is_chosen in zip(images.numpy(), flipped, chosen, strict=True):
        assert np.array_equal(found, image[:, :, ::-1] if is_chosen else image)


def test_jitter_multiplies_brightness_then_contrast_of_the_pixels(images, pixels):
    rng = np.random.default_rng(2)
    brightness, contrast = rng.uniform(0.5, 1.5, (2, len(images)))
    factors = (torch.tensor(each, dtype=torch.float32) for each in (brightness, contrast))
    means, deviations = statistics_of(images)
    jittered = jitter(images, *factors, (means, deviations)).numpy()
    back = jittered * np.array(deviations).reshape(1, -1, 1, 1) + np.array(means).reshape(1, -1, 1, 1)
    grey = np.array([0.299, 0.587, 0.114]) if len(means) == 3 else np.ones(1)
    clipped = 0
    for image, found, b, c in zip(pixels, back, brightness, contrast, strict=True):
        brighter = b * image
        mean = np.tensordot(grey, brighter, 1).mean()
        expected = mean + c * (brighter - mean)
        clipped += np.sum((expected < 0) | (expected > 255))
        assert found == pytest.approx(np.clip(expected, 0, 255), abs=2e-3)
    assert clipped > 0


@pytest.mark.parametrize("size", [1, 4, 5, 40])
def test_cutout_leaves_a_square_around_its_centre_at_zero(images, size):
    rng = np.random.default_rng(3)
    rows, columns = (rng.integers(0, length, len(images)) for length in images.shape[2:])
    rows[0], columns[0] = 0, images.shape[3] - 1
    cut = cut_out(images, size, torch.tensor(rows), torch.tensor(columns)).numpy()
    for image, found, row, column in zip(images.numpy(), cut, rows, columns, strict=True):
        expected = image.copy()
        for y, x in itertools.product(*map(range, image.shape[1:])):
            if 0 <= y - (row - size // 2) < size and 0 <= x - (column - size // 2) < size:
                expected[:, y, x] = 0
        assert np.array_equal(found, expected)


def test_mixup_adds_a_share_of_the_partner_to_image_and_classes(images):
    labels, partners = torch.tensor([3, 1, 4, 1, 5, 9, 2]), torch.tensor([1, 2, 0, 3, 6, 5, 4])
    mixed, shares = mix(images, labels, 0.7, partners)
    for index, partner in enumerate(partners.tolist()):
        torch.testing.assert_close(mixed[index], 0.7 * images[index] + 0.3 * images[partner])
        expected = np.zeros(10)
        expected[labels[index]] += 0.7
        expected[labels[partner]] += 0.3
        assert shares[index].numpy() == pytest.approx(expected)


def test_the_loss_of_shares_is_the_mixed_loss():
    logits, labels, partners = torch.randn(5, 10), torch.tensor([0, 1, 2, 3, 4]), torch.tensor([4, 3, 1, 0, 2])
    _, shares = mix(torch.zeros(5, 1, 2, 2), labels, 0.25, partners)
    loss = torch.nn.functional.cross_entropy
    assert loss(logits, shares).item() == pytest.approx(
        0.25 * loss(logits, labels).item() + 0.75 * loss(logits, labels[partners]).item(), rel=1e-5
    )


@pytest.mark.parametrize("name", ON)
def test_an_operation_leaves_the_images_it_was_given_as_they_are(images, name):
    before, labels = images.clone(), torch.arange(len(images))
    made = augmentation.augmentation(settings(**{name: ON[name]}), statistics_of(images))
    changed, _ = made.apply(images, labels, 0, 0)
    assert torch.equal(images, before)
    assert torch.equal(labels, torch.arange(len(images)))
    assert changed.shape == images.shape
    assert not torch.equal(changed, before)


def test_everything_off_is_no_augmentation_and_each_that_is_on_is_said():
    assert augmentation.augmentation(settings(), STATISTICS) is None
    said = augmentation.augmentation(settings(**ON), STATISTICS).text
    assert said == "crop padding 4, flip, jitter 0.3, cutout 5, mixup 0.4"
    assert augmentation.augmentation(settings(flip=True), STATISTICS).text == "flip"


def test_operations_that_are_drawn_to_do_nothing_are_the_identity(images):
    count = torch.zeros(len(images), dtype=torch.int64)
    assert torch.equal(crop(images, 2, count + 2, count + 2), images)
    assert torch.equal(flip(images, count.bool()), images)
    ones = torch.ones(len(images))
    torch.testing.assert_close(jitter(images, ones, ones, statistics_of(images)), images)
    assert torch.equal(mix(images, count, 1.0, count)[0], images)


def test_one_operation_more_leaves_what_the_others_draw():
    images = torch.randn(6, 3, 8, 8)
    alone = augmentation.augmentation(settings(crop_padding=2), STATISTICS).apply(images, None, 5, 12)[0]
    drawn = draws(5, 12, 6)
    again = flip(alone, torch.tensor(drawn["flip"] < 0.5))
    both = augmentation.augmentation(settings(crop_padding=2, flip=True), STATISTICS).apply(images, None, 5, 12)[0]
    assert torch.equal(both, again)


def test_an_image_draws_the_same_in_any_batch_and_other_seeds_draw_otherwise():
    whole = draws(7, 0, 100)
    for name, part in draws(7, 60, 40).items():
        assert np.array_equal(whole[name][60:], part)
    assert not np.array_equal(whole["flip"], draws(8, 0, 100)["flip"])
    assert mixup_weight(7, 64, 0.4) == mixup_weight(7, 64, 0.4)
    assert len({mixup_weight(seed, first, 0.4) for seed in range(3) for first in (0, 64)}) == 6


def test_what_is_drawn_is_uniform_and_unrelated():
    drawn = draws(0, 0, 4000)
    assert tuple(drawn) == DRAWS
    for numbers in drawn.values():
        assert stats.kstest(numbers, "uniform").pvalue > 1e-4
    for one, other in itertools.combinations(drawn.values(), 2):
        assert abs(stats.pearsonr(one, other).statistic) < 0.07


@pytest.mark.parametrize("alpha", [0.2, 0.4, 3.0])
def test_mixups_weights_follow_the_beta_distribution(alpha):
    weights = [mixup_weight(1, 64 * batch, alpha) for batch in range(1500)]
    assert stats.kstest(weights, stats.beta(alpha, alpha).cdf).pvalue > 1e-4


def test_every_place_of_the_crop_is_drawn_and_half_the_images_are_flipped():
    images = torch.zeros(3000, 1, 4, 4)
    images[:, :, 1, 1] = 1
    made = augmentation.augmentation(settings(crop_padding=1, flip=True), ((0.0,), (1.0,)))
    changed = made.apply(images, None, 0, 0)[0][:, 0]
    counts = changed.sum(0) / len(images)
    # a ninth for each of nine places, mirrored half the time: columns 0 and 3, 1 and 2 come together
    assert counts[:3].numpy() == pytest.approx(np.array([[1, 2, 2, 1]] * 3) / 18, abs=0.02)
    assert changed.sum() == len(images)
