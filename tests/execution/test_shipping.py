"""A folder's files travel in pieces and arrive whole, or not at all."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import ClusterError
from surefoot.execution import shipping
from surefoot.execution.shipping import Arrival, Parcel, packed_code, parcels, piece, unpack_code

names = st.sampled_from(["best.pt", "last.pt", "a/b/deep.txt", "a/other.bin", "empty"])


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def lay(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@settings(max_examples=60, deadline=None)
@given(files=st.dictionaries(names, st.binary(max_size=300)), size=st.integers(1, 200))
def test_what_is_sent_in_pieces_of_any_size_is_what_arrives(files, size):
    with tempfile.TemporaryDirectory() as place:
        here, there = Path(place, "here"), Path(place, "there")
        lay(here, files)
        there.mkdir()
        load = parcels(here)
        arrival = Arrival(there, load)
        while not arrival.is_complete:
            arrival.take(piece(here, load, arrival.bytes, size))
        assert contents(there) == files


def test_a_file_that_changed_on_the_way_gets_no_name(tmp_path):
    lay(tmp_path / "here", {"best.pt": b"what was listed"})
    load = parcels(tmp_path / "here")
    lay(tmp_path / "here", {"best.pt": b"something else!"})
    arrival = Arrival(tmp_path / "there", load)
    with pytest.raises(ClusterError, match=r"best\.pt was damaged"):
        arrival.take(piece(tmp_path / "here", load, 0))
    assert contents(tmp_path / "there") == {}


def test_a_file_that_shrank_is_no_piece(tmp_path):
    lay(tmp_path, {"best.pt": b"what was listed"})
    load = parcels(tmp_path)
    lay(tmp_path, {"best.pt": b""})
    with pytest.raises(ClusterError, match="became shorter"):
        piece(tmp_path, load, 0)


def test_old_files_stay_until_all_the_new_ones_are_whole(tmp_path):
    old = {"best.pt": b"old", "last.pt": b"old"}
    lay(tmp_path / "here", {"best.pt": b"01234", "empty": b"", "last.pt": b"56789"})
    lay(tmp_path / "there", old)
    load = parcels(tmp_path / "here")
    arrival = Arrival(tmp_path / "there", load)
    arrival.take(piece(tmp_path / "here", load, 0, 7))
    assert {name: (tmp_path / "there" / name).read_bytes() for name in old} == old
    arrival.abandon()
    assert contents(tmp_path / "there") == old


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", ""])
def test_a_path_out_of_the_folder_is_refused(tmp_path, path):
    with pytest.raises(ClusterError, match="must stay in its folder"):
        Arrival(tmp_path, [Parcel(path=path, size=1, sha256="")])


def test_a_script_stays_executable_and_links_to_folders_stay_behind(tmp_path):
    lay(tmp_path / "here", {"run.sh": b"#!/bin/sh\n", "plain": b"x"})
    (tmp_path / "here" / "run.sh").chmod(0o755)
    (tmp_path / "here" / "link").symlink_to("/")
    load = parcels(tmp_path / "here")
    arrival = Arrival(tmp_path / "there", load)
    arrival.take(piece(tmp_path / "here", load, 0))
    assert [os.access(tmp_path / "there" / name, os.X_OK) for name in ("run.sh", "plain")] == [True, False]
    assert [parcel.path for parcel in load] == ["plain", "run.sh"]


def test_code_is_packed_without_what_is_none(tmp_path):
    code = {"train.py": b"print(1)", "lib/model.py": b"x = 1"}
    beside = {".git/HEAD": b"", "lib/__pycache__/model.pyc": b"", "env/pyvenv.cfg": b"", "env/lib/big.py": b""}
    lay(tmp_path / "here", {**code, **beside, "home/record.db": b"", "home/artifacts/best.pt": b""})
    unpack_code(packed_code(tmp_path / "here"), tmp_path / "there")
    assert contents(tmp_path / "there") == code


def test_a_folder_too_large_to_send_is_refused_by_its_largest_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "MOST_CODE_BYTES", 2**20)
    lay(tmp_path, {"train.py": b"print(1)", "data/images.bin": bytes(2**21)})
    with pytest.raises(ClusterError, match=r"at most 1 MB .* data/images\.bin alone 2 MB; put the program in a folder"):
        packed_code(tmp_path)
