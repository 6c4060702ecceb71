"""Search: proposes configs, and decides which trials stop early; the only room that knows Optuna."""

from surefoot.search.methods import METHOD_OPTIONS, check_method
from surefoot.search.search import Proposal, Search
from surefoot.search.stopping import Halt, Stopper, check_stopping, stopper

__all__ = [
    "METHOD_OPTIONS",
    "Halt",
    "Proposal",
    "Search",
    "Stopper",
    "check_method",
    "check_stopping",
    "stopper",
]
