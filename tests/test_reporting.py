"""What a script reports is heard where somebody listens, kept where it should be, and printed elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import surefoot
from surefoot.reporting import heard_by


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    for name in ("SUREFOOT_METRICS", "RANK"):
        monkeypatch.delenv(name, raising=False)


def test_without_surefoot_around_it_is_printed(capsys):
    surefoot.report(step=3, loss=0.5, accuracy=np.float32(2))
    surefoot.report(loss=1)
    assert capsys.readouterr().out == "step 3: loss 0.5, accuracy 2\nloss 1\n"


def test_in_a_script_of_ours_it_is_a_line_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    monkeypatch.setenv("SUREFOOT_METRICS", str(path))
    surefoot.report(step=3, loss=np.float64(0.1), **{"val/loss": np.array(2)})
    surefoot.report(loss=float("nan"))
    first, second = path.read_text().splitlines()
    assert json.loads(first) == {"step": 3, "loss": 0.1, "val/loss": 2.0}
    assert second == '{"loss": NaN}'


def test_a_step_may_be_given_by_place_or_by_name():
    heard = []
    with heard_by(lambda step, values: heard.append((step, dict(values)))):
        surefoot.report(3, loss=1)
        surefoot.report(step=np.int64(4), loss=1)
        surefoot.report(5.0, loss=1)
        surefoot.report(loss=1)
    assert [step for step, _ in heard] == [3, 4, 5, None]


def test_only_the_first_of_several_processes_is_heard(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SUREFOOT_METRICS", str(tmp_path / "metrics.jsonl"))
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        surefoot.report(loss=int(rank))
    assert (tmp_path / "metrics.jsonl").read_text() == '{"loss": 0.0}\n'


@pytest.mark.parametrize("value", ["0.5", True, None, [1], np.ones(2), object()])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="a reported metric must be a number; loss is"):
        surefoot.report(loss=value)


@pytest.mark.parametrize("step", [1.5, -1, "x", float("nan")])
def test_a_step_is_a_whole_number(step):
    with pytest.raises(TypeError, match="step"):
        surefoot.report(step, loss=1)


def test_stopped_passes_a_scripts_own_net():
    assert not issubclass(surefoot.Stopped, Exception)


def test_reporting_loads_nothing_but_itself():
    script = "import sys, surefoot; before = {*sys.modules}; surefoot.report(loss=1); print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()[2:]}
    assert loaded - sys.stdlib_module_names <= {"surefoot"}
