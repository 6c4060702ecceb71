"""Many tests at once: family-wise control for claims, false discovery rates for the journal."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values in the given order: compare each with the family's alpha.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6(2).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Benjamini-Hochberg q-values in the given order (scipy.stats.false_discovery_control)."""
    if not p_values:
        return ()
    # scipy.stats takes most of a second to load, which `status` and `journal` should not cost everyone.
    from scipy.stats import false_discovery_control

    return tuple(float(q) for q in false_discovery_control(list(p_values)))
