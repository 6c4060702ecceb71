"""Estimates, tests and error rates on plain numbers: numpy, scipy and nothing of ours but the errors."""
