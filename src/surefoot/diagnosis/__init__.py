"""Diagnosis: what ails a training, read from its curves and resources; given histories, never a record."""
