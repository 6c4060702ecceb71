"""Where a run comes from is said without ever failing for it."""

import subprocess

import pytest

from surefoot.execution import machine
from surefoot.execution.provenance import git_state, versions


def git(folder, *words):
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git_state.cache_clear()
    yield tmp_path
    git_state.cache_clear()


def test_the_commit_and_whether_the_tree_differs_are_known(repository):
    git(repository, "init", "-q")
    (repository / "train.py").write_text("1")
    assert git_state(str(repository)) == ("", None)  # no commit yet
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    git_state.cache_clear()
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "untracked").touch()
    assert git_state(str(repository)) == (commit, False)
    (repository / "train.py").write_text("2")
    assert git_state(str(repository)) == (commit, False)  # asked once a process
    git_state.cache_clear()
    assert git_state(str(repository)) == (commit, True)


def test_outside_git_the_commit_is_empty(repository):
    assert git_state(str(repository)) == ("", None)


def test_without_git_installed_the_commit_is_empty(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_state(str(repository)) == ("", None)


def test_versions_name_python_and_what_is_installed():
    found = versions()
    assert {"python", "surefoot", "numpy"} <= set(found)
    assert all(found.values())


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("", 8)]
)
def test_a_containers_quota_limits_the_cores(tmp_path, monkeypatch, quota, cores):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert machine.available_cores() == cores


def test_kills_of_our_own_container_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    before = machine.out_of_memory_kills()
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert machine.out_of_memory_kills() == before + 2
