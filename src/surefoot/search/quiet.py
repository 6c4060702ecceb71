"""Silence: what Optuna logs and warns of is said by us, in the notices, or decided here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna


@contextmanager
def quietly() -> Iterator[None]:
    """Within it Optuna logs nothing and no warning is shown.

    Its warnings are of options it calls experimental, which are listed with our reasons where they are set,
    of names it will drop one day, and of numbers that overflow in values as far apart as ours are cut to be.
    """
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
