"""Any whole set of CIFAR-10's files is read as it is, named by its bytes; what is malformed is said in one line."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import urllib.request

import numpy as np
import pytest
from cifar10_records import cifar10_records

from surefoot.errors import DataError
from surefoot.workloads import cifar10_files, datasets

ARCHIVE = "cifar-10-binary.tar.gz"


@pytest.fixture
def root(tmp_path, cifar10_root):
    """A data root of our own, to be spoiled."""
    shutil.copytree(cifar10_root, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def archive(monkeypatch):
    """An archive like the published one, which it is taken for."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name in ("readme.html", *cifar10_files.TRAIN_FILES, "test_batch.bin"):
            content = cifar10_records(3, seed=len(name)) if name.endswith(".bin") else b"<html>"
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    raw = buffer.getvalue()
    monkeypatch.setattr(cifar10_files, "ARCHIVE_MD5", hashlib.md5(raw).hexdigest())
    return raw


def refusal(root) -> str:
    """What the first thing to read the data says; one line."""
    with pytest.raises(DataError) as error:
        cifar10_files.fingerprint(root)
        cifar10_files.splits(root)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_labels_and_pixels_are_those_of_the_records(root):
    splits = cifar10_files.splits(root)
    test = (root / "cifar10" / "test_batch.bin").read_bytes()
    for index in (0, 17, 39):
        record = test[index * 3073 : (index + 1) * 3073]
        assert splits["test"].labels[index] == record[0]
        for channel, row, column in ((0, 0, 0), (1, 5, 31), (2, 31, 7)):
            place = 1 + 1024 * channel + 32 * row + column
            assert splits["test"].images[index, channel, row, column] == record[place]


def test_validation_is_a_fifth_and_what_is_left_trains(root):
    splits = cifar10_files.splits(root)
    names = ("data_batch_1.bin", "data_batch_4.bin")
    raw = b"".join((root / "cifar10" / name).read_bytes() for name in names)
    published = {raw[start + 1 : start + 3073] for start in range(0, len(raw), 3073)}
    train, validation = ({image.tobytes() for image in splits[s].images} for s in ("train", "validation"))
    assert train | validation == published
    assert not train & validation
    assert len(splits["validation"]) == cifar10_files.validation_size(root) == 50


def test_the_fingerprint_is_of_the_bytes_and_their_names(root):
    before = cifar10_files.fingerprint(root)
    assert cifar10_files.fingerprint(root) == before
    path = root / "cifar10" / "data_batch_4.bin"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    changed = cifar10_files.fingerprint(root)
    path.rename(path.with_name("data_batch_5.bin"))
    assert len({before, changed, cifar10_files.fingerprint(root)}) == 3


def test_files_of_unknown_origin_are_called_other_files(root):
    assert cifar10_files.said(root) == "other files, 250 training and 40 test images"


@pytest.mark.parametrize("cut", [1, 3072, 3074])
def test_a_file_that_is_no_whole_number_of_records_is_refused(root, cut):
    path = root / "cifar10" / "data_batch_1.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    assert f"data file {path} must hold whole records of 3,073 bytes" in refusal(root)
    assert f"got {150 * 3073 - cut:,} bytes; replace it, or name another folder" in refusal(root)


def test_an_empty_file_is_refused(root):
    (root / "cifar10" / "test_batch.bin").write_bytes(b"")
    assert "test_batch.bin must hold whole records" in refusal(root)
    assert "got none, it is empty" in refusal(root)


def test_a_label_beyond_nine_is_refused_with_its_record(root):
    path = root / "cifar10" / "data_batch_4.bin"
    content = bytearray(path.read_bytes())
    content[7 * 3073] = 10
    path.write_bytes(bytes(content))
    assert f"data file {path} must hold labels from 0 to 9; record 7 has 10; replace it" in refusal(root)


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        (("test_batch.bin",), "it has data_batch_1.bin but no test_batch.bin"),
        (("data_batch_1.bin", "data_batch_4.bin"), "it has test_batch.bin but no data_batch_1.bin"),
    ],
)
def test_half_a_set_is_refused_and_not_completed_by_a_download(root, removed, said):
    for name in removed:
        (root / "cifar10" / name).unlink()
    assert f"{said}; put it there, or name the folder" in refusal(root)


def test_a_class_with_too_few_images_is_refused(root):
    path = root / "cifar10" / "data_batch_4.bin"
    records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 3073)
    first = np.frombuffer((root / "cifar10" / "data_batch_1.bin").read_bytes(), np.uint8).reshape(-1, 3073)
    path.write_bytes(records[records[:, 0] != 6].tobytes())
    (root / "cifar10" / "data_batch_1.bin").write_bytes(first[first[:, 0] != 6].tobytes())
    assert "must hold more than 4 images of each of 10 classes, that many for validation; got 0" in refusal(root)


def test_what_is_missing_is_said_without_fetching_anything(tmp_path, root):
    assert cifar10_files.missing(root) == ""
    assert f"CIFAR-10 is not in {tmp_path / 'cifar10'} yet; a run downloads" in cifar10_files.missing(tmp_path)
    assert not (tmp_path / "cifar10").exists()
    assert cifar10_files.validation_size(tmp_path) is None


def test_no_files_and_no_network_is_one_line_with_what_to_do(tmp_path):
    said = refusal(tmp_path)
    assert said.startswith(f"CIFAR-10 is not in {tmp_path / 'cifar10'} and could not be downloaded (localhost:9: ")
    assert f"put {ARCHIVE} or its .bin files there, or name the folder" in said


def test_an_archive_is_fetched_checked_and_unpacked_as_the_published_files(tmp_path, archive, monkeypatch):
    asked = []

    def serve(address, timeout):
        asked.append(address)
        return io.BytesIO(archive)

    monkeypatch.setattr(urllib.request, "urlopen", serve)  # there is no network here
    cifar10_files.fingerprint(tmp_path)
    cifar10_files.fingerprint(tmp_path)
    assert asked == [f"https://localhost:9/{ARCHIVE}"]
    names = {path.name for path in (tmp_path / "cifar10").iterdir()}
    assert names == {*cifar10_files.TRAIN_FILES, "test_batch.bin", "SHA256SUMS"}
    assert cifar10_files.said(tmp_path) == "the published files"
    assert len(cifar10_files.splits(tmp_path)["train"]) == 120


def test_published_files_that_were_changed_since_are_other_files(tmp_path, archive):
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / ARCHIVE).write_bytes(archive)
    assert cifar10_files.said(tmp_path) == "the published files"
    (tmp_path / "cifar10" / "data_batch_2.bin").write_bytes(cifar10_records(2))
    assert cifar10_files.said(tmp_path) == "other files, 140 training and 30 test images"


def test_another_archive_is_refused_and_leaves_nothing_behind(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: io.BytesIO(archive[:-1]))
    assert "must be the published archive (MD5 " in refusal(tmp_path)
    assert not (tmp_path / "cifar10").exists()


def test_the_splits_of_a_process_are_read_through_the_one_door(root, make_context):
    context = make_context(data_root=root)
    train = datasets.load("cifar10", "train", context)
    assert train.shape == (3, 32, 32)
    assert np.bincount(datasets.load("cifar10", "train", context, train_examples=40).labels).tolist() == [4] * 10
