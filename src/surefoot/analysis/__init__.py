"""Analysis: what a set of trials says, how sure that is, what is an artefact; given trials, never a record."""
