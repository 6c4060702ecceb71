"""Tiny workloads that behave, misbehave and die, each for one test."""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, integer
from surefoot.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    steps: int = 3
    pause_ms: int = 0


SPACE = SearchSpace(parameters=(integer("steps", 0), integer("pause_ms", 0)))


def workload(train, evaluate=None, metrics=("loss",), fingerprint=lambda root: "toy-data"):
    return Workload(
        name=train.__name__,
        summary="a toy",
        config=Config,
        metrics=tuple(Metric(name=name, goal="minimize") for name in metrics),
        space=SPACE,
        train=train,
        evaluate=evaluate,
        fingerprint=fingerprint,
    )


def measured(step, loss=1.0):
    return Measurement(step=step, values={"loss": loss})


def behave(config, context):
    print("a line of training")
    os.system("echo a line of a child")
    for step in range(1, config.steps + 1):
        time.sleep(config.pause_ms / 1000)
        yield measured(step, context.seed + 1 / step)
    for name in ("best", "last"):
        (context.artifacts / f"{name}.pt").write_bytes(f"{name} of seed {context.seed}".encode())
    environment = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return {"steps": np.int64(config.steps), "pid": os.getpid(), "threads": context.threads, **environment}


def evaluate(config, context, checkpoint, split):
    context.require(split)
    return {"loss": np.float32(0.5), "length": len((context.artifacts / f"{checkpoint}.pt").read_bytes())}


def raise_(config, context):
    yield measured(1)
    raise ValueError("bad shape\nin layer 3")


def exit_with_code(config, context):
    yield measured(1)
    os._exit(3)


def call_sys_exit(config, context):
    yield measured(1)
    sys.exit(7)


def kill_itself(config, context):
    yield measured(1)
    time.sleep(0.2)
    yield measured(2)
    os.kill(os.getpid(), signal.SIGKILL)


def kill_itself_once(config, context):
    mark = context.artifacts / "was_here"
    if not mark.exists():
        mark.touch()
        (context.artifacts / "best.pt").write_bytes(b"half a checkpoint")
        os.kill(os.getpid(), signal.SIGKILL)
    yield measured(1)
    return {"leftovers": (context.artifacts / "best.pt").exists()}


def segfault(config, context):
    yield measured(1)
    ctypes.string_at(0)


def spin(config, context):
    yield measured(1)
    while True:
        pass


def allocate(config, context):
    yield measured(1)
    resource.setrlimit(resource.RLIMIT_AS, (2**30, resource.RLIM_INFINITY))
    _ = bytearray(2**31)


def complain_of_memory(config, context):
    yield measured(1)
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")


def diverge(config, context):
    try:
        yield measured(1)
        yield measured(2, float("nan"))
        yield measured(3)
    finally:
        (context.artifacts / "closed").touch()


def explode(config, context):
    yield measured(1, np.float32("inf"))


def stumble(config, context):
    yield measured(2)
    yield measured(2)


def babble(config, context):
    yield {"loss": 1.0}


def forget(config, context):
    yield Measurement(step=1, values={"other": 1.0})


def return_nothing(config, context):
    return None


def keep_quiet(config, context):
    return {}
    yield


def return_an_object(config, context):
    yield measured(1)
    return {"model": object()}


def return_odd_facts(config, context):
    yield measured(1)
    return {"nan": float("nan"), "array": np.float64(2.5), "nested": {"tuple": (1, np.int32(2))}}


ODD_VALUES = {
    "numpy float": np.float32(0.5),
    "zero-dimensional array": np.array(0.5),
    "whole number": 2,
    "text": "0.5",
    "truth": True,
    "numpy truth": np.bool_(True),
    "decimal": Decimal("0.5"),
    "huge": 10**400,
    "nothing": None,
    "array": np.ones(2),
}


def report_odd_value(config, context):
    yield measured(1, list(ODD_VALUES.values())[context.seed])
    return {}


def be_quick(config, context):
    for step in range(config.steps):
        yield Measurement(step=step, values={"loss": step / 7, "accuracy": 1 - step / 7, "rate": 1e-3})


def note_times(config, context):
    began = time.time()
    # Waits for the other run to be there too: overlap is then a fact and no matter of luck.
    (context.artifacts / "here").touch()
    other = context.artifacts.parent / ("b" if context.artifacts.name == "a" else "a") / "here"
    while not other.exists() and time.time() < began + 30:
        time.sleep(0.01)
    yield measured(1)
    return {"saw_other": other.exists()}


def hold_a_child(config, context):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    (context.artifacts / "pids.json").write_text(json.dumps([os.getpid(), child]))
    yield measured(1)
    for step in range(2, 600):
        time.sleep(0.1)
        yield measured(step)


def say_its_seed(config, context):
    for step in (1, 2, 3):
        yield measured(step, 100.0 * context.seed + step)
    return {"seed": context.seed}


def forking(ends):
    """A training whose child, forked at step 2, goes the given way; the parent goes on as if there were none."""

    def train(config, context):
        for step in (1, 2, 3):
            child = os.fork() if step == 2 else None
            if child == 0:
                if ends == "exits":
                    sys.exit(0)
                if ends == "returns":
                    return {"seed": -1}
                if ends == "raises":
                    raise ValueError("of a child")
                if ends == "outlives":
                    os.read(os.pipe()[0], 1)  # until it is killed with its worker
            if child and ends != "outlives":
                _, status = os.waitpid(child, 0)
                (context.artifacts / "child.txt").write_text(str(os.waitstatus_to_exitcode(status)))
            yield measured(step, 100.0 * context.seed + step if child != 0 else -1.0)
        return {"seed": context.seed}

    return train


def speak_badly(config, context):
    yield Measurement(step=1, values={"loss": 1.0, "bad \udcff\0": 2.0})
    return {"stop_reason": "a\udcffb\0c", "key \udcff": ["\0", {"\udcff": 1}]}


class Rule(StrEnum):
    COSINE = "cosine"


def return_an_enumeration(config, context):
    yield measured(1)
    return {"schedule": Rule.COSINE}


def raise_badly(config, context):
    yield measured(1)
    raise RuntimeError("b\u00f6\0\udcff")


BEHAVE = workload(behave, evaluate)
ALL = {
    function.__name__.upper(): workload(function)
    for function in (
        raise_,
        exit_with_code,
        call_sys_exit,
        kill_itself,
        kill_itself_once,
        segfault,
        spin,
        allocate,
        complain_of_memory,
        diverge,
        explode,
        stumble,
        babble,
        forget,
        return_nothing,
        keep_quiet,
        return_an_object,
        return_odd_facts,
        report_odd_value,
        be_quick,
        note_times,
        hold_a_child,
        say_its_seed,
        speak_badly,
        return_an_enumeration,
        raise_badly,
    )
}
ALL |= {
    f"FORK_{ends.upper()}": workload(forking(ends)) for ends in ("exits", "returns", "raises", "yields", "outlives")
}
ALL["NAMELESS_DATA"] = workload(be_quick, fingerprint=lambda root: None)
globals().update(ALL)
