"""A space with every kind of parameter, a loss over it, and searches that run through."""

import json
import math
import sys

from surefoot.run import Metric, Status
from surefoot.search import Search
from surefoot.space import Parameter, SearchSpace, boolean, choice, integer, real
from surefoot.sweep import Method

LOSS = Metric(name="loss", goal="minimize")
GAIN = Metric(name="gain", goal="maximize")
SPACE = SearchSpace(
    parameters=(
        real("momentum", 0.0, 0.99, when={"optimizer": "sgd"}),
        boolean("nesterov", when={"optimizer": "sgd"}),
        choice("optimizer", "sgd", "adam", 1, weights=(1, 2, 1)),
        real("lr", 1e-5, 1e-1, log=True),
        integer("layers", 1, 8),
        integer("width", 16, 256, log=True),
        integer("patch", 2, 14, step=4),
        real("dropout", 0.0, 0.5, step=0.1),
        Parameter(name="decay", kind="float", normal=(-7.0, 1.5), log=True),
        boolean("augment"),
        real("strength", 0.1, 1.0, when={"augment": True}),
    )
)
METHODS = {
    "grid": {},
    "random": {},
    "sobol": {},
    "tpe": {"startup": 6},
    "gp": {"startup": 4},
    "cmaes": {"population": 5},
    "nsga2": {"population": 6},
}
FINITE = SearchSpace(
    parameters=(
        choice("optimizer", "sgd", "adam"),
        real("momentum", 0.0, 0.9, step=0.3, when={"optimizer": "sgd"}),
        integer("layers", 1, 4),
        boolean("augment"),
    )
)


def space_for(method):
    return FINITE if method == "grid" else SPACE


def loss(config):
    """Least at momentum 0.9, adam, lr 1e-3 and four layers."""
    found = (math.log10(config.get("lr", 1e-3)) + 3) ** 2 + abs(config["layers"] - 4) * 0.3
    found += config.get("dropout", 0) + 0.2 * (config["optimizer"] == 1) + 0.1 * config["augment"]
    return found + (config.get("momentum", 0.8) - 0.9) ** 2 * 4 + math.log(config.get("width", 100) / 100) ** 2


def tell(search, number, value):
    """An answer of every kind, by the trial's number."""
    if number % 7 == 3:
        search.tell(number, values=None, status=Status.INFEASIBLE)
    elif number % 11 == 5:
        search.tell(number, values=None, status=Status.FAILED)
    elif number % 5 == 4:
        search.tell(number, values=None, curve={1: value + 2, 3: value + 1, 4: math.nan}, status=Status.PRUNED)
    else:
        search.tell(number, values=[value], curve={1: value + 2, 9: value}, status=Status.COMPLETE)


def search_by(method, seed=7, space=None, targets=(LOSS,), **more):
    options = {**METHODS[method], **more.pop("options", {})}
    return Search(
        space or space_for(method), targets=targets, method=Method(name=method, options=options), seed=seed, **more
    )


def proposals(search, count, answer=tell):
    """So many proposals, each answered before the next."""
    found = []
    for _ in range(count):
        proposal = search.ask()
        found.append(proposal)
        answer(search, proposal.number, loss(proposal.settings))
    return found


def told_complete(search, number, value):
    search.tell(number, values=[value], status=Status.COMPLETE)


def recalled(search, past, answer=tell):
    """The search with the past told as a record tells it."""
    for proposal in past:
        assert search.recall(proposal.number, proposal.settings, proposal.origin)
        answer(search, proposal.number, loss(proposal.settings))
    return search


if __name__ == "__main__":
    # In a process of its own: goes on with every method where a record that came by text left off.
    record = json.load(sys.stdin)
    said = {}
    for method, past in record.items():
        search = search_by(method)
        for number, settings, origin in past:
            assert search.recall(number, settings, origin)
            tell(search, number, loss(settings))
        said[method] = [(p.number, p.settings, p.origin) for p in proposals(search, 3)]
    print(json.dumps(said))
