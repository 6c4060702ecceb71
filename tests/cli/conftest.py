"""A plan for the ladder, and the command line in this process and in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import command

from surefoot.cli import main

HERE = Path(__file__).parent
PLAN = """\
study: climb
workload: ladder:WORKLOAD
metrics:
  loss: {goal: minimize, target: 0.7, min_effect: 0.02}
  speed: {goal: maximize}
seeds: 5
baseline: {pause_ms: PAUSE}
experiments:
  - id: aids
    hypothesis: An aid makes the climb easier.
    because: Hands need something to hold.
    arms:
      rung: {aid: rung}
      rail: {aid: rail}
    expect:
      - {arm: rung, metric: loss, is: better}
      - {arm: rail, metric: loss, is: better}
  - id: slope
    hypothesis: A gentler slope helps.
    arms:
      gentle: {slope: 0.1}
    expect:
      - {arm: gentle, metric: loss, is: better, by: 0.05}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SUREFOOT_HOME", "SUREFOOT_DATA", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setenv("LADDER_LOG", str(tmp_path / "trained.log"))


@pytest.fixture
def plan(tmp_path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("PAUSE", "0"))
    return path


@pytest.fixture
def slow_plan(tmp_path) -> Path:
    """A plan whose runs take long enough to be interrupted."""
    path = tmp_path / "slow.yaml"
    path.write_text(PLAN.replace("PAUSE", "20"))
    return path


@pytest.fixture
def surefoot(capsys):
    """The command line in this process."""

    def ask(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Answer(code=code, out=said.out, err=said.err)

    return ask


@pytest.fixture
def process():
    """The command line in a process of its own."""

    def ask(*arguments: object, **environment: str) -> Answer:
        done = subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **environment},
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    return ask


@pytest.fixture
def start():
    """The command line begun and not awaited; whatever is left is ended."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(child)
        return child

    yield begin
    for child in begun:
        if child.poll() is None:
            child.kill()
        child.communicate()
