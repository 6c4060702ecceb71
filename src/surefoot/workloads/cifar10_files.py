"""CIFAR-10's binary files, found or downloaded, checked and cut into splits.

Notable choices:
- Any whole set of such files is taken: some of data_batch_1.bin to data_batch_5.bin, and test_batch.bin. The data are
  named by the SHA-256 of the bytes that lie there, so that other files are other data.
- Only the archive's MD5 is published, none of its files: files count as the published ones when they came out of an
  archive with that MD5, which SHA256SUMS beside them then says, and as other files else.
- A fifth of the training images is cut off for validation, by the same rule as everywhere (see `datasets`).
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from surefoot.errors import DataError
from surefoot.run import canonical_json
from surefoot.workloads import datasets
from surefoot.workloads.datasets import CLASSES, SPLIT_RULE, Examples, Splits

DOWNLOAD = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
# Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html: "CIFAR-10 binary version". No stronger hash is published.
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE_LIMIT_BYTES = 2**28
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
SUMS_FILE = "SHA256SUMS"
RECORD_BYTES = 1 + 3 * 32 * 32
VALIDATION_SHARE = 5  # one in so many
REMEDY = "replace it, or name another folder with SUREFOOT_DATA or --data"


def fingerprint(root: Path | None) -> str:
    """SHA-256 (hex) over the hashes of the files and the split rule; downloads them where none is there.

    Raises DataError.
    """
    folder = _folder(datasets.data_root(root))
    return hashlib.sha256(canonical_json([SPLIT_RULE, *_sums(folder).items()]).encode()).hexdigest()


def missing(root: Path | None) -> str:
    """What is not there yet, in a sentence; empty where the files lie in place. Fetches and checks nothing."""
    folder = datasets.data_root(root) / "cifar10"
    if _found(folder) or (folder / _archive_name()).is_file():
        return ""
    return (
        f"CIFAR-10 is not in {folder} yet; a run downloads {DOWNLOAD} (170 MB) and checks it, or name the folder that "
        "holds cifar10/ with SUREFOOT_DATA or --data"
    )


def said(root: Path | None) -> str:
    """Which data the files hold, in words: "the published files", or "other files, ..." with how many images."""
    folder = _folder(datasets.data_root(root))
    sums, published = _sums(folder), _published_sums(folder)
    if len(sums) == 1 + len(TRAIN_FILES) and sums == published:
        return "the published files"
    sizes = {name: (folder / name).stat().st_size // RECORD_BYTES for name in sums}
    test = sizes.pop(TEST_FILE)
    return f"other files, {sum(sizes.values()):,} training and {test:,} test images"


def validation_size(root: Path | None) -> int | None:
    """How many images validation holds, by the sizes of the files; None where none are there."""
    folder = datasets.data_root(root) / "cifar10"
    names = [name for name in _found(folder) if name != TEST_FILE]
    records = sum((folder / name).stat().st_size // RECORD_BYTES for name in names)
    return _per_class(records) * CLASSES or None


def splits(root: Path) -> Splits:
    """Images of 3x32x32; validation is a fifth of the training files, equally many of each class. Raises DataError."""
    folder = _folder(root)
    *train_files, test_file = _found(folder)
    parts = [_decoded(folder / name) for name in train_files]
    whole = Examples(
        images=np.concatenate([part.images for part in parts]), labels=np.concatenate([part.labels for part in parts])
    )
    per_class = _per_class(len(whole))
    fewest = int(np.bincount(whole.labels, minlength=CLASSES).min())
    if not 0 < per_class < fewest:
        raise DataError(
            f"the training files in {folder} must hold more than {max(1, per_class)} images of each of {CLASSES} "
            f"classes, that many for validation; got {fewest} of one of them; add images, {_elsewhere()}"
        )
    validation, train = datasets.cut(whole, per_class=per_class)
    return {"train": train, "validation": validation, "test": _decoded(folder / test_file)}


def _per_class(records: int) -> int:
    return records // VALIDATION_SHARE // CLASSES


def _decoded(path: Path) -> Examples:
    """The images of a file: a byte of label, then 1,024 bytes each of red, green, blue, row by row."""
    raw = _whole(path)
    records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD_BYTES)
    if records[:, 0].max() >= CLASSES:
        first = int(np.argmax(records[:, 0] >= CLASSES))
        raise DataError(
            f"data file {path} must hold labels from 0 to {CLASSES - 1}; record {first} has {records[first, 0]}; "
            f"{REMEDY}"
        )
    return Examples(images=records[:, 1:].reshape(-1, 3, 32, 32), labels=records[:, 0].astype(np.int64))


def _whole(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"data file {path} cannot be read ({error.strerror}); {REMEDY}") from error
    if not raw or len(raw) % RECORD_BYTES:
        got = f"{len(raw):,} bytes" if raw else "none, it is empty"
        raise DataError(
            f"data file {path} must hold whole records of {RECORD_BYTES:,} bytes (a label and 32x32 pixels in three "
            f"colours); got {got}; {REMEDY}"
        )
    return raw


# ── the files ──


def _found(folder: Path) -> tuple[str, ...]:
    """The names of the files there, the test file last; none where there is no file at all. Raises DataError."""
    train = tuple(name for name in TRAIN_FILES if (folder / name).is_file())
    has_test = (folder / TEST_FILE).is_file()
    if train and has_test:
        return (*train, TEST_FILE)
    if train or has_test:
        there, absent = (train[0], TEST_FILE) if train else (TEST_FILE, TRAIN_FILES[0])
        raise DataError(f"{folder} must hold {TEST_FILE} beside training files; it has {there} but no {absent}; "
                        f"put it there, {_elsewhere()}")  # fmt: skip
    return ()


def _folder(root: Path) -> Path:
    """The folder with the files; unpacked or downloaded into it where there are none."""
    folder = root / "cifar10"
    if not _found(folder):
        archive = folder / _archive_name()
        _unpack(archive.read_bytes() if archive.is_file() else _downloaded(folder), archive)
    return folder


def _downloaded(folder: Path) -> bytes:
    try:
        return datasets.fetched(DOWNLOAD, limit_bytes=ARCHIVE_LIMIT_BYTES)
    except (OSError, DataError) as error:
        raise DataError(
            f"CIFAR-10 is not in {folder} and could not be downloaded ({DOWNLOAD.split('/')[2]}: {error}); put "
            f"{_archive_name()} or its .bin files there, {_elsewhere()}"
        ) from error


def _unpack(packed: bytes, archive: Path) -> None:
    """Writes the archive's data files into its folder, and SHA256SUMS once all are there. Raises DataError."""
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != ARCHIVE_MD5:
        raise DataError(
            f"{archive} must be the published archive (MD5 {ARCHIVE_MD5}), but it is another (MD5 {found}, "
            f"{len(packed):,} bytes); remove it to have it fetched again, {_elsewhere()}"
        )
    contents = _members(packed)
    for name, content in sorted(contents.items(), reverse=True):  # the test file first: training files alone are no set
        datasets.write_atomically(archive.parent / name, content)
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(contents.items())]
    datasets.write_atomically(archive.parent / SUMS_FILE, "".join(lines).encode())


def _members(packed: bytes) -> dict[str, bytes]:
    wanted = (*TRAIN_FILES, TEST_FILE)
    contents = {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            name = Path(member.name).name
            if name in wanted and (file := archive.extractfile(member)) is not None:
                contents[name] = file.read()
    return contents


def _sums(folder: Path) -> dict[str, str]:
    """The SHA-256 (hex) of every file there, by its name."""
    return {name: _sum(folder / name, *datasets.stamp(folder / name)[1:]) for name in _found(folder)}


@lru_cache(maxsize=16)
def _sum(path: Path, size_bytes: int, modified_ns: int) -> str:
    """An unchanged file is not read twice by one process."""
    return hashlib.sha256(_whole(path)).hexdigest()


def _published_sums(folder: Path) -> dict[str, str]:
    """What SHA256SUMS says of the published files; nothing where no archive was unpacked here."""
    try:
        lines = (folder / SUMS_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _archive_name() -> str:
    return DOWNLOAD.rpartition("/")[2]


def _elsewhere() -> str:
    return "or name the folder that holds cifar10/ with SUREFOOT_DATA or --data"
