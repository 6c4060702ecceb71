"""What a database complains of, as one sentence with advice."""

from __future__ import annotations

import re

from surefoot.storage.address import without_password

# A pattern in the first line of the complaint, and what a person is told.
COMPLAINTS = (
    (
        "authentication failed|no password supplied|pg_hba|(role|database) .* does not exist",
        "the server refuses ({complaint}); look at the user, the password and the database's name in --store",
    ),
    (
        "starting up|shutting down|recovery mode|terminating connection|server closed|timeout expired|"
        "connection (failed|reset|refused|to server|is bad|is lost|is closed)|the connection|consuming input failed|"
        "could not (connect|receive|send|translate)|failed to resolve",
        "the server does not answer{for_long} ({complaint}); see that it runs and run again, "
        "nothing recorded so far is lost",
    ),
    (
        "disk is full|no space left|could not extend",
        "the disk is full; free some space and run again, nothing recorded so far is lost",
    ),
    ("disk i/o error", "the disk refuses ({complaint}); look for a full or failing disk and run again"),
    ("readonly|read-only|permission denied", "it is read-only; make it writable or choose another --home"),
    ("unable to open", "it cannot be opened; check its folder's rights or choose another --home"),
    ("locked|busy|lock timeout", "another process has held it{for_long}; wait for that one and run again"),
    ("append-only", "the record is append-only; write a new row instead"),
    ("malformed|not a database|encrypted", "it is damaged ({complaint}); restore a copy or choose another --home"),
    ("utf-8|decode|expecting", "it is damaged ({complaint}); restore a copy or choose another --home"),
)


def why(error: BaseException, tried_seconds: float = 0.0) -> str:
    """What is wrong and what to do; passwords are hidden, and `tried_seconds` is how long it was waited for."""
    complaint = first_line(error)
    for_long = f" for {tried_seconds:.3g} seconds" if tried_seconds else ""
    for pattern, sentence in COMPLAINTS:
        if re.search(pattern, complaint, re.IGNORECASE):
            return sentence.format(complaint=complaint, for_long=for_long)
    return complaint


def first_line(error: BaseException) -> str:
    """The error's first line, or its kind where it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return without_password(lines[0])
