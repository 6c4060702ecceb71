"""A training that was stopped goes on elsewhere as if it never had been, or says that it began anew."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import io
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.workload import RunContext, find_workload
from surefoot.workloads import resuming, training
from surefoot.workloads.digits import Config

DIGITS = find_workload("digits")
SHORT = {"steps": 22, "eval_every": 5, "train_examples": 100}  # five measurements, three and a half epochs
TIMED = ("seconds_per_step", "images_per_second", "utilisation")
NETS = [
    {"dropout": 0.3, "norm": "batch"},
    {"optimizer": "sgd", "momentum": 0.8, "lr": 0.02, "schedule": "step", "norm": "group"},
    {"optimizer": "sgd", "momentum": 0.0, "lr": 0.02, "schedule": "warmup_cosine", "weight_decay": 0.01},
    {"optimizer": "adamw", "schedule": "cosine", "norm": "instance", "dropout": 0.1, "clip_norm": 1.0},
    {"norm": "layer", "schedule": "constant", "batch_size": 7},
]


def train(context: RunContext, config: Config, measurements: int | None = None):
    """What the run yields, and its facts; closed after so many measurements it has none."""
    run, yielded = DIGITS.train(config, context), []
    while measurements is None or len(yielded) < measurements:
        try:
            yielded.append(next(run))
        except StopIteration as end:
            return yielded, end.value
    run.close()
    return yielded, None


def resumed(context: RunContext, config: Config, stops=()):
    """All that a run yields over its parts, stopped after so many measurements each, and its facts at the end."""
    yielded = []
    for part, measurements in enumerate([*stops, None]):
        torch.manual_seed(part)  # what another run would leave the process in
        more, facts = train(dataclasses.replace(context, resume=part > 0), config, measurements)
        yielded += more
    return yielded, facts


def left(context: RunContext) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in context.artifacts.iterdir()}


@functools.cache
def unbroken(config: Config, seed: int = 3):
    """What a training that nobody stops yields, its facts, and what it leaves."""
    with tempfile.TemporaryDirectory() as folder:
        context = RunContext(seed=seed, artifacts=Path(folder))
        return *train(context, config), left(context)


def told(facts: dict) -> dict:
    """The facts that do not depend on the clock, nor on having been stopped."""
    return {name: value for name, value in facts.items() if name not in (*TIMED, "resumed_from")}


@pytest.fixture
def config():
    return Config(**SHORT, **NETS[0])


@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("stops", [(1,), (3,), (4,), (1, 2), (2, 1, 1)], ids=str)
def test_a_stopped_run_ends_as_if_it_never_had_been(make_context, net, stops):
    config, stopped = Config(**SHORT, **net), make_context(3)
    expected, facts, files = unbroken(config)
    yielded, same = resumed(stopped, config, stops)
    assert yielded == expected
    assert told(same) == told(facts)
    assert same["resumed_from"] == expected[sum(stops) - 1].step
    assert left(stopped) == files
    assert set(left(stopped)) == {"best.pt", "last.pt"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_patience_runs_on_over_a_stop(make_context, data):
    config = Config(lr=0.03, steps=200, eval_every=2, patience=3, train_examples=60, dropout=0.2)
    stopped = make_context(3)
    expected, facts, files = unbroken(config)
    assert facts["stop_reason"] == "patience"
    stops = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    stops = [n for n, total in zip(stops, itertools.accumulate(stops), strict=True) if total < len(expected)]
    yielded, same = resumed(stopped, config, stops)
    assert (yielded, told(same)) == (expected, told(facts))
    assert left(stopped) == files


def test_a_run_that_was_stopped_at_its_last_measurement_says_that_again_and_ends(make_context, config):
    stopped = make_context(3)
    expected, facts, files = unbroken(config)
    first, _ = train(stopped, config, 5)
    (stopped.artifacts / "last.pt").unlink()
    again, same = train(dataclasses.replace(stopped, resume=True), config)
    assert first == expected
    assert again == expected[-1:]
    assert told(same) == told(facts)
    assert left(stopped) == files


def test_seconds_are_those_of_all_parts(make_context, config, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(training.time, "perf_counter", lambda: float(next(clock)))
    _, facts = train(make_context(), config)
    _, same = resumed(make_context(), config, (2, 1))
    assert facts["seconds_per_step"] == same["seconds_per_step"] == 5 / 22


def test_two_runs_in_one_process_do_not_disturb_each_others_state(make_context, config):
    stopped = make_context(3)
    expected, _, files = unbroken(config)
    run = DIGITS.train(config, stopped)
    first = next(run)
    train(make_context(2), config)  # draws from the same global generator before the first is closed
    run.close()
    assert [first, *train(dataclasses.replace(stopped, resume=True), config)[0]] == expected
    assert left(stopped) == files


CHILD = """
import json, os, signal, sys
from pathlib import Path
from surefoot.workload import RunContext
from surefoot.workloads.digits import WORKLOAD, Config
folder, config, resume, killed_after = json.loads(sys.argv[1])
run = WORKLOAD.train(Config(**config), RunContext(seed=3, artifacts=Path(folder), resume=resume))
for number, measurement in enumerate(run, start=1):
    print(json.dumps([measurement.step, dict(measurement.values)]), flush=True)
    if number == killed_after:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def in_a_process(context: RunContext, config: Config, *, resume: bool, killed_after: int = 0):
    """What another process trains: its exit code and its measurements."""
    asked = json.dumps([str(context.artifacts), dataclasses.asdict(config), resume, killed_after])
    done = subprocess.run([sys.executable, "-c", CHILD, asked], capture_output=True, text=True, check=False)
    return done.returncode, [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def as_told(measurements) -> list[tuple[int, dict[str, float]]]:
    return [(measurement.step, dict(measurement.values)) for measurement in measurements]


def test_another_process_goes_on_to_the_same_bits(make_context, config):
    stopped = make_context(3)
    expected, _, files = unbroken(config)
    first, _ = train(stopped, config, 2)
    code, rest = in_a_process(stopped, config, resume=True)
    assert code == 0
    assert as_told(first) + rest == as_told(expected)
    assert left(stopped) == files


def test_a_killed_run_left_nothing_to_go_on_from_and_trains_from_the_start(make_context, config):
    killed = make_context(3)
    expected, _, files = unbroken(config)
    assert in_a_process(killed, config, resume=False, killed_after=3)[0] == -signal.SIGKILL
    assert set(left(killed)) == {"best.pt"}
    yielded, facts = train(dataclasses.replace(killed, resume=True), config)
    assert facts["resumed_from"] == 0
    assert yielded == expected
    assert left(killed) == files


def test_a_resumed_run_that_is_killed_goes_on_from_the_stop_once_more(make_context, config):
    killed = make_context(3)
    expected, _, files = unbroken(config)
    train(killed, config, 2)
    again = dataclasses.replace(killed, resume=True)
    run = DIGITS.train(config, again)
    kept = [next(run), next(run)]
    before = left(killed)
    run.close()
    for name, content in before.items():  # as if the process had ended without closing
        (killed.artifacts / name).write_bytes(content)
    yielded, facts = train(again, config)
    assert facts["resumed_from"] == expected[1].step
    assert yielded[:2] == kept
    assert yielded == expected[2:]
    assert left(killed) == files


def test_a_run_that_is_not_asked_to_resume_begins_anew_and_forgets_the_stop(make_context, config):
    context = make_context(3)
    train(context, config, 2)
    run = DIGITS.train(config, context)
    next(run)
    assert set(left(context)) == {"best.pt"}
    expected, facts = train(context, config)
    assert expected == unbroken(config)[0]
    assert "resumed_from" not in facts


@pytest.mark.parametrize(("eval_every", "seen_in"), [(1, "val_loss"), (4, "train_loss")])
def test_a_diverged_run_leaves_nothing_to_go_on_from(make_context, eval_every, seen_in):
    context = make_context()
    config = Config(optimizer="sgd", lr=5.0, weight_decay=0.42, steps=100, eval_every=eval_every, train_examples=100)
    train(context, config, 1)
    again = dataclasses.replace(context, resume=True)
    yielded, facts = train(again, config)
    assert facts["stop_reason"].startswith("non-finite")
    assert not math.isfinite(yielded[-1].values[seen_in])
    train(context, config, 1)
    train(again, config, len(yielded))  # closed at the loss that is no number
    assert set(left(context)) == {"best.pt"}


def part_of(raw: bytes, damage: str) -> bytes:
    middle = len(raw) // 2
    return {
        "empty": b"",
        "a byte": raw[:1],
        "half": raw[:middle],
        "all but one byte": raw[:-1],
        "one byte more": raw + b"\0",
        "a flipped bit": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
        "a flipped bit of the sum": bytes([raw[0] ^ 128]) + raw[1:],
        "zeros": bytes(len(raw)),
    }[damage]


@pytest.mark.parametrize(
    "damage",
    [
        "empty",
        "a byte",
        "half",
        "all but one byte",
        "one byte more",
        "a flipped bit",
        "a flipped bit of the sum",
        "zeros",
    ],
)
def test_a_damaged_file_means_from_the_start_and_says_so(make_context, config, damage):
    stopped = make_context(3)
    expected, _, files = unbroken(config)
    train(stopped, config, 3)
    path = stopped.artifacts / resuming.NAME
    path.write_bytes(part_of(path.read_bytes(), damage))
    yielded, facts = train(dataclasses.replace(stopped, resume=True), config)
    assert facts["resumed_from"] == 0
    assert yielded == expected
    assert left(stopped) == files


@pytest.mark.parametrize("other", [{"dropout": 0.31}, {"steps": 23}, {"train_examples": 101}, {"seed": 4}], ids=str)
def test_another_runs_file_is_not_taken(make_context, config, other):
    mine, foreign = make_context(3), make_context(other.get("seed", 3))
    changes = {name: value for name, value in other.items() if name != "seed"}
    train(foreign, dataclasses.replace(config, **changes), 2)
    for name, content in left(foreign).items():
        (mine.artifacts / name).write_bytes(content)
    yielded, facts = train(dataclasses.replace(mine, resume=True), config)
    assert facts["resumed_from"] == 0
    assert yielded == unbroken(config)[0]


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_that_would_execute_code_does_not(make_context, config, tmp_path):
    context = make_context()
    buffer = io.BytesIO()
    torch.save({"run": Trap(str(tmp_path / "sprung"))}, buffer)
    payload = buffer.getvalue()
    (context.artifacts / resuming.NAME).write_bytes(hashlib.sha256(payload).digest() + payload)
    assert train(dataclasses.replace(context, resume=True), config)[1]["resumed_from"] == 0
    assert not (tmp_path / "sprung").exists()


def test_a_full_disk_leaves_the_earlier_stop_whole(make_context, config, monkeypatch):
    stopped = make_context(3)
    expected, _, _ = unbroken(config)
    train(stopped, config, 1)
    earlier = left(stopped)[resuming.NAME]
    run = DIGITS.train(config, dataclasses.replace(stopped, resume=True))
    next(run)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run.close()
    assert left(stopped)[resuming.NAME] == earlier
    assert set(left(stopped)) == {"best.pt", resuming.NAME}
    yielded, facts = train(dataclasses.replace(stopped, resume=True), config)
    assert facts["resumed_from"] == expected[0].step
    assert yielded == expected[1:]
