"""Standing: which nodes are trusted with runs, told from how runs ended there and elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class _Record:
    failures: int = 0  # in a row
    proofs: int = 0  # of these, how many ended well elsewhere
    false_starts: int = 0  # in a row
    left_out: str = ""


class Standing:
    """Guards what is known of each node's health.

    A run that fails is no proof against its node: its config may be at fault. So it is tried once more on another
    node; where it ends well there, that is a proof, and where it fails there too, its first node is acquitted.
    With `most_failures` in a row a node gets no new runs until such a second try has ended, and with one proof among
    them it is left out for good.
    """

    def __init__(self, most_failures: int):
        self._most = most_failures
        self._nodes: dict[str, _Record] = {}

    def ended_well(self, node: str, *, elsewhere: str = "") -> None:
        """A run did not fail on the node; `elsewhere` is where it had failed before."""
        self._of(node).failures = self._of(node).proofs = 0
        if elsewhere and elsewhere != node:
            self._of(elsewhere).proofs += 1
            self._judge(elsewhere)

    def failed(self, node: str, *, elsewhere: str = "") -> None:
        """A run failed on the node; `elsewhere` is where it had failed before: then neither node is at fault."""
        if elsewhere and elsewhere != node:
            self._of(elsewhere).failures = max(0, self._of(elsewhere).failures - 1)
            return
        self._of(node).failures += 1
        self._judge(node)

    def started(self, node: str) -> None:
        """A worker could be started on the node."""
        self._of(node).false_starts = 0

    def could_not_start(self, node: str, reason: str) -> None:
        """A worker could not be started on the node; after `most_failures` in a row it is left out."""
        known = self._of(node)
        known.false_starts += 1
        if known.false_starts >= self._most:
            self.leave_out(node, f"no worker could be started there: {reason}")

    def leave_out(self, node: str, reason: str) -> None:
        """The node gets no run any more."""
        self._of(node).left_out = reason

    def left_out(self, node: str) -> str:
        """Why the node gets no run any more; empty where it does."""
        return self._of(node).left_out

    def is_doubtful(self, node: str) -> bool:
        """Whether the node gets no new runs for now: so many failed there that it may be at fault."""
        return self._of(node).failures >= self._most

    def _of(self, node: str) -> _Record:
        return self._nodes.setdefault(node, _Record())

    def _judge(self, node: str) -> None:
        known = self._of(node)
        if known.failures >= self._most and known.proofs and not known.left_out:
            known.left_out = f"{known.failures} runs in a row failed there, and what was tried again elsewhere did not"
