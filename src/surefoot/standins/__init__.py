"""Stand-ins: libraries of other names that a script of a sweep imports instead of the ones it was written for."""
