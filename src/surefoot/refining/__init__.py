"""Refining: the next search space, each line with its rule and evidence; given an analysis."""
