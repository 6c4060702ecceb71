"""Tiny workloads that are judged, pruned and gone on with."""

import json
import time
from dataclasses import dataclass

import surefoot
from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, integer
from surefoot.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    steps: int = 8


def workload(train, **more):
    return Workload(
        name=train.__name__,
        summary="a toy",
        config=Config,
        metrics=(Metric(name="loss", goal="minimize"),),
        space=SearchSpace(parameters=(integer("steps", 0),)),
        train=train,
        **more,
    )


def measured(step, loss=None):
    return Measurement(step=step, values={"loss": 1 / step if loss is None else loss})


def count(config, context):
    for step in range(1, config.steps + 1):
        yield measured(step)


def dawdle(config, context):
    for step in range(1, config.steps + 1):
        time.sleep(0.02)
        yield measured(step)


def report(config, context):
    for step in range(1, config.steps + 1):
        surefoot.report(step, loss=1 / step)
    return {}
    yield


def swallow(config, context):
    for step in range(1, config.steps + 1):
        try:
            surefoot.report(step=step, loss=1 / step)
        except BaseException:
            print("never mind")
    return {}
    yield


def diverge(config, context):
    yield measured(1)
    yield measured(2, float("nan"))


def end_badly(config, context):
    try:
        for step in range(1, config.steps + 1):
            yield measured(step)
    finally:
        raise OSError("no space for the checkpoint")


def remember(config, context):
    state = context.artifacts / "resume.pt"
    begin = json.loads(state.read_text()) if context.resume else 0
    for step in range(begin + 1, config.steps + 1):
        print(f"step {step}")
        try:
            yield measured(step)
        except GeneratorExit:
            state.write_text(json.dumps(step))
            (context.artifacts / "best.pt").write_text("of before")
            raise


def keep(config, context):
    yield measured(1)
    return {"leftovers": [path.name for path in context.artifacts.glob("best.pt")]}


def wait(config, context):
    yield measured(1)
    while not context.is_stopping():
        time.sleep(0.01)
    yield measured(2)


COUNT, DAWDLE, REPORT, SWALLOW = workload(count), workload(dawdle), workload(report), workload(swallow)
DIVERGE, END_BADLY, KEEP, WAIT = workload(diverge), workload(end_badly), workload(keep), workload(wait)
REMEMBER = workload(remember, resumes=True)
