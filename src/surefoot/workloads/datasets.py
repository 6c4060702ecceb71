"""The image datasets, found or downloaded, checked by hash, split three ways.

Notable choices:
- A file is the published one or it is refused: SHA-256 of its decompressed bytes.
- Validation is cut from the published training images, equally many of each class, those whose
  own bytes have the lowest SHA-256: no seed, no library's generator, no file order is involved,
  and identical images fall on the same side.
- The test split is handed out only to a context in which it is open.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import io
import os
import tempfile
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from surefoot.errors import DataError, WorkloadError
from surefoot.run import canonical_json
from surefoot.workload import RunContext, Split

CLASSES = 10
SPLIT_RULE = "lowest SHA-256 of the image per class, version 1"
DOWNLOADS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
)
DOWNLOAD_TIMEOUT_SECONDS = 30
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFile:
    """A data file as its authors published it; hash and size are those of the decompressed bytes."""

    name: str
    sha256: str
    size_bytes: int
    remedy: str = (
        "replace it (or remove it to have it fetched again), or name another folder with SUREFOOT_DATA or --data"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """Images with their classes, int64 of shape (n,).

    Images are uint8, of shape (n, height, width) where they are grey, (n, 3, height, width) in colour.
    """

    images: np.ndarray
    labels: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.images.shape[1:] if self.images.ndim == 4 else (1, *self.images.shape[1:])
        return channels, height, width

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)


Splits = Mapping[Split, Examples]

FASHION_FILES = (
    PublishedFile(
        name="train-images-idx3-ubyte",
        sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        size_bytes=16 + 60_000 * 784,
    ),
    PublishedFile(
        name="train-labels-idx1-ubyte",
        sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        size_bytes=8 + 60_000,
    ),
    PublishedFile(
        name="t10k-images-idx3-ubyte",
        sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        size_bytes=16 + 10_000 * 784,
    ),
    PublishedFile(
        name="t10k-labels-idx1-ubyte",
        sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        size_bytes=8 + 10_000,
    ),
)
DIGITS_FILE = PublishedFile(
    name="digits.csv",
    sha256="6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8",
    size_bytes=264_712,
    remedy="install scikit-learn again",
)


def load(name: str, split: Split, context: RunContext, *, train_examples: int = 0) -> Examples:
    """One split of the dataset "cifar10", "digits" or "fashion_mnist".

    `train_examples` keeps that many training images, equally many of each class (0 keeps all); a smaller
    choice is part of a larger one. Decoded once per process. Raises DataError, and SealedSplitError
    for a test split that is not open.
    """
    context.require(split)
    examples = _splits(name, data_root(context.data_root))[split]
    return balanced(examples, train_examples) if split == "train" and train_examples else examples


def fashion_mnist_fingerprint(root: Path | None) -> str:
    """SHA-256 (hex) over the published hashes and the split rule, once every file has proved to be the published one.

    Missing files are downloaded into the data root first. Raises DataError.
    """
    for published in FASHION_FILES:
        _verified_stamp(published, *stamp(_fashion_path(published, data_root(root))))
    return _fingerprint(*FASHION_FILES)


def fashion_mnist_missing(root: Path | None) -> str:
    """What is not there yet, in a sentence; empty where all files lie in place. Fetches and checks nothing."""
    folder = data_root(root) / "fashion_mnist"
    absent = [published for published in FASHION_FILES if _present(published, folder) is None]
    if not absent:
        return ""
    names = ", ".join(published.name for published in absent)
    return (
        f"{len(absent)} of {len(FASHION_FILES)} data files are not in {folder} yet ({names}); "
        "a run downloads and checks them, or name the folder that holds fashion_mnist/ with SUREFOOT_DATA or --data"
    )


def digits_fingerprint(root: Path | None) -> str:
    """SHA-256 (hex) over the hash of the digits that scikit-learn carries and the split rule. Raises DataError."""
    _verified_stamp(DIGITS_FILE, *stamp(_digits_path()))
    return _fingerprint(DIGITS_FILE)


def data_root(asked: Path | None) -> Path:
    """Where data files lie: what was asked, else the environment's SUREFOOT_DATA, else the user's cache folder."""
    if asked is not None:
        return Path(asked)
    if os.environ.get("SUREFOOT_DATA"):
        return Path(os.environ["SUREFOOT_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "surefoot"


# ── the datasets ──


@lru_cache(maxsize=2)
def _splits(name: str, root: Path) -> Splits:
    if name == "digits":
        return _digits()
    if name == "fashion_mnist":
        return _fashion_mnist(root)
    if name == "cifar10":
        from surefoot.workloads import cifar10_files  # it stands on this module

        return cifar10_files.splits(root)
    raise WorkloadError(f'dataset must be one of cifar10, digits, fashion_mnist; got "{name}"')


def _digits() -> Splits:
    """1,797 images of 8x8 pixels from 0 to 16: 36 of each class for test, 36 for validation, 1,077 for training."""
    table = np.loadtxt(io.BytesIO(_verified(DIGITS_FILE, _digits_path())), delimiter=",", dtype=np.uint8)
    whole = Examples(images=table[:, :64].reshape(-1, 8, 8), labels=table[:, 64].astype(np.int64))
    test, rest = cut(whole, per_class=36)
    validation, train = cut(rest, per_class=36)
    return {"train": train, "validation": validation, "test": test}


def _fashion_mnist(root: Path) -> Splits:
    """Images of 28x28: 50,000 for training, 10,000 for validation (1,000 a class), the published 10,000 for test."""
    train_images, train_labels, test_images, test_labels = (
        _verified(published, _fashion_path(published, root)) for published in FASHION_FILES
    )
    validation, train = cut(_from_idx(train_images, train_labels), per_class=1000)
    return {"train": train, "validation": validation, "test": _from_idx(test_images, test_labels)}


def _from_idx(images: bytes, labels: bytes) -> Examples:
    """The two idx files decoded. The headers (16 and 8 bytes) are known, since the hashes are."""
    return Examples(
        images=np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        labels=np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )


# ── the split ──


def cut(examples: Examples, *, per_class: int) -> tuple[Examples, Examples]:
    """`per_class` examples of each class, and the rest; both in the order they had."""
    order = _balanced_order(examples)
    taken, rest = order[: per_class * CLASSES], order[per_class * CLASSES :]
    return _chosen(examples, np.sort(taken)), _chosen(examples, np.sort(rest))


def balanced(examples: Examples, count: int) -> Examples:
    """So many of the examples, equally many of each class; all of them where there are no more.

    The same ones at any time: a smaller choice is part of a larger one.
    """
    return _chosen(examples, _balanced_order(examples)[:count]) if count < len(examples) else examples


def _balanced_order(examples: Examples) -> np.ndarray:
    """Indices, one of each class in turn, within a class by the image's SHA-256."""
    digests = b"".join(hashlib.sha256(image.tobytes()).digest()[:8] for image in examples.images)
    by_digest = np.argsort(np.frombuffer(digests, ">u8"), kind="stable")
    rank_in_class = np.empty(len(examples), dtype=np.int64)
    for label in range(CLASSES):
        members = by_digest[examples.labels[by_digest] == label]
        rank_in_class[members] = np.arange(len(members))
    return np.lexsort((examples.labels, rank_in_class))


def _chosen(examples: Examples, indices: np.ndarray) -> Examples:
    return Examples(images=examples.images[indices], labels=examples.labels[indices])


# ── the files ──


def _digits_path() -> Path:
    """The file inside scikit-learn; read there because importing scikit-learn takes a second."""
    spec = importlib.util.find_spec("sklearn")
    folders = (spec.submodule_search_locations or ()) if spec else ()
    for folder in folders:
        return Path(folder) / "datasets" / "data" / "digits.csv.gz"
    raise DataError('digits come with scikit-learn, which is not installed; pip install "surefoot[torch]"')


def _fashion_path(published: PublishedFile, root: Path) -> Path:
    """The file, plain or gzip, under the data root; downloaded there when it is in neither form."""
    folder = root / "fashion_mnist"
    return _present(published, folder) or _downloaded(published, folder / f"{published.name}.gz")


def _present(published: PublishedFile, folder: Path) -> Path | None:
    candidates = (folder / published.name, folder / f"{published.name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _downloaded(published: PublishedFile, path: Path) -> Path:
    """The path, once the published file lies there whole: fetched, checked, then moved into place."""
    reasons = []
    for address in DOWNLOADS:
        try:
            packed = fetched(address + path.name, limit_bytes=published.size_bytes + 2**20)
            _checked(published, packed, address + path.name)
            write_atomically(path, packed)
            return path
        except (OSError, DataError) as error:
            reasons.append(f"{address.split('/')[2]}: {error}")
    raise DataError(
        f"data file {path} is missing (SHA-256 decompressed {published.sha256}) and could not be downloaded "
        f"({'; '.join(reasons)}); put it there, or name the folder that holds fashion_mnist/ "
        f"with SUREFOOT_DATA or --data"
    )


def fetched(address: str, *, limit_bytes: int) -> bytes:
    """What lies at the address, no more than so many bytes of it. Raises DataError, OSError."""
    if not address.startswith("https://"):
        raise DataError(f"data is downloaded over https only; got {address}")
    with urllib.request.urlopen(address, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response:
        content: bytes = response.read(limit_bytes)
        return content


def write_atomically(path: Path, content: bytes) -> None:
    """Puts the content at the path, which holds all of it or what it held, at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp made it private, a data root is shared
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _verified(published: PublishedFile, path: Path) -> bytes:
    """The decompressed bytes of the file, proved to be the published ones. Raises DataError."""
    try:
        return _checked(published, path.read_bytes(), str(path))
    except OSError as error:
        raise _refusal(published, str(path), f"it cannot be read ({error.strerror})") from error


@lru_cache(maxsize=16)
def _verified_stamp(published: PublishedFile, path: Path, size_bytes: int, modified_ns: int) -> None:
    """Verifies the file; an unchanged one is not read twice by one process."""
    _verified(published, path)


def stamp(path: Path) -> tuple[Path, int, int]:
    """The path, its size in bytes and when it was modified: other numbers, other content."""
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0  # reading it will say what is wrong
    return path, status.st_size, status.st_mtime_ns


def _checked(published: PublishedFile, raw: bytes, where: str) -> bytes:
    if not raw:
        raise _refusal(published, where, "it is empty")
    try:
        # never more than one byte beyond the published size: a gzip bomb stays packed
        plain = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(published.size_bytes + 1) if _is_gzip(raw) else raw
    except EOFError as error:
        raise _refusal(published, where, "it is truncated") from error
    except (OSError, zlib.error) as error:
        raise _refusal(published, where, f"it is damaged ({error})") from error
    if len(plain) < published.size_bytes:
        raise _refusal(published, where, f"it is truncated ({len(plain)} of {published.size_bytes} bytes)")
    found = hashlib.sha256(plain).hexdigest()
    if found != published.sha256:
        raise _refusal(published, where, f"it holds other data (SHA-256 {found})")
    return plain


def _is_gzip(raw: bytes) -> bool:
    return raw.startswith(GZIP_MAGIC)


def _refusal(published: PublishedFile, where: str, what: str) -> DataError:
    return DataError(
        f"data file {where} must be the published {published.name} (SHA-256 decompressed {published.sha256}), "
        f"but {what}; {published.remedy}"
    )


def _fingerprint(*files: PublishedFile) -> str:
    return hashlib.sha256(canonical_json([SPLIT_RULE, *(file.sha256 for file in files)]).encode()).hexdigest()
