"""A space in words: what each parameter may take, for a terminal, a table and a sentence."""

from __future__ import annotations

from surefoot.space import Parameter, SearchSpace
from surefoot.words import listing, setting

MOST_CHOICES = 8


def parameter_words(parameter: Parameter) -> str:
    """ "0.0001 to 0.1, log", "one of adam, sgd", "true or false"."""
    if parameter.choices:
        shown = ", ".join(map(setting, parameter.choices[:MOST_CHOICES]))
        more = len(parameter.choices) - MOST_CHOICES
        return ("always " if len(parameter.choices) == 1 else "one of ") + shown + (f" and {more} more" * (more > 0))
    if parameter.kind == "bool":
        return "true or false"
    if parameter.low is None or parameter.high is None:
        return _open_words(parameter)
    said = f"{setting(parameter.low)} to {setting(parameter.high)}"
    said += ", log" if parameter.log else ""
    return said + (f", in steps of {setting(parameter.step)}" if parameter.step else "")


def space_sentence(space: SearchSpace) -> str:
    """ "lr (0.0001 to 0.1, log) and norm (one of none, batch)"."""
    return listing([f"{p.key} ({parameter_words(p)})" for p in space.parameters])


def _open_words(parameter: Parameter) -> str:
    if parameter.normal is None:
        return "any whole number" if parameter.kind == "int" else "any number"
    mu, sigma = parameter.normal
    return f"{'log-' if parameter.log else ''}normal, mean {setting(mu)}, sd {setting(sigma)}"
