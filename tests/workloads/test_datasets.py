"""Only the published data are read; the split is balanced and fixed; the test split stays sealed."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import urllib.request
import warnings

import numpy as np
import pytest

from surefoot.errors import DataError, SealedSplitError
from surefoot.workloads import datasets

SIZES = {
    "cifar10": {"train": 200, "validation": 50, "test": 40},
    "digits": {"train": 1077, "validation": 360, "test": 360},
    "fashion_mnist": {"train": 50_000, "validation": 10_000, "test": 10_000},
}
ROOTS = {"fashion_mnist": "data_root", "cifar10": "cifar10_root"}  # the fixtures that say where the data are
TRAIN_IMAGES, TRAIN_LABELS = datasets.FASHION_FILES[:2]
LABELS_GZ = f"{TRAIN_LABELS.name}.gz"


@pytest.fixture(params=sorted(SIZES))
def name(request):
    return request.param


@pytest.fixture
def splits(name, request, make_context):
    root = request.getfixturevalue(ROOTS[name]) if name in ROOTS else None
    context = make_context(data_root=root, is_test_open=True)
    return {split: datasets.load(name, split, context) for split in SIZES[name]}


@pytest.fixture
def fashion_copy(data_root, tmp_path):
    """A data root of our own, to be spoiled: links to the real files."""
    folder = tmp_path / "data" / "fashion_mnist"
    folder.mkdir(parents=True)
    for published in datasets.FASHION_FILES:
        (folder / f"{published.name}.gz").symlink_to(data_root / "fashion_mnist" / f"{published.name}.gz")
    return folder


def spoil(path, content: bytes):
    path.unlink()
    path.write_bytes(content)


def rows(examples) -> set[bytes]:
    return {image.tobytes() for image in examples.images}


def test_the_splits_have_their_sizes_and_validation_is_balanced(name, splits):
    assert {split: len(examples) for split, examples in splits.items()} == SIZES[name]
    per_class = SIZES[name]["validation"] // 10
    assert np.bincount(splits["validation"].labels).tolist() == [per_class] * 10
    assert all(examples.images.dtype == np.uint8 for examples in splits.values())


def test_training_and_validation_images_together_are_the_published_ones(data_root, make_context):
    packed = (data_root / "fashion_mnist" / f"{TRAIN_IMAGES.name}.gz").read_bytes()
    published = np.frombuffer(gzip.decompress(packed), np.uint8, offset=16).reshape(-1, 784)
    context = make_context(data_root=data_root)
    cut = [datasets.load("fashion_mnist", split, context).images.reshape(-1, 784) for split in ("train", "validation")]
    whole = np.concatenate(cut)
    assert np.array_equal(np.sort(whole.view("S784"), axis=0), np.sort(published.view("S784"), axis=0))


def test_no_image_is_on_both_sides_of_the_digits_split(make_context):
    context = make_context(is_test_open=True)
    train, validation, test = (rows(datasets.load("digits", split, context)) for split in SIZES["digits"])
    assert not (train & validation or train & test or validation & test)


def test_digits_are_scikit_learns_digits(make_context):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it is not what is tested
        from sklearn.datasets import load_digits
    images, labels = load_digits(return_X_y=True)
    context = make_context(is_test_open=True)
    splits = [datasets.load("digits", split, context) for split in SIZES["digits"]]
    ours = {
        (image.tobytes(), label) for split in splits for image, label in zip(split.images, split.labels, strict=True)
    }
    theirs = {(image.tobytes(), label) for image, label in zip(images.astype(np.uint8), labels, strict=True)}
    assert ours == theirs


def test_the_test_split_is_sealed_until_finalise(name, make_context):
    with pytest.raises(SealedSplitError, match="sealed until finalise"):
        datasets.load(name, "test", make_context())


def test_a_smaller_choice_of_training_images_is_balanced_and_part_of_a_larger_one(make_context):
    context = make_context()
    small, large = (datasets.load("digits", "train", context, train_examples=n) for n in (100, 305))
    assert np.bincount(small.labels).tolist() == [10] * 10
    assert set(np.bincount(large.labels)) == {30, 31}
    assert rows(small) < rows(large)


def test_data_are_decoded_once_a_process(make_context):
    assert datasets.load("digits", "train", make_context()) is datasets.load("digits", "train", make_context())


def test_fingerprints_are_stable_and_differ(data_root):
    digits, fashion = datasets.digits_fingerprint(None), datasets.fashion_mnist_fingerprint(data_root)
    assert digits == "448ee60057f0e19c2fedb6997f17faf79dbf5dd9a135f3bc2823cd7afecfd858"
    assert fashion == "6ffc02615339b87b90c238b623496208882ffc417541fa6167d24ba0b0352235"


def test_reading_a_workload_and_its_fingerprint_imports_no_heavy_library():
    script = (
        "import sys; from surefoot.workload import find_workload as f; f('fashion_mnist').defaults(); "
        "f('digits').fingerprint(None); print({'torch', 'sklearn', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_missing_file_is_named_with_its_hash_and_what_to_do(tmp_path):
    with pytest.raises(DataError) as error:
        datasets.fashion_mnist_fingerprint(tmp_path)
    message = str(error.value)
    assert f"{tmp_path}/fashion_mnist/{TRAIN_IMAGES.name}.gz is missing" in message
    assert TRAIN_IMAGES.sha256 in message
    assert "could not be downloaded (localhost:9" in message
    assert "SUREFOOT_DATA or --data" in message
    assert "\n" not in message


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_named_with_its_hash(fashion_copy, part):
    path = fashion_copy / LABELS_GZ
    whole = path.read_bytes()
    spoil(path, whole[: int(part * len(whole))])
    with pytest.raises(DataError, match=f"{LABELS_GZ} must be .*{TRAIN_LABELS.sha256}.* it is (truncated|empty)"):
        datasets.fashion_mnist_fingerprint(fashion_copy.parent)


def test_a_truncated_plain_file_says_how_much_is_there(fashion_copy):
    path = fashion_copy / LABELS_GZ
    plain = gzip.decompress(path.read_bytes())
    path.unlink()
    (fashion_copy / TRAIN_LABELS.name).write_bytes(plain[:-1])
    with pytest.raises(DataError, match=r"it is truncated \(60007 of 60008 bytes\); replace it"):
        datasets.fashion_mnist_fingerprint(fashion_copy.parent)


@pytest.mark.parametrize("position", [0, 20, -20, -6])
def test_a_flipped_byte_is_noticed(fashion_copy, position):
    path = fashion_copy / LABELS_GZ
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    spoil(path, bytes(content))
    with pytest.raises(DataError, match=f"must be the published {TRAIN_LABELS.name}"):
        datasets.fashion_mnist_fingerprint(fashion_copy.parent)


def test_other_data_are_refused_with_both_hashes(fashion_copy):
    other = fashion_copy / f"{datasets.FASHION_FILES[0].name}.gz"
    labels = fashion_copy / LABELS_GZ
    labels.unlink()
    shutil.copy(other, labels)
    with pytest.raises(
        DataError, match=rf"{TRAIN_LABELS.sha256}\), but it holds other data \(SHA-256 [0-9a-f]{{64}}\)"
    ):
        datasets.fashion_mnist_fingerprint(fashion_copy.parent)


def test_plain_files_do_as_well_as_gzip(fashion_copy):
    path = fashion_copy / LABELS_GZ
    (fashion_copy / TRAIN_LABELS.name).write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    assert datasets.fashion_mnist_fingerprint(fashion_copy.parent)


def test_a_file_that_changed_since_it_was_verified_is_verified_again(fashion_copy):
    datasets.fashion_mnist_fingerprint(fashion_copy.parent)
    spoil(fashion_copy / LABELS_GZ, b"\x00" * 60_008)
    with pytest.raises(DataError, match="holds other data"):
        datasets.fashion_mnist_fingerprint(fashion_copy.parent)


def test_a_missing_file_is_fetched_checked_and_put_in_place(fashion_copy, data_root, monkeypatch):
    served = (data_root / "fashion_mnist" / LABELS_GZ).read_bytes()
    (fashion_copy / LABELS_GZ).unlink()
    asked = []

    def serve(address, timeout):
        asked.append(address)
        return io.BytesIO(served)

    monkeypatch.setattr(urllib.request, "urlopen", serve)  # there is no network here
    datasets.fashion_mnist_fingerprint(fashion_copy.parent)
    assert asked == [f"https://localhost:9/{LABELS_GZ}"]
    assert (fashion_copy / LABELS_GZ).read_bytes() == served
    assert len(list(fashion_copy.iterdir())) == len(datasets.FASHION_FILES)


def test_a_bad_download_leaves_nothing_behind(fashion_copy, monkeypatch):
    (fashion_copy / LABELS_GZ).unlink()
    monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: io.BytesIO(b"<html>not here</html>"))
    with pytest.raises(DataError, match=r"could not be downloaded .*it is truncated"):
        datasets.fashion_mnist_fingerprint(fashion_copy.parent)
    assert not (fashion_copy / LABELS_GZ).exists()
    assert len(list(fashion_copy.iterdir())) == len(datasets.FASHION_FILES) - 1


def test_data_come_over_https_only(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "DOWNLOADS", ("http://localhost:9/",))
    with pytest.raises(DataError, match="over https only; got http://localhost:9/"):
        datasets.fashion_mnist_fingerprint(tmp_path)


def test_the_data_root_is_what_was_asked_then_the_environment_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_DATA", str(tmp_path / "environment"))
    assert datasets.data_root(tmp_path / "asked") == tmp_path / "asked"
    assert datasets.data_root(None) == tmp_path / "environment"
    monkeypatch.delenv("SUREFOOT_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert datasets.data_root(None) == tmp_path / "cache" / "surefoot"


def test_what_is_missing_is_said_without_fetching_anything(tmp_path):
    said = datasets.fashion_mnist_missing(tmp_path)
    assert said.startswith(f"4 of 4 data files are not in {tmp_path / 'fashion_mnist'} yet")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "fashion_mnist").mkdir()
    for published in datasets.FASHION_FILES:
        (tmp_path / "fashion_mnist" / f"{published.name}.gz").touch()
    assert datasets.fashion_mnist_missing(tmp_path) == ""
