"""Tiny workloads whose predictions are as they should be, or not."""

import dataclasses

import numpy as np
import toy

from surefoot.workload import Predictions


def workload(name, answer):
    predict = None if answer is None else lambda config, context, checkpoint, split: answer
    return dataclasses.replace(toy.BEHAVE, name=name, predict=predict)


def predictions(labels, scores):
    return Predictions(labels=np.array(labels), scores=np.array(scores), classes=("cat", "dog"))


MUTE = workload("mute", None)
LIST = workload("list", [0, 1])
SHAPES = workload("shapes", predictions([0, 1, 0], np.ones((3, 3))))
BEYOND = workload("beyond", predictions([0, 5], [[1.0, 0.0], [1.0, 0.0]]))
NAN = workload("nan", predictions([0, 1], [[1.0, 0.0], [float("nan"), 0.0]]))
MARGINS = workload("margins", predictions([0, 1], [[3.0, -1.0], [2.0, -2.0]]))
